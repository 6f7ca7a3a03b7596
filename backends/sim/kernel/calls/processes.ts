/** System calls about processes: starting others, ending, waiting for them, signals; time, work and chance. */
import { assert } from "../../../../core/base/assert.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { loadProgram } from "../exec.ts";
import { seenIn } from "../ids.ts";
import { ended } from "../kernel.ts";
import type { Location } from "../mounts.ts";
import { type WouldBlock, wouldBlock } from "../open-file.ts";
import { isCapable } from "../permission.ts";
import { type Ids, isAlive, type Process } from "../process.ts";
import type { Fd, Pid, SignalAction, SpawnOptions, Sys, WaitOptions, WaitStatus } from "../sys.ts";
import { IdentityCalls } from "./identity.ts";

const forkNanos = 50_000n;
const SIGCONT = 18;
const signalMax = 64;
const [setUid, setGid, groupExecutes] = [0o4000, 0o2000, 0o010];

export class ProcessCalls extends IdentityCalls {
  // Starting and ending

  async spawn(
    path: string,
    argv: readonly string[],
    environment: readonly string[],
    options: SpawnOptions = {},
  ): Promise<Pid> {
    const { program, executable, standIn } = await loadProgram(this.kernel, this.view(), path, argv);
    return this.fork((sys) => {
      if (!(sys instanceof ProcessCalls)) throw ended;
      sys.become(path, executable, program.argv, environment);
      sys.#playedBy(standIn);
      return program.body(sys, program.argv, environment);
    }, options);
  }

  fork(body: (sys: Sys) => Promise<number>, options: SpawnOptions = {}): Pid {
    this.self();
    this.spend(forkNanos);
    const directory = options.directory === undefined ? null : this.locationOf(options.directory);
    const group = options.group === undefined || options.group === 0 ? null : this.groupOf(options.group);
    const given = options.fds === undefined ? null : this.#given(options.fds);
    const child = this.kernel.fork(this.process, body);
    if (given !== null) keepOnly(child, given);
    if (directory !== null) child.directory = directory;
    if (options.group !== undefined) child.group = group ?? child.pid;
    if (options.foreground === true && child.terminal !== null) child.terminal.foreground = child.group;
    return this.numberOf(child);
  }

  #given(wanted: ReadonlyMap<Fd, Fd>): [Fd, Fd][] {
    for (const from of wanted.values()) this.file(from);
    return [...wanted];
  }

  async exec(path: string, argv: readonly string[], environment: readonly string[]): Promise<never> {
    const { program, executable, standIn } = await loadProgram(this.kernel, this.view(), path, argv);
    this.become(path, executable, program.argv, environment);
    this.#playedBy(standIn);
    this.kernel.start(this.process, (sys) => program.body(sys, program.argv, environment));
    return new Promise(() => {});
  }

  /** What execve(2) changes of a process beside its program. */
  protected become(path: string, executable: Location, argv: readonly string[], environment: readonly string[]): void {
    const self = this.self();
    this.kernel.cgroups.giveBack(self);
    this.kernel.detachMemory(self);
    self.executable = executable;
    self.name = nameOf(path);
    self.argv = argv;
    self.environment = environment;
    self.hasExecuted = true;
    self.changes.tell();
    this.#takeFileIds(executable);
    self.capabilities = this.#capabilitiesAfterExec();
    for (const [signal, action] of [...self.actions]) if (action !== "ignore") self.actions.delete(signal);
    for (const fd of [...self.closeOnExec]) this.closeOne(fd);
  }

  /** Whoever asks should know that it is not the ELF file that runs: lenses by the process, people by `dmesg`. */
  #playedBy(standIn: Process["standIn"]): void {
    this.process.standIn = standIn;
    if (standIn !== null)
      this.kernel.log.add(`exec: pid ${this.process.pid}: TypeScript plays ${standIn.program} for ${standIn.file}`);
  }

  /** A program with the set-user-ID or set-group-ID bit runs with its file's ids (execve(2)), which are saved. */
  #takeFileIds(file: Location): void {
    const { process } = this;
    if (this.#gainsIds()) Object.assign(process, this.#fileIds(file));
    process.saved = { uid: process.uid, gid: process.gid };
  }

  /** Not with no_new_privs, nor when somebody traces it who could not do as much. */
  #gainsIds(): boolean {
    const { noNewPrivileges, trace, namespaces } = this.process;
    return !noNewPrivileges && (trace === null || isCapable(trace.tracer, "CAP_SYS_PTRACE", namespaces.user));
  }

  #fileIds(file: Location): Partial<Ids> {
    if (this.mountOf(file).flags.has("nosuid")) return {};
    const { mode, uid, gid } = this.statAt(file);
    const { user } = this.process.namespaces;
    if (seenIn(user, "uids", uid) === null || seenIn(user, "gids", gid) === null) return {};
    const setsGroup = (mode & (setGid | groupExecutes)) === (setGid | groupExecutes);
    return { ...((mode & setUid) === 0 ? {} : { uid }), ...(setsGroup ? { gid } : {}) };
  }

  /** capabilities(7): root gets what the bounding set lets it have, others keep the ambient ones. */
  #capabilitiesAfterExec(): Process["capabilities"] {
    const { capabilities, namespaces, uid, gid, real, noNewPrivileges } = this.process;
    const { bounding, inheritable } = capabilities;
    const isRoot = (id: number): boolean => seenIn(namespaces.user, "uids", id) === 0;
    const ambient = uid === real.uid && gid === real.gid ? capabilities.ambient : [];
    const isEither = isRoot(uid) || isRoot(real.uid);
    const gained = isEither ? [...new Set([...bounding, ...inheritable])] : ambient;
    const permitted = noNewPrivileges ? gained.filter((each) => capabilities.permitted.includes(each)) : gained;
    const effective = !isEither || isRoot(uid) ? permitted : ambient;
    return { ...capabilities, ambient, permitted, effective };
  }

  protected closeOne(fd: Fd): void {
    const file = this.file(fd);
    this.process.fds.delete(fd);
    this.process.closeOnExec.delete(fd);
    file.release();
  }

  exit(code: number): never {
    this.pay();
    this.kernel.end(this.process, { code: code & 255, signal: 0 });
    throw ended;
  }

  wait(pid: Pid, options: WaitOptions = {}): Promise<WaitStatus | null> {
    const look = (): WaitStatus | null | WouldBlock => {
      this.process.changes.watch();
      const status = this.#takeNews(pid, options);
      if (status !== null) return status;
      if (![...this.process.children].some((child) => this.#isWanted(child, pid))) throw new Errno("ECHILD");
      return options.noHang === true ? null : wouldBlock;
    };
    return this.call(look, { watched: true });
  }

  #isWanted(child: Process, pid: Pid): boolean {
    if (pid === -1) return true;
    if (pid === 0) return child.group === this.process.group;
    return pid > 0 ? this.numberOf(child) === pid : this.shown(child.group) === -pid;
  }

  /** News of a child that is asked for; the end of a child is told once, then it is gone. */
  #takeNews(pid: Pid, options: WaitOptions): WaitStatus | null {
    const { news } = this.process;
    const at = news.findIndex((each) => {
      const child = this.kernel.processes.get(each.pid);
      return child !== undefined && isToldOf(each, options) && this.#isWanted(child, pid);
    });
    const status = at === -1 ? undefined : news.splice(at, 1)[0];
    if (status === undefined) return null;
    const child = this.kernel.processes.get(status.pid);
    assert(child !== undefined, `child ${status.pid} is in the table`);
    const number = this.numberOf(child);
    if (isEnd(status)) this.kernel.family.reap(child);
    return { ...status, pid: number };
  }

  // Signals

  kill(pid: Pid, signal: number): void {
    if (signal < 0 || signal > signalMax) throw new Errno("EINVAL");
    const targets = this.#targets(pid);
    if (targets.length === 0) throw new Errno("ESRCH");
    const allowed = targets.filter((target) => this.#maySignal(target, signal));
    if (allowed.length === 0) throw new Errno("EPERM");
    const source = { code: "SI_USER", process: this.process } as const;
    for (const target of allowed) this.kernel.signals.send(target, signal, source);
  }

  #targets(pid: Pid): Process[] {
    const self = this.self();
    const all = [...this.kernel.processes.values()].filter((each) => this.numberOf(each) !== 0);
    if (pid > 0) return all.filter((each) => this.numberOf(each) === pid);
    if (pid === -1) return all.filter((each) => each !== self && this.numberOf(each) !== 1);
    const group = pid === 0 ? self.group : this.groupOf(-pid);
    return all.filter((each) => each.group === group);
  }

  #maySignal(target: Process, signal: number): boolean {
    const { uid, real, session } = this.process;
    const isOwn = [target.real.uid, target.saved.uid].some((id) => id === uid || id === real.uid);
    if (isOwn || (signal === SIGCONT && session === target.session)) return true;
    return isCapable(this.process, "CAP_KILL", target.namespaces.user);
  }

  onSignal(signal: number, action: SignalAction): void {
    if (signal === 9 || signal === 19 || signal < 1 || signal > signalMax) throw new Errno("EINVAL");
    if (action === "default") this.self().actions.delete(signal);
    else this.self().actions.set(signal, action);
  }

  async pause(): Promise<void> {
    try {
      await this.call<void>(() => wouldBlock, { watched: true });
    } catch (thrown) {
      if (!(thrown instanceof Errno && thrown.errno === "EINTR")) throw thrown;
    }
  }

  // Time, work, chance

  now(): bigint {
    return this.kernel.turns.now;
  }

  monotonic(): bigint {
    return this.kernel.turns.now - this.kernel.options.now;
  }

  sleep(nanoseconds: bigint): Promise<void> {
    const until = this.kernel.turns.now + nanoseconds;
    const isOver = (): WouldBlock | undefined => (this.kernel.turns.now >= until ? undefined : wouldBlock);
    return this.call<void>(isOver, { at: until, watched: true });
  }

  work(fuel: number): Promise<void> {
    this.self();
    this.spend(BigInt(Math.ceil(fuel)));
    return this.kernel.turns.call(this.process, () => undefined);
  }

  rest(): Promise<void> | undefined {
    this.self();
    this.pay();
    const { turns } = this.kernel;
    return turns.isDue(this.process) ? turns.call(this.process, () => undefined) : undefined;
  }

  allocate(bytes: number): void {
    this.kernel.memory.take(this.self(), bytes);
    if (!isAlive(this.process)) throw ended;
  }

  random(count: number): Uint8Array {
    this.self();
    return this.kernel.options.random(count);
  }
}

function isToldOf(status: WaitStatus, { untraced, continued }: WaitOptions): boolean {
  if (status.kind === "stopped") return untraced ?? false;
  return status.kind === "continued" ? (continued ?? false) : isEnd(status);
}

function isEnd({ kind }: WaitStatus): boolean {
  return kind === "exited" || kind === "killed";
}

/** What ps calls a program: its file's name, at most 15 characters. */
function nameOf(path: string): string {
  return (path.split("/").pop() ?? path).slice(0, 15);
}

/** Leaves a child the descriptors it is given, under their new numbers. */
export function keepOnly(child: Process, given: readonly [Fd, Fd][]): void {
  const kept = given.map(([to, from]) => [to, child.fds.get(from)?.hold()] as const);
  for (const file of child.fds.values()) file.release();
  child.fds.clear();
  child.closeOnExec.clear();
  for (const [to, file] of kept) if (file !== undefined) child.fds.set(to, file);
}
