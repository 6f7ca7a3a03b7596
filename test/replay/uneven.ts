/** Chance for sessions that are lived twice: the first time uneven, as the world is. */
import { setImmediate } from "node:timers/promises";
import type { Pace } from "../../backends/sim/kernel/pace.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { encodeText } from "../../core/base/bytes.ts";
import type { SimulatedHost } from "../../host/host.ts";

export const bootTime = 1_767_225_600_000_000_000n;
export const size = { rows: 24, columns: 80 };

export const pause = (): Promise<void> => setImmediate();

/** A number below a bound. */
export type Roll = (below: number) => number;

/** Numbers below a bound, from a seed. */
export function dice(seed: number): Roll {
  const random = seededRandom(seed);
  return (below) => new DataView(random.bytes(4).buffer).getUint32(0) % below;
}

/** Time goes on by parts, as a real clock lets it, and sometimes late. */
export function uneven(roll: Roll): Pace {
  return {
    pause,
    resume: (now) => now + BigInt(roll(1000)) * 1_000_000n,
    turn: () => null,
    async idle(now, next, woken) {
      for (let times = roll(6); times > 0 && !woken.aborted; times--) await pause();
      if (next === null) return null;
      if (woken.aborted) return now + BigInt(roll(5)) * 1_000_000n;
      return roll(3) === 0 ? now + (next - now) / 2n + 1n : next + BigInt(roll(3)) * 777n;
    },
  };
}

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

const keysAtOnce = 7;

/** A session at the console: random lines, typed by parts and at random times; ends when nothing happens any more. */
export async function typeAtRandom(host: SimulatedHost, count: number, roll: Roll): Promise<void> {
  const texts = Array.from({ length: count }, () => `${lines[roll(lines.length)]}${ends[roll(ends.length)]}`);
  for (const text of ["head -c 8 /dev/urandom > chance\r", ...texts]) {
    for (let at = 0; at < text.length; at += keysAtOnce) {
      host.type(encodeText(text.slice(at, at + keysAtOnce)));
      for (let times = roll(40); times > 0; times--) await pause();
    }
  }
  host.type(encodeText("\u0003\u0003\u0004"));
  await host.kernel.turns.run();
}
