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
import { chargeCpu, sliceNanos, throttledUntil } from "./cgroup/cpu.ts";
import { isFrozen } from "./cgroup/freezer.ts";
import { type Waker, watching } from "./changes.ts";
import { type WouldBlock, wouldBlock } from "./open-file.ts";
import type { Pace } from "./pace.ts";
import { isAlive, type Process } from "./process.ts";
import { RunQueue } from "./run-queue.ts";
import { Timers } from "./timers.ts";

/** A call that waits: it is tried again when what it watches has changed, or before every turn. */
interface Waiting {
  readonly process: Process;
  readonly attempt: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (thrown: unknown) => void;
  /** The virtual time at which trying again makes sense by itself; null: only when something happens. */
  readonly at: bigint | null;
  /** A handled signal ends it with EINTR. */
  readonly interruptible: boolean;
  /** Everything it looks at tells of its changes (changes.ts). */
  readonly watched: boolean;
}

export interface CallOptions {
  readonly at?: bigint | null;
  readonly interruptible?: boolean;
  readonly watched?: boolean;
}

/** Why the pace's sleep ends: given, since a reason that is made anew each time costs a stack trace. */
const awake = "something may be to do";
/** After so much fuel the environment gets to handle its own events. */
const pauseNanos = 8_000_000n;

export class Turns implements Waker {
  /** Nanoseconds since the epoch. */
  now: bigint;
  /** How many things happened (turns, inputs, timers): the kernel's own count, by which inputs are logged. */
  step = 0;
  /** The process whose turn it is. */
  current: Process | null = null;
  /** Is told when time passes without anybody running. */
  passed: ((nanos: bigint) => void) | null = null;
  readonly #pace: Pace;
  readonly #deliver: (process: Process) => "none" | "handled" | "ended";
  readonly #waiting = new Map<Process, Waiting>();
  readonly #starting = new Map<Process, () => void>();
  /** Who may be able to go on, the longest waiting first; who sleeps until something changes is not among them. */
  readonly #order = new RunQueue();
  #inputs: (() => void)[] = [];
  readonly #timers = new Timers();
  readonly #outside = new Set<Promise<unknown>>();
  #told = false;
  /** While we looked for who is next, a signal or an attempt had effects: those we had passed by may be able to go on. */
  #stirred = false;
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
    this.#order.join(process);
    this.endTurn(process);
  }

  /** Whether the turn of the running process ends at its next call. */
  isDue(process: Process): boolean {
    return this.#sliceLeft <= 0n || process.pendingSignals.size > 0 || process.state === "stopped";
  }

  /** A call of the running process. It ends the turn when it has to wait or the slice is used up. */
  call<T>(process: Process, attempt: () => T | WouldBlock, options: CallOptions = {}): Promise<T> {
    assert(this.current === process, `process ${process.pid} (${process.name}) calls in its own turn`);
    if (this.isDue(process)) return this.#wait(process, attempt, options);
    try {
      const value = watching(process, this, attempt);
      if (value !== wouldBlock) return this.#done(process, value);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
    asWaiting(process);
    return this.#wait(process, attempt, options);
  }

  /** What the call did may keep it from coming back: its process has frozen itself, or a signal came of it. */
  #done<T>(process: Process, value: T): Promise<T> {
    return this.isDue(process) ? this.#wait(process, () => value, { interruptible: false }) : Promise.resolve(value);
  }

  #wait<T>(process: Process, attempt: () => T | WouldBlock, options: CallOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const { at = null, interruptible = true, watched = false } = options;
      const answers = { reject, resolve: resolve as (value: unknown) => void };
      const waiting: Waiting = { process, attempt, at, interruptible, watched, ...answers };
      this.#waiting.set(process, waiting);
      if (at !== null) this.#timers.add(at, () => this.#timeIsUp(waiting));
      this.#order.join(process);
      this.endTurn(process);
    });
  }

  #timeIsUp(waiting: Waiting): void {
    if (this.#waiting.get(waiting.process) === waiting) this.nudge(waiting.process);
  }

  /** Something changed that the process waits for, or a signal came: it is asked again. */
  nudge(process: Process): void {
    if (!this.#waiting.has(process) || this.#order.has(process)) return;
    this.#order.rejoin(process);
    this.#stirred = true;
  }

  /** Burns fuel of the running process. */
  spend(process: Process, nanos: bigint): void {
    process.cpuNanos += nanos;
    this.now += nanos;
    this.#sliceLeft -= nanos;
    this.#unpaused += nanos;
    chargeCpu(process, nanos, this.now);
  }

  /** The process's turn ends with its next call. */
  preempt(process: Process): void {
    if (this.current === process) this.#sliceLeft = 0n;
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

  /** Resolves when nothing of what the kernel stands still for is under way: at once or after a long time, with the same effects. */
  async quiet(): Promise<void> {
    while (this.#outside.size > 0) {
      await Promise.allSettled(this.#outside);
      await this.#pace.pause();
    }
  }

  /** The outside was told something: it reacts before the next turn. */
  tell(): void {
    this.#told = true;
  }

  /** Something inside the kernel happens at a virtual time; the returned function takes it back. */
  schedule(at: bigint, act: () => void): () => void {
    const timer = this.#timers.add(at, act);
    if (this.#running === null) this.wake();
    return () => {
      timer.isCancelled = true;
    };
  }

  /** Resolves at a virtual time, or when the signal aborts. */
  sleepUntil(at: bigint, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        timer.isCancelled = true;
        this.tell();
        resolve();
      };
      const timer = this.#timers.add(at, wakeUp);
      if (signal?.aborted === true) wakeUp();
      else signal?.addEventListener("abort", wakeUp, { once: true });
      this.wake();
    });
  }

  /** Time goes on at once until then, as fast as those who wait for it are done. A time that is past ends a hurry. */
  hurry(until: bigint): void {
    this.#pace.hurry?.(until);
    this.wake();
  }

  /** Something may be to do. */
  wake(): void {
    this.#called = true;
    this.#woken.abort(awake);
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
    let next = this.#timers.next();
    for (const process of this.#order.list()) {
      if (process.state === "stopped" || isFrozen(process)) continue;
      const throttled = throttledUntil(process, this.now);
      if (throttled !== null && (next === null || throttled < next)) next = throttled;
    }
    return next;
  }

  // The loop

  async #loop(): Promise<void> {
    await Promise.resolve(); // whoever woke us ends what it is doing first
    this.#pass(await this.#pace.resume(this.now));
    for (;;) {
      this.#called = false;
      await this.#listen();
      this.#stirred = false;
      const turn = this.#nextTurn();
      if (turn !== null) await this.#take(turn);
      else if (this.#stirred) this.step++;
      else if (!(await this.#passTime())) return;
    }
  }

  /** The outside's part between two turns: one thing after the other, each once the outside has reacted to the last. */
  async #listen(): Promise<void> {
    do {
      await this.#settle();
      await this.#pace.turn(this.step, this.now);
    } while (this.#happens());
  }

  /** The outside does what it does at once. */
  async #settle(): Promise<void> {
    while (this.#told || this.#outside.size > 0 || this.#unpaused > pauseNanos) {
      this.#told = false;
      this.#unpaused = 0n;
      await Promise.allSettled(this.#outside);
      await this.#pace.pause();
    }
  }

  /** One input, and those whose time has come. */
  #happens(): boolean {
    const input = this.#inputs.shift();
    input?.();
    const fired = this.#timers.fire(this.now);
    if (input === undefined && !fired && !this.#told) return false;
    this.step++;
    return true;
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
    for (const process of this.#order.list()) {
      const go = this.#readiness(process);
      if (go === null) continue;
      this.#order.take(process);
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
    return process.state === "stopped" || isFrozen(process) || throttledUntil(process, this.now) !== null;
  }

  #startOf(process: Process, start: () => void): (() => void) | null {
    if (this.#signals(process) === "ended") return null;
    return () => {
      this.#starting.delete(process);
      start();
    };
  }

  #diedTrying(): null {
    this.#stirred = true;
    return null;
  }

  #signals(process: Process): "none" | "handled" | "ended" {
    const effect = process.pendingSignals.size === 0 ? "none" : this.#deliver(process);
    if (effect !== "none") this.#stirred = true;
    return effect;
  }

  #outcomeOf(waiting: Waiting): (() => void) | null {
    const signals = this.#signals(waiting.process);
    if (signals === "ended" || waiting.process.state === "stopped") return null;
    if (waiting.watched) this.#order.leave(waiting.process); // before it looks: what changes meanwhile counts
    const value = watching(waiting.process, this, () => attemptOf(waiting));
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
    this.#order.leave(process);
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
