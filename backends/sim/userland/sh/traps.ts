/**
 * Traps: what a shell does on a signal. Signals only note themselves; the interpreter runs the action
 * between two commands.
 */
import type { Sys } from "../../kernel/sys.ts";
import { signalNumbers } from "../signals.ts";

const SIGKILL = 9;
const SIGSTOP = 19;

export class Traps {
  readonly #sys: Sys;
  /** By signal; "" ignores it. 0 is the end of the shell. */
  readonly #actions = new Map<number, string>();
  /** What an interactive shell does with a signal that has no trap. */
  readonly #own = new Map<number, "ignore" | "note">();
  readonly #pending = new Set<number>();
  /** An interrupt that nobody trapped. */
  interrupted = false;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /** A subshell keeps what is ignored and forgets the rest; `trap` alone still shows its parent's. */
  inSubshell(sys: Sys): Traps {
    const traps = new Traps(sys);
    for (const [signal, action] of this.#actions) if (action === "") traps.#actions.set(signal, "");
    for (const [signal, own] of this.#own) {
      if (own === "ignore" && this.#actions.get(signal) !== "") sys.onSignal(signal, "default");
    }
    return traps;
  }

  /** Of an interactive shell: which signals it ignores, and that it notes an interrupt. */
  beInteractive(ignored: readonly number[], noted: readonly number[]): void {
    for (const signal of ignored) this.#own.set(signal, "ignore");
    for (const signal of noted) this.#own.set(signal, "note");
    for (const signal of [...ignored, ...noted]) this.#apply(signal);
  }

  set(signal: number, action: string): void {
    this.#actions.set(signal, action);
    this.#apply(signal);
  }

  reset(signal: number): void {
    this.#actions.delete(signal);
    this.#apply(signal);
  }

  list(): [number, string][] {
    return [...this.#actions].sort(([a], [b]) => a - b);
  }

  /** The lowest signal that has come and whose action was not run yet. */
  firstPending(): number | null {
    return [...this.#pending].sort((a, b) => a - b)[0] ?? null;
  }

  /** A signal has come that the interpreter is to look at. */
  get waiting(): boolean {
    return this.#pending.size > 0 || this.interrupted;
  }

  /** The signal whose action is to be run next, with it. */
  take(): { signal: number; action: string } | null {
    const [signal] = [...this.#pending].sort((a, b) => a - b);
    if (signal === undefined) return null;
    this.#pending.delete(signal);
    return { signal, action: this.#actions.get(signal) ?? "" };
  }

  takeExit(): string {
    const action = this.#actions.get(0) ?? "";
    this.#actions.delete(0);
    return action;
  }

  #apply(signal: number): void {
    if (signal === 0 || signal === SIGKILL || signal === SIGSTOP || !signalNumbers.includes(signal)) return;
    const action = this.#actions.get(signal);
    const own = this.#own.get(signal);
    if (action === "" || (action === undefined && own === "ignore")) this.#sys.onSignal(signal, "ignore");
    else if (action !== undefined) this.#sys.onSignal(signal, () => void this.#pending.add(signal));
    else if (own === "note") this.#sys.onSignal(signal, () => this.#interrupt());
    else this.#sys.onSignal(signal, "default");
  }

  #interrupt(): void {
    this.interrupted = true;
  }
}
