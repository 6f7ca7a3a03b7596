/**
 * A process: what the kernel keeps of one running program. Its life: it is made ready, gets turns
 * (turns.ts), waits for things, ends as a zombie, and is gone once its parent has waited for it.
 *
 * A process has a number in its pid namespace and in every one around it (pid_namespaces(7)); the
 * outermost number is its key in the kernel's table.
 */
import type { IdMapping, Namespace } from "../../../core/runtime/plan.ts";
import type { Capability } from "../../../core/runtime/capabilities.ts";
import type { Stack } from "../net/stack.ts";
import type { UnixNames } from "../net/unix-socket.ts";
import type { Changes } from "./changes.ts";
import type { Competitor } from "./cgroup/cpu.ts";
import type { Accounts, Cgroup, Hierarchy } from "./cgroup/group.ts";
import type { MemoryState } from "./cgroup/memory.ts";
import type { IpcNamespace } from "./ipc/namespace.ts";
import type { Undos } from "./ipc/semaphores.ts";
import type { Attachment } from "./ipc/shared-memory.ts";
import type { Location, MountTable } from "./mounts.ts";
import type { OpenFile } from "./open-file.ts";
import type { SignalInfo } from "./signals.ts";
import type { Fd, Pid, SignalAction, WaitStatus } from "./sys.ts";
import type { Terminal } from "./terminal.ts";
import type { Trace } from "./trace.ts";

/** What every kind has: the number that /proc/<pid>/ns shows, and the user namespace it was made in. */
export interface PlainNamespace {
  readonly number: number;
  readonly owner: UserNamespace;
}

export interface MountNamespace extends PlainNamespace {
  readonly table: MountTable;
  /** The processes in it that are alive. */
  readonly users: Set<Process>;
}

export interface UtsNamespace extends PlainNamespace {
  hostname: string;
  domainname: string;
}

export interface PidNamespace extends PlainNamespace {
  readonly parent: PidNamespace | null;
  /** The number the next process gets here. */
  next: Pid;
  /** Its first process; when that ends, everything in it is killed. */
  init: Process | null;
}

export interface NetworkNamespace extends PlainNamespace {
  readonly stack: Stack;
  readonly abstractNames: UnixNames;
}

export interface UserNamespace {
  readonly number: number;
  readonly parent: UserNamespace | null;
  /** Who made it, by the kernel's ids. */
  readonly ownerUid: number;
  readonly ownerGid: number;
  /** setgroups(2) may be called in it: /proc/<pid>/setgroups. */
  mayDropGroups: boolean;
  uids: readonly IdMapping[];
  gids: readonly IdMapping[];
}

export interface CgroupNamespace extends PlainNamespace {
  /** The group its maker was in, of each hierarchy; its own root where there is none. */
  readonly roots: ReadonlyMap<Hierarchy, Cgroup>;
}

export interface Namespaces {
  mount: MountNamespace;
  uts: UtsNamespace;
  ipc: IpcNamespace;
  pid: PidNamespace;
  network: NetworkNamespace;
  cgroup: CgroupNamespace;
  user: UserNamespace;
  time: PlainNamespace;
}

export type NamespaceKind = Namespace & keyof Namespaces;

export type ProcessState = "ready" | "waiting" | "stopped" | "zombie";

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

export interface CapabilitySets {
  bounding: readonly Capability[];
  permitted: readonly Capability[];
  effective: readonly Capability[];
  inheritable: readonly Capability[];
  ambient: readonly Capability[];
}

/** A TypeScript program that plays what an ELF file would do. */
export interface StandIn {
  readonly program: string;
  /** The ELF file, as it was named. */
  readonly file: string;
}

export interface Process {
  readonly pid: Pid;
  /** Its number in each pid namespace it is visible in, innermost first. */
  readonly numbers: ReadonlyMap<PidNamespace, Pid>;
  parent: Process | null;
  readonly children: Set<Process>;
  group: Pid;
  session: Pid;
  terminal: Terminal | null;
  state: ProcessState;
  /** What ps calls it: the file's name, at most 15 characters. */
  name: string;
  argv: readonly string[];
  environment: readonly string[];
  /** The file it runs; null: what the kernel itself began. */
  executable: Location | null;
  /** What it really runs; null for what is what its file says. */
  standIn: StandIn | null;
  /** Since its fork: its group is then its own business. */
  hasExecuted: boolean;
  namespaces: Namespaces;
  /** The pid namespace its children are born into. */
  childPids: PidNamespace;
  root: Location;
  directory: Location;
  umask: number;
  /** The effective ids, by which it is judged; and the real and saved ones (credentials(7)). */
  uid: number;
  gid: number;
  real: Ids;
  saved: Ids;
  groups: readonly number[];
  capabilities: CapabilitySets;
  noNewPrivileges: boolean;
  /** 0 off, 2 filter, as /proc/<pid>/status shows it; the names that are refused. */
  refusedCalls: ReadonlySet<string> | null;
  /** Its group in version 2's hierarchy, and in each of version 1 that is mounted. */
  cgroup: Cgroup;
  readonly legacyCgroups: Map<Hierarchy, Cgroup>;
  /** What its groups are charged by: follows from them. */
  accounts: Accounts;
  readonly competing: Competitor;
  readonly fds: Map<Fd, OpenFile>;
  readonly closeOnExec: Set<Fd>;
  readonly limits: Map<string, { soft: number; hard: number }>;
  oomScore: number;
  /** From -20, most of the processor, to 19 (sched(7)). */
  nice: number;
  readonly actions: Map<number, SignalAction>;
  readonly pendingSignals: Map<number, SignalInfo>;
  /** Changes its parent has not waited for. */
  readonly news: WaitStatus[];
  exit: { code: number; signal: number } | null;
  /** Fuel spent, processor time in nanoseconds. */
  cpuNanos: bigint;
  /** Bytes of memory it is charged for. */
  memoryBytes: number;
  /** Where they were taken. */
  readonly charges: Map<MemoryState, number>;
  startedAt: bigint;
  readonly endings: (() => void)[];
  /** System V shared memory by address, and what it takes back of semaphores when it ends. */
  readonly attachments: Map<number, Attachment>;
  readonly undos: Undos;
  /** Who traces it (trace.ts). */
  trace: Trace | null;
  /** Its state, its program, its children or the news of them. */
  readonly changes: Changes;
}

/** The number of a process as another one sees it; 0 when it cannot. */
export function numberIn(namespace: PidNamespace, process: Process): Pid {
  return process.numbers.get(namespace) ?? 0;
}

export function isAlive(process: Process): boolean {
  return process.state !== "zombie";
}
