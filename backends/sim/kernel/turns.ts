/**
 * Turns: who runs, and what time it is. One process runs at a time, until it calls something that
 * blocks or its slice of fuel is used up; then the next that can go on gets its turn, in the order
 * in which they became able to. Nothing else decides, so the same input gives the same run.
 *
 * Time is virtual. It moves by the fuel that is burnt (one unit is one nanosecond of processor time)
 * and by `advance`; it never moves because real time passed.
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import { chargeCpu, isFrozen, throttledUntil } from "./cgroup.ts";
import { type WouldBlock, wouldBlock } from "./open-file.ts";
import { isAlive, type Process } from "./process.ts";

/** A call that waits: it is tried again whenever something has happened. */
interface Waiting {
  readonly process: Process;
  readonly attempt: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (thrown: unknown) => void;
  /** The virtual time at which trying again makes sense by itself; null: only when something happens. */
  readonly at: bigint | null;
  /** A handled signal ends it with EINTR. */
  readonly interruptible: boolean;
}

const sliceNanos = 4_000_000n;

export class Turns {
  /** Nanoseconds since the epoch. */
  now: bigint;
  /** The process whose turn it is. */
  current: Process | null = null;
  readonly #waiting = new Map<Process, Waiting>();
  readonly #starting: { process: Process; start: () => void }[] = [];
  readonly #deliver: (process: Process) => "none" | "handled" | "ended";
  #sliceLeft = 0n;
  #endTurn: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #order: Process[] = [];

  /** `deliver` acts on a process's pending signals before it goes on. */
  constructor(now: bigint, deliver: (process: Process) => "none" | "handled" | "ended") {
    this.now = now;
    this.#deliver = deliver;
  }

  /** A new process, or a new program in one, begins with `start` at its next turn. */
  begin(process: Process, start: () => void): void {
    this.#forget(process);
    process.state = "ready";
    this.#starting.push({ process, start });
    this.#order.push(process);
    if (this.current === process) this.endTurn(process);
  }

  /** A call of the running process. It ends the turn when it has to wait or the slice is used up. */
  call<T>(
    process: Process,
    attempt: () => T | WouldBlock,
    options: { at?: bigint | null; interruptible?: boolean } = {},
  ): Promise<T> {
    assert(this.current === process, `process ${process.pid} calls in its own turn`);
    if (this.#sliceLeft > 0n && process.pendingSignals.size === 0) {
      const value = attempt();
      if (value !== wouldBlock) return Promise.resolve(value);
    }
    return new Promise((resolve, reject) => {
      const waiting = { process, attempt, reject, resolve: resolve as (value: unknown) => void };
      this.#waiting.set(process, { ...waiting, at: options.at ?? null, interruptible: options.interruptible ?? true });
      this.#order.push(process);
      this.endTurn(process);
    });
  }

  /** Burns fuel of the running process. */
  spend(process: Process, nanos: bigint): void {
    process.cpuNanos += nanos;
    this.now += nanos;
    this.#sliceLeft -= nanos;
    chargeCpu(process.cgroup, nanos, this.now);
  }

  /** The process gets no turn any more. */
  drop(process: Process): void {
    this.#forget(process);
    this.endTurn(process);
  }

  endTurn(process: Process): void {
    if (this.current !== process) return;
    this.current = null;
    this.#endTurn?.();
    this.#endTurn = null;
  }

  /** Runs until nobody can go on without time passing. Concurrent calls share one run. */
  run(): Promise<void> {
    this.#running ??= this.#loop().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** The next virtual time at which somebody can go on; null when only input can help. */
  nextTimer(): bigint | null {
    const times = [...this.#waiting.values()].flatMap(({ process, at }) => {
      const throttled = throttledUntil(process.cgroup, this.now);
      return [at, throttled].filter((time) => time !== null);
    });
    for (const { process } of this.#starting) {
      const throttled = throttledUntil(process.cgroup, this.now);
      if (throttled !== null) times.push(throttled);
    }
    return times.length === 0 ? null : times.reduce((a, b) => (a < b ? a : b));
  }

  /** Lets virtual time pass, in the steps in which something happens. */
  async advance(nanos: bigint): Promise<void> {
    const end = this.now + nanos;
    for (;;) {
      await this.run();
      const next = this.nextTimer();
      if (next === null || next > end) break;
      if (next > this.now) this.now = next;
      else break;
    }
    if (end > this.now) this.now = end;
    await this.run();
  }

  async #loop(): Promise<void> {
    for (let turn = this.#nextTurn(); turn !== null; turn = this.#nextTurn()) await this.#take(turn);
  }

  /** Gives a process its turn and waits for the end of it. */
  async #take(turn: { process: Process; go: () => void }): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#endTurn = resolve;
    });
    this.current = turn.process;
    turn.process.state = "ready";
    this.#sliceLeft = sliceNanos;
    turn.go();
    await ended;
  }

  #nextTurn(): { process: Process; go: () => void } | null {
    for (const process of this.#order) {
      const go = this.#readiness(process);
      if (go === null) continue;
      this.#order = this.#order.filter((other) => other !== process);
      return { process, go };
    }
    return null;
  }

  /** What giving this process a turn would do; null when it cannot go on. */
  #readiness(process: Process): (() => void) | null {
    if (!isAlive(process) || this.#isHeld(process)) return null;
    const starting = this.#starting.findIndex((each) => each.process === process);
    if (starting !== -1) return this.#startOf(starting);
    const waiting = this.#waiting.get(process);
    return waiting === undefined ? null : this.#outcomeOf(waiting);
  }

  #isHeld(process: Process): boolean {
    if (process.pendingSignals.has(9)) return false;
    return process.state === "stopped" || isFrozen(process.cgroup) || throttledUntil(process.cgroup, this.now) !== null;
  }

  #startOf(index: number): () => void {
    return () => {
      const [next] = this.#starting.splice(index, 1);
      next?.start();
    };
  }

  #outcomeOf(waiting: Waiting): (() => void) | null {
    const signals = this.#deliver(waiting.process);
    if (signals === "ended" || waiting.process.state === "stopped") return null;
    const value = attemptOf(waiting);
    if (value.kind === "blocked" && !(signals === "handled" && waiting.interruptible)) return null;
    return () => {
      this.#waiting.delete(waiting.process);
      if (value.kind === "value") waiting.resolve(value.value);
      else waiting.reject(value.kind === "thrown" ? value.thrown : new Errno("EINTR"));
    };
  }

  #forget(process: Process): void {
    this.#waiting.delete(process);
    this.#order = this.#order.filter((other) => other !== process);
    const starting = this.#starting.findIndex((each) => each.process === process);
    if (starting !== -1) this.#starting.splice(starting, 1);
  }
}

type Attempt = { kind: "value"; value: unknown } | { kind: "thrown"; thrown: unknown } | { kind: "blocked" };

function attemptOf(waiting: Waiting): Attempt {
  try {
    const value = waiting.attempt();
    return value === wouldBlock ? { kind: "blocked" } : { kind: "value", value };
  } catch (thrown) {
    return { kind: "thrown", thrown };
  }
}
