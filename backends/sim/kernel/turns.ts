/**
 * Turns: who runs, and what time it is. One process runs at a time, until it calls something that
 * blocks or its slice of fuel is used up; then the next that can go on gets its turn, in the order
 * in which they became able to. Nothing else decides, so the same input gives the same run.
 *
 * Time is virtual. It moves by the fuel that is burnt (one unit is one nanosecond of processor time)
 * and, when nobody can run, as far as the pace lets it (pace.ts). What comes from outside (a key, a
 * signal, a container to start) is *admitted* between two turns. After a turn that told the outside
 * something, the outside gets to react before the next one: what it does at once happens at once.
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import { chargeCpu, isFrozen, throttledUntil } from "./cgroup.ts";
import { type WouldBlock, wouldBlock } from "./open-file.ts";
import type { Pace } from "./pace.ts";
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

export interface CallOptions {
  readonly at?: bigint | null;
  readonly interruptible?: boolean;
}

interface Timer {
  readonly at: bigint;
  readonly fire: () => void;
}

/** What a process may run without another getting its turn. */
const sliceNanos = 4_000_000n;
/** After so much fuel the environment gets to handle its own events. */
const pauseNanos = 8_000_000n;

export class Turns {
  /** Nanoseconds since the epoch. */
  now: bigint;
  /** How many turns were taken: the kernel's own count, by which inputs are logged. */
  step = 0;
  /** The process whose turn it is. */
  current: Process | null = null;
  /** Is told when time passes without anybody running. */
  passed: ((nanos: bigint) => void) | null = null;
  readonly #pace: Pace;
  readonly #deliver: (process: Process) => "none" | "handled" | "ended";
  readonly #waiting = new Map<Process, Waiting>();
  readonly #starting = new Map<Process, () => void>();
  /** Who is to go on, the longest waiting first. */
  #order: Process[] = [];
  #inputs: (() => void)[] = [];
  #timers: Timer[] = [];
  readonly #outside = new Set<Promise<unknown>>();
  #told = false;
  /** Signals had effects while we looked for who is next: those we had passed by may be able to go on. */
  #delivered = false;
  /** Somebody woke us since we looked last. */
  #called = false;
  #sliceLeft = 0n;
  #unpaused = 0n;
  #endTurn: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #woken = new AbortController();

  /** `deliver` acts on a process's pending signals before it goes on. */
  constructor(now: bigint, pace: Pace, deliver: (process: Process) => "none" | "handled" | "ended") {
    this.now = now;
    this.#pace = pace;
    this.#deliver = deliver;
  }

  // From the processes

  /** A new process, or a new program in one, begins with `start` at its next turn. */
  begin(process: Process, start: () => void): void {
    this.#forget(process);
    process.state = "ready";
    this.#starting.set(process, start);
    this.#order.push(process);
    this.endTurn(process);
  }

  /** A call of the running process. It ends the turn when it has to wait or the slice is used up. */
  call<T>(process: Process, attempt: () => T | WouldBlock, options: CallOptions = {}): Promise<T> {
    assert(this.current === process, `process ${process.pid} (${process.name}) calls in its own turn`);
    if (this.#sliceLeft > 0n && process.pendingSignals.size === 0 && process.state !== "stopped") {
      try {
        const value = attempt();
        if (value !== wouldBlock) return Promise.resolve(value);
      } catch (thrown) {
        return Promise.reject(thrown);
      }
      asWaiting(process);
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
    this.#unpaused += nanos;
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

  // From outside

  /** Something from outside happens between two turns. */
  admit(act: () => void): void {
    this.#inputs.push(act);
    this.wake();
  }

  /** The kernel stands still until the promise has settled, and what follows from it has happened. */
  hold(promise: Promise<unknown>): void {
    const settled = (): void => {
      this.#outside.delete(promise);
      this.tell();
      this.wake();
    };
    this.#outside.add(promise);
    promise.then(settled, settled);
  }

  /** The outside was told something: it reacts before the next turn. */
  tell(): void {
    this.#told = true;
  }

  /** Something inside the kernel happens at a virtual time; the returned function takes it back. */
  schedule(at: bigint, act: () => void): () => void {
    const forget = (): void => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
    const timer: Timer = {
      at,
      fire: () => {
        forget();
        act();
      },
    };
    this.#timers.push(timer);
    if (this.#running === null) this.wake();
    return forget;
  }

  /** Resolves at a virtual time, or when the signal aborts. */
  sleepUntil(at: bigint, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = {
        at,
        fire: () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
          this.tell();
          resolve();
        },
      };
      this.#timers.push(timer);
      if (signal?.aborted === true) timer.fire();
      else signal?.addEventListener("abort", timer.fire, { once: true });
      this.wake();
    });
  }

  /** Something may be to do. */
  wake(): void {
    this.#called = true;
    this.#woken.abort();
    void this.run();
  }

  /** Runs until only something from outside can help. Concurrent calls share one run. */
  run(): Promise<void> {
    this.#running ??= this.#loop().finally(() => {
      this.#running = null;
      if (this.#isCalled()) this.wake();
    });
    return this.#running;
  }

  /** The next virtual time at which somebody can go on; null when only input can help. */
  nextTimer(): bigint | null {
    const times = this.#timers.map(({ at }) => at);
    for (const process of this.#order) {
      if (process.state === "stopped" || isFrozen(process.cgroup)) continue;
      const at = this.#waiting.get(process)?.at ?? null;
      const throttled = throttledUntil(process.cgroup, this.now);
      if (at !== null) times.push(at);
      if (throttled !== null) times.push(throttled);
    }
    const ahead = times.filter((time) => time > this.now);
    return ahead.length === 0 ? null : ahead.reduce((a, b) => (a < b ? a : b));
  }

  // The loop

  async #loop(): Promise<void> {
    await Promise.resolve(); // whoever woke us ends what it is doing first
    this.#pass(this.#pace.resume(this.now));
    for (;;) {
      this.#called = false;
      await this.#listen();
      this.#delivered = false;
      const turn = this.#nextTurn();
      if (turn !== null) await this.#take(turn);
      else if (!this.#delivered && !(await this.#passTime())) return;
    }
  }

  /** The outside's part between two turns. */
  async #listen(): Promise<void> {
    while (this.#told || this.#outside.size > 0 || this.#unpaused > pauseNanos) {
      this.#told = false;
      this.#unpaused = 0n;
      await Promise.allSettled(this.#outside);
      await this.#pace.pause();
    }
    await this.#pace.turn(this.step, this.now);
    for (const act of this.#inputs.splice(0)) act();
    for (const timer of this.#timers.filter(({ at }) => at <= this.now).sort((a, b) => Number(a.at - b.at)))
      timer.fire();
    if (this.#told) await this.#listen();
  }

  /** Nobody can run: time goes on. False when nobody waits for it. */
  async #passTime(): Promise<boolean> {
    this.#woken = new AbortController();
    const next = this.nextTimer();
    const time = await this.#pace.idle(this.now, next, this.#woken.signal);
    if (time !== null) this.#pass(time);
    return time !== null || this.#isCalled();
  }

  #pass(time: bigint): void {
    if (time <= this.now) return;
    this.passed?.(time - this.now);
    this.now = time;
  }

  #isCalled(): boolean {
    return this.#called || this.#inputs.length > 0 || this.#told || this.#outside.size > 0;
  }

  /** Gives a process its turn and waits for the end of it. */
  async #take(turn: { process: Process; go: () => void }): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#endTurn = resolve;
    });
    this.step++;
    this.current = turn.process;
    turn.process.state = "ready";
    this.#sliceLeft = sliceNanos;
    turn.go();
    await ended;
  }

  #nextTurn(): { process: Process; go: () => void } | null {
    for (const process of [...this.#order]) {
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
    const start = this.#starting.get(process);
    if (start !== undefined) return this.#startOf(process, start);
    const waiting = this.#waiting.get(process);
    return waiting === undefined ? null : this.#outcomeOf(waiting);
  }

  #isHeld(process: Process): boolean {
    return process.state === "stopped" || isFrozen(process.cgroup) || throttledUntil(process.cgroup, this.now) !== null;
  }

  #startOf(process: Process, start: () => void): (() => void) | null {
    if (this.#signals(process) === "ended") return null;
    return () => {
      this.#starting.delete(process);
      start();
    };
  }

  #diedTrying(): null {
    this.#delivered = true;
    return null;
  }

  #signals(process: Process): "none" | "handled" | "ended" {
    const effect = process.pendingSignals.size === 0 ? "none" : this.#deliver(process);
    if (effect !== "none") this.#delivered = true;
    return effect;
  }

  #outcomeOf(waiting: Waiting): (() => void) | null {
    const signals = this.#signals(waiting.process);
    if (signals === "ended" || waiting.process.state === "stopped") return null;
    const value = attemptOf(waiting);
    if (!isAlive(waiting.process)) return this.#diedTrying();
    if (value.kind === "blocked") asWaiting(waiting.process);
    if (value.kind === "blocked" && !(signals === "handled" && waiting.interruptible)) return null;
    return () => {
      this.#waiting.delete(waiting.process);
      if (value.kind === "value") waiting.resolve(value.value);
      else waiting.reject(value.kind === "thrown" ? value.thrown : new Errno("EINTR"));
    };
  }

  #forget(process: Process): void {
    this.#waiting.delete(process);
    this.#starting.delete(process);
    this.#order = this.#order.filter((other) => other !== process);
  }
}

/** A call may have stopped the one that made it. */
function asWaiting(process: Process): void {
  if (process.state !== "stopped") process.state = "waiting";
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
