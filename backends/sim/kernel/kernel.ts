/**
 * The simulated kernel: processes, their namespaces, and the turns they take. It is handed a root
 * file system and a way to load programs; what a process can do to it is Sys (calls.ts).
 *
 *   boot → pid 1 of the host → spawn, fork, exec … → exit → zombie → waited for
 *
 * Everything in it is decided by the seed, the programs and the input; see turns.ts.
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { Capability } from "../../../core/runtime/capabilities.ts";
import { capabilityNumbers } from "../../../core/runtime/capabilities.ts";
import { Tree } from "../../../core/unionfs/tree.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";
import { Changes } from "./changes.ts";
import { Cgroups } from "./cgroup/cgroups.ts";
import { isFrozen, isFrozenHard } from "./cgroup/freezer.ts";
import { Cgroupfs } from "./cgroup/cgroupfs.ts";
import { type Cgroup, groupOf, type Hierarchy, memoryTotalBytes } from "./cgroup/group.ts";
import { countEvent, countsFor, type MemoryState } from "./cgroup/memory.ts";
import { KernelLog } from "./log.ts";
import { OpenInodes } from "../../../core/unionfs/open-inodes.ts";
import type { Pace } from "./pace.ts";
import { Network, type NetworkClock } from "../net/network.ts";
import { UnixNames } from "../net/unix-socket.ts";
import { newIpcNamespace } from "./ipc/namespace.ts";
import { takeBack } from "./ipc/semaphores.ts";
import { attach, detach } from "./ipc/shared-memory.ts";
import { newTable, rootOf, type Mount, type NewMount } from "./mounts.ts";
import { networkNamespace } from "./namespaces.ts";
import { Pipe } from "./pipe.ts";
import {
  isAlive,
  numberIn,
  type MountNamespace,
  type Namespaces,
  type PidNamespace,
  type PlainNamespace,
  type Process,
  type UserNamespace,
} from "./process.ts";
import type { Pid, Program, Sys, WaitStatus } from "./sys.ts";
import { Terminal } from "./terminal.ts";
import type { Trace, TraceEvent } from "./trace.ts";
import { wouldBlock } from "./open-file.ts";
import { Turns } from "./turns.ts";
import type { View } from "./walk.ts";

/** Programs as files name them: what `exec` found, made runnable. */
export interface Loader {
  /** The TypeScript program a stand-in file dispatches to; null when there is none of that name. */
  standIn(name: string, isBusybox: boolean): Promise<Program | null>;
  /** A program from WebAssembly. Throws Errno ENOEXEC for what cannot run. */
  webAssembly(bytes: Uint8Array): Promise<Program>;
}

export interface KernelOptions {
  /** Nanoseconds since the epoch at boot. */
  readonly now: bigint;
  readonly random: (count: number) => Uint8Array;
  readonly loader: Loader;
  readonly pace: Pace;
  /** The system calls of a process (calls.ts). */
  readonly calls: (kernel: Kernel, process: Process) => Sys;
}

/** What the calls of a process are made of when it is traced, and when not: prototypes. They come when somebody traces. */
export interface Tracing {
  readonly traced: object;
  readonly plain: object;
}

/** By the host's numbers of processes. */
export type CallWatcher = (event: TraceEvent) => void;

/** What is thrown through a program that has ended; programs do not catch it. */
export class Ended extends Error {
  override readonly name = "Ended";
}

/** Always the same one: nobody asks where it was thrown, and a stack trace is dear. */
export const ended = new Ended();

const everyCapability = Object.keys(capabilityNumbers) as Capability[];
const SIGCHLD = 17;
const SIGHUP = 1;
const SIGCONT = 18;
const signalsThatStop = new Set([19, 20, 21, 22]);
const signalsIgnored = new Set([SIGCHLD, SIGCONT, 23, 28]);
const SIGKILL = 9;
const SIGSTOP = 19;
/** The host's disk: as much as a tab's heap can hold, so that what fills it is told ENOSPC, and the tab lives. */
const diskLimits = { bytes: 4 * 1024 ** 3, inodes: 2_000_000 };
const networkCleanupNanos = 10_000_000n;
/** An oom_score_adj that exempts a process. */
const oomNever = -1000;

export class Kernel {
  readonly turns: Turns;
  readonly tree: Tree;
  readonly options: KernelOptions;
  readonly processes = new Map<Pid, Process>();
  readonly cgroups: Cgroups = new Cgroups(() => this.processes.values());
  readonly openInodes = new OpenInodes();
  /** The memory of files that came with images or with the machine (exec.ts). */
  readonly imageBytes = new WeakSet<ArrayBufferLike>();
  readonly log = new KernelLog(() => this.turns.now - this.options.now);
  readonly network: Network;
  readonly init: Process;
  /** Ends of which groups and sessions are still named, by their numbers in the namespaces. */
  readonly #leaders = new Map<Pid, Process>();
  readonly #unixNames = new WeakMap<FileSystem, UnixNames>();
  readonly #fifos = new WeakMap<FileSystem, Map<Inode, Pipe>>();
  readonly #calls = new WeakMap<Process, Sys>();
  readonly #watchers = new Set<CallWatcher>();
  #tracing: Tracing | null = null;
  #numbers = 4026531835;
  #inodes = 10_000;
  #mountIds = 1;

  constructor(options: KernelOptions) {
    this.options = options;
    this.turns = new Turns(options.now, options.pace, (process) => this.#deliver(process));
    this.tree = new Tree(() => this.turns.now, diskLimits);
    this.network = new Network({ clock: this.#networkClock(), random: options.random });
    this.init = this.#boot();
    const { stack } = this.init.namespaces.network;
    stack.setUp(stack.device("lo"), true);
  }

  /** A number for a namespace, as /proc/<pid>/ns shows them. */
  newNumber(): number {
    return this.#numbers++;
  }

  newInode(): number {
    return this.#inodes++;
  }

  #networkClock(): NetworkClock {
    return {
      now: () => this.turns.now,
      after: (nanos, act) => this.turns.schedule(this.turns.now + nanos, act),
    };
  }

  /** Who listens behind the sockets of a file system. */
  unixNames(fileSystem: FileSystem): UnixNames {
    const known = this.#unixNames.get(fileSystem) ?? new UnixNames();
    this.#unixNames.set(fileSystem, known);
    return known;
  }

  /** Of all processes that are alive; looked for only when somebody wants to know: few mounts are shared. */
  mountNamespaces(): Iterable<MountNamespace> {
    const { processes } = this;
    return {
      *[Symbol.iterator]() {
        const alive = [...processes.values()].filter(isAlive);
        yield* new Set(alive.map(({ namespaces }) => namespaces.mount));
      },
    };
  }

  /** The first user namespace, the parent of all. */
  get userNamespace(): UserNamespace {
    return this.init.namespaces.user;
  }

  /** The host's files, as its init sees them, unhindered. */
  hostView(): View {
    const { namespaces, root } = this.init;
    return { table: namespaces.mount.table, root, directory: root, permit: () => {} };
  }

  /** A process of the host that begins with `body`, started from outside. */
  launch(name: string, body: (sys: Sys) => Promise<number>): Process {
    const process = this.fork(this.init, body);
    process.name = name;
    process.argv = [name];
    process.group = process.pid;
    process.session = process.pid;
    this.turns.wake();
    return process;
  }

  /** A process of the kernel's waits for something outside; others have their turns meanwhile. */
  async outside<T>(process: Process, promise: Promise<T>): Promise<T> {
    let settled: { value: T } | { thrown: unknown } | null = null;
    const settle = (outcome: { value: T } | { thrown: unknown }): void => {
      settled = outcome;
      this.turns.nudge(process);
      this.turns.wake();
    };
    promise.then(
      (value) => settle({ value }),
      (thrown: unknown) => settle({ thrown }),
    );
    this.turns.tell();
    const outcome = await this.turns.call(process, () => settled ?? wouldBlock, {
      interruptible: false,
      watched: true,
    });
    if ("thrown" in outcome) throw outcome.thrown;
    return outcome.value;
  }

  /** A process that is gone and by whose number a group or session is still called. */
  formerLeader(pid: Pid): Process | null {
    return this.#leaders.get(pid) ?? null;
  }

  /** A pair of terminal ends that has no name yet (devpts.ts gives one). */
  newTerminal(size: { rows: number; columns: number }): Terminal {
    return new Terminal(size, (group, signal) => this.signalGroup(group, signal));
  }

  /** The pipe behind a fifo's inode. */
  fifo(fileSystem: FileSystem, inode: Inode): Pipe {
    const known = this.#fifos.get(fileSystem) ?? new Map<Inode, Pipe>();
    this.#fifos.set(fileSystem, known);
    const pipe = known.get(inode) ?? new Pipe();
    known.set(inode, pipe);
    return pipe;
  }

  /** The system calls of a process: one object as long as it lives. */
  calls(process: Process): Sys {
    const made = this.options.calls(this, process);
    this.#calls.set(process, made);
    this.#renewCalls(process);
    return made;
  }

  // Tracing

  /** Looks on from outside: is given each call of a process, or of all; changes nothing. The returned function ends it. */
  watchCalls(watcher: CallWatcher, tracing: Tracing): () => void {
    this.#tracing = tracing;
    this.#watchers.add(watcher);
    for (const process of this.processes.values()) this.#renewCalls(process);
    return () => {
      this.#watchers.delete(watcher);
      for (const process of this.processes.values()) this.#renewCalls(process);
    };
  }

  beginTrace(process: Process, trace: Trace, tracing: Tracing | null = this.#tracing): void {
    this.#tracing = tracing;
    process.trace = trace;
    trace.count(1);
    this.#renewCalls(process);
  }

  /** The tracer lets go of all that it traced. */
  endTrace(trace: Trace): void {
    for (const process of this.processes.values()) {
      if (process.trace !== trace) continue;
      process.trace = null;
      this.#renewCalls(process);
    }
  }

  noteCall(process: Process, call: Omit<Extract<TraceEvent, { kind: "call" }>, "kind" | "pid">): void {
    this.#note(process, (pid) => ({ kind: "call", pid, ...call }));
  }

  #note(process: Process, event: (pid: Pid) => TraceEvent): void {
    const { trace } = process;
    if (trace !== null) trace.add(event(numberIn(trace.namespace, process)));
    for (const watcher of this.#watchers) watcher(event(process.pid));
  }

  /** The calls that note themselves are another class of the same shape: the object that the program holds becomes one. */
  #renewCalls(process: Process): void {
    const held = this.#calls.get(process);
    if (held === undefined || this.#tracing === null) return;
    const isTraced = process.trace !== null || this.#watchers.size > 0;
    Object.setPrototypeOf(held, isTraced ? this.#tracing.traced : this.#tracing.plain);
  }

  /** A child of `parent` that begins with `body`. EAGAIN at a pids limit, ENOMEM in a pid namespace whose init has ended. */
  fork(parent: Process, body: (sys: Sys) => Promise<number>, pids: PidNamespace = parent.childPids): Process {
    this.cgroups.checkFork(parent);
    if (pids.init !== null && !isAlive(pids.init)) throw new Errno("ENOMEM");
    const child = this.#child(parent, pids);
    this.processes.set(child.pid, child);
    if (parent.trace?.follow === true) this.beginTrace(child, parent.trace);
    parent.children.add(child);
    this.cgroups.enter(child);
    child.namespaces.mount.users.add(child);
    for (const attachment of child.attachments.values()) attach(attachment, child.pid, this.turns.now);
    this.start(child, body);
    return child;
  }

  /** Makes `body` what the process does from its next turn on. */
  start(process: Process, body: (sys: Sys) => Promise<number>): void {
    this.turns.begin(process, () => void this.#live(process, body));
  }

  async #live(process: Process, body: (sys: Sys) => Promise<number>): Promise<void> {
    try {
      const sys = this.calls(process);
      sys.exit(await body(sys));
    } catch (thrown) {
      if (thrown instanceof Ended) return;
      this.#crash(process, thrown);
    }
  }

  /** A program of ours threw what it should have handled: it dies as by SIGSEGV, and says what of. */
  #crash(process: Process, thrown: unknown): void {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    const file = process.fds.get(2);
    try {
      if (isAlive(process)) file?.channel.write(new TextEncoder().encode(`${process.name}: ${text}\n`));
    } catch (refused) {
      // Nobody can hear it.
      if (!(refused instanceof Errno)) throw refused;
    }
    this.end(process, { code: 139, signal: 11 });
  }

  /** The process ends: descriptors close, children go to the namespace's init, the parent is told. */
  end(process: Process, exit: { code: number; signal: number }): void {
    if (!isAlive(process)) return;
    process.state = "zombie";
    process.exit = exit;
    if (exit.signal !== 0 && exit.signal !== SIGKILL) this.#noteSignal(process, exit.signal);
    this.#note(process, (pid) => ({ kind: "exit", pid, at: this.turns.now, ...exit }));
    process.trace?.count(-1);
    process.changes.tell();
    this.#closeAll(process);
    this.cgroups.leave(process);
    process.namespaces.mount.users.delete(process);
    takeBack(process.undos, process.pid);
    this.detachMemory(process);
    if (process.namespaces.pid.init === process) this.#endNamespace(process.namespaces.pid, process);
    const groups = this.#groupsHeld(process);
    this.#orphan(process);
    for (const group of groups) this.#wakeOrphaned(group);
    this.#leaveNetwork(process);
    for (const ending of process.endings) ending();
    this.#tellParent(process, exit);
    this.turns.drop(process);
  }

  /**
   * A network namespace goes with the last process in it, and its devices with it; a little later, as
   * Linux cleans up in the background: what was said last still leaves.
   */
  #leaveNetwork({ namespaces: { network } }: Process): void {
    if (network === this.init.namespaces.network) return;
    const isUsed = [...this.processes.values()].some((other) => isAlive(other) && other.namespaces.network === network);
    if (!isUsed) this.turns.schedule(this.turns.now + networkCleanupNanos, () => network.stack.destroy());
  }

  /** Sends a signal; what it does happens at once unless a handler has to run. */
  signal(target: Process, number: number): void {
    if (!isAlive(target) || number === 0) return;
    if (number === SIGCONT && target.state === "stopped") this.#continue(target);
    const action = target.actions.get(number) ?? "default";
    if (this.#isIgnored(target, number, action)) return;
    if (number !== SIGKILL && typeof action === "function") this.#pend(target, number);
    else if (signalsThatStop.has(number)) this.#stop(target, number);
    else if (target === this.turns.current || this.#isDeaf(target, number)) this.#pend(target, number);
    else this.end(target, { code: 128 + number, signal: number });
  }

  /** A stopped process dies of SIGKILL only, one in a freezer of version 1 of nothing, until it goes on. */
  #isDeaf(target: Process, number: number): boolean {
    return isFrozenHard(target) || (target.state === "stopped" && number !== SIGKILL);
  }

  #noteSignal(process: Process, signal: number): void {
    this.#note(process, (pid) => ({ kind: "signal", pid, at: this.turns.now, signal }));
  }

  #pend(target: Process, number: number): void {
    target.pendingSignals.add(number);
    this.turns.nudge(target);
  }

  /** Takes memory for a process, or gives it back; over a limit somebody in the limited group is killed. */
  takeMemory(process: Process, bytes: number): void {
    if (bytes < 0) return this.cgroups.giveBack(process, -bytes);
    for (;;) {
      const full = this.cgroups.charge(process, bytes);
      if (full === null) return;
      full.failures++;
      countEvent(full, "max");
      this.#killFor(full, process);
      if (!isAlive(process)) return;
    }
  }

  /** A limit was set below what is in use, or lifted. */
  relieve(state: MemoryState): void {
    while (state.max !== null && state.bytes > state.max && this.#victim(state) !== null) this.#killFor(state, null);
  }

  /** The out-of-memory killer: one process of the group, or all where memory.oom.group says so. */
  #killFor(full: MemoryState, asker: Process | null): void {
    countEvent(full, "oom");
    const victim = this.#victim(full) ?? asker;
    if (victim === null) return;
    const together = this.#endsWith(victim, full);
    if (together.length > 1) countEvent(full, "oom_group_kill");
    for (const each of together.length > 0 ? together : [victim]) {
      countEvent(each.accounts.memory, "oom_kill");
      this.log.add(killedText(each));
      this.end(each, { code: 128 + SIGKILL, signal: SIGKILL });
    }
  }

  /** Who is killed with a victim: all in the outermost group below the limit that is killed as one. */
  #endsWith({ accounts }: Process, full: MemoryState): Process[] {
    let group: MemoryState | null = null;
    for (let at: MemoryState | null = accounts.memory; at !== null; at = at.parent) {
      if (at.killsGroup) group = at;
      if (at === full) break;
    }
    const whole = group;
    return whole === null ? [] : this.#candidates(whole);
  }

  /** Who holds the most, as the out-of-memory killer reckons: a thousandth of memory a point of oom_score_adj. */
  #victim(full: MemoryState): Process | null {
    const score = (process: Process): number => process.memoryBytes + (process.oomScore * memoryTotalBytes) / 1000;
    return this.#candidates(full).reduce<Process | null>((a, b) => (a === null || score(b) > score(a) ? b : a), null);
  }

  #candidates(full: MemoryState): Process[] {
    return [...this.processes.values()].filter(
      (process) =>
        isAlive(process) &&
        countsFor(process.accounts.memory, full) &&
        process.oomScore > oomNever &&
        process !== this.init,
    );
  }

  /** It lets go of all System V shared memory. */
  detachMemory({ attachments, pid }: Process): void {
    for (const attachment of attachments.values()) detach(attachment, pid, this.turns.now);
    attachments.clear();
  }

  signalGroup(group: Pid, number: number): void {
    for (const process of this.#inGroup(group)) this.signal(process, number);
  }

  /** Kills what runs in a cgroup and below. */
  killCgroup(group: Cgroup): void {
    for (const process of [...this.processes.values()])
      if (groupOf(process, group.hierarchy) === group) this.signal(process, SIGKILL);
    for (const child of group.children.values()) this.killCgroup(child);
  }

  /** Freezes a cgroup, or lets it go on: what came for its processes meanwhile comes now. */
  freeze(group: Cgroup, on: boolean): void {
    group.frozen = on;
    for (const process of this.processes.values()) {
      if (!on) this.turns.nudge(process);
      else if (isFrozen(process)) this.turns.preempt(process);
    }
  }

  /** A hierarchy of version 1 that is mounted nowhere and has no groups goes. */
  sweepCgroups(): void {
    const { legacy } = this.cgroups;
    if (legacy.length === 0) return;
    const shown = new Set([...this.mountNamespaces()].flatMap(({ table }) => [...table.mounts.values()].map(shownBy)));
    for (const hierarchy of [...legacy]) if (!shown.has(hierarchy)) this.cgroups.unmountLegacy(hierarchy);
  }

  /** The process with a number in somebody's pid namespace. */
  find(namespace: PidNamespace, pid: Pid): Process | null {
    for (const process of this.processes.values()) if (numberIn(namespace, process) === pid) return process;
    return null;
  }

  reap(process: Process): void {
    assert(process.state === "zombie", `process ${process.pid} has ended`);
    process.parent?.children.delete(process);
    process.parent?.changes.tell();
    this.processes.delete(process.pid);
    this.cgroups.reaped(process);
    this.#leaders.set(process.pid, process);
    for (const pid of this.#leaders.keys()) if (!this.#isNamed(pid)) this.#leaders.delete(pid);
  }

  #isNamed(pid: Pid): boolean {
    for (const { group, session } of this.processes.values()) if (group === pid || session === pid) return true;
    return false;
  }

  #inGroup(group: Pid): Process[] {
    return [...this.processes.values()].filter((process) => process.group === group && isAlive(process));
  }

  /** Before a process goes on: pending signals run their handlers or end it. */
  #deliver(process: Process): "none" | "handled" | "ended" {
    let result: "none" | "handled" = "none";
    for (const number of [...process.pendingSignals].sort((a, b) => a - b)) {
      process.pendingSignals.delete(number);
      const action = process.actions.get(number);
      if (number === SIGKILL || typeof action !== "function") {
        this.end(process, { code: 128 + number, signal: number });
        return "ended";
      }
      this.#noteSignal(process, number);
      action(number);
      result = "handled";
    }
    return result;
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
    const sender = this.turns.current;
    const isInside = target === this.init || (sender !== null && numberIn(target.namespaces.pid, sender) !== 0);
    return isInside || !isForced;
  }

  #stop(process: Process, number: number): void {
    if (process.state === "stopped") return;
    process.state = "stopped";
    this.#tellOfChange(process, { pid: process.pid, kind: "stopped", value: number });
  }

  #tellOfChange({ parent }: Process, news: WaitStatus): void {
    if (parent === null) return;
    // A child has stopped or goes on, not both: what was not asked for in time is not told any more.
    const stale = parent.news.findIndex(
      ({ pid, kind }) => pid === news.pid && (kind === "stopped" || kind === "continued"),
    );
    if (stale !== -1) parent.news.splice(stale, 1);
    parent.news.push(news);
    parent.changes.tell();
    this.signal(parent, SIGCHLD);
  }

  #continue(process: Process): void {
    process.state = "waiting";
    this.turns.nudge(process);
    this.#tellOfChange(process, { pid: process.pid, kind: "continued", value: SIGCONT });
  }

  #closeAll(process: Process): void {
    for (const file of process.fds.values()) file.release();
    process.fds.clear();
    if (process.session === process.pid && process.terminal !== null)
      this.signalGroup(process.terminal.foreground, SIGHUP);
  }

  #endNamespace(namespace: PidNamespace, init: Process): void {
    for (const process of [...this.processes.values()]) {
      if (process !== init && process.numbers.has(namespace))
        this.end(process, { code: 128 + SIGKILL, signal: SIGKILL });
    }
  }

  /** The groups whose tie to the rest of their session the process is: its own, and its children's. */
  #groupsHeld({ parent, children, group, session }: Process): Set<Pid> {
    const own = parent !== null && parent.group !== group && parent.session === session ? [group] : [];
    const others = [...children].filter((child) => child.group !== group && child.session === session);
    return new Set([...own, ...others.map((child) => child.group)]);
  }

  /** A group that has just become orphaned and has stopped members is hung up, and goes on (exit(3), setpgid(2)). */
  #wakeOrphaned(group: Pid): void {
    const members = this.#inGroup(group);
    const isHeld = members.some(
      ({ parent, session }) =>
        parent !== null && parent !== this.init && parent.group !== group && parent.session === session,
    );
    if (isHeld || !members.some(({ state }) => state === "stopped")) return;
    this.signalGroup(group, SIGHUP);
    this.signalGroup(group, SIGCONT);
  }

  #orphan(process: Process): void {
    const heir = this.#heirOf(process);
    for (const child of [...process.children]) {
      child.parent = heir;
      heir?.children.add(child);
      process.children.delete(child);
      if (child.state === "zombie") this.#tellParent(child, child.exit ?? { code: 0, signal: 0 });
    }
  }

  #heirOf(process: Process): Process | null {
    for (let at: PidNamespace | null = process.namespaces.pid; at !== null; at = at.parent) {
      if (at.init !== null && at.init !== process && isAlive(at.init)) return at.init;
    }
    return null;
  }

  /** A parent that ignores SIGCHLD (and the host's init) has its children reaped for it. */
  #tellParent(process: Process, exit: { code: number; signal: number }): void {
    const { parent } = process;
    if (parent === null || parent === this.init || parent.actions.get(SIGCHLD) === "ignore") return this.reap(process);
    const kind = exit.signal === 0 ? "exited" : "killed";
    parent.news.push({ pid: process.pid, kind, value: exit.signal === 0 ? exit.code : exit.signal });
    parent.changes.tell();
    this.signal(parent, SIGCHLD);
  }

  #child(parent: Process, pids: PidNamespace): Process {
    const { pid, numbers } = this.#number(pids);
    const child: Process = {
      ...parent,
      pid,
      numbers,
      parent,
      children: new Set(),
      state: "ready",
      hasExecuted: false,
      namespaces: { ...parent.namespaces, pid: pids },
      childPids: pids,
      capabilities: { ...parent.capabilities },
      fds: new Map([...parent.fds].map(([fd, file]) => [fd, file.hold()])),
      closeOnExec: new Set(parent.closeOnExec),
      limits: new Map(parent.limits),
      actions: new Map([...parent.actions].filter(([, action]) => action === "ignore")),
      ...unlived(this.turns.now),
      attachments: new Map(parent.attachments),
      legacyCgroups: new Map(parent.legacyCgroups),
      competing: { runtime: parent.accounts.cpu.floor, ended: 0 },
    };
    pids.init ??= child;
    return child;
  }

  /** A number in a pid namespace and in each around it; the outermost is the key. */
  #number(namespace: PidNamespace): { pid: Pid; numbers: Map<PidNamespace, Pid> } {
    const numbers = new Map<PidNamespace, Pid>();
    let pid = 0;
    for (let at: PidNamespace | null = namespace; at !== null; at = at.parent) {
      pid = at.next++;
      numbers.set(at, pid);
    }
    return { pid, numbers };
  }

  #boot(): Process {
    const root: NewMount = {
      fileSystem: this.tree,
      root: this.tree.root,
      type: "rootfs",
      source: "rootfs",
      flags: new Set(),
      options: "",
      idMaps: null,
    };
    const namespaces = this.#firstNamespaces(root);
    const { pid, numbers } = this.#number(namespaces.pid);
    const init = this.#firstProcess(pid, numbers, namespaces);
    namespaces.pid.init = init;
    this.processes.set(pid, init);
    this.cgroups.enter(init);
    init.namespaces.mount.users.add(init);
    return init;
  }

  #firstNamespaces(root: NewMount): Namespaces {
    const everyone = [{ inside: 0, outside: 0, count: 4294967295 }];
    const user: UserNamespace = {
      number: this.newNumber(),
      parent: null,
      ownerUid: 0,
      ownerGid: 0,
      mayDropGroups: true,
      uids: everyone,
      gids: everyone,
    };
    const plain = (): PlainNamespace => ({ number: this.newNumber(), owner: user });
    return {
      mount: { ...plain(), users: new Set(), table: newTable(root, () => this.#mountIds++) },
      uts: { ...plain(), hostname: "tsbox", domainname: "(none)" },
      ipc: newIpcNamespace(plain()),
      pid: { ...plain(), parent: null, next: 1, init: null },
      network: networkNamespace(this, this.newNumber(), user),
      cgroup: { ...plain(), roots: new Map() },
      user,
      time: plain(),
    };
  }

  #firstProcess(pid: Pid, numbers: ReadonlyMap<PidNamespace, Pid>, namespaces: Namespaces): Process {
    const root = rootOf(namespaces.mount.table);
    const capabilities = {
      bounding: everyCapability,
      permitted: everyCapability,
      effective: everyCapability,
      inheritable: [],
      ambient: [],
    };
    return {
      pid,
      numbers,
      parent: null,
      children: new Set(),
      group: pid,
      session: pid,
      terminal: null,
      state: "waiting",
      name: "init",
      argv: ["init"],
      environment: [],
      executable: null,
      standIn: null,
      hasExecuted: true,
      namespaces,
      childPids: namespaces.pid,
      root,
      directory: root,
      umask: 0o022,
      uid: 0,
      gid: 0,
      real: { uid: 0, gid: 0 },
      saved: { uid: 0, gid: 0 },
      groups: [],
      capabilities,
      noNewPrivileges: false,
      refusedCalls: null,
      cgroup: this.cgroups.root,
      legacyCgroups: new Map(),
      accounts: this.cgroups.rootAccounts(),
      competing: { runtime: 0, ended: 0 },
      fds: new Map(),
      closeOnExec: new Set(),
      limits: new Map([
        ["nofile", { soft: 1024, hard: 4096 }],
        ["msgqueue", { soft: 819_200, hard: 819_200 }],
      ]),
      oomScore: 0,
      actions: new Map(),
      attachments: new Map(),
      ...unlived(this.turns.now),
    };
  }
}

/** What a process has of its own from the beginning: nothing has happened to it. */
function unlived(
  now: bigint,
): Pick<
  Process,
  | "pendingSignals"
  | "news"
  | "exit"
  | "cpuNanos"
  | "memoryBytes"
  | "charges"
  | "trace"
  | "undos"
  | "startedAt"
  | "endings"
  | "changes"
> {
  return {
    pendingSignals: new Set(),
    news: [],
    exit: null,
    cpuNanos: 0n,
    memoryBytes: 0,
    charges: new Map(),
    trace: null,
    undos: new Map(),
    startedAt: now,
    endings: [],
    changes: new Changes(),
  };
}

/** The cgroup hierarchy that a mount shows. */
function shownBy({ fileSystem }: Mount): Hierarchy | null {
  return fileSystem instanceof Cgroupfs ? fileSystem.group.hierarchy : null;
}

/** As Linux words it (mm/oom_kill.c). */
function killedText({ pid, name, memoryBytes, uid, oomScore }: Process): string {
  const kilobytes = `${memoryBytes >> 10}kB`;
  const memory = `total-vm:${kilobytes}, anon-rss:${kilobytes}, file-rss:0kB, shmem-rss:0kB`;
  const rest = `UID:${uid} pgtables:0kB oom_score_adj:${oomScore}`;
  return `Memory cgroup out of memory: Killed process ${pid} (${name}) ${memory}, ${rest}`;
}
