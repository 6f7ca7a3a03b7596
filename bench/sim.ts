/**
 * The simulated machine: what a container's start costs in real time, and what a thousand of them hold
 * in memory, in Node and in Chromium. There are no peers: nothing else runs containers in a tab; the
 * goals are absolute.
 */
import { setImmediate } from "node:timers/promises";
import { linuxPorts } from "../backends/linux/ports.ts";
import { snapshotOf } from "../backends/sim/snapshot.ts";
import { stateRoot } from "../backends/sim/state-root.ts";
import { events, timesOfLongSession } from "./long-session.ts";
import type { Row } from "./row.ts";
import { simInBrowser } from "./sim-in-browser.ts";
import { medianTimes, openWorld } from "./sim-world.ts";

const containers = 1000;
const megabyte = 1 << 20;
const pause = (): Promise<void> => setImmediate();

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const world = await openWorld(pause);
  await medianTimes(world, rounds);
  const alone = await medianTimes(world, rounds);
  yield row("container: start to the program's first step", "ms", alone.started, 2);
  yield row("container: start to its removal", "ms", alone.whole, null);

  const before = heapBytes();
  for (let count = 0; count < containers; count++) await world.start(["sleep", "1000000"]);
  yield row(`${containers} running containers: heap`, "bytes", heapBytes() - before, 300 * megabyte);
  const crowded = await medianTimes(world, rounds);
  yield row(`container beside ${containers} others: start to the program's first step`, "ms", crowded.started, 2);

  const began = performance.now();
  const snapshot = snapshotOf(world.kernel);
  yield row(`snapshot with ${containers} containers`, "ms", performance.now() - began, null);
  const rootBegan = performance.now();
  stateRoot(snapshot, linuxPorts.hasher);
  yield row(`state root with ${containers} containers`, "ms", performance.now() - rootBegan, null);

  const { viewed, resumed } = await timesOfLongSession();
  yield row(`any of ${events} events viewed, the slowest`, "ms", Math.max(...viewed), 50);
  yield row(`any of ${events} events gone on from, the slowest`, "ms", Math.max(...resumed), 500);
  for (const { name, unit, value, most } of await simInBrowser(rounds))
    yield row(`in Chromium: ${name}`, unit, value, most);
}

function row(name: string, unit: Row["unit"], ours: number, most: number | null): Row {
  const rounded = Number(ours.toPrecision(4));
  const judged = { bench: "sim", row: name, unit, ours: rounded, peers: {}, ratio: null };
  return { ...judged, goal: most === null ? null : `at most ${most}`, met: most === null ? null : ours <= most };
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
