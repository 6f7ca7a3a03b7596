/**
 * Pace: how virtual time relates to what is outside. Three kinds: *jumping* (tests, grading: time
 * goes at once to when somebody waits for it), *real* (a person looks on: a second is a second, and a
 * program that computes does not run away from the clock), and the replay of a log (input-log.ts).
 */
import type { Clock } from "../../../core/base/ports.ts";

export interface Pace {
  /** Lets the environment's own events in: a macrotask. */
  pause(): Promise<void>;
  /** The kernel wakes from idleness: what time it is. */
  resume(now: bigint): bigint | Promise<bigint>;
  /** Before each turn. */
  turn(step: number, now: bigint): Promise<void> | null;
  /**
   * Nobody can run before `next` (null: at no time). Resolves with the time that it is then, at the
   * latest when `woken` aborts; null: there is nothing to wait for.
   */
  idle(now: bigint, next: bigint | null, woken: AbortSignal): Promise<bigint | null>;
  /** Time does not wait for anything outside until then; a pace that never waits has no use for it. */
  hurry?(until: bigint): void;
}

/** Time goes at once to when somebody waits for it. */
export function jumping(pause: () => Promise<void>): Pace {
  return {
    pause,
    resume: (now) => now,
    turn: () => null,
    async idle(now, next, woken) {
      // Those outside who are about to do something do it before time passes.
      for (let times = 0; times < 3 && !woken.aborted; times++) await pause();
      return woken.aborted ? now : next;
    },
  };
}

/** How far computing may run ahead of the clock before it has to wait. */
const aheadNanos = 50_000_000n;

/** A virtual second takes a real one, unless there is a hurry. `clock` is the real one; `begin` the virtual time to begin with. */
export function real(pause: () => Promise<void>, clock: Clock, begin: bigint): Pace {
  let offset = begin - clock.now();
  let hurried = begin;
  const time = (): bigint => clock.now() + offset;
  const jumpsTo = jumping(pause);
  return {
    hurry: (until) => {
      hurried = until;
    },
    pause,
    resume: (now) => (time() > now ? time() : now),
    turn: (_step, now) => (now - time() < aheadNanos ? null : clock.sleep(milliseconds(now - time()))),
    async idle(now, next, woken) {
      if (now < hurried) {
        const reached = await jumpsTo.idle(now, next === null || next > hurried ? hurried : next, woken);
        if (reached !== null && reached > time()) offset += reached - time();
        return reached;
      }
      if (next === null) return null;
      if (next > time() && !woken.aborted) await clock.sleep(milliseconds(next - time()), woken);
      const reached = time() < next ? time() : next;
      return reached > now ? reached : now;
    },
  };
}

function milliseconds(nanos: bigint): number {
  return Math.ceil(Number(nanos) / 1e6);
}
