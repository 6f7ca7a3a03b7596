/**
 * Any event of a session can be looked at and gone on from. Random sessions are lived unevenly; at some events the
 * state of the living machine is written down. A machine that lives the session again and stands still there is in
 * the same state, what was looked at there stays as it was, and another life from there begins with the same screen.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { InputLog, type LogEntry } from "../../backends/sim/input-log.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { type SimulatedHost, startHost } from "../../host/host.ts";
import { type HostView, look } from "../../host/lens.ts";
import { rootOf } from "../../host/replay.ts";
import { type Beginning, type Life, Timeline } from "../../host/timeline.ts";
import { bootTime, dice, pause, type Roll, size, typeAtRandom, uneven } from "./uneven.ts";

const sessions = 4;
const { hasher } = linuxPorts;
const world = { pause, hasher, embedded: () => null, fileOf: () => new Uint8Array(0) };

/** One event as the machine that lived it saw it. */
interface Seen {
  readonly event: number;
  readonly root: string;
  readonly view: HostView;
  readonly printed: string;
}

interface Session {
  readonly beginning: Beginning;
  readonly host: SimulatedHost;
  readonly timeline: Timeline;
  readonly entries: readonly LogEntry[];
  readonly seen: readonly Seen[];
}

async function live(seed: number, roll: Roll): Promise<Session> {
  const beginning = { ...world, seed, size, now: bootTime, elapsed: () => performance.now() };
  const entries: LogEntry[] = [];
  const seen: Seen[] = [];
  let printed = "";
  const kept = (entry: LogEntry): void => {
    if (roll(6) === 0) {
      const view = look(host.capture(null));
      seen.push({ event: entries.length, root: rootOf(host.kernel, hasher), view, printed });
    }
    entries.push(entry);
  };
  const screen = (bytes: Uint8Array): Promise<void> => {
    printed += decodeBytes(bytes);
    return Promise.resolve();
  };
  const { host, timeline } = Timeline.begin(beginning, { live: () => uneven(roll), kept, screen });
  await typeAtRandom(host, 8, roll);
  return { beginning, host, timeline, entries, seen };
}

/** The machine that lives a session again and stands just before an event. */
async function standingBefore({ beginning, entries }: Session, event: number): Promise<SimulatedHost> {
  const log = new InputLog({ replay: entries, live: () => jumping(pause), pause, sink: () => {} });
  const host = startHost({ ...beginning, log, screen: () => Promise.resolve() });
  assert.equal(await log.standBefore(event), true);
  return host;
}

/** A life in which time jumps. */
function anotherLife(): Life & { text: () => string; entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  let printed = "";
  return {
    entries,
    live: () => jumping(pause),
    kept: (entry) => entries.push(entry),
    screen: (bytes) => {
      printed += decodeBytes(bytes);
      return Promise.resolve();
    },
    text: () => printed,
  };
}

for (let seed = 1; seed <= sessions; seed++)
  test(`the events of session ${seed} are looked at and gone on from`, { timeout: 60_000 }, async (context) => {
    const roll = dice(seed + 100);
    const session = await live(seed, roll);
    const { host, timeline, seen } = session;
    const end = rootOf(host.kernel, hasher);
    assert.ok(seen.length >= 3, `${seen.length} events were seen`);

    await context.test("state by replay is state by snapshot", async () => {
      for (const { event, root } of seen)
        assert.equal(rootOf((await standingBefore(session, event)).kernel, hasher), root, `event ${event}`);
    });
    await context.test("what was looked at there stays as it was", () => {
      for (const { event, view } of seen) assert.deepEqual(look(timeline.at(event)), view);
    });
    await timeline.prepare();
    await context.test("another life begins with the same screen, and leaves this one as it is", async () => {
      for (const { event, printed } of seen.toSorted(() => roll(3) - 1)) {
        const life = anotherLife();
        const branch = await timeline.resume(event, life);
        assert.equal(life.text(), printed, `event ${event}`);
        branch.host.type(encodeText("another"));
        await branch.host.kernel.turns.run();
        assert.deepEqual(life.entries.find(({ kind }) => kind !== "time")?.kind, "keys");
        assert.equal(branch.timeline.length, event + life.entries.length);
        assert.deepEqual(look(branch.timeline.at(event)), look(timeline.at(event)));
      }
      assert.equal(timeline.length, session.entries.length);
      assert.equal(rootOf(host.kernel, hasher), end);
    });
  });

test("an event that never was is said to be none", async () => {
  const { timeline } = await live(9, dice(9));
  await assert.rejects(timeline.resume(timeline.length, anotherLife()), { code: "not-found" });
  await assert.rejects(timeline.resume(-1, anotherLife()), { code: "not-found" });
});

test("of a session that goes another way what was lived is the line, and it can be gone on from", async () => {
  const { beginning, entries } = await live(9, dice(9));
  const other = entries.filter((_entry, at) => at % 7 !== 5);
  const { timeline, log, host } = Timeline.begin(beginning, anotherLife(), other);
  assert.equal(await log.replayed, false);
  await host.kernel.turns.run();
  assert.ok(timeline.length < other.length);
  await timeline.prepare();
  await timeline.resume(timeline.length - 1, anotherLife());
});

test("a session that was recorded by another build is said to be damaged", async () => {
  const { beginning, timeline } = await live(9, dice(9));
  Object.assign(beginning, { size: { rows: 5, columns: 10 } });
  await assert.rejects(timeline.resume(timeline.length - 1, anotherLife()), { code: "corrupt" });
});

test("a machine that stands and goes another way is not waited for", { timeout: 30_000 }, async () => {
  const { beginning, timeline } = await live(9, dice(9));
  Object.assign(beginning, { serves: false });
  await assert.rejects(timeline.resume(timeline.length - 1, anotherLife()), { code: "corrupt" });
});

for (const delays of [
  [60, 0],
  [0, 60],
])
  test(`what takes ${delays.join(" and then ")} ms to come from outside has the same effects`, async () => {
    const waits = [...delays];
    const embedded = (name: string): Promise<Uint8Array> | null =>
      name === "hello" ? sleep(waits.shift(), encodeText("no archive")) : null;
    const beginning = { ...world, embedded, seed: 4, size, now: bootTime, elapsed: () => performance.now() };
    const life = anotherLife();
    const { host, timeline } = Timeline.begin(beginning, life);
    await host.kernel.turns.run();
    for (const line of ["tsbox run hello\r", "echo $?\r"]) {
      host.type(encodeText(line));
      await host.kernel.turns.run();
    }
    assert.match(life.text(), /the archive: at byte 0[^]*125/);
    await timeline.resume(timeline.length - 1, anotherLife());
  });
