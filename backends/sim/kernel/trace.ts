/**
 * The trace of a task: the system calls that it makes, with what they gave, the signals that reach it, its end. A
 * tracer has it by a descriptor (Sys.trace, which is ptrace(2) as strace uses it); somebody outside, who only looks on,
 * by Kernel.watchCalls. Calls are noted by another class of system calls (calls/traced.ts), which a process gets when
 * it is traced and no sooner: a trace that is off costs nothing.
 *
 * A trace holds a bounded number of events. When its reader does not keep up, the oldest go, and how many went is told.
 */
import type { ErrnoName } from "../../../core/base/errno.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import { Changes } from "./changes.ts";
import { type Channel, type WouldBlock, wouldBlock } from "./open-file.ts";
import type { PidNamespace, Process } from "./process.ts";
import type { SignalInfo } from "./signals.ts";
import type { Pid } from "./sys.ts";

/**
 * As the calls' own manual pages have their arguments. A string is symbols, to be shown as they are ("O_RDONLY");
 * `text` is a string of the program's; bytes are a buffer, at most `bytesShown` of it.
 */
export type TraceValue = number | bigint | string | { readonly text: string } | Uint8Array;

export type TraceEvent =
  | {
      readonly kind: "call";
      readonly pid: Pid;
      /** When it was made: nanoseconds since the epoch. */
      readonly at: bigint;
      /** How long it took. */
      readonly nanos: bigint;
      /** Linux's: "openat", "clone". */
      readonly name: string;
      readonly arguments: readonly TraceValue[];
      /** null: it does not return. */
      readonly result: TraceValue | null;
      readonly errno: ErrnoName | null;
    }
  | { readonly kind: "signal"; readonly pid: Pid; readonly at: bigint; readonly info: SignalInfo }
  /** `signal` 0: it ended by itself. */
  | { readonly kind: "exit"; readonly pid: Pid; readonly at: bigint; readonly code: number; readonly signal: number }
  | { readonly kind: "lost"; readonly count: number };

export const bytesShown = 64;
const eventsMax = 16_384;

/** What a tracer reads. */
export class Trace {
  /** Who traces, and by what numbers it knows processes. */
  readonly tracer: Process;
  readonly namespace: PidNamespace;
  readonly follow: boolean;
  readonly changes = new Changes();
  readonly #events: TraceEvent[] = [];
  #lost = 0;
  #traced = 0;
  #isOver = false;

  constructor(tracer: Process, follow: boolean) {
    this.tracer = tracer;
    this.namespace = tracer.namespaces.pid;
    this.follow = follow;
  }

  inspect(): unknown {
    return [this.#events, this.#lost, this.#traced, this.#isOver];
  }

  /** Whether the tracer has something to read first: until then whom it traces does not go on. */
  get isBehind(): boolean {
    this.changes.watch();
    return this.#events.length > 0 && !this.#isOver;
  }

  /** The tracer has let go. */
  end(): void {
    this.#isOver = true;
    this.changes.tell();
  }

  /** One process more or fewer that can tell something. */
  count(by: 1 | -1): void {
    this.#traced += by;
    this.changes.tell();
  }

  add(event: TraceEvent): void {
    this.#events.push(event);
    if (this.#events.length > eventsMax) {
      this.#events.splice(0, eventsMax / 4);
      this.#lost += eventsMax / 4;
    }
    this.changes.tell();
  }

  /** The next events; none when nothing is left to come. */
  take(most: number): readonly TraceEvent[] | WouldBlock {
    this.changes.watch();
    if (this.#lost > 0) return [{ kind: "lost", count: this.#takeLost() }];
    if (this.#events.length === 0) return this.#traced === 0 ? [] : wouldBlock;
    const events = this.#events.splice(0, most);
    this.changes.tell(); // those who wait for their tracer
    return events;
  }

  #takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  get isReadable(): boolean {
    this.changes.watch();
    return this.#events.length > 0 || this.#traced === 0;
  }
}

/** The descriptor's side: it is polled, and closing it lets the traced go on untraced. */
export class TraceChannel implements Channel {
  readonly isWatched = true;
  readonly trace: Trace;
  readonly #stat: Stat;
  readonly #closed: () => void;

  constructor(trace: Trace, stat: Stat, closed: () => void) {
    this.trace = trace;
    this.#stat = stat;
    this.#closed = closed;
  }

  /** Its events are not bytes: Sys.readTrace gives them. */
  read(): Uint8Array {
    return new Uint8Array(0);
  }

  write(bytes: Uint8Array): number {
    return bytes.length;
  }

  readable(): boolean {
    return this.trace.isReadable;
  }

  writable(): boolean {
    return false;
  }

  stat(): Stat {
    return this.#stat;
  }

  close(): void {
    this.#closed();
  }
}
