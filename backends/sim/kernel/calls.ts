/**
 * The system calls: Sys for one process. Each checks what the process may do, then changes the
 * kernel's state; those that may have to wait hand the scheduler something to try (turns.ts).
 *
 * Costs, in nanoseconds of processor time, are fixed and documented, so that limits mean the same
 * in every run: a call costs 1 µs, a byte read or written 1/4 ns, a new process 50 µs.
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { Capability } from "../../../core/runtime/capabilities.ts";
import type { MountFlag, Namespace, Propagation } from "../../../core/runtime/plan.ts";
import type {
  Attributes,
  DirectoryEntry,
  FileSystem,
  Inode,
  NewNode,
  NodeKind,
  Stat,
} from "../../../core/unionfs/file-system.ts";
import { chargeMemory } from "./cgroup.ts";
import { openDevice } from "./devices.ts";
import { loadProgram } from "./exec.ts";
import { makeFileSystem } from "./file-systems.ts";
import { Ended, type Kernel } from "./kernel.ts";
import {
  addMount,
  bindMount,
  changeMount,
  mountAt,
  pivotTable,
  removeMount,
  rootOf,
  type Location,
  type Mount,
} from "./mounts.ts";
import { enterNamespaces, unshareNamespaces } from "./namespaces.ts";
import { FileChannel, OpenFile, type Channel, type WouldBlock, wouldBlock } from "./open-file.ts";
import { Pipe, pipeStat, ReadEnd, WriteEnd } from "./pipe.ts";
import { isAlive, numberIn, type Process } from "./process.ts";
import type {
  Credentials,
  Fd,
  OpenOptions,
  Pid,
  SignalAction,
  SpawnOptions,
  Sys,
  TerminalMode,
  WaitStatus,
} from "./sys.ts";
import { TerminalChannel, type Terminal } from "./terminal.ts";
import { fileSystemAt, locate, pathOf, resolve, statAt, type Place, type View } from "./walk.ts";

const callNanos = 1000n;
const forkNanos = 50_000n;
const bytesPerNano = 4;
const SIGPIPE = 13;

export class Calls implements Sys {
  readonly #kernel: Kernel;
  readonly #process: Process;

  constructor(kernel: Kernel, process: Process) {
    this.#kernel = kernel;
    this.#process = process;
  }

  // Identity

  get pid(): Pid {
    return this.#numberOf(this.#process);
  }

  parent(): Pid {
    const { parent } = this.#self();
    return parent === null ? 0 : this.#numberOf(parent);
  }

  credentials(): Credentials {
    const { uid, gid, groups } = this.#self();
    return { uid, gid, groups };
  }

  setCredentials(wanted: Partial<Credentials>): void {
    const self = this.#self();
    const changes =
      (wanted.uid ?? self.uid) !== self.uid || (wanted.gid ?? self.gid) !== self.gid || wanted.groups !== undefined;
    if (changes && !this.#has("CAP_SETUID")) throw new Errno("EPERM");
    self.uid = wanted.uid ?? self.uid;
    self.gid = wanted.gid ?? self.gid;
    self.groups = wanted.groups ?? self.groups;
    if (self.uid !== 0) self.capabilities = { ...self.capabilities, permitted: [], effective: [] };
  }

  umask(mask: number): number {
    const old = this.#self().umask;
    this.#self().umask = mask & 0o777;
    return old;
  }

  hostname(): string {
    return this.#self().namespaces.uts.hostname;
  }

  setHostname(name: string): void {
    this.#need("CAP_SYS_ADMIN", "sethostname");
    if (name.length > 64) throw new Errno("EINVAL");
    this.#process.namespaces.uts.hostname = name;
  }

  setDomainname(name: string): void {
    this.#need("CAP_SYS_ADMIN", "setdomainname");
    if (name.length > 64) throw new Errno("EINVAL");
    this.#process.namespaces.uts.domainname = name;
  }

  // Processes

  async spawn(
    path: string,
    argv: readonly string[],
    environment: readonly string[],
    options: SpawnOptions = {},
  ): Promise<Pid> {
    const { program, executable } = await loadProgram(this.#kernel, this.#view(), path, argv);
    return this.fork((sys) => {
      if (!(sys instanceof Calls)) throw new Ended();
      sys.#become(executable, program.argv, environment);
      return program.body(sys, program.argv, environment);
    }, options);
  }

  fork(body: (sys: Sys) => Promise<number>, options: SpawnOptions = {}): Pid {
    this.#self();
    this.#spend(forkNanos);
    const child = this.#kernel.fork(this.#process, body);
    if (options.fds !== undefined) keepOnly(child, options.fds);
    if (options.directory !== undefined) child.directory = resolve(this.#view(), options.directory);
    if (options.group !== undefined) child.group = options.group === 0 ? child.pid : this.#peer(options.group).pid;
    if (options.foreground === true && child.terminal !== null) child.terminal.foreground = child.group;
    return this.#numberOf(child);
  }

  async exec(path: string, argv: readonly string[], environment: readonly string[]): Promise<never> {
    const { program, executable } = await loadProgram(this.#kernel, this.#view(), path, argv);
    this.#become(executable, program.argv, environment);
    this.#kernel.start(this.#process, (sys) => program.body(sys, program.argv, environment));
    return new Promise(() => {});
  }

  wait(pid: Pid, options: { noHang?: boolean; untraced?: boolean } = {}): Promise<WaitStatus | null> {
    return this.#call(() => {
      const status = this.#takeNews(pid, options.untraced ?? false);
      if (status !== null) return status;
      if (![...this.#process.children].some((child) => this.#isWanted(child, pid))) throw new Errno("ECHILD");
      return options.noHang === true ? null : wouldBlock;
    });
  }

  exit(code: number): never {
    this.#kernel.end(this.#process, { code: code & 255, signal: 0 });
    throw new Ended();
  }

  kill(pid: Pid, signal: number): void {
    if (signal < 0 || signal > 64) throw new Errno("EINVAL");
    const targets = this.#targets(pid);
    if (targets.length === 0) throw new Errno("ESRCH");
    const allowed = targets.filter((target) => this.#maySignal(target));
    if (allowed.length === 0) throw new Errno("EPERM");
    for (const target of allowed) this.#kernel.signal(target, signal);
  }

  onSignal(signal: number, action: SignalAction): void {
    if (signal === 9 || signal === 19) throw new Errno("EINVAL");
    if (action === "default") this.#self().actions.delete(signal);
    else this.#self().actions.set(signal, action);
  }

  pause(): Promise<void> {
    return this.#call<void>(() => wouldBlock);
  }

  setGroup(pid: Pid, group: Pid): void {
    const target = pid === 0 ? this.#self() : this.#peer(pid);
    target.group = group === 0 ? target.pid : this.#peer(group).pid;
  }

  group(pid?: Pid): Pid {
    const target = pid === undefined || pid === 0 ? this.#self() : this.#peer(pid);
    return this.#outer(target.group);
  }

  session(): Pid {
    return this.#outer(this.#self().session);
  }

  // Time and work

  now(): bigint {
    return this.#kernel.turns.now;
  }

  monotonic(): bigint {
    return this.#kernel.turns.now - this.#kernel.options.now;
  }

  sleep(nanoseconds: bigint): Promise<void> {
    const until = this.#kernel.turns.now + nanoseconds;
    return this.#call<void>(() => (this.#kernel.turns.now >= until ? undefined : wouldBlock), until);
  }

  work(fuel: number): Promise<void> {
    this.#self();
    this.#spend(BigInt(Math.ceil(fuel)));
    return this.#kernel.turns.call(this.#process, () => undefined);
  }

  // Descriptors

  async open(path: string, options: OpenOptions): Promise<Fd> {
    const view = this.#view();
    const place = locate(view, path, { noFollow: options.noFollow ?? false });
    const location = place.found ?? this.#createFile(place, path, options);
    if (place.found !== null && options.create === true && options.exclusive === true) throw new Errno("EEXIST", path);
    const stat = statAt(view.table, location);
    this.#checkOpen(stat, location, path, options);
    if (options.truncate === true && stat.kind === "file")
      fileSystemAt(view.table, location).truncate(location.inode, 0);
    const access = { read: options.access !== "write", write: options.access !== "read" };
    const channel = this.#channel(stat, location, options);
    const file = new OpenFile(channel, access, { location, path: this.#pathOf(path) }, options.nonBlocking ?? false);
    return this.#install(file);
  }

  close(fd: Fd): void {
    const file = this.#file(fd);
    this.#process.fds.delete(fd);
    this.#process.closeOnExec.delete(fd);
    file.release();
  }

  async read(fd: Fd, length: number): Promise<Uint8Array> {
    const file = this.#file(fd);
    const bytes = await this.#call(() => this.#unlessNonBlocking(file, file.read(length)));
    this.#spend(BigInt(Math.ceil(bytes.length / bytesPerNano)));
    return bytes;
  }

  async write(fd: Fd, bytes: Uint8Array): Promise<number> {
    const file = this.#file(fd);
    this.#checkWritable(file);
    let written = 0;
    while (written < bytes.length || written === 0) {
      const taken = await this.#call(() => this.#writeOnce(file, bytes.subarray(written)));
      written += taken;
      this.#spend(BigInt(Math.ceil(taken / bytesPerNano)));
      if (file.nonBlocking || bytes.length === 0) break;
    }
    return written;
  }

  seek(fd: Fd, offset: number, whence: "set" | "current" | "end"): number {
    const { channel } = this.#file(fd);
    if (!(channel instanceof FileChannel)) throw new Errno("ESPIPE");
    return channel.seek(offset, whence);
  }

  duplicate(from: Fd, to: Fd): Fd {
    const file = this.#file(from);
    if (from === to) return to;
    if (this.#process.fds.has(to)) this.close(to);
    this.#process.fds.set(to, file.hold());
    return to;
  }

  pipe(): { read: Fd; write: Fd } {
    const pipe = new Pipe();
    const inode = this.#kernel.newInode();
    const stat = pipeStat(inode, this.now());
    const place = { location: null, path: `pipe:[${inode}]` };
    const read = this.#install(new OpenFile(new ReadEnd(pipe, stat), { read: true, write: false }, place));
    const write = this.#install(new OpenFile(new WriteEnd(pipe, stat), { read: false, write: true }, place));
    return { read, write };
  }

  poll(wanted: readonly { fd: Fd; read: boolean; write: boolean }[], timeout: bigint | null): Promise<Fd[]> {
    const until = timeout === null ? null : this.now() + timeout;
    return this.#call(() => {
      const ready = wanted.filter(({ fd, read, write }) => {
        const { channel } = this.#file(fd);
        return (read && channel.readable()) || (write && channel.writable());
      });
      if (ready.length > 0 || (until !== null && this.now() >= until)) return ready.map(({ fd }) => fd);
      return wouldBlock;
    }, until);
  }

  statFd(fd: Fd): Stat {
    return this.#file(fd).channel.stat();
  }

  isTerminal(fd: Fd): boolean {
    return this.#file(fd).channel instanceof TerminalChannel;
  }

  terminalSize(fd: Fd): { rows: number; columns: number } {
    const { rows, columns } = this.#terminal(fd);
    return { rows, columns };
  }

  terminalMode(fd: Fd): TerminalMode {
    return this.#terminal(fd).mode;
  }

  setTerminalMode(fd: Fd, mode: Partial<TerminalMode>): void {
    const terminal = this.#terminal(fd);
    terminal.mode = { ...terminal.mode, ...mode };
  }

  setForeground(fd: Fd, group: Pid): void {
    this.#terminal(fd).foreground = this.#peer(group).group;
  }

  // Files

  stat(path: string): Stat {
    return this.#statAt(this.#resolve(path));
  }

  lstat(path: string): Stat {
    return this.#statAt(this.#resolve(path, true));
  }

  list(path: string): DirectoryEntry[] {
    const location = this.#resolve(path);
    const stat = this.#statAt(location);
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#permit(stat, "read");
    return this.#fileSystem(location).list(location.inode);
  }

  readlink(path: string): string {
    const location = this.#resolve(path, true);
    return this.#fileSystem(location).readlink(location.inode);
  }

  directory(): string {
    return pathOf(this.#view(), this.#self().directory);
  }

  changeDirectory(path: string): void {
    const location = this.#resolve(path);
    const stat = this.#statAt(location);
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#permit(stat, "execute");
    this.#process.directory = location;
  }

  access(path: string, wanted: { read?: boolean; write?: boolean; execute?: boolean }): void {
    const location = this.#resolve(path);
    const stat = this.#statAt(location);
    if (wanted.read === true) this.#permit(stat, "read");
    if (wanted.write === true) this.#writeTo(location, path);
    if (wanted.execute === true) this.#permit(stat, "execute");
  }

  makeDirectory(path: string, mode: number): void {
    this.#make(path, { kind: "directory", mode: mode & ~this.#self().umask, ...this.#owner() });
  }

  removeDirectory(path: string): void {
    const { directory, name } = this.#removable(path);
    this.#fileSystem(directory).removeDirectory(directory.inode, name);
  }

  unlink(path: string): void {
    const { directory, name } = this.#removable(path);
    const fileSystem = this.#fileSystem(directory);
    const inode = fileSystem.unlink(directory.inode, name);
    if (!this.#isOpen({ mount: directory.mount, inode })) fileSystem.forget(inode);
  }

  rename(from: string, to: string): void {
    const source = this.#removable(from);
    const target = this.#place(to);
    if (target.directory.mount !== source.directory.mount) throw new Errno("EXDEV", to);
    if (this.#isBusy(target)) throw new Errno("EBUSY", to);
    this.#writeTo(target.directory, to);
    this.#fileSystem(source.directory).rename(source.directory.inode, source.name, target.directory.inode, target.name);
  }

  link(target: string, path: string): void {
    const location = this.#resolve(target, true);
    const place = this.#newPlace(path);
    if (place.directory.mount !== location.mount) throw new Errno("EXDEV", path);
    this.#fileSystem(location).link(place.directory.inode, place.name, location.inode);
  }

  symlink(target: string, path: string): void {
    this.#make(path, { kind: "symlink", target, mode: 0o777, ...this.#owner() });
  }

  makeNode(
    path: string,
    kind: Exclude<NodeKind, "file" | "directory" | "symlink">,
    mode: number,
    major = 0,
    minor = 0,
  ): void {
    const isDevice = kind === "character" || kind === "block";
    if (isDevice) this.#need("CAP_MKNOD", "mknod");
    const common = { mode: mode & ~this.#self().umask, ...this.#owner() };
    this.#make(path, isDevice ? { kind, major, minor, ...common } : { kind, ...common });
  }

  truncate(path: string, size: number): void {
    const location = this.#resolve(path);
    this.#writeTo(location, path);
    this.#fileSystem(location).truncate(location.inode, size);
  }

  setAttributes(path: string, attributes: Attributes, options: { noFollow?: boolean } = {}): void {
    const location = this.#resolve(path, options.noFollow ?? false);
    this.#checkNotReadonly(location, path);
    const stat = this.#statAt(location);
    if (stat.uid !== this.#process.uid && !this.#has("CAP_FOWNER")) throw new Errno("EPERM", path);
    const gives = (attributes.uid ?? stat.uid) !== stat.uid || (attributes.gid ?? stat.gid) !== stat.gid;
    if (gives && !this.#has("CAP_CHOWN")) throw new Errno("EPERM", path);
    this.#fileSystem(location).setAttributes(location.inode, attributes);
  }

  listXattrs(path: string): string[] {
    const location = this.#resolve(path);
    return this.#fileSystem(location).listXattrs(location.inode);
  }

  getXattr(path: string, name: string): Uint8Array {
    const location = this.#resolve(path);
    return this.#fileSystem(location).getXattr(location.inode, name);
  }

  setXattr(path: string, name: string, value: Uint8Array): void {
    const location = this.#resolve(path);
    this.#writeTo(location, path);
    this.#fileSystem(location).setXattr(location.inode, name, value);
  }

  // Isolation

  unshare(namespaces: readonly Namespace[]): void {
    if (!namespaces.includes("user")) this.#need("CAP_SYS_ADMIN", "unshare");
    else this.#refuse("unshare");
    unshareNamespaces(this.#kernel, this.#process, namespaces);
  }

  enter(pid: Pid, namespaces: readonly Namespace[]): void {
    this.#need("CAP_SYS_ADMIN", "setns");
    enterNamespaces(this.#process, this.#peer(pid), namespaces);
  }

  mount(type: string, source: string, target: string, flags: readonly MountFlag[], options: string): void {
    this.#need("CAP_SYS_ADMIN", "mount");
    const location = this.#resolve(target);
    const made = makeFileSystem(this.#kernel, this.#process, type, options);
    this.#changeTable((table) => {
      const mount = { ...made, type, source, flags: new Set(flags), options, propagation: "private" as const };
      return addMount(table, location, mount).table;
    });
  }

  bind(source: string, target: string, options: { recursive: boolean; flags: readonly MountFlag[] }): void {
    this.#need("CAP_SYS_ADMIN", "mount");
    const from = this.#resolve(source);
    const to = this.#resolve(target);
    const isDirectory = this.#statAt(from).kind === "directory";
    if (isDirectory !== (this.#statAt(to).kind === "directory")) throw new Errno("ENOTDIR", target);
    this.#changeTable((table) => {
      const bound = bindMount(table, from, to, options.recursive);
      const flags = new Set([...mountAt(table, from.mount).flags, ...options.flags]);
      return changeMount(bound.table, bound.id, { flags });
    });
  }

  setPropagation(path: string, mode: Propagation): void {
    this.#need("CAP_SYS_ADMIN", "mount");
    const { mount } = this.#resolve(path);
    this.#changeTable((table) => changeMount(table, mount, { propagation: mode }));
  }

  unmount(path: string): void {
    this.#need("CAP_SYS_ADMIN", "umount2");
    const location = this.#resolve(path);
    if (mountAt(this.#table(), location.mount).root !== location.inode) throw new Errno("EINVAL", path);
    this.#changeTable((table) => removeMount(table, location.mount));
  }

  pivotRoot(newRoot: string): void {
    this.#need("CAP_SYS_ADMIN", "pivot_root");
    const location = this.#resolve(newRoot);
    this.#changeTable((table) => pivotTable(table, location));
    this.#process.root = rootOf(this.#table());
    this.#process.directory = this.#process.root;
  }

  setCapabilities(sets: {
    bounding?: readonly Capability[];
    permitted?: readonly Capability[];
    effective?: readonly Capability[];
  }): void {
    const { capabilities } = this.#self();
    const grows = (sets.permitted ?? []).some((capability) => !capabilities.permitted.includes(capability));
    if (grows) throw new Errno("EPERM");
    this.#process.capabilities = { ...capabilities, ...sets };
  }

  setLimit(resource: string, soft: number, hard: number): void {
    const old = this.#self().limits.get(resource);
    if (old !== undefined && hard > old.hard && !this.#has("CAP_SYS_RESOURCE")) throw new Errno("EPERM");
    this.#process.limits.set(resource, { soft, hard });
  }

  noNewPrivileges(): void {
    this.#self().noNewPrivileges = true;
  }

  // What is behind them

  /** The process, if it may go on: one that has ended does not get further. */
  #self(): Process {
    if (!isAlive(this.#process)) throw new Ended();
    return this.#process;
  }

  #spend(nanos: bigint): void {
    if (isAlive(this.#process)) this.#kernel.turns.spend(this.#process, nanos);
  }

  #call<T>(attempt: () => T | WouldBlock, at: bigint | null = null): Promise<T> {
    this.#self();
    this.#spend(callNanos);
    return this.#kernel.turns.call(this.#process, attempt, { at });
  }

  #numberOf(process: Process): Pid {
    return numberIn(this.#process.namespaces.pid, process);
  }

  /** A number of the outermost namespace as this process sees it. */
  #outer(pid: Pid): Pid {
    const process = this.#kernel.processes.get(pid);
    return process === undefined ? 0 : this.#numberOf(process);
  }

  #peer(pid: Pid): Process {
    const peer = this.#kernel.find(this.#self().namespaces.pid, pid);
    if (peer === null) throw new Errno("ESRCH");
    return peer;
  }

  #targets(pid: Pid): Process[] {
    const self = this.#self();
    const all = [...this.#kernel.processes.values()].filter((each) => isAlive(each) && this.#numberOf(each) !== 0);
    if (pid > 0) return all.filter((each) => this.#numberOf(each) === pid);
    if (pid === -1) return all.filter((each) => each !== self && this.#numberOf(each) !== 1);
    const group = pid === 0 ? self.group : this.#peer(-pid).pid;
    return all.filter((each) => each.group === group);
  }

  #maySignal(target: Process): boolean {
    return this.#process.uid === 0 || this.#process.uid === target.uid || this.#has("CAP_KILL");
  }

  #isWanted(child: Process, pid: Pid): boolean {
    return pid === -1 || (pid === 0 ? child.group === this.#process.group : this.#numberOf(child) === pid);
  }

  /** News of a child that is asked for; the end of a child is told once, then it is gone. */
  #takeNews(pid: Pid, untraced: boolean): WaitStatus | null {
    const { news } = this.#process;
    const at = news.findIndex((each) => {
      const child = this.#kernel.processes.get(each.pid);
      const isEnd = each.kind === "exited" || each.kind === "killed";
      return child !== undefined && (isEnd || untraced) && this.#isWanted(child, pid);
    });
    const status = at === -1 ? undefined : news.splice(at, 1)[0];
    if (status === undefined) return null;
    const child = this.#kernel.processes.get(status.pid);
    assert(child !== undefined, `child ${status.pid} is in the table`);
    const number = this.#numberOf(child);
    if (status.kind === "exited" || status.kind === "killed") this.#kernel.reap(child);
    return { ...status, pid: number };
  }

  #become(executable: string, argv: readonly string[], environment: readonly string[]): void {
    const self = this.#self();
    self.executable = executable;
    self.name = (executable.split("/").pop() ?? executable).slice(0, 15);
    self.argv = argv;
    self.environment = environment;
    for (const [signal, action] of [...self.actions]) if (action !== "ignore") self.actions.delete(signal);
    for (const fd of [...self.closeOnExec]) this.close(fd);
  }

  #has(capability: Capability): boolean {
    return this.#self().capabilities.effective.includes(capability);
  }

  /** A call that needs a capability, and that the seccomp filter may refuse first. */
  #need(capability: Capability, call: string): void {
    this.#refuse(call);
    if (!this.#has(capability)) throw new Errno("EPERM");
  }

  #refuse(call: string): void {
    if (this.#self().refusedCalls?.has(call) === true) throw new Errno("EPERM");
  }

  #view(): View {
    const { namespaces, root, directory } = this.#self();
    return { table: namespaces.mount.table, root, directory, permit: (stat, wanted) => this.#permit(stat, wanted) };
  }

  #table(): View["table"] {
    return this.#process.namespaces.mount.table;
  }

  #changeTable(change: (table: View["table"]) => View["table"]): void {
    this.#process.namespaces.mount.table = change(this.#table());
  }

  #fileSystem(location: Location): FileSystem {
    return fileSystemAt(this.#table(), location);
  }

  #statAt(location: Location): Stat {
    return statAt(this.#table(), location);
  }

  #resolve(path: string, noFollow = false): Location {
    return resolve(this.#view(), path, { noFollow });
  }

  #place(path: string): Place {
    return locate(this.#view(), path, { noFollow: true });
  }

  #permit(stat: Stat, wanted: "read" | "write" | "execute"): void {
    if (wanted !== "execute" && this.#has("CAP_DAC_OVERRIDE")) return;
    const bit = { read: 4, write: 2, execute: 1 }[wanted];
    const { uid, gid, groups } = this.#process;
    const shift = stat.uid === uid ? 6 : stat.gid === gid || groups.includes(stat.gid) ? 3 : 0;
    const anyExecute = stat.kind === "directory" || (stat.mode & 0o111) !== 0;
    if (wanted === "execute" && this.#has("CAP_DAC_OVERRIDE") && anyExecute) return;
    if (((stat.mode >> shift) & bit) === 0) throw new Errno("EACCES");
  }

  #writeTo(location: Location, path: string): void {
    this.#checkNotReadonly(location, path);
    this.#permit(this.#statAt(location), "write");
  }

  #checkNotReadonly(location: Location, path: string): void {
    if (this.#mount(location).flags.has("ro")) throw new Errno("EROFS", path);
  }

  #mount(location: Location): Mount {
    return mountAt(this.#table(), location.mount);
  }

  #newPlace(path: string): Place {
    const place = this.#place(path);
    if (place.found !== null) throw new Errno("EEXIST", path);
    this.#writeTo(place.directory, path);
    return place;
  }

  #make(path: string, node: NewNode): Location {
    const { directory, name } = this.#newPlace(path.replace(/(?<=.)\/+$/, ""));
    return { mount: directory.mount, inode: this.#fileSystem(directory).create(directory.inode, name, node) };
  }

  #owner(): { uid: number; gid: number } {
    const { uid, gid } = this.#self();
    return { uid, gid };
  }

  #removable(path: string): { directory: Location; name: string } {
    const place = this.#place(path);
    if (place.found === null) throw new Errno("ENOENT", path);
    if (place.name === "." || place.name === "..") throw new Errno("EINVAL", path);
    if (this.#isBusy(place)) throw new Errno("EBUSY", path);
    this.#writeTo(place.directory, path);
    return place;
  }

  /** Something is mounted there. */
  #isBusy(place: Place): boolean {
    return place.found !== null && place.found.mount !== place.directory.mount;
  }

  #isOpen(location: Location): boolean {
    const isThis = ({ location: at }: OpenFile): boolean => at?.mount === location.mount && at.inode === location.inode;
    return [...this.#kernel.processes.values()].some((process) => [...process.fds.values()].some(isThis));
  }

  #createFile(place: Place, path: string, options: OpenOptions): Location {
    if (options.create !== true) throw new Errno("ENOENT", path);
    this.#writeTo(place.directory, path);
    const mode = (options.mode ?? 0o666) & ~this.#self().umask;
    const node: NewNode = { kind: "file", mode, ...this.#owner() };
    return {
      mount: place.directory.mount,
      inode: this.#fileSystem(place.directory).create(place.directory.inode, place.name, node),
    };
  }

  #checkOpen(stat: Stat, location: Location, path: string, options: OpenOptions): void {
    if (stat.kind === "symlink") throw new Errno("ELOOP", path);
    if (options.directory === true && stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    if (stat.kind === "directory" && options.access !== "read") throw new Errno("EISDIR", path);
    if (options.access !== "write") this.#permit(stat, "read");
    if (options.access !== "read" && stat.kind === "file") this.#checkNotReadonly(location, path);
    if (options.access !== "read") this.#permit(stat, "write");
  }

  #channel(stat: Stat, location: Location, options: OpenOptions): Channel {
    if (stat.kind === "character" || stat.kind === "block") {
      if (this.#mount(location).flags.has("nodev")) throw new Errno("EACCES");
      return openDevice(this.#kernel, this.#process, stat);
    }
    const fileSystem = this.#fileSystem(location);
    const closed = (): void => this.#forgetUnlinked(fileSystem, location.inode);
    return new FileChannel(fileSystem, location, { append: options.append ?? false, closed });
  }

  #forgetUnlinked(fileSystem: FileSystem, inode: Inode): void {
    if (fileSystem.stat(inode).links === 0) fileSystem.forget(inode);
  }

  #pathOf(path: string): string {
    return path.startsWith("/") ? path : `${this.directory().replace(/\/$/, "")}/${path}`;
  }

  #install(file: OpenFile): Fd {
    const { fds, limits } = this.#self();
    let fd = 0;
    while (fds.has(fd)) fd++;
    if (fd >= (limits.get("nofile")?.soft ?? 1024)) throw new Errno("EMFILE");
    fds.set(fd, file.hold());
    return fd;
  }

  #file(fd: Fd): OpenFile {
    const file = this.#self().fds.get(fd);
    if (file === undefined) throw new Errno("EBADF");
    return file;
  }

  #terminal(fd: Fd): Terminal {
    const { channel } = this.#file(fd);
    if (!(channel instanceof TerminalChannel)) throw new Errno("ENOTTY");
    return channel.terminal;
  }

  #unlessNonBlocking<T>(file: OpenFile, result: T | WouldBlock): T | WouldBlock {
    if (result === wouldBlock && file.nonBlocking) throw new Errno("EAGAIN");
    return result;
  }

  #checkWritable(file: OpenFile): void {
    if (!file.access.write) throw new Errno("EBADF", file.path);
  }

  #writeOnce(file: OpenFile, bytes: Uint8Array): number | WouldBlock {
    try {
      return this.#unlessNonBlocking(file, file.write(bytes));
    } catch (thrown) {
      if (thrown instanceof Errno && thrown.errno === "EPIPE") this.#kernel.signal(this.#process, SIGPIPE);
      throw thrown;
    }
  }
}

/** Leaves a child the descriptors it is given, under their new numbers. */
function keepOnly(child: Process, wanted: ReadonlyMap<Fd, Fd>): void {
  const given = [...wanted].map(([to, from]) => [to, child.fds.get(from)] as const);
  for (const [, file] of given) file?.hold();
  for (const file of child.fds.values()) file.release();
  child.fds.clear();
  for (const [to, file] of given) {
    if (file === undefined) throw new Errno("EBADF");
    child.fds.set(to, file);
  }
}

/** Memory a program takes (a WebAssembly memory growing): false when its cgroup's limit forbids it. */
export function takeMemory(kernel: Kernel, process: Process, bytes: number): boolean {
  const full = chargeMemory(process.cgroup, bytes);
  if (full === null) {
    process.memoryBytes += bytes;
    return true;
  }
  full.oomKills++;
  kernel.end(process, { code: 137, signal: 9 });
  return false;
}
