/**
 * A machine in memory, for tests of what stands above the Machine port. It keeps files in a map,
 * layers as trees of changes, and runs a few small programs; a plan's cgroups are names in a set, so
 * that a test can ask what was left behind. It performs no mounts and has no namespaces.
 *
 * The world outlives a machine, as a host outlives an engine: `reopen` gives the next engine its
 * machine. `cutAfter(n)` is a kill -9: after n more changes to the world this machine never answers.
 */
import { assert } from "../../base/assert.ts";
import type { ContainerId, HostPath } from "../../base/brand.ts";
import { type ByteStream, concat, decodeBytes, encodeText, readAll, streamOf } from "../../base/bytes.ts";
import { Errno, type ErrnoName } from "../../base/errno.ts";
import { formatTime } from "../../base/time.ts";
import type { DiffId } from "../../image/digest.ts";
import { defaultCapabilities } from "../../runtime/capabilities.ts";
import { PlanError } from "../../runtime/plan-error.ts";
import type { ChildOp, HostOp, OpKind, Overlay, Plan } from "../../runtime/plan.ts";
import type { HostTraits } from "../../runtime/traits.ts";
import type { Change, TreePath } from "../../unionfs/change.ts";
import type { Difference } from "../../unionfs/diff.ts";
import { Channel } from "../channel.ts";
import type {
  Attachment,
  AttachOptions,
  ContainerFiles,
  Disk,
  FileStat,
  LayerName,
  TreeProblem,
  Layers,
  Machine,
  OutputChunk,
  Task,
  TaskExit,
  TaskKey,
  TaskStart,
} from "../machine.ts";

/** What a program under the memory machine sees. */
export interface ProgramIo {
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly print: (text: string, stream?: OutputChunk["stream"]) => void;
  /** Resolves never; for programs that run until they are killed. */
  readonly forever: Promise<never>;
}

export interface Program {
  run(io: ProgramIo): Promise<number>;
  /** As the first process of a pid namespace a program dies only of signals it handles, and of SIGKILL. */
  readonly handles?: readonly number[];
}

export const memoryTraits: HostTraits = {
  kernel: "6.12.0",
  architecture: "amd64",
  cgroups: [
    { version: 1, mount: "/sys/fs/cgroup/memory" as HostPath, controllers: ["memory"] },
    { version: 1, mount: "/sys/fs/cgroup/pids" as HostPath, controllers: ["pids"] },
    { version: 1, mount: "/sys/fs/cgroup/cpu" as HostPath, controllers: ["cpu", "cpuacct"] },
    { version: 2, mount: "/sys/fs/cgroup/unified" as HostPath, controllers: ["unified"] },
  ],
  cgroupParent: "tsbox",
  overlay: "fsopen",
  userNamespaces: true,
  idmappedMounts: true,
  subordinate: null,
  timeNamespaces: true,
  wasi: null,
  seccomp: true,
  capabilities: defaultCapabilities,
  hardLimits: null,
  rootless: false,
  processors: 4,
  memoryBytes: 8 * 1024 ** 3,
};

const never = new Promise<never>(() => {});

const programs: Readonly<Record<string, Program>> = {
  true: { run: () => Promise.resolve(0) },
  false: { run: () => Promise.resolve(1) },
  /** `exit 7` ends with 7. */
  exit: { run: ({ argv }) => Promise.resolve(Number(argv[1] ?? 0)) },
  echo: {
    run: ({ argv, print }) => {
      print(`${argv.slice(1).join(" ")}\n`);
      return Promise.resolve(0);
    },
  },
  env: {
    run: ({ environment, print }) => {
      for (const variable of environment) print(`${variable}\n`);
      return Promise.resolve(0);
    },
  },
  cat: {
    async run({ stdin, print }) {
      for await (const bytes of stdin) print(decodeBytes(bytes));
      return 0;
    },
  },
  /** Handles no signal: only SIGKILL ends it. */
  sleep: { run: ({ forever }) => forever },
  /** Ends on SIGTERM and SIGINT. */
  server: { run: ({ forever }) => forever, handles: [2, 15] },
};

const inodes = new WeakMap<Entry, number>();
let lastInode = 0;

/** An entry keeps its number when it is renamed. */
function inodeOf(entry: Entry): number {
  const inode = inodes.get(entry) ?? ++lastInode;
  inodes.set(entry, inode);
  return inode;
}

interface Entry {
  readonly kind: "file" | "directory";
  readonly mode: number;
  bytes: Uint8Array;
}

/** Everything that survives the engine. */
class World {
  readonly files = new Map<string, Entry>();
  readonly layers = new Map<DiffId, Map<string, Uint8Array | null>>();
  readonly prepared = new Set<ContainerId>();
  readonly cgroups = new Set<string>();
  readonly tasks = new Map<string, MemoryTask>();
  readonly programs = new Map<string, Program>(Object.entries(programs));
  readonly oomKilled = new Set<ContainerId>();
  readonly now: () => bigint;
  failure: { op: OpKind; errno: ErrnoName } | null = null;
  pids = 1000;

  constructor(now: () => bigint) {
    this.now = now;
  }

  append(path: string, bytes: Uint8Array): void {
    const entry = this.files.get(path);
    if (entry === undefined) this.files.set(path, { kind: "file", mode: 0o640, bytes });
    else entry.bytes = concat([entry.bytes, bytes]);
  }

  failsAt(op: HostOp | ChildOp): void {
    if (this.failure?.op !== op.op) return;
    const { errno } = this.failure;
    this.failure = null;
    throw new PlanError({
      step: "0",
      op: op.op,
      errno,
      path: "path" in op && typeof op.path === "string" ? op.path : "",
    });
  }
}

const keyOf = (key: TaskKey): string => `${key.container} ${key.exec ?? ""}`;

/** A process of the world; it logs, serves attachments and records its exit, as a monitor does. */
class MemoryTask {
  readonly start: TaskStart;
  readonly pid: number;
  readonly clients = new Set<{ options: AttachOptions; output: Channel<OutputChunk> }>();
  readonly stdin = new Channel<Uint8Array>();
  readonly exited: Promise<TaskExit | "lost">;
  readonly #world: World;
  readonly #partial = { stdout: "", stderr: "" };
  #end: (exit: TaskExit | "lost") => void = () => {};
  released = false;
  ended = false;

  constructor(world: World, start: TaskStart) {
    this.#world = world;
    this.start = start;
    this.pid = world.pids++;
    this.exited = new Promise((resolve) => {
      this.#end = resolve;
    });
    if (!start.stdio.stdin) this.stdin.end();
  }

  get exec(): Extract<ChildOp, { op: "exec" }> {
    const op = spawnOf(this.start.plan)?.child.at(-1);
    assert(op?.op === "exec", "a plan with a spawn ends in exec");
    return op;
  }

  get program(): Program | undefined {
    return this.#world.programs.get(this.exec.argv[0].split("/").at(-1) ?? "");
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    const { program } = this;
    if (program === undefined) {
      this.#vanish();
      throw new PlanError({ step: "0.99", op: "exec", errno: "ENOENT", path: this.exec.argv[0] });
    }
    const { argv, environment } = this.exec;
    const print: ProgramIo["print"] = (text, stream = "stdout") => this.print(stream, text);
    program.run({ argv, environment, stdin: this.stdin, print, forever: never }).then(
      (code) => this.end(code, 0),
      () => this.end(1, 0),
    );
  }

  signal(number: number): void {
    if (this.ended) throw new Errno("ESRCH");
    if (number === 9 || this.program?.handles?.includes(number)) this.end(128 + number, number);
  }

  print(stream: OutputChunk["stream"], text: string): void {
    if (this.ended) return;
    const lines = (this.#partial[stream] + text).split("\n");
    this.#partial[stream] = lines.pop() ?? "";
    for (const line of lines) this.#log(stream, `${line}\n`);
    for (const client of this.clients)
      if (client.options.output) client.output.send({ stream, bytes: encodeText(text) });
  }

  #log(stream: OutputChunk["stream"], log: string): void {
    const { log: path } = this.start.stdio;
    if (path === null) return;
    const line = { log, stream, time: formatTime(this.#world.now()) };
    this.#world.append(path, encodeText(`${JSON.stringify(line)}\n`));
  }

  end(code: number, signal: number): void {
    if (this.ended) return;
    for (const stream of ["stdout", "stderr"] as const)
      if (this.#partial[stream] !== "") this.#log(stream, this.#partial[stream]);
    const exit = { code, signal, at: this.#world.now() };
    const json = JSON.stringify({ ...exit, at: String(exit.at) });
    this.#world.files.set(this.start.stdio.exit, { kind: "file", mode: 0o600, bytes: encodeText(json) });
    if (this.start.key.exec !== null) this.#world.files.delete(this.start.stdio.exit);
    this.#vanish();
    this.#end(exit);
  }

  /** The monitor is gone with the process, and nothing was recorded. */
  lose(): void {
    this.#vanish();
    this.#end("lost");
  }

  #vanish(): void {
    this.ended = true;
    this.stdin.end();
    for (const client of this.clients) client.output.end();
    this.#world.tasks.delete(keyOf(this.start.key));
    if (this.start.key.exec !== null) return;
    for (const task of this.#world.tasks.values())
      if (task.start.key.container === this.start.key.container) task.end(137, 9);
  }
}

function spawnOf(plan: Plan): Extract<HostOp, { op: "spawn" }> | undefined {
  return plan.steps.find((step) => step.op === "spawn");
}

/** A fixed start of time that moves a microsecond with every look. */
function tickingTime(): () => bigint {
  let now = 1_767_225_600_000_000_000n;
  return () => (now += 1000n);
}

export class MemoryMachine implements Machine {
  readonly traits: HostTraits;
  readonly disk: Disk;
  readonly layers: Layers;
  readonly world: World;
  #changesLeft = Number.POSITIVE_INFINITY;
  #cut: () => void = () => {};
  /** Resolves when the machine was cut off. */
  readonly cut: Promise<void> = new Promise((resolve) => {
    this.#cut = resolve;
  });
  changes = 0;

  constructor(options: { now?: () => bigint; traits?: HostTraits; world?: World } = {}) {
    this.world = options.world ?? new World(options.now ?? tickingTime());
    this.traits = options.traits ?? memoryTraits;
    this.disk = new MemoryDisk(this);
    this.layers = new MemoryLayers(this);
  }

  /** The machine of the next engine on the same host. */
  reopen(): MemoryMachine {
    return new MemoryMachine({ world: this.world, traits: this.traits });
  }

  /** After so many more changes to the world, nothing here answers any more. */
  cutAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  /** The next op of that kind fails with this errno. */
  failAt(op: OpKind, errno: ErrnoName): void {
    this.world.failure = { op, errno };
  }

  /** Adds a program, found by the last component of its path. */
  install(name: string, program: Program): void {
    this.world.programs.set(name, program);
  }

  /** Ends a container's first process as if of itself. */
  exit(container: ContainerId, code: number): void {
    this.world.tasks.get(keyOf({ container, exec: null }))?.end(code, 0);
  }

  /** Kills a container's monitor along with it: no exit is recorded. */
  lose(container: ContainerId): void {
    this.world.tasks.get(keyOf({ container, exec: null }))?.lose();
  }

  oomKill(container: ContainerId): void {
    this.world.oomKilled.add(container);
    this.world.tasks.get(keyOf({ container, exec: null }))?.end(137, 9);
  }

  /** Containers with a process. */
  get running(): ContainerId[] {
    return [...this.world.tasks.values()]
      .filter(({ start }) => start.key.exec === null)
      .map((t) => t.start.key.container);
  }

  /** Every call that only looks passes here. */
  async alive(): Promise<void> {
    if (this.#changesLeft < 0) await never;
  }

  /** Every call that changes the world passes here first. */
  async change(): Promise<void> {
    this.changes++;
    if (this.#changesLeft-- > 0) return;
    this.#changesLeft = -1;
    this.#cut();
    await never;
  }

  async perform(start: TaskStart): Promise<Task> {
    await this.change();
    for (const step of start.plan.steps) this.#hostStep(step);
    const task = new MemoryTask(this.world, start);
    this.world.tasks.set(keyOf(start.key), task);
    return this.#handle(task);
  }

  #hostStep(step: HostOp): void {
    this.world.failsAt(step);
    if (step.op === "spawn") for (const op of step.child) this.world.failsAt(op);
    else if (step.op === "cgroup.make") this.world.cgroups.add(`${step.cgroup.mount}/${step.cgroup.path}`);
    else if (step.op === "cgroup.remove") this.world.cgroups.delete(`${step.cgroup.mount}/${step.cgroup.path}`);
    else if (step.op === "directory.make") this.world.files.set(step.path, directory(step.mode));
    else if (step.op === "directory.remove") this.world.files.delete(step.path);
  }

  async carryOut(plan: Plan): Promise<void> {
    await this.change();
    for (const step of plan.steps) this.#hostStep(step);
    for (const step of plan.steps) if (step.op === "cgroup.kill") this.#killIn(step.cgroup.path);
  }

  #killIn(path: string): void {
    for (const task of this.world.tasks.values()) if (path.includes(task.start.key.container)) task.end(137, 9);
  }

  async recover(key: TaskKey): Promise<Task | TaskExit | "lost"> {
    await this.alive();
    const task = this.world.tasks.get(keyOf(key));
    if (task?.released === true) return this.#handle(task);
    if (task !== undefined) {
      task.lose();
      return "lost";
    }
    const file = this.world.files.get(`${this.disk.dataRoot}/containers/${key.container}/exit`);
    if (file === undefined || key.exec !== null) return "lost";
    const { code, signal, at } = JSON.parse(decodeBytes(file.bytes)) as { code: number; signal: number; at: string };
    return { code, signal, at: BigInt(at) };
  }

  /** There are none: layers are changes here, which nobody puts together. */
  files(): ContainerFiles {
    const nothing = (path: string): Promise<never> => Promise.reject(new Errno("ENOENT", path));
    return {
      stat: nothing,
      write: nothing,
      async *read(path) {
        yield await nothing(path);
      },
    };
  }

  async oomKills(plan: Plan): Promise<number> {
    await this.alive();
    const containers = [...this.world.oomKilled];
    return containers.filter((id) => JSON.stringify(plan).includes(id)).length;
  }

  async close(): Promise<void> {
    await this.alive();
  }

  #handle(task: MemoryTask): Task {
    return {
      key: task.start.key,
      pid: task.pid,
      exited: task.exited.then((exit) => (this.#changesLeft < 0 ? never : exit)),
      release: async () => {
        await this.change();
        task.release();
      },
      attach: async (options) => {
        await this.alive();
        return this.#attach(task, options);
      },
      signal: async (number) => {
        await this.change();
        task.signal(number);
      },
      resize: async () => {
        await this.alive();
        if (task.ended) throw new Errno("ESRCH");
      },
    };
  }

  #attach(task: MemoryTask, options: AttachOptions): Attachment {
    const client = { options, output: new Channel<OutputChunk>(() => task.clients.delete(client)) };
    if (task.ended) client.output.end();
    else task.clients.add(client);
    return {
      output: client.output,
      write: (bytes) => {
        if (options.stdin) task.stdin.send(bytes);
        return Promise.resolve();
      },
      closeInput: () => {
        if (options.stdin && task.start.stdio.stdinOnce) task.stdin.end();
        return Promise.resolve();
      },
      close: () => {
        client.output.end();
        task.clients.delete(client);
      },
    };
  }
}

function directory(mode = 0o755): Entry {
  return { kind: "directory", mode, bytes: new Uint8Array() };
}

class MemoryDisk implements Disk {
  readonly dataRoot = "/var/lib/tsbox" as HostPath;
  readonly runRoot = "/run/tsbox" as HostPath;
  readonly #machine: MemoryMachine;

  constructor(machine: MemoryMachine) {
    this.#machine = machine;
  }

  get #files(): Map<string, Entry> {
    return this.#machine.world.files;
  }

  async read(path: HostPath): Promise<Uint8Array> {
    await this.#machine.alive();
    const entry = this.#files.get(path);
    if (entry === undefined) throw new Errno("ENOENT", path);
    if (entry.kind === "directory") throw new Errno("EISDIR", path);
    return entry.bytes;
  }

  async *stream(path: HostPath, offset = 0, length?: number): AsyncGenerator<Uint8Array, void, undefined> {
    const bytes = await this.read(path);
    const part = bytes.subarray(offset, length === undefined ? undefined : offset + length);
    if (part.length > 0) yield part;
  }

  async writeAtomically(path: HostPath, bytes: Uint8Array, mode = 0o600): Promise<void> {
    await this.#machine.change();
    if (this.#files.get(parentOf(path))?.kind !== "directory") throw new Errno("ENOENT", path);
    this.#files.set(path, { kind: "file", mode, bytes });
  }

  async writeStream(path: HostPath, bytes: ByteStream): Promise<void> {
    await this.writeAtomically(path, await readAll(bytes, 64 * 1024 * 1024));
  }

  async *append(path: HostPath, bytes: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of bytes) {
      await this.#machine.change();
      if (this.#files.get(parentOf(path))?.kind !== "directory") throw new Errno("ENOENT", path);
      this.#machine.world.append(path, chunk.slice());
      yield chunk;
    }
  }

  async rename(from: HostPath, to: HostPath): Promise<void> {
    await this.#machine.change();
    if (!this.#files.has(from)) throw new Errno("ENOENT", from);
    for (const [path, entry] of [...this.#files]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#files.delete(path);
      this.#files.set(`${to}${path.slice(from.length)}`, entry);
    }
  }

  async makeDirectory(path: HostPath, mode?: number): Promise<void> {
    await this.#machine.change();
    for (let at: string = path; at !== "" && !this.#files.has(at); at = parentOf(at))
      this.#files.set(at, directory(mode));
  }

  async list(path: HostPath): Promise<string[]> {
    await this.#machine.alive();
    const beneath = [...this.#files.keys()].filter((name) => parentOf(name) === path);
    return beneath.map((name) => name.slice(path.length + 1)).sort();
  }

  async stat(path: HostPath): Promise<FileStat | null> {
    await this.#machine.alive();
    const entry = this.#files.get(path);
    return entry === undefined
      ? null
      : { inode: inodeOf(entry), kind: entry.kind, size: entry.bytes.length, mode: entry.mode, uid: 0, gid: 0 };
  }

  async remove(path: HostPath): Promise<void> {
    await this.#machine.change();
    for (const name of [...this.#files.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.#files.delete(name);
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

class MemoryLayers implements Layers {
  readonly name = "memory";
  readonly #machine: MemoryMachine;

  constructor(machine: MemoryMachine) {
    this.#machine = machine;
  }

  async has(layer: DiffId): Promise<boolean> {
    await this.#machine.alive();
    return this.#machine.world.layers.has(layer);
  }

  async apply(name: LayerName, changes: AsyncIterable<Change>): Promise<void> {
    const tree = new Map<string, Uint8Array | null>();
    for await (const change of changes)
      tree.set(change.path, change.kind === "file" ? await readAll(change.content, 64 * 1024 * 1024) : null);
    const layer = typeof name === "string" ? name : await name();
    await this.#machine.change();
    this.#machine.world.layers.set(layer, tree);
  }

  async remove(layer: DiffId): Promise<void> {
    await this.#machine.change();
    this.#machine.world.layers.delete(layer);
  }

  async list(): Promise<DiffId[]> {
    await this.#machine.alive();
    return [...this.#machine.world.layers.keys()];
  }

  async prepare(container: ContainerId): Promise<void> {
    await this.#machine.change();
    this.#machine.world.prepared.add(container);
  }

  overlay(container: ContainerId, lowers: readonly DiffId[]): Pick<Overlay, "lowers" | "upper" | "work" | "target"> {
    const root = `${this.#machine.disk.dataRoot}/layers`;
    const own = `${root}/containers/${container}`;
    return {
      lowers: lowers.map((layer) => `${root}/${layer.slice("sha256:".length)}` as HostPath),
      upper: `${own}/upper` as HostPath,
      work: `${own}/work` as HostPath,
      target: `${own}/merged` as HostPath,
    };
  }

  /** Nothing runs on this machine, so nothing is written. */
  async differences(): Promise<Difference[]> {
    await this.#machine.alive();
    return [];
  }

  async *merged(_container: ContainerId, lowers: readonly DiffId[]): AsyncGenerator<Change, void, undefined> {
    await this.#machine.alive();
    const meta = { mode: 0o644, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
    for (const layer of lowers)
      for (const [name, bytes] of this.#machine.world.layers.get(layer) ?? []) {
        const path = name as TreePath;
        if (bytes === null) yield { kind: "directory", path, meta: { ...meta, mode: 0o755 } };
        else yield { kind: "file", path, meta, size: bytes.length, content: streamOf(bytes) };
      }
  }

  async readFile(
    _container: ContainerId,
    lowers: readonly DiffId[],
    path: string,
    limit: number,
  ): Promise<Uint8Array | null> {
    await this.#machine.alive();
    const name = path.replace(/^\/+/, "");
    const layer = lowers.findLast((id) => this.#machine.world.layers.get(id)?.has(name));
    const bytes = layer === undefined ? null : (this.#machine.world.layers.get(layer)?.get(name) ?? null);
    return bytes === null ? null : bytes.slice(0, limit);
  }

  async *check(): AsyncGenerator<TreeProblem, void, undefined> {
    yield* await this.#machine.alive().then(() => []);
  }

  async discard(container: ContainerId): Promise<void> {
    await this.#machine.change();
    this.#machine.world.prepared.delete(container);
  }
}
