/**
 * The monitor of a task: a process of the simulated host, as on Linux. It performs the plan's host
 * steps, has the child performed up to its gate, owns the task's streams, writes its log and records
 * its exit. It lives in the kernel and so outlives the engine.
 *
 *   starting → at the gate → released → running → ended
 */
import { assert } from "../../core/base/assert.ts";
import { encodeText } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import type { Attachment, AttachOptions, TaskExit, TaskStart } from "../../core/engine/machine.ts";
import type { Spawn } from "../../core/runtime/plan.ts";
import { Clients } from "./clients.ts";
import { keepOnly } from "./kernel/calls/processes.ts";
import { Ended, type Kernel } from "./kernel/kernel.ts";
import { Changes } from "./kernel/changes.ts";
import { clone } from "./kernel/namespaces.ts";
import { type Channel, wouldBlock, type WouldBlock } from "./kernel/open-file.ts";
import { isAlive, type Process } from "./kernel/process.ts";
import type { Fd, Sys } from "./kernel/sys.ts";
import type { Terminal } from "./kernel/terminal.ts";
import { LogFile, LogStream } from "./log.ts";
import { performChild, performHost } from "./perform.ts";
import type { Stage } from "./stage.ts";

const chunkBytes = 65_536;

type Stream = "stdout" | "stderr";

interface Output {
  readonly stream: Stream;
  readonly fd: Fd;
  readonly channel: Channel;
}

/** What the monitor is woken by. */
type Happening =
  | { readonly kind: "output"; readonly stream: Stream; readonly bytes: Uint8Array }
  | { readonly kind: "end of output"; readonly output: Output }
  | { readonly kind: "end of input" | "executed" }
  | { readonly kind: "ended" };

export class Monitor {
  readonly start: TaskStart;
  /** At the gate, or PlanError. */
  readonly performed: Promise<void>;
  readonly exited: Promise<TaskExit | "lost">;
  hasEnded = false;
  wasReleased = false;
  readonly #stage: Stage;
  readonly #kernel: Kernel;
  readonly #clients: Clients;
  readonly #logs: Readonly<Record<Stream, LogStream>>;
  readonly #performed = Promise.withResolvers<void>();
  readonly #executed = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<TaskExit | "lost">();
  #child: Process | null = null;
  #terminal: Terminal | null = null;
  #hasExecuted = false;
  readonly #gate = new Changes();
  /** The monitor's ends of the task's streams. */
  #outputs: Output[] = [];
  #input: { readonly fd: Fd; readonly channel: Channel } | null = null;

  constructor(stage: Stage, start: TaskStart) {
    this.#stage = stage;
    this.#kernel = stage.kernel;
    this.start = start;
    this.performed = this.#performed.promise;
    this.exited = this.#exited.promise;
    this.#executed.promise.catch(() => {});
    const now = (): bigint => this.#kernel.turns.now;
    this.#logs = { stdout: new LogStream("stdout", now), stderr: new LogStream("stderr", now) };
    const wake = (): void => this.#kernel.turns.wake();
    this.#clients = new Clients({ wake, stdinOnce: start.stdio.stdinOnce });
    this.#kernel.launch("tsbox-monitor", (sys) => this.#main(sys));
  }

  /** The task's process, once the plan is performed. */
  get child(): Process {
    assert(this.#child !== null, "the plan was performed");
    return this.#child;
  }

  /** Resolves when the program runs; rejects with PlanError when exec failed. */
  release(): Promise<void> {
    this.wasReleased = true;
    this.#gate.tell();
    this.#kernel.turns.wake();
    return this.#executed.promise;
  }

  attach(options: AttachOptions): Attachment {
    return this.#clients.attach(options, this.hasEnded);
  }

  /** ESRCH when the task has ended. */
  signal(number: number): void {
    if (this.hasEnded || !isAlive(this.child)) throw new Errno("ESRCH");
    this.#kernel.signals.send(this.child, number);
    this.#kernel.turns.wake();
  }

  resize(rows: number, columns: number): void {
    if (this.hasEnded) throw new Errno("ESRCH");
    this.#terminal?.resize(rows, columns);
    this.#kernel.turns.wake();
  }

  // What the monitor's process does

  async #main(sys: Sys): Promise<number> {
    try {
      await performHost(this.#stage, sys, this.start.plan.steps, (op, index) => this.#spawn(sys, op, index));
      await this.#serve(sys);
      return 0;
    } catch (thrown) {
      if (thrown instanceof Ended) throw thrown;
      this.#performed.reject(thrown);
      this.#finish("lost");
      return 1;
    }
  }

  async #spawn(sys: Sys, op: Spawn, index: number): Promise<void> {
    const monitor = this.#kernel.turns.current;
    assert(monitor !== null, "the monitor has its turn");
    const given = await this.#makeStreams(sys, monitor);
    const joined = op.join === null ? null : this.#stage.find(op.join).namespaces.pid;
    const flags = { namespaces: op.create, pids: joined, idMaps: op.idMaps };
    const child = clone(this.#kernel, monitor, flags, (own) => this.#perform(own, child, op, index));
    this.#child = child;
    keepOnly(child, given);
    for (const fd of new Set(given.map(([, from]) => from))) sys.close(fd);
  }

  /** Three pipes, or /dev/null until the child has its terminal; gives the ends that are the child's. */
  async #makeStreams(sys: Sys, { fds }: Process): Promise<[Fd, Fd][]> {
    const nothing = await sys.open("/dev/null", { access: "both" });
    const { terminal, stdin } = this.start.stdio;
    const channelOf = (fd: Fd): Channel => {
      const file = fds.get(fd);
      assert(file !== undefined, `descriptor ${fd} was just made`);
      return file.channel;
    };
    if (terminal) return [0, 1, 2].map((fd) => [fd, nothing]);
    const given: [Fd, Fd][] = [[0, nothing]];
    if (stdin) {
      const { read, write } = sys.pipe();
      this.#input = { fd: write, channel: channelOf(write) };
      sys.close(nothing);
      given[0] = [0, read];
    }
    for (const [to, stream] of [
      [1, "stdout"],
      [2, "stderr"],
    ] as const) {
      const { read, write } = sys.pipe();
      this.#outputs.push({ stream, fd: read, channel: channelOf(read) });
      given.push([to, write]);
    }
    return given;
  }

  /** The child's part of the plan. */
  async #perform(sys: Sys, process: Process, op: Spawn, index: number): Promise<number> {
    const gate = async (): Promise<void> => {
      this.#performed.resolve();
      this.#kernel.turns.tell();
      const isOpen = (): true | WouldBlock => {
        this.#gate.watch();
        return this.wasReleased ? true : wouldBlock;
      };
      await this.#kernel.turns.call(process, isOpen, { interruptible: false, watched: true });
    };
    const terminal = (opened: Terminal): void => {
      this.#terminal = opened;
    };
    try {
      await performChild(this.#stage, { sys, process, root: process.root, gate, terminal }, op, index);
    } catch (thrown) {
      if (thrown instanceof Ended) throw thrown;
      this.#performed.reject(thrown);
      this.#executed.reject(thrown);
    }
    return 1;
  }

  async #serve(sys: Sys): Promise<void> {
    const { log: path, rotation } = this.start.stdio;
    const monitor = this.#kernel.turns.current;
    assert(monitor !== null, "the monitor has its turn");
    const log = path === null ? null : await LogFile.open(sys, path, rotation);
    for (;;) {
      const happening = await this.#kernel.turns.call(monitor, () => this.#look(), { watched: true });
      if (happening.kind === "ended") break;
      if (happening.kind === "output") await this.#show(log, happening.stream, happening.bytes);
      else this.#note(sys, happening);
    }
    await this.#write(log, this.#logs.stdout.end() + this.#logs.stderr.end());
    await this.#bury(sys);
  }

  #note(sys: Sys, happening: Exclude<Happening, { kind: "output" | "ended" }>): void {
    switch (happening.kind) {
      case "executed":
        this.#hasExecuted = true;
        this.#executed.resolve();
        this.#kernel.turns.tell();
        return;
      case "end of input":
        if (this.#input !== null) sys.close(this.#input.fd);
        this.#input = null;
        this.#clients.dropInput();
        return;
      case "end of output":
        this.#outputs = this.#outputs.filter((each) => each !== happening.output);
        sys.close(happening.output.fd);
        return;
    }
  }

  /** What there is to do next; nothing while the task runs and is silent. */
  #look(): Happening | WouldBlock {
    this.child.changes.watch();
    this.#clients.changes.watch();
    if (!this.#hasExecuted && this.child.hasExecuted) return { kind: "executed" };
    if (!this.#giveInput()) return { kind: "end of input" };
    if (this.#clients.isHeldUp) return wouldBlock;
    const output = this.#takeOutput();
    if (output !== null) return output;
    return isAlive(this.child) ? wouldBlock : { kind: "ended" };
  }

  /** Gives the task what clients have for it; false at the end of its input. */
  #giveInput(): boolean {
    for (let { input } = this.#clients; input !== null; input = this.#clients.input) {
      const count = this.#put(input);
      if (count === null) return false;
      if (count === 0) return true;
      this.#clients.took(count);
    }
    return !(this.#clients.inputEnds && this.#input !== null);
  }

  /** How many bytes were taken; null when nobody will ever take more. */
  #put(bytes: Uint8Array): number | null {
    if (this.#terminal !== null) return this.#terminal.type(bytes);
    if (this.#input === null) return bytes.length;
    try {
      const taken = this.#input.channel.write(bytes);
      return taken === wouldBlock ? 0 : taken;
    } catch (thrown) {
      if (thrown instanceof Errno && thrown.errno === "EPIPE") return null;
      throw thrown;
    }
  }

  #takeOutput(): Happening | null {
    if (this.#terminal?.hasOutput === true) {
      return { kind: "output", stream: "stdout", bytes: this.#terminal.takeOutput() };
    }
    for (const output of this.#outputs) {
      const bytes = output.channel.read(chunkBytes);
      if (bytes === wouldBlock) continue;
      if (bytes.length === 0) return { kind: "end of output", output };
      return { kind: "output", stream: output.stream, bytes };
    }
    return null;
  }

  async #show(log: LogFile | null, stream: Stream, bytes: Uint8Array): Promise<void> {
    await this.#write(log, this.#logs[stream].take(bytes));
    this.#clients.show({ stream, bytes });
    this.#kernel.turns.tell();
  }

  /** A full disk, or a directory that is gone, must not stop the container: what cannot be written is lost. */
  async #write(log: LogFile | null, entries: string): Promise<void> {
    if (log === null || entries === "") return;
    await log.write(entries).catch(onlyErrno);
  }

  async #bury(sys: Sys): Promise<void> {
    const { exit } = this.child;
    assert(exit !== null, "a process that has ended has an exit");
    if (!this.#hasExecuted) return this.#finish("lost");
    const taskExit = { code: exit.code, signal: exit.signal, at: this.#kernel.turns.now };
    await this.#record(sys, taskExit).catch(onlyErrno);
    this.#finish(taskExit);
  }

  /** Atomically: a reader finds all of it or nothing. */
  async #record(sys: Sys, { code, signal, at }: TaskExit): Promise<void> {
    const path = this.start.stdio.exit;
    const fd = await sys.open(`${path}.tmp`, { access: "write", create: true, truncate: true, mode: 0o600 });
    await sys.write(fd, encodeText(JSON.stringify({ code, signal, at: String(at) })));
    sys.close(fd);
    sys.rename(`${path}.tmp`, path);
  }

  #finish(exit: TaskExit | "lost"): void {
    this.hasEnded = true;
    this.#terminal?.hangUp();
    this.#clients.end();
    this.#performed.reject(new Errno("ESRCH"));
    this.#executed.reject(new Errno("ESRCH"));
    this.#exited.resolve(exit);
    this.#kernel.turns.tell();
  }
}

function onlyErrno(thrown: unknown): void {
  if (!(thrown instanceof Errno)) throw thrown;
}
