import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import test from "node:test";
import { InputLog, type LogEntry } from "../backends/sim/input-log.ts";
import { real } from "../backends/sim/kernel/pace.ts";
import type { Clock } from "../core/base/ports.ts";
import { replay, rootOf } from "./replay.ts";
import { Session } from "./testing/session.ts";

// A machine whose second takes a real one, and its time that is let pass at once.

const pause = (): Promise<void> => setImmediate();

/** A real clock on which nobody waits long: what is slept is noted, and not waited for. */
class WatchedClock implements Clock {
  slept = 0;
  #now = 0n;

  now(): bigint {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await pause();
    if (signal?.aborted === true) return;
    this.slept += ms;
    this.#now += BigInt(ms) * 1_000_000n;
  }
}

async function session(): Promise<{ session: Session; clock: WatchedClock; entries: LogEntry[] }> {
  const clock = new WatchedClock();
  const entries: LogEntry[] = [];
  const live = (now: bigint): ReturnType<typeof real> => real(pause, clock, now);
  const log = new InputLog({ replay: [], live, pause, sink: (entry) => entries.push(entry) });
  return { clock, entries, session: await Session.begin(pause, { log }) };
}

test("an hour that is let pass takes no real time, and all that happens in it happens", async () => {
  const { session: host, clock } = await session();
  assert.equal(await host.run("sleep 2; date +%H:%M:%S"), "00:00:02");
  assert.ok(clock.slept >= 2000);
  const { slept } = clock;
  const ticking = "(for i in 1 2 3 4 5 6; do sleep 600; date +%H:%M >> /tmp/ticks; done) &";
  assert.match(await host.run(`${ticking} tsbox sim advance 1h`), /^2026-01-01T01:00:02\.\d+Z$/m);
  assert.match(await host.run("cat /tmp/ticks | tr '\\n' ' '"), /^00:10 00:20 00:30 00:40 00:50 01:00 /);
  assert.ok(clock.slept < slept + 100);
  await host.run("sleep 1");
  assert.ok(clock.slept >= slept + 1000, "afterwards a second takes a real one again");
});

test("what is no duration is refused", async () => {
  const { session: host } = await session();
  for (const text of ["soon", "5", "-1h"])
    assert.match(await host.run(`tsbox sim advance ${text}; echo $?`), /invalid duration.*\n1$|unknown shorthand.*\n/);
  assert.match(await host.run("tsbox sim advance 0s; echo $?"), /expected milliseconds, more than none.*\n1$/);
  assert.match(await host.run("tsbox sim advance 1000000h; echo $?"), /at most 100 years.*\n1$/);
});

test("a session with such an hour is lived again to the same state", async () => {
  const { session: host, entries } = await session();
  await host.run("(for i in 1 2 3; do sleep 600; date >> /tmp/ticks; done) & tsbox sim advance 1h30m");
  const { kernel } = host.host;
  const { hasher } = await import("../backends/linux/ports.ts").then(({ linuxPorts }) => linuxPorts);
  const world = { pause, hasher, embedded: () => null, fileOf: () => new Uint8Array(0) };
  const recorded = { seed: 1, now: "1767225600000000000", size: { rows: 24, columns: 200 }, entries };
  assert.deepEqual(await replay(recorded, world), { same: true, root: rootOf(kernel, hasher) });
});

test("Ctrl-C ends the hurry", async () => {
  const { session: host, clock } = await session();
  await host.run("tsbox sim advance 1000h & sleep 60; kill %1; sleep 1");
  const before = clock.slept;
  await host.run("sleep 5");
  assert.ok(clock.slept >= before + 5000);
});
