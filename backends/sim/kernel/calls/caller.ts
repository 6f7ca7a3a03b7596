/**
 * A process as the one that makes system calls: what all of them share. Costs, in nanoseconds of
 * processor time, are fixed and documented, so that limits mean the same in every run: a call costs
 * 1 µs, a byte read or written 1/4 ns, a new process 50 µs.
 */
import { Errno } from "../../../../core/base/errno.ts";
import type { Capability } from "../../../../core/runtime/capabilities.ts";
import type { FileSystem, Stat } from "../../../../core/unionfs/file-system.ts";
import { insideOf, shownIn } from "../ids.ts";
import { Ended, type Kernel } from "../kernel.ts";
import { mountAt, type Location, type Mount } from "../mounts.ts";
import type { OpenFile, WouldBlock } from "../open-file.ts";
import { isCapable, permit, type Wanted } from "../permission.ts";
import { isAlive, numberIn, type Process, type UserNamespace } from "../process.ts";
import type { Fd, Pid } from "../sys.ts";
import type { CallOptions } from "../turns.ts";
import { fileSystemAt, resolve, statAt, type View } from "../walk.ts";

const callNanos = 1000n;
const bytesPerNano = 4;

export class Caller {
  protected readonly kernel: Kernel;
  protected readonly process: Process;

  constructor(kernel: Kernel, process: Process) {
    this.kernel = kernel;
    this.process = process;
  }

  /** The process, if it may go on: one that has ended does not get further. */
  protected self(): Process {
    if (!isAlive(this.process)) throw new Ended();
    return this.process;
  }

  protected spend(nanos: bigint): void {
    if (isAlive(this.process)) this.kernel.turns.spend(this.process, nanos);
  }

  protected spendBytes(count: number): void {
    this.spend(BigInt(Math.ceil(count / bytesPerNano)));
  }

  /** A call that may have to wait: it is tried until it does not block. */
  protected call<T>(attempt: () => T | WouldBlock, options: CallOptions = {}): Promise<T> {
    this.self();
    this.spend(callNanos);
    return this.kernel.turns.call(this.process, attempt, options);
  }

  /** A call that a seccomp filter may refuse. */
  protected unrefused(call: string): void {
    if (this.self().refusedCalls?.has(call) === true) throw new Errno("EPERM");
  }

  protected can(capability: Capability, over: UserNamespace = this.process.namespaces.user): boolean {
    return isCapable(this.self(), capability, over);
  }

  protected need(capability: Capability, over: UserNamespace = this.process.namespaces.user): void {
    if (!this.can(capability, over)) throw new Errno("EPERM");
  }

  // Processes by number

  protected numberOf(process: Process): Pid {
    return numberIn(this.process.namespaces.pid, process);
  }

  /** A number of the outermost namespace as this process sees it. */
  protected shown(pid: Pid): Pid {
    const process = this.kernel.processes.get(pid) ?? this.kernel.formerLeader(pid);
    return process === null ? 0 : this.numberOf(process);
  }

  /** ESRCH when this process sees none of that number. */
  protected peer(pid: Pid): Process {
    const peer = this.kernel.find(this.self().namespaces.pid, pid);
    if (peer === null) throw new Errno("ESRCH");
    return peer;
  }

  // Files by path

  protected view(): View {
    const { namespaces, root, directory } = this.self();
    return {
      table: namespaces.mount.table,
      root,
      directory,
      permit: (stat, wanted) => permit(this.process, stat, wanted),
    };
  }

  protected table(): View["table"] {
    return this.process.namespaces.mount.table;
  }

  protected locationOf(path: string, noFollow = false): Location {
    return resolve(this.view(), path, { noFollow });
  }

  protected fileSystem(location: Location): FileSystem {
    return fileSystemAt(this.table(), location);
  }

  protected mountOf(location: Location): Mount {
    return mountAt(this.table(), location.mount);
  }

  /** By the kernel's ids. */
  protected statAt(location: Location): Stat {
    return statAt(this.table(), location);
  }

  /** By the ids this process's user namespace knows. */
  protected shownStat(stat: Stat): Stat {
    const { user } = this.process.namespaces;
    return { ...stat, uid: shownIn(user, "uids", stat.uid), gid: shownIn(user, "gids", stat.gid) };
  }

  /** A kernel's id as a mount's file system keeps it. EOVERFLOW for one that an id-mapped mount does not map. */
  protected storedOn(location: Location, kind: "uids" | "gids", id: number): number {
    const { idMaps } = this.mountOf(location);
    if (idMaps === null) return id;
    const stored = insideOf(idMaps[kind], id);
    if (stored === null) throw new Errno("EOVERFLOW");
    return stored;
  }

  protected permit(stat: Stat, wanted: Wanted): void {
    permit(this.self(), stat, wanted);
  }

  protected writeTo(location: Location, path: string): void {
    this.notReadonly(location, path);
    this.permitAt(this.statAt(location), "write", path);
  }

  protected permitAt(stat: Stat, wanted: Wanted, path: string): void {
    try {
      this.permit(stat, wanted);
    } catch (thrown) {
      throw thrown instanceof Errno ? new Errno(thrown.errno, path) : thrown;
    }
  }

  protected notReadonly(location: Location, path: string): void {
    if (this.mountOf(location).flags.has("ro")) throw new Errno("EROFS", path);
  }

  // Descriptors

  protected file(fd: Fd): OpenFile {
    const file = this.self().fds.get(fd);
    if (file === undefined) throw new Errno("EBADF");
    return file;
  }

  protected install(file: OpenFile, from = 0): Fd {
    const { fds, limits } = this.self();
    let fd = from;
    while (fds.has(fd)) fd++;
    const most = limits.get("nofile")?.soft ?? 1024;
    if (most !== -1 && fd >= most) throw new Errno("EMFILE");
    fds.set(fd, file.hold());
    return fd;
  }
}
