/**
 * State by replay equals state by living: random sessions at the simulated host's console are recorded
 * while time goes as it likes and keys come when they like, and lived again at once. At the end both
 * kernels are in the same state; another seed, or one key less, ends in another state.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { InputLog, type LogEntry } from "../../backends/sim/input-log.ts";
import { startHost } from "../../host/host.ts";
import { replay, type RecordedSession, rootOf } from "../../host/replay.ts";
import { bootTime, dice, pause, size, typeAtRandom, uneven } from "./uneven.ts";

const sessions = 8;
const linesOfSession = 10;

const world = { pause, hasher: linuxPorts.hasher, embedded: () => null, fileOf: () => new Uint8Array(0) };

async function live(seed: number): Promise<{ session: RecordedSession; root: string }> {
  const roll = dice(seed);
  const entries: LogEntry[] = [];
  const log = new InputLog({ replay: [], live: () => uneven(roll), pause, sink: (entry) => entries.push(entry) });
  const host = startHost({ ...world, seed, size, now: bootTime, log, screen: () => Promise.resolve() });
  await typeAtRandom(host, linesOfSession, roll);
  return { session: { seed, size, now: String(bootTime), entries }, root: rootOf(host.kernel, world.hasher) };
}

for (let seed = 1; seed <= sessions; seed++)
  test(`session ${seed} ends in the same state when it is lived again`, { timeout: 15_000 }, async () => {
    const { session, root } = await live(seed);
    assert.deepEqual(await replay(session, world), { same: true, root });
  });

test("another seed, or one key less, is another life", async () => {
  const { session, root } = await live(3);
  const keys = session.entries.findIndex(({ kind }) => kind === "keys");
  const others = [
    { ...session, seed: 4 },
    { ...session, entries: session.entries.toSpliced(keys, 1) },
  ];
  for (const other of others) assert.notEqual((await replay(other, world)).root, root);
});
