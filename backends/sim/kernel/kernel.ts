/**
 * The simulated kernel: processes, their namespaces, and the turns they take. It is handed a root
 * file system and a way to load programs; what a process can do to it is Sys (calls.ts).
 *
 *   boot → pid 1 of the host → spawn, fork, exec … → exit → zombie → waited for
 *
 * Everything in it is decided by the seed, the programs and the input; see turns.ts.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";
import { OpenInodes } from "../../../core/unionfs/open-inodes.ts";
import { Tree } from "../../../core/unionfs/tree.ts";
import { Network, type NetworkClock } from "../net/network.ts";
import { UnixNames } from "../net/unix-socket.ts";
import { childOf, firstProcess } from "./birth.ts";
import { Cgroupfs } from "./cgroup/cgroupfs.ts";
import { Cgroups } from "./cgroup/cgroups.ts";
import { isFrozen } from "./cgroup/freezer.ts";
import { type Cgroup, groupOf, type Hierarchy } from "./cgroup/group.ts";
import { Family } from "./family.ts";
import { takeBack } from "./ipc/semaphores.ts";
import { attach, detach } from "./ipc/shared-memory.ts";
import { Lingering } from "./lingering.ts";
import { KernelLog } from "./log.ts";
import type { Mount } from "./mounts.ts";
import { Observers } from "./observers.ts";
import { OutOfMemory } from "./oom.ts";
import { wouldBlock } from "./open-file.ts";
import type { Pace } from "./pace.ts";
import { Pipe } from "./pipe.ts";
import {
  isAlive,
  type MountNamespace,
  numberIn,
  type PidNamespace,
  type Process,
  type UserNamespace,
} from "./process.ts";
import { SIGHUP, SIGKILL, Signals, SIGSEGV } from "./signals.ts";
import type { Pid, Program, Sys } from "./sys.ts";
import { Terminal } from "./terminal.ts";
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

/** What is thrown through a program that has ended; programs do not catch it. */
export class Ended extends Error {
  override readonly name = "Ended";
}

/** Always the same one: nobody asks where it was thrown, and a stack trace is dear. */
export const ended = new Ended();

/** The host's disk: as much as a tab's heap can hold, so that what fills it is told ENOSPC, and the tab lives. */
const diskLimits = { bytes: 4 * 1024 ** 3, inodes: 2_000_000 };
const networkCleanupNanos = 10_000_000n;

export class Kernel {
  readonly turns: Turns;
  readonly tree: Tree;
  readonly options: KernelOptions;
  readonly processes = new Map<Pid, Process>();
  readonly cgroups: Cgroups = new Cgroups(() => this.processes.values());
  readonly openInodes = new OpenInodes();
  /** The memory of files that came with images or with the machine (exec.ts). */
  readonly imageBytes = new WeakSet<ArrayBufferLike>();
  readonly lingering: Lingering = new Lingering(this);
  readonly log = new KernelLog(() => this.turns.now - this.options.now);
  readonly signals = new Signals(this);
  readonly family = new Family(this);
  readonly memory = new OutOfMemory(this);
  readonly observers = new Observers(
    () => this.processes.values(),
    () => this.turns.now,
  );
  readonly network: Network;
  readonly init: Process;
  readonly #unixNames = new WeakMap<FileSystem, UnixNames>();
  readonly #fifos = new WeakMap<FileSystem, Map<Inode, Pipe>>();
  #numbers = 4026531835;
  #inodes = 10_000;

  constructor(options: KernelOptions) {
    this.options = options;
    this.turns = new Turns(options.now, options.pace, (process) => this.signals.deliver(process));
    this.tree = new Tree(() => this.turns.now, diskLimits);
    this.network = new Network({ clock: this.#networkClock(), random: options.random });
    this.init = firstProcess(this);
    this.#enter(this.init);
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

  /** A pair of terminal ends that has no name yet (devpts.ts gives one). */
  newTerminal(size: { rows: number; columns: number }): Terminal {
    return new Terminal(size, (group, signal) => this.signals.sendGroup(group, signal));
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
    this.observers.add(process, made);
    return made;
  }

  /** A child of `parent` that begins with `body`. EAGAIN at a pids limit, ENOMEM in a pid namespace whose init has ended. */
  fork(parent: Process, body: (sys: Sys) => Promise<number>, pids: PidNamespace = parent.childPids): Process {
    this.cgroups.checkFork(parent);
    if (pids.init !== null && !isAlive(pids.init)) throw new Errno("ENOMEM");
    const child = childOf(parent, pids, this.turns.now);
    pids.init ??= child;
    if (parent.trace?.follow === true) this.observers.beginTrace(child, parent.trace);
    parent.children.add(child);
    this.#enter(child);
    for (const attachment of child.attachments.values()) attach(attachment, child.pid, this.turns.now);
    this.start(child, body);
    return child;
  }

  #enter(process: Process): void {
    this.processes.set(process.pid, process);
    this.cgroups.enter(process);
    process.namespaces.mount.users.add(process);
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
    this.signals.fatal(process, SIGSEGV);
  }

  /** The process ends: descriptors close, children go to the namespace's init, the parent is told. */
  end(process: Process, exit: { code: number; signal: number }): void {
    if (!isAlive(process)) return;
    process.state = "zombie";
    process.exit = exit;
    this.observers.noteEnd(process, exit);
    process.changes.tell();
    this.#closeAll(process);
    this.cgroups.leave(process);
    process.namespaces.mount.users.delete(process);
    takeBack(process.undos, process.pid);
    this.detachMemory(process);
    if (process.namespaces.pid.init === process) this.#endNamespace(process.namespaces.pid, process);
    this.family.bereave(process);
    this.#leaveNetwork(process);
    for (const ending of process.endings) ending();
    this.lingering.sweep();
    this.family.tellParent(process, exit);
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

  /** It lets go of all System V shared memory. */
  detachMemory({ attachments, pid }: Process): void {
    for (const attachment of attachments.values()) detach(attachment, pid, this.turns.now);
    attachments.clear();
  }

  /** Kills what runs in a cgroup and below. */
  killCgroup(group: Cgroup): void {
    for (const process of [...this.processes.values()])
      if (groupOf(process, group.hierarchy) === group) this.signals.send(process, SIGKILL);
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

  #closeAll(process: Process): void {
    for (const file of process.fds.values()) file.release();
    process.fds.clear();
    if (process.session === process.pid && process.terminal !== null)
      this.signals.sendGroup(process.terminal.foreground, SIGHUP);
  }

  #endNamespace(namespace: PidNamespace, init: Process): void {
    for (const process of [...this.processes.values()]) {
      if (process !== init && process.numbers.has(namespace))
        this.end(process, { code: 128 + SIGKILL, signal: SIGKILL });
    }
  }

  /** The groups whose tie to the rest of their session the process is: its own, and its children's. */
}

/** The cgroup hierarchy that a mount shows. */
function shownBy({ fileSystem }: Mount): Hierarchy | null {
  return fileSystem instanceof Cgroupfs ? fileSystem.group.hierarchy : null;
}
