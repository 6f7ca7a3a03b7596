/**
 * Machine: the one port from the engine to a world. The Linux backend implements it on the real
 * kernel, the simulator on a simulated one, and test/conformance holds both to the same behaviour.
 *
 * A container's program under a machine is a Task. Its life: `perform` carries out the plan up to
 * the gate (the namespaces exist, nothing of the image has run); `release` opens the gate; the
 * program runs; `exited` tells how it ended. A task outlives the engine: after a restart of the
 * engine `recover` finds it again, running or ended.
 */
import type { ByteStream } from "../base/bytes.ts";
import type { ContainerId, ExecId, HostPath } from "../base/brand.ts";
import type { DiffId } from "../image/digest.ts";
import type { Overlay, Plan } from "../runtime/plan.ts";
import type { HostTraits } from "../runtime/traits.ts";
import type { View } from "../runtime/view.ts";
import type { Change, Entry } from "../unionfs/change.ts";
import type { Difference } from "../unionfs/diff.ts";

export interface Machine {
  readonly traits: HostTraits;
  readonly disk: Disk;
  readonly layers: Layers;

  /**
   * Performs a plan with a spawn, up to its gate.
   * Throws PlanError (core/runtime/plan-error): nothing of the failed start is left running; the caller undoes the plan.
   */
  perform(start: TaskStart): Promise<Task>;

  /** Performs a plan of host steps only (undo, update). Steps whose thing is already gone succeed. */
  carryOut(plan: Plan): Promise<void>;

  /**
   * The task of an earlier engine: running, ended while nobody looked, or lost with its monitor. One
   * still at its gate is ended and counts as lost: nothing of its image has run.
   */
  recover(key: TaskKey): Promise<Task | TaskExit | "lost">;

  /** The files that a process sees which performs the view's ops. */
  files(view: View): ContainerFiles;

  /** How often the kernel's out-of-memory killer struck in the task's memory cgroup; read it before undo. */
  oomKills(plan: Plan): Promise<number>;

  /** Ends the machine's own helpers. Running tasks go on. */
  close(): Promise<void>;
}

/** Names a task: a container's first process, or one of its exec sessions. */
export interface TaskKey {
  readonly container: ContainerId;
  readonly exec: ExecId | null;
}

export interface TaskStart {
  readonly key: TaskKey;
  readonly plan: Plan;
  readonly stdio: Stdio;
  /**
   * Attaches those who must miss nothing. A machine that can be attached to while it still performs calls it then,
   * and opens the gate by itself as soon as this has resolved and the plan has come there: the caller's `release`
   * only waits. Another leaves it uncalled, and both to the caller.
   */
  readonly beforeRelease?: (task: Task) => Promise<void>;
  /** There is nobody to attach: a machine may open the gate as soon as the plan comes to it, without being asked. */
  readonly unattended?: boolean;
}

export interface Stdio {
  /** A pty instead of three pipes; its op stands in the plan. */
  readonly terminal: boolean;
  /** Whether standard input stays open for attach; otherwise the program reads /dev/null. */
  readonly stdin: boolean;
  /** Close standard input when the first client that gave some goes away. */
  readonly stdinOnce: boolean;
  /** Where output is logged, one JSON object a line: {"log","stream","time"} (moby's json-file). */
  readonly log: HostPath | null;
  /** Absent: the log grows without bound. */
  readonly rotation?: LogRotation;
  /**
   * Where the exit is recorded, atomically: TaskExit as JSON. <data root>/containers/<id>/exit for a
   * container: `recover` looks there. For an exec session beneath the run root; the machine removes it.
   */
  readonly exit: HostPath;
}

/** When a log is so long, it becomes `<log>.1`, that one `<log>.2`, …; with one file it begins anew. */
export interface LogRotation {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface Task {
  readonly key: TaskKey;
  /** The pid of the task's process as the host sees it; 0 before the gate. */
  readonly pid: number;
  /** Opens the gate, if it is not open. Resolves once the program runs; throws PlanError when exec failed. */
  release(): Promise<void>;
  /** To a task that has ended it gives an attachment at its end. */
  attach(options: AttachOptions): Promise<Attachment>;
  /** Throws Errno ESRCH when the task has ended. */
  signal(number: number): Promise<void>;
  resize(rows: number, columns: number): Promise<void>;
  /** Resolves when the process has ended and all its output is logged. */
  readonly exited: Promise<TaskExit | "lost">;
}

export interface TaskExit {
  /** 0…255, or 128 + the signal. */
  readonly code: number;
  /** The signal that ended it, 0 for none. */
  readonly signal: number;
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly output: boolean;
}

/** Output that appears from the moment `attach` resolved; it ends when the task's output has ended. */
export interface Attachment {
  readonly output: AsyncIterable<OutputChunk>;
  /** Resolves when the bytes are on their way; the task's pace is the pace of the caller. */
  write(bytes: Uint8Array): Promise<void>;
  /** The end of this client's input. */
  closeInput(): Promise<void>;
  close(): void;
}

export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/**
 * The files under the data root and the run directory. Paths are the host's. Failures throw Errno.
 */
export interface Disk {
  readonly dataRoot: HostPath;
  readonly runRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  /** A stream of the bytes from `offset`, up to `length` of them. */
  stream(path: HostPath, offset?: number, length?: number): ByteStream;
  /** All or nothing: a reader sees the old file or the new one, also after a crash. The mode is 0600 if not given. */
  writeAtomically(path: HostPath, bytes: Uint8Array, mode?: number): Promise<void>;
  /** Writes a stream to a new file; on failure the file is not there. */
  writeStream(path: HostPath, bytes: ByteStream): Promise<void>;
  /**
   * Adds a stream to a file, made when it is not there, and hands its bytes on when they are in the file, each piece valid
   * until the next one is asked for; at the end all is on the disk. What was written before a failure, or before its
   * reader left, stays.
   */
  append(path: HostPath, bytes: ByteStream): ByteStream;
  rename(from: HostPath, to: HostPath): Promise<void>;
  makeDirectory(path: HostPath, mode?: number): Promise<void>;
  /** The names in a directory; [] when it does not exist. */
  list(path: HostPath): Promise<string[]>;
  /** null when nothing is there. Does not follow a final symlink. */
  stat(path: HostPath): Promise<FileStat | null>;
  /** Removes a file or a whole tree; nothing there is no error. */
  remove(path: HostPath): Promise<void>;
}

/**
 * A container's files, as its own processes see them. Paths are the container's: symlinks on the way are followed
 * inside its root, the last one is not unless the path ends in "/" or "/.". Failures throw Errno, also what the view
 * itself fails at.
 */
export interface ContainerFiles {
  stat(path: string): Promise<TreeStat>;
  /** The thing itself, its path being "", and all that is in it, each directory before what it holds. */
  read(path: string): AsyncIterable<Entry>;
  /**
   * Puts entries beneath a directory. Throws Errno EISDIR or ENOTDIR rather than replace a directory by something else
   * or something else by one, when `keepsKinds`.
   */
  write(directory: string, entries: AsyncIterable<Entry>, options?: { readonly keepsKinds: boolean }): Promise<void>;
}

export interface TreeStat {
  readonly kind: "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  readonly size: number;
  /** A symlink's; "" for others. */
  readonly target: string;
}

export interface FileStat {
  /** The same as long as it is the same file, whatever it is called. */
  readonly inode: number;
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a device node: which device. */
  readonly device?: { readonly type: "c" | "b"; readonly major: number; readonly minor: number };
}

export type LayerName = DiffId | (() => Promise<DiffId>);

/** The graph driver: maps layers to file trees (I5). Layers are named by diff id, shared by all images. */
export interface Layers {
  readonly name: string;
  has(layer: DiffId): Promise<boolean>;
  /**
   * Makes a layer of its changes. All or nothing: a failure, also of the iterable itself, leaves
   * no trace. Changes cannot reach outside the layer's tree, whatever they say. A layer whose digest
   * is only known once its changes are read is asked for its name then. `tar`: the file that holds the layer's plain tar
   * as far as its changes have been read, null for none; asked when the first file of the layer has been read. A
   * machine may take contents from there.
   */
  apply(layer: LayerName, changes: AsyncIterable<Change>, tar?: () => HostPath | null): Promise<void>;
  remove(layer: DiffId): Promise<void>;
  list(): Promise<DiffId[]>;
  /** Makes the read-write layer of a container over `lowers`, bottom first. */
  prepare(container: ContainerId, lowers: readonly DiffId[]): Promise<void>;
  /** The overlay op's paths for a prepared container. */
  overlay(container: ContainerId, lowers: readonly DiffId[]): Pick<Overlay, "lowers" | "upper" | "work" | "target">;
  /** Reads one file of the union of layers (for /etc/passwd), null when it is not there or not a file; symlinks stay inside. */
  readFile(container: ContainerId, lowers: readonly DiffId[], path: string, limit: number): Promise<Uint8Array | null>;
  /** What the container's read-write layer changes of the layers below it, sorted by path. */
  differences(container: ContainerId, lowers: readonly DiffId[]): Promise<Difference[]>;
  /**
   * All that the union of a container's layers shows, without its mounts, as changes onto nothing: sorted, the root first,
   * hard links as such, sockets left out, only extended attributes that mean something elsewhere. The container may be
   * running: on Linux what it changes meanwhile may or may not show.
   */
  merged(container: ContainerId, lowers: readonly DiffId[]): AsyncIterable<Change>;
  /** Removes a container's read-write layer. */
  discard(container: ContainerId): Promise<void>;
  /** What is wrong with the trees themselves. */
  check(): AsyncIterable<TreeProblem>;
}

export interface TreeProblem {
  /** "layer sha256:…", or "file" where the whole host's are looked at. */
  readonly thing: string;
  readonly path: string;
  readonly problem: string;
}
