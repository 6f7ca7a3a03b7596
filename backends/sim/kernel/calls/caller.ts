/**
 * A process as the one that makes system calls: what all of them share. Costs, in nanoseconds of
 * processor time, are fixed and documented, so that limits mean the same in every run: a call costs
 * 1 µs, as does each path that it walks, a byte read or written 1/4 ns, a new process 50 µs. What calls
 * cost that cannot wait is paid at the next one that can.
 */
import { Errno } from "../../../../core/base/errno.ts";
import type { Capability } from "../../../../core/runtime/capabilities.ts";
import { permit, type Wanted } from "../../../../core/unionfs/access.ts";
import type { FileSystem, Stat } from "../../../../core/unionfs/file-system.ts";
import { Posix } from "../../../../core/unionfs/posix.ts";
import type { Guarded } from "../../../../core/unionfs/walk.ts";
import { shownIn } from "../ids.ts";
import { ended, type Kernel } from "../kernel.ts";
import { mountOf, type Location, type Mount } from "../mounts.ts";
import type { OpenFile, WouldBlock } from "../open-file.ts";
import { isCapable } from "../permission.ts";
import { ProcessFiles } from "../process-files.ts";
import { isAlive, numberIn, type Process, type UserNamespace } from "../process.ts";
import type { Fd, Pid } from "../sys.ts";
import type { CallOptions } from "../turns.ts";
import { fileSystemAt, type View } from "../walk.ts";

const callNanos = 1000n;
const pathNanos = 1000;
const bytesPerNano = 4;

export class Caller {
  protected readonly kernel: Kernel;
  protected readonly process: Process;
  /** Nanoseconds of processor time that have not been paid. */
  #owed = 0;

  readonly #files: Posix<Location>;

  constructor(kernel: Kernel, process: Process) {
    this.kernel = kernel;
    this.process = process;
    this.#files = new Posix(new ProcessFiles(kernel, process));
  }

  /** The process, if it may go on: one that has ended does not get further. */
  protected self(): Process {
    if (!isAlive(this.process)) throw ended;
    return this.process;
  }

  protected spend(nanos: bigint): void {
    if (isAlive(this.process)) this.kernel.turns.spend(this.process, nanos);
  }

  protected spendBytes(count: number): void {
    this.spend(BigInt(Math.ceil(count / bytesPerNano)));
  }

  protected pay(): void {
    if (this.#owed === 0) return;
    this.spend(BigInt(this.#owed));
    this.#owed = 0;
  }

  /** A call that may have to wait: it is tried until it does not block. */
  protected call<T>(attempt: () => T | WouldBlock, options: CallOptions = {}): Promise<T> {
    this.self();
    this.pay();
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
    const process = this.kernel.processes.get(pid) ?? this.kernel.family.formerLeader(pid);
    return process === null ? 0 : this.numberOf(process);
  }

  /** ESRCH when this process sees none of that number. */
  protected peer(pid: Pid): Process {
    const peer = this.kernel.find(this.self().namespaces.pid, pid);
    if (peer === null) throw new Errno("ESRCH");
    return peer;
  }

  // Files by path

  /** The system calls about files, by the rules of core. */
  protected get files(): Posix<Location> {
    this.self();
    return this.#files;
  }

  protected view(): View {
    this.#owed += pathNanos;
    const { namespaces, root, directory } = this.self();
    const { actor } = this.#files.view;
    return {
      table: namespaces.mount.table,
      root,
      directory,
      permit: (file, wanted) => permit(actor, file, wanted),
    };
  }

  protected table(): View["table"] {
    return this.process.namespaces.mount.table;
  }

  protected locationOf(path: string, noFollow = false): Location {
    return this.files.existing(path, noFollow);
  }

  protected fileSystem(location: Location): FileSystem {
    return fileSystemAt(this.table(), location);
  }

  protected mountOf(location: Location): Mount {
    return mountOf(this.table(), location);
  }

  /** By the kernel's ids. */
  protected statAt(location: Location): Stat {
    return this.#files.view.stat(location);
  }

  /** By the ids this process's user namespace knows. */
  protected shownStat(stat: Stat): Stat {
    const { user } = this.process.namespaces;
    return { ...stat, uid: shownIn(user, "uids", stat.uid), gid: shownIn(user, "gids", stat.gid) };
  }

  protected permit(file: Guarded, wanted: Wanted, path = ""): void {
    permit(this.files.view.actor, file, wanted, path);
  }

  // Descriptors

  protected file(fd: Fd): OpenFile {
    const file = this.self().fds.get(fd);
    if (file === undefined) throw new Errno("EBADF");
    return file;
  }

  protected install(file: OpenFile, from = 0): Fd {
    const fd = this.freeFd(from);
    this.process.fds.set(fd, file.hold());
    return fd;
  }

  /** EMFILE. */
  protected freeFd(from = 0): Fd {
    const { fds, limits } = this.self();
    let fd = from;
    while (fds.has(fd)) fd++;
    const most = limits.get("nofile")?.soft ?? 1024;
    if (most !== -1 && fd >= most) throw new Errno("EMFILE");
    return fd;
  }
}
