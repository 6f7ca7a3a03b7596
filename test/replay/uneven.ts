/** Chance for sessions that are lived twice: the first time uneven, as the world is. */
import { setImmediate } from "node:timers/promises";
import type { Pace } from "../../backends/sim/kernel/pace.ts";
import { seededRandom } from "../../backends/sim/random.ts";

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
