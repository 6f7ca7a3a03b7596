/** A session of ten thousand events, as somebody would type it: what is done at a shell, and containers. */
import { setImmediate } from "node:timers/promises";
import { linuxPorts } from "../backends/linux/ports.ts";
import { jumping } from "../backends/sim/kernel/pace.ts";
import { encodeText } from "../core/base/bytes.ts";
import { look } from "../host/lens.ts";
import { type Life, Timeline } from "../host/timeline.ts";
import { imageTar, wasi } from "../images/archive.ts";
import { userlandParts } from "../images/userland/build.ts";

export const events = 10_000;
const bootTime = 1_767_225_600_000_000_000n;

export const lines = [
  "echo hello > file; cat file",
  "ls -l /",
  "for i in 1 2 3; do echo $i; done",
  "tsbox run --rm tsbox/base echo hi",
  "ps",
  "tsbox ps -a",
  "mkdir -p a/b; touch a/b/c; rm -r a",
  "cat /proc/mounts | wc -l",
];

/** The events that are looked at and gone on from: everywhere in the session. */
export const asked = [17, 1234, 2500, 3777, 5000, 6543, 7777, 8901, 9990];

export interface Times {
  /** Milliseconds, of each event that was asked for. */
  readonly viewed: readonly number[];
  readonly resumed: readonly number[];
}

const pause = (): Promise<void> => setImmediate();
const life: Life = { live: () => jumping(pause), kept: () => {}, screen: () => Promise.resolve() };

async function lived(): Promise<Timeline> {
  const tar = await imageTar(await userlandParts("tsbox/base"), wasi);
  const embedded = (name: string): Promise<Uint8Array> | null => (name === "tsbox/base" ? Promise.resolve(tar) : null);
  const world = { pause, hasher: linuxPorts.hasher, embedded, fileOf: () => new Uint8Array(0) };
  const size = { rows: 24, columns: 80 };
  const elapsed = (): number => performance.now();
  const { host, timeline } = Timeline.begin({ ...world, seed: 1, now: bootTime, size, elapsed }, life);
  for (let at = 0; timeline.length < events; at++)
    for (const key of `${lines[at % lines.length]}\r`) {
      host.type(encodeText(key));
      await host.kernel.turns.run();
    }
  return timeline;
}

/** Each time with all machines in their places, as it is some seconds after the last was gone on from. */
export async function timesOfLongSession(): Promise<Times> {
  const timeline = await lived();
  const viewed: number[] = [];
  const resumed: number[] = [];
  for (const event of asked) {
    await timeline.prepare();
    const began = performance.now();
    look(timeline.at(event));
    const looked = performance.now();
    const { host, log } = await timeline.resume(event, life);
    resumed.push(performance.now() - looked);
    viewed.push(looked - began);
    await host.kernel.turns.run();
    log.end();
  }
  return { viewed, resumed };
}
