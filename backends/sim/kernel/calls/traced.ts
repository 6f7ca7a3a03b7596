/**
 * The system calls of a process that is traced: the same, each noted when it ends. Whoever is traced while it runs gets
 * these in place of its own (Kernel.beginTrace), and its own back when the trace ends; so nothing here may be private to
 * the class: the object was made by another one.
 *
 * A call that another call makes on its way is not noted. What the C library would do without a system call (the
 * time), and what only this kernel has (`work`, `rest`, `allocate`), is not noted either.
 */
import { Errno } from "../../../../core/base/errno.ts";
import type { Tracing } from "../observers.ts";
import type { Location } from "../mounts.ts";
import { type WouldBlock, wouldBlock } from "../open-file.ts";
import type { Process } from "../process.ts";
import type { CallOptions } from "../turns.ts";
import { Calls } from "./calls.ts";
import { type Noted, notesOf, type TracedCall, tracedCalls } from "./notes.ts";

/** Of a program's arguments. */
const wordsShown = 32;
const charsShown = 256;

/** The traced call whose own calls are being made; they are its business. */
let outer: Process | null = null;

class TracedCalls extends Calls {
  protected override become(
    path: string,
    executable: Location,
    argv: readonly string[],
    environment: readonly string[],
  ): void {
    const at = this.kernel.turns.now;
    super.become(path, executable, argv, environment);
    const words = `[${argv
      .slice(0, wordsShown)
      .map((word) => JSON.stringify(word.slice(0, charsShown)))
      .join(", ")}]`;
    const variables = `/* ${environment.length} vars */`;
    this.note(at, [{ name: "execve", arguments: [{ text: path }, words, variables], result: 0 }], null);
  }

  override exit(code: number): never {
    this.note(this.kernel.turns.now, [{ name: "exit_group", arguments: [code & 255], result: null }], null);
    return super.exit(code);
  }

  /** Whoever traces has heard of the calls before it goes on (ptrace(2), "syscall-stop"). */
  protected override call<T>(attempt: () => T | WouldBlock, options: CallOptions = {}): Promise<T> {
    const { trace } = this.process;
    if (trace === null) return super.call(attempt, options);
    return super.call(() => (trace.isBehind ? wouldBlock : attempt()), options);
  }

  /** Makes a call and notes it; one that waits, when it is over. */
  observe(call: TracedCall, made: () => unknown, given: readonly unknown[]): unknown {
    if (outer === this.process) return made();
    const at = this.kernel.turns.now;
    const note = (result: unknown, errno: Errno | null): void => {
      this.note(at, notesOf(call, given, result), errno);
    };
    const before = outer;
    outer = this.process;
    try {
      const result = made();
      if (result instanceof Promise) return this.whenOver(result, note);
      note(result, null);
      return result;
    } catch (thrown) {
      if (thrown instanceof Errno) note(undefined, thrown);
      throw thrown;
    } finally {
      outer = before;
    }
  }

  protected async whenOver(
    result: Promise<unknown>,
    note: (result: unknown, errno: Errno | null) => void,
  ): Promise<unknown> {
    try {
      const value = await result;
      note(value, null);
      return value;
    } catch (thrown) {
      if (thrown instanceof Errno) note(undefined, thrown);
      throw thrown;
    }
  }

  protected note(at: bigint, noted: readonly Noted[], errno: Errno | null): void {
    const nanos = this.kernel.turns.now - at;
    for (const { name, arguments: given, result, failure } of noted)
      this.kernel.observers.noteCall(this.process, {
        at,
        nanos,
        name,
        arguments: given,
        result: errno === null && failure === undefined ? result : -1,
        errno: errno?.errno ?? failure ?? null,
      });
  }
}

for (const call of tracedCalls) {
  const own = Calls.prototype[call] as (this: TracedCalls, ...given: unknown[]) => unknown;
  Object.defineProperty(TracedCalls.prototype, call, {
    value(this: TracedCalls, ...given: unknown[]): unknown {
      return this.observe(call, () => own.apply(this, given), given);
    },
  });
}

export const tracing: Tracing = { traced: TracedCalls.prototype, plain: Calls.prototype };
