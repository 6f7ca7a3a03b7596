/**
 * Who looks on at system calls: tracers (ptrace(2), as strace uses it), and somebody outside of the kernel. Calls note
 * themselves only while somebody does: the object that a program makes its calls by becomes one of another class.
 */
import type { Process } from "./process.ts";
import { numberIn } from "./process.ts";
import type { SignalInfo } from "./signals.ts";
import type { Pid, Sys } from "./sys.ts";
import type { Trace, TraceEvent } from "./trace.ts";

/** What the calls of a process are made of when it is traced, and when not: prototypes. They come when somebody traces. */
export interface Tracing {
  readonly traced: object;
  readonly plain: object;
}

/** By the host's numbers of processes. */
export type CallWatcher = (event: TraceEvent) => void;

type CallEvent = Extract<TraceEvent, { kind: "call" }>;

export class Observers {
  readonly #processes: () => Iterable<Process>;
  readonly #now: () => bigint;
  readonly #calls = new WeakMap<Process, Sys>();
  readonly #watchers = new Set<CallWatcher>();
  /** Signals that did nothing, of which a tracer is told when the call is over during which they came. */
  readonly #ignored = new WeakMap<Process, Map<number, SignalInfo>>();
  #tracing: Tracing | null = null;

  constructor(processes: () => Iterable<Process>, now: () => bigint) {
    this.#processes = processes;
    this.#now = now;
  }

  /** The calls of a process, to be made of whatever they are to be made of. */
  add(process: Process, calls: Sys): void {
    this.#calls.set(process, calls);
    this.#renew(process);
  }

  /** Looks on from outside: is given each call of a process, or of all; changes nothing. The returned function ends it. */
  watch(watcher: CallWatcher, tracing: Tracing): () => void {
    this.#tracing = tracing;
    this.#watchers.add(watcher);
    for (const process of this.#processes()) this.#renew(process);
    return () => {
      this.#watchers.delete(watcher);
      for (const process of this.#processes()) this.#renew(process);
    };
  }

  beginTrace(process: Process, trace: Trace, tracing: Tracing | null = this.#tracing): void {
    this.#tracing = tracing;
    process.trace = trace;
    trace.count(1);
    this.#renew(process);
  }

  /** The tracer lets go of all that it traced. */
  endTrace(trace: Trace): void {
    trace.end();
    for (const process of this.#processes()) {
      if (process.trace !== trace) continue;
      process.trace = null;
      this.#renew(process);
    }
  }

  noteCall(process: Process, call: Omit<CallEvent, "kind" | "pid">): void {
    this.#note(process, (pid) => ({ kind: "call", pid, ...call }));
    const ignored = this.#ignored.get(process);
    this.#ignored.delete(process);
    for (const info of ignored?.values() ?? []) this.noteSignal(process, info);
  }

  noteSignal(process: Process, info: SignalInfo): void {
    this.#note(process, (pid) => ({ kind: "signal", pid, at: this.#now(), info }));
  }

  noteIgnored(process: Process, info: SignalInfo): void {
    if (process.trace === null) return;
    const ignored = this.#ignored.get(process) ?? new Map<number, SignalInfo>();
    if (!ignored.has(info.signal)) ignored.set(info.signal, info);
    this.#ignored.set(process, ignored);
  }

  noteEnd(process: Process, exit: { code: number; signal: number }): void {
    this.#note(process, (pid) => ({ kind: "exit", pid, at: this.#now(), ...exit }));
    process.trace?.count(-1);
  }

  #note(process: Process, event: (pid: Pid) => TraceEvent): void {
    const { trace } = process;
    if (trace !== null) trace.add(event(numberIn(trace.namespace, process)));
    for (const watcher of this.#watchers) watcher(event(process.pid));
  }

  /** The calls that note themselves are another class of the same shape. */
  #renew(process: Process): void {
    const held = this.#calls.get(process);
    if (held === undefined || this.#tracing === null) return;
    const isTraced = process.trace !== null || this.#watchers.size > 0;
    Object.setPrototypeOf(held, isTraced ? this.#tracing.traced : this.#tracing.plain);
  }
}
