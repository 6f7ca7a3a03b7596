/**
 * Signals: how they reach a process (signal(7)), and what siginfo_t says of where they come from (sigaction(2)). What
 * a signal does happens at once; only a handler waits until its process goes on.
 *
 *   send → ignored? │ handler: pending → deliver, before the process goes on
 *                   │ stop, continue, end
 */
import { isFrozenHard } from "./cgroup/freezer.ts";
import { shownIn } from "./ids.ts";
import type { Kernel } from "./kernel.ts";
import { isAlive, numberIn, type Process } from "./process.ts";
import type { Pid } from "./sys.ts";

/** What siginfo_t holds, as the process sees it that gets the signal. */
export interface SignalInfo {
  readonly signal: number;
  readonly code: SignalCode;
  /** 0 for a process that it does not see. */
  readonly pid: Pid;
  /** Of the sender's real user. */
  readonly uid: number;
  /** What became of a child: its exit code, or a signal. */
  readonly status: number;
  /** Processor time that a child took, nanoseconds. */
  readonly cpuNanos: bigint;
}

export type SignalCode = "SI_USER" | "SI_KERNEL" | "CLD_EXITED" | "CLD_KILLED" | "CLD_STOPPED" | "CLD_CONTINUED";

/** Where a signal comes from: a process that sent it or that it is about, or the kernel. */
export interface SignalSource {
  readonly code: SignalCode;
  readonly process: Process | null;
  readonly status?: number;
}

const fromKernel: SignalSource = { code: "SI_KERNEL", process: null };
export const SIGHUP = 1;
export const SIGKILL = 9;
export const SIGSEGV = 11;
export const SIGCHLD = 17;
export const SIGCONT = 18;
const SIGSTOP = 19;
const signalsThatStop = new Set([SIGSTOP, 20, 21, 22]);
const signalsIgnored = new Set([SIGCHLD, SIGCONT, 23, 28]);

export class Signals {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  send(target: Process, number: number, source: SignalSource = fromKernel): void {
    if (!isAlive(target) || number === 0) return;
    const info = infoFor(target, number, source);
    if (number === SIGCONT && target.state === "stopped") this.#continue(target);
    const action = target.actions.get(number) ?? "default";
    if (this.#isIgnored(target, number, action)) return this.#kernel.observers.noteIgnored(target, info);
    if (number !== SIGKILL && typeof action === "function") this.#pend(target, info);
    else if (signalsThatStop.has(number)) this.#stop(target, info);
    else if (target === this.#kernel.turns.current || isDeaf(target, number)) this.#pend(target, info);
    else this.#end(target, info);
  }

  sendGroup(group: Pid, number: number, source: SignalSource = fromKernel): void {
    for (const process of this.#kernel.family.inGroup(group)) this.send(process, number, source);
  }

  /** Before a process goes on: pending signals run their handlers or end it. */
  deliver(process: Process): "none" | "handled" | "ended" {
    let result: "none" | "handled" = "none";
    for (const info of [...process.pendingSignals.values()].sort((a, b) => a.signal - b.signal)) {
      process.pendingSignals.delete(info.signal);
      const action = process.actions.get(info.signal);
      if (info.signal === SIGKILL || typeof action !== "function") {
        this.#end(process, info);
        return "ended";
      }
      this.#kernel.observers.noteSignal(process, info);
      action(info.signal, info);
      result = "handled";
    }
    return result;
  }

  /** What a process of ours did wrong. */
  fatal(process: Process, number: number): void {
    if (isAlive(process)) this.#end(process, infoFor(process, number, fromKernel));
  }

  #end(process: Process, info: SignalInfo): void {
    if (info.signal !== SIGKILL) this.#kernel.observers.noteSignal(process, info);
    this.#kernel.end(process, { code: 128 + info.signal, signal: info.signal });
  }

  #pend(target: Process, info: SignalInfo): void {
    if (!target.pendingSignals.has(info.signal)) target.pendingSignals.set(info.signal, info);
    this.#kernel.turns.nudge(target);
  }

  /**
   * init of a pid namespace gets no signal that it does not handle, but SIGKILL and SIGSTOP when they
   * come from outside the namespace (pid_namespaces(7)); the host's gets not even those.
   */
  #isIgnored(target: Process, number: number, action: unknown): boolean {
    const isForced = number === SIGKILL || number === SIGSTOP;
    if (!isForced && action === "ignore") return true;
    if (!isForced && action !== "default") return false;
    if (signalsIgnored.has(number)) return true;
    if (target.namespaces.pid.init !== target) return false;
    const sender = this.#kernel.turns.current;
    const isInside = target === this.#kernel.init || (sender !== null && numberIn(target.namespaces.pid, sender) !== 0);
    return isInside || !isForced;
  }

  #stop(process: Process, info: SignalInfo): void {
    if (process.state === "stopped") return;
    process.state = "stopped";
    if (info.signal !== SIGSTOP) this.#kernel.observers.noteSignal(process, info);
    this.#kernel.family.tellOfChange(process, { pid: process.pid, kind: "stopped", value: info.signal });
  }

  #continue(process: Process): void {
    process.state = "waiting";
    this.#kernel.turns.nudge(process);
    this.#kernel.family.tellOfChange(process, { pid: process.pid, kind: "continued", value: SIGCONT });
  }
}

/** A stopped process dies of SIGKILL only, one in a freezer of version 1 of nothing, until it goes on. */
function isDeaf(target: Process, number: number): boolean {
  return isFrozenHard(target) || (target.state === "stopped" && number !== SIGKILL);
}

function infoFor(target: Process, signal: number, { code, process, status = 0 }: SignalSource): SignalInfo {
  if (process === null) return { signal, code, pid: 0, uid: 0, status, cpuNanos: 0n };
  const { pid, user } = target.namespaces;
  const uid = shownIn(user, "uids", process.real.uid);
  return { signal, code, pid: numberIn(pid, process), uid, status, cpuNanos: process.cpuNanos };
}
