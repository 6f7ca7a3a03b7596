/**
 * Sys: the system calls of the simulated kernel, as one process sees them. Programs in TypeScript
 * (userland/), WebAssembly programs (wasm/) and the performer of plans (perform.ts) use nothing else:
 * a program that wants to show kernel state must read it, from /proc say, like anybody.
 *
 * Turns. One process runs at a time. It runs until it awaits one of the calls that may block; that
 * ends its turn, and the kernel chooses who is next. Calls that cannot block are plain functions.
 * While a process awaits anything that is not the kernel's (a lazy chunk, a compilation), its turn
 * goes on, and so neither another process runs nor the clock moves: what is truly asynchronous
 * cannot be seen from inside.
 *
 * Fuel. Every call costs fuel, a long computation pays by `work`; fuel is processor time, and a
 * process whose cgroup has none left does not get the next turn. A killed process simply never gets
 * another turn.
 *
 * Failures throw Errno. Paths are resolved by the process's root, directory and mount namespace.
 */
import type { Attributes, DirectoryEntry, NodeKind, RenameFlag, Stat } from "../../../core/unionfs/file-system.ts";
import type { Capability } from "../../../core/runtime/capabilities.ts";
import type { MountFlag, Namespace } from "../../../core/runtime/plan.ts";
import type { Message, ReceiveOptions } from "./ipc/messages.ts";
import type { IpcFlags, NewOwner } from "./ipc/objects.ts";
import type { PosixMessage, QueueAttributes } from "./ipc/queues.ts";
import type { SemaphoreOperation } from "./ipc/semaphores.ts";
import type { Ids } from "./process.ts";
import type { SharingMode } from "./propagation.ts";
import type { TraceEvent } from "./trace.ts";
import type { EchoAnswer } from "../net/ping-socket.ts";
import type { NetlinkChange, NetworkView } from "../net/netlink.ts";
import type { Endpoint } from "../net/packet.ts";
import type { Received, SocketOptions } from "../net/socket.ts";
import type { SignalInfo } from "./signals.ts";

export type Pid = number;
export type Fd = number;

/** A program's body: what runs between exec and exit. Its return value is the exit code. */
export type Program = (sys: Sys, argv: readonly string[], environment: readonly string[]) => Promise<number>;

export interface OpenOptions {
  readonly access: "read" | "write" | "both";
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  readonly append?: boolean;
  readonly directory?: boolean;
  readonly noFollow?: boolean;
  readonly nonBlocking?: boolean;
  /** O_TMPFILE: a file without a name in the directory that the path names. */
  readonly unnamed?: boolean;
  /** O_PATH: a place, not a file to read or write. */
  readonly path?: boolean;
  /** Of a created file, before the umask. */
  readonly mode?: number;
}

export interface WaitStatus {
  readonly pid: Pid;
  readonly kind: "exited" | "killed" | "stopped" | "continued";
  /** The exit code, or the signal. */
  readonly value: number;
}

/** What wait tells of beside ends: children that were stopped (WUNTRACED), or went on (WCONTINUED). */
export interface WaitOptions {
  readonly noHang?: boolean;
  readonly untraced?: boolean;
  readonly continued?: boolean;
}

/** Descriptors of a new process: its number to ours. What is not listed is closed. */
export type FdMap = ReadonlyMap<Fd, Fd>;

export interface SpawnOptions {
  readonly fds?: FdMap;
  /** 0: a process group of its own; otherwise the group to join; absent: the parent's. */
  readonly group?: Pid;
  /** Makes the group the terminal's foreground group, as a job-control shell does. */
  readonly foreground?: boolean;
  readonly directory?: string;
}

/** TCP, UDP, ICMP echo, and a stream between processes of one machine. */
export type SocketKind = "stream" | "datagram" | "echo" | "unix";

/** A unix socket's path; "@" in front makes it an abstract name. */
export type SocketAddress =
  | ({ readonly family: "inet" } & Endpoint)
  | { readonly family: "unix"; readonly path: string };

export type PriorityOf = "process" | "group" | "user";

/** A handler may look at where the signal comes from (SA_SIGINFO). */
export type SignalAction = "default" | "ignore" | ((signal: number, info: SignalInfo) => void);

/** What statfs(2) says of the file system a path is on. */
export interface FileSystemStat {
  /** "tmpfs", "overlay", … */
  readonly type: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** A resource limit (getrlimit(2)); -1 is none. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** lseek(2): from where an offset counts, or what is looked for from it on. */
export type Whence = "set" | "current" | "end" | "data" | "hole";

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface TerminalMode {
  /** Line editing and line-wise reads (ICANON). */
  readonly canonical: boolean;
  readonly echo: boolean;
  /** Ctrl-C, Ctrl-\ and Ctrl-Z make signals (ISIG). */
  readonly signals: boolean;
  /** Output "\n" becomes "\r\n" (OPOST|ONLCR). */
  readonly newlines: boolean;
  /** A typed "\r" is read as "\n" (ICRNL). */
  readonly returns: boolean;
}

/** What IPC_STAT says of every System V object. */
export interface IpcStatus {
  readonly key: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface MemoryStatus extends IpcStatus {
  readonly size: number;
  /** How many attachments there are. */
  readonly attached: number;
}

export interface SemaphoreStatus extends IpcStatus {
  readonly values: readonly number[];
  /** Who changed each last. */
  readonly pids: readonly Pid[];
  /** How many wait for each to grow, and for it to be zero. */
  readonly growing: readonly number[];
  readonly zero: readonly number[];
}

export interface MessageQueueStatus extends IpcStatus {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly count: number;
}

export interface OpenQueueOptions {
  readonly access: "read" | "write" | "both";
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly nonBlocking?: boolean;
  /** Before the umask. */
  readonly mode?: number;
  readonly attributes?: QueueAttributes;
}

export interface Sys {
  // Identity
  readonly pid: Pid;
  parent(): Pid;
  /** The effective ids. */
  credentials(): Credentials;
  /** The real ids: of a set-user-ID program they are still the user's. */
  realIds(): Ids;
  setCredentials(credentials: Partial<Credentials>): void;
  umask(mask: number): number;
  hostname(): string;
  setHostname(name: string): void;
  setDomainname(name: string): void;

  /** The kernel's messages, as SYSLOG_ACTION_READ_ALL gives them. EPERM without CAP_SYSLOG. */
  kernelLog(): string;

  // Processes
  /** Starts the file at `path` in a new process, as vfork and execve do. Throws what execve would. */
  spawn(path: string, argv: readonly string[], environment: readonly string[], options?: SpawnOptions): Promise<Pid>;
  /** A child that goes on with `body` instead of a copy of this program: the subshell's fork. */
  fork(body: (sys: Sys) => Promise<number>, options?: SpawnOptions): Pid;
  /** Replaces this program; returns only by throwing. */
  exec(path: string, argv: readonly string[], environment: readonly string[]): Promise<never>;
  /** -1: any child; 0: any of the group. null when `noHang` and nobody has changed. Throws ECHILD, EINTR. */
  wait(pid: Pid, options?: WaitOptions): Promise<WaitStatus | null>;
  exit(code: number): never;
  kill(pid: Pid, signal: number): void;
  /** Handlers run in this process before its next call returns. */
  onSignal(signal: number, action: SignalAction): void;
  /** Waits for a signal that is handled. */
  pause(): Promise<void>;
  /** getpriority(2): the most favourable nice value of a process (0: of this one), of a group's, or of a user's processes. ESRCH. */
  priority(which: PriorityOf, who: number): number;
  /** EPERM for another user's process; EACCES for a value below what it has, without CAP_SYS_NICE. */
  setPriority(which: PriorityOf, who: number, nice: number): void;
  setGroup(pid: Pid, group: Pid): void;
  group(pid?: Pid): Pid;
  session(): Pid;
  /** A session and group of its own, without a terminal (setsid(2)). EPERM for a group's leader. */
  setSession(): Pid;

  // Time and work
  /** Nanoseconds since the epoch, of the virtual clock. */
  now(): bigint;
  monotonic(): bigint;
  sleep(nanoseconds: bigint): Promise<void>;
  /** Pays for computation; a long loop calls it so that others get their turns. */
  work(fuel: number): Promise<void>;
  /** Where a program that makes many calls which cannot wait may lose its turn: undefined as long as it may go on. */
  rest(): Promise<void> | undefined;
  /**
   * Takes memory, or gives it back when negative. A program says what it holds beyond a few kilobytes;
   * who goes over a cgroup's limit is killed, and this does not return.
   */
  allocate(bytes: number): void;
  /** getrandom(2); from the kernel's seed. */
  random(count: number): Uint8Array;

  // Tracing
  /**
   * Traces a process from here on, as PTRACE_SEIZE with stops at system calls does, and its children with `follow`.
   * EPERM unless it may be traced: the same ids, or CAP_SYS_PTRACE; a process has one tracer. ESRCH.
   */
  trace(pid: Pid, options?: { readonly follow?: boolean }): Promise<Fd>;
  /** The next events, at least one; [] when all that were traced have ended. Throws EINTR. */
  readTrace(fd: Fd, count: number): Promise<readonly TraceEvent[]>;

  // Descriptors
  open(path: string, options: OpenOptions): Promise<Fd>;
  close(fd: Fd): void;
  /** An empty array is the end. Throws EINTR, EAGAIN. */
  read(fd: Fd, length: number): Promise<Uint8Array>;
  /** How many bytes were taken: fewer than given only on non-blocking descriptors. */
  write(fd: Fd, bytes: Uint8Array): Promise<number>;
  seek(fd: Fd, offset: number, whence: Whence): number;
  /** dup2(2); `to` -1: the lowest free number. The new descriptor stays open over exec. */
  duplicate(from: Fd, to: Fd): Fd;
  setCloseOnExec(fd: Fd, on: boolean): void;
  pipe(): { read: Fd; write: Fd };
  /** Which of them are ready; [] after the timeout (null: none). */
  poll(wanted: readonly { fd: Fd; read: boolean; write: boolean }[], timeout: bigint | null): Promise<Fd[]>;
  statFd(fd: Fd): Stat;
  isTerminal(fd: Fd): boolean;
  terminalSize(fd: Fd): { rows: number; columns: number };
  terminalMode(fd: Fd): TerminalMode;
  setTerminalMode(fd: Fd, mode: Partial<TerminalMode>): void;
  setForeground(fd: Fd, group: Pid): void;
  /** tcgetpgrp(3). */
  foreground(fd: Fd): Pid;

  // Files
  stat(path: string): Stat;
  lstat(path: string): Stat;
  statFileSystem(path: string): FileSystemStat;
  /** The number of the mount a path is on (st_dev), without following a final symlink. */
  device(path: string): number;
  list(path: string): readonly DirectoryEntry[];
  readlink(path: string): string;
  directory(): string;
  changeDirectory(path: string): void;
  changeRoot(path: string): void;
  access(path: string, wanted: { read?: boolean; write?: boolean; execute?: boolean }): void;
  makeDirectory(path: string, mode: number): void;
  removeDirectory(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string, flag?: RenameFlag): void;
  link(target: string, path: string): void;
  /** linkat(2) with AT_EMPTY_PATH: a name for what was opened without one. */
  linkOpened(fd: Fd, path: string): void;
  symlink(target: string, path: string): void;
  makeNode(
    path: string,
    kind: Exclude<NodeKind, "directory" | "symlink">,
    mode: number,
    major?: number,
    minor?: number,
  ): void;
  truncate(path: string, size: number): void;
  truncateOpened(fd: Fd, size: number): void;
  setAttributes(path: string, attributes: Attributes, options?: { noFollow?: boolean }): void;
  listXattrs(path: string, options?: { noFollow?: boolean }): string[];
  getXattr(path: string, name: string, options?: { noFollow?: boolean }): Uint8Array;
  setXattr(path: string, name: string, value: Uint8Array, options?: { noFollow?: boolean }): void;
  removeXattr(path: string, name: string, options?: { noFollow?: boolean }): void;

  // Isolation
  unshare(namespaces: readonly Namespace[]): void;
  /** Joins namespaces of a process, as setns on its pidfd does. */
  enter(pid: Pid, namespaces: readonly Namespace[]): void;
  mount(type: string, source: string, target: string, flags: readonly MountFlag[], options: string): void;
  bind(source: string, target: string, options: { recursive: boolean; flags: readonly MountFlag[] }): void;
  setPropagation(path: string, mode: SharingMode): void;
  /** EBUSY while somebody uses it; lazily, it goes from its place at once and altogether when nobody does. */
  unmount(path: string, options?: { lazily?: boolean }): void;
  remount(path: string, flags: readonly MountFlag[], options: string): void;
  /** The old root appears at `putOld`, which lies in the new one. */
  pivotRoot(newRoot: string, putOld: string): void;
  setCapabilities(sets: {
    bounding?: readonly Capability[];
    permitted?: readonly Capability[];
    effective?: readonly Capability[];
    inheritable?: readonly Capability[];
    ambient?: readonly Capability[];
  }): void;
  /** By the names of getrlimit(2) in lower case: "nofile", "nproc", "core". */
  limit(resource: string): Limit;
  setLimit(resource: string, soft: number, hard: number): void;
  noNewPrivileges(): void;

  // Network
  socket(kind: SocketKind): Fd;
  /** EADDRINUSE, EADDRNOTAVAIL; EACCES for a port below ip_unprivileged_port_start. */
  bindSocket(fd: Fd, address: SocketAddress): void;
  listen(fd: Fd, backlog: number): void;
  accept(fd: Fd): Promise<{ fd: Fd; from: SocketAddress }>;
  /** ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH. */
  connect(fd: Fd, address: SocketAddress): Promise<void>;
  /** Of an echo socket, the port is the request's sequence number. */
  sendTo(fd: Fd, bytes: Uint8Array, to: Endpoint | null): Promise<number>;
  receiveFrom(fd: Fd, length: number): Promise<Received>;
  /** What an echo socket heard: an answer, or why there is none. */
  echoAnswer(fd: Fd): Promise<EchoAnswer>;
  shutdown(fd: Fd, how: "read" | "write" | "both"): void;
  setSocketOptions(fd: Fd, options: SocketOptions): void;
  socketName(fd: Fd): Endpoint;
  peerName(fd: Fd): Endpoint;
  /** Devices, routes, neighbours and rules of this network namespace (rtnetlink(7)'s dumps). */
  network(): NetworkView;
  /** Needs CAP_NET_ADMIN over the namespace. */
  changeNetwork(request: NetlinkChange): void;

  // System V IPC (sysvipc(7)). Key 0 is IPC_PRIVATE.
  /** ENOENT, EEXIST, EACCES, EINVAL for a size that does not fit, ENOSPC. */
  sharedMemory(key: number, size: number, flags: IpcFlags): number;
  /** An address, by which this process reads and writes. */
  attachMemory(id: number, options?: { readonly readOnly?: boolean }): number;
  detachMemory(address: number): void;
  /** EFAULT for what is not attached, and beyond its end. */
  readMemory(address: number, offset: number, length: number): Uint8Array;
  writeMemory(address: number, offset: number, bytes: Uint8Array): void;
  memoryStatus(id: number): MemoryStatus;
  changeMemory(id: number, owner: NewOwner): void;
  /** It goes when nobody is attached any more. */
  removeMemory(id: number): void;
  semaphores(key: number, count: number, flags: IpcFlags): number;
  /** All of them, or none. EAGAIN after the timeout (null: none); EFBIG, E2BIG, ERANGE, EIDRM, EINTR. */
  operateSemaphores(id: number, operations: readonly SemaphoreOperation[], timeout: bigint | null): Promise<void>;
  semaphoreStatus(id: number): SemaphoreStatus;
  setSemaphore(id: number, number: number, value: number): void;
  changeSemaphores(id: number, owner: NewOwner): void;
  removeSemaphores(id: number): void;
  messageQueue(key: number, flags: IpcFlags): number;
  sendMessage(id: number, message: Message, options?: { readonly noWait?: boolean }): Promise<void>;
  /** ENOMSG, E2BIG, EIDRM. */
  receiveMessage(id: number, length: number, type: number, options?: ReceiveOptions): Promise<Message>;
  messageQueueStatus(id: number): MessageQueueStatus;
  changeMessageQueue(id: number, change: NewOwner & { readonly bytesMax?: number }): void;
  removeMessageQueue(id: number): void;

  // POSIX message queues (mq_overview(7)), by names like "/name"
  openQueue(path: string, options: OpenQueueOptions): Fd;
  unlinkQueue(path: string): void;
  sendQueue(fd: Fd, message: PosixMessage, timeout: bigint | null): Promise<void>;
  /** The most urgent message. */
  receiveQueue(fd: Fd, length: number, timeout: bigint | null): Promise<PosixMessage>;
  queueAttributes(fd: Fd): QueueAttributes & { readonly count: number; readonly nonBlocking: boolean };
}
