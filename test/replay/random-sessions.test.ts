/**
 * State by replay equals state by living: random sessions at the simulated host's console are recorded
 * while time goes as it likes and keys come when they like, and lived again at once. At the end both
 * kernels are in the same state; another seed, or one key less, ends in another state.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { InputLog, type LogEntry } from "../../backends/sim/input-log.ts";
import { encodeText } from "../../core/base/bytes.ts";
import { startHost } from "../../host/host.ts";
import { replay, type RecordedSession, rootOf } from "../../host/replay.ts";
import { bootTime, dice, pause, size, uneven } from "./uneven.ts";

const sessions = 8;
const linesOfSession = 10;
const keysAtOnce = 7;

/** What a learner might type; some of it is broken off by what comes next. */
const lines = [
  "echo $RANDOM > file; cat file",
  "sleep 3",
  "head -c 8 /dev/urandom | od -An -tx1",
  "for i in 1 2 3; do sleep 0.$i & done; wait; date",
  "yes | head -1000 | wc -c",
  "mkdir -p a/b; mount -t tmpfs x a/b; echo y > a/b/c; ls -l a/b",
  "unshare -u sh -c 'hostname inner; hostname'; hostname",
  "ps; cat /proc/uptime",
  "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i",
  "(sleep 1; echo late) &",
  "kill %1; jobs",
  "mkdir /sys/fs/cgroup/g; echo 3 > /sys/fs/cgroup/g/pids.max",
  "cat",
];
const ends = ["\r", "\r", "\r", "\u0003", "\r\u0003", "\u001a", "\u0004"];

const world = { pause, hasher: linuxPorts.hasher, embedded: () => null, fileOf: () => new Uint8Array(0) };

async function live(seed: number): Promise<{ session: RecordedSession; root: string }> {
  const roll = dice(seed);
  const entries: LogEntry[] = [];
  const log = new InputLog({ replay: [], live: () => uneven(roll), pause, sink: (entry) => entries.push(entry) });
  const host = startHost({ ...world, seed, size, now: bootTime, log, screen: () => Promise.resolve() });
  const texts = Array.from({ length: linesOfSession }, () => `${lines[roll(lines.length)]}${ends[roll(ends.length)]}`);
  for (const text of ["head -c 8 /dev/urandom > chance\r", ...texts]) {
    for (let at = 0; at < text.length; at += keysAtOnce) {
      host.type(encodeText(text.slice(at, at + keysAtOnce)));
      for (let times = roll(40); times > 0; times--) await pause();
    }
  }
  host.type(encodeText("\u0003\u0003\u0004"));
  await host.kernel.turns.run();
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
