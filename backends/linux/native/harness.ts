/**
 * What the tests of the helper share: it is compiled into a temporary directory, started, spoken to
 * over the wire, and whatever a test leaves (mounts, cgroups, processes, files) is there to count.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { scratch } from "../testing/scratch.ts";
import { assert } from "../../../core/base/assert.ts";
import type { ContainerPath, HostPath } from "../../../core/base/brand.ts";
import type { Stdio } from "../../../core/engine/machine.ts";
import type { ChildOp, HostOp, Join, Namespace, Plan } from "../../../core/runtime/plan.ts";
import { FrameReader } from "../wire/frame.ts";
import { decodeReply, encodeRequest, type PerformRequest, type Reply, type Request } from "../wire/request.ts";
import { decodeMonitorFrame, encodeHello, encodeRelease, type MonitorFrame } from "../wire/monitor.ts";

const compilers: readonly (readonly [string, ...string[]])[] = [
  ["musl-gcc", "-idirafter", "/usr/include", "-idirafter", `/usr/include/${machine()}-linux-gnu`],
  ["gcc"],
  ["clang"],
];
const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"];

function machine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/** Why the tests of the helper cannot run here; null when they can. */
export function missing(): string | null {
  if (process.getuid?.() !== 0) return "needs root";
  if (findCompiler() === null) return "needs musl-gcc, gcc or clang";
  return spawnSync("test", ["-x", "/bin/busybox"]).status === 0 ? null : "needs /bin/busybox (package busybox-static)";
}

function findCompiler(): readonly [string, ...string[]] | null {
  return compilers.find(([name]) => spawnSync(name, ["--version"]).status === 0) ?? null;
}

/** A directory on tmpfs with the compiled helper and a layer that holds busybox. */
export function makeWorkshop(): string {
  const workshop = scratch("native");
  const compiler = findCompiler();
  assert(compiler !== null, "a test that needs a compiler asked for it");
  const here = import.meta.dirname;
  const sources = readdirSync(here)
    .filter((name) => name.endsWith(".c") && name !== "fuzz.c")
    .map((name) => join(here, name));
  const [name, ...extra] = compiler;
  execFileSync(name, [...flags, ...extra, ...sources, "-o", join(workshop, "helper")]);
  makeLayer(join(workshop, "layer"));
  return workshop;
}

function makeLayer(layer: string): void {
  for (const directory of ["bin", "proc", "sys", "dev", "tmp", "etc"])
    mkdirSync(join(layer, directory), { recursive: true });
  cpSync("/bin/busybox", join(layer, "bin/busybox"));
  for (const applet of ["sh", "echo", "cat", "sleep", "true", "tty", "stty", "id", "hostname", "ls", "seq", "kill"])
    symlinkSync("busybox", join(layer, "bin", applet));
}

/** `helper serve`, and the answers to what it was asked. */
export class Helper {
  readonly process: ChildProcess;
  #next = 1;
  readonly #waiting = new Map<number, (reply: Reply["result"]) => void>();

  constructor(path: string) {
    this.process = spawn(path, ["serve"], { stdio: ["pipe", "pipe", "inherit"] });
    const frames = new FrameReader();
    this.process.stdout?.on("data", (chunk: Uint8Array) => {
      for (const frame of frames.push(chunk)) this.#answer(decodeReply(frame));
    });
  }

  ask(request: Request): Promise<Reply["result"]> {
    const id = this.#next++;
    const { promise, resolve } = Promise.withResolvers<Reply["result"]>();
    this.#waiting.set(id, resolve);
    this.process.stdin?.write(encodeRequest(id, request));
    return promise;
  }

  async close(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.stdin?.end();
    await ended;
  }

  #answer(reply: Reply): void {
    this.#waiting.get(reply.id)?.(reply.result);
    this.#waiting.delete(reply.id);
  }
}

/** A client of a monitor's socket. */
export class Client {
  readonly socket: Socket;
  readonly frames: MonitorFrame[] = [];
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(path: string) {
    this.socket = connect(path);
    const reader = new FrameReader();
    this.socket.on("data", (chunk: Uint8Array) => {
      for (const frame of reader.push(chunk)) this.frames.push(decodeMonitorFrame(frame));
      this.#wake?.();
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The first frame of that kind, also one that has come already. */
  async next<K extends MonitorFrame["kind"]>(kind: K): Promise<Extract<MonitorFrame, { kind: K }>> {
    await this.until(() => this.frames.some((frame) => frame.kind === kind), kind);
    const found = this.frames.find((frame): frame is Extract<MonitorFrame, { kind: K }> => frame.kind === kind);
    assert(found !== undefined, "the frame waited for is there");
    return found;
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#ended) throw new Error(`the monitor hung up before ${what}: ${JSON.stringify(this.text())}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  text(stream?: "stdout" | "stderr"): string {
    const chunks = this.frames.filter((frame) => frame.kind === "output");
    const wanted = chunks.filter((frame) => stream === undefined || frame.stream === stream);
    return Buffer.concat(wanted.map((frame) => frame.bytes)).toString("latin1");
  }
}

export interface Run {
  readonly directory: string;
  readonly plan: Plan;
  readonly gate: Reply["result"];
  readonly stdio: Stdio;
  readonly socket: string;
}

export interface RunOptions {
  readonly argv: readonly [string, ...string[]];
  readonly stdio?: Partial<Stdio>;
  readonly create?: readonly Namespace[];
  readonly before?: readonly HostOp[];
  /** In place of `container`'s ops up to the gate. */
  readonly child?: (directory: string) => readonly ChildOp[];
  readonly join?: Join | null;
  readonly resolve?: PerformRequest["resolve"];
  readonly idMaps?: Extract<HostOp, { op: "spawn" }>["idMaps"];
}

export const allNamespaces: readonly Namespace[] = ["mount", "uts", "ipc", "pid", "network"];

/** Performs a plan for a small busybox container, up to its gate. */
export async function perform(helper: Helper, workshop: string, options: RunOptions): Promise<Run> {
  const directory = mkdtempSync(join(workshop, "c-"));
  for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
  const terminal = options.stdio?.terminal ?? false;
  const plan: Plan = {
    steps: [
      ...(options.before ?? []),
      {
        op: "spawn",
        create: options.create ?? allNamespaces,
        join: options.join ?? null,
        idMaps: options.idMaps ?? null,
        child: [...(options.child?.(directory) ?? container(workshop, directory, terminal)), ...program(options.argv)],
      },
    ],
  };
  const stdio: Stdio = {
    terminal: false,
    stdin: false,
    stdinOnce: false,
    log: join(directory, "log") as HostPath,
    exit: join(directory, "exit") as HostPath,
    ...options.stdio,
  };
  const socket = join(directory, "s");
  const request: PerformRequest = {
    kind: "perform",
    plan,
    stdio,
    socket: socket as HostPath,
    resolve: options.resolve ?? unresolved,
    seccomp: () => new Uint8Array(0),
  };
  return { directory, plan, stdio, socket, gate: await helper.ask(request) };
}

function unresolved(): never {
  throw new Error("this plan joins nothing");
}

/** Makes the container's root: an overlay with proc, dev and devpts, pivoted into. */
export function container(workshop: string, directory: string, terminal = false): ChildOp[] {
  const inside = (path: string): ContainerPath => path as ContainerPath;
  return [
    { op: "propagation", path: "/" as HostPath, mode: "rprivate" },
    {
      op: "overlay",
      lowers: [join(workshop, "layer") as HostPath],
      upper: join(directory, "upper") as HostPath,
      work: join(directory, "work") as HostPath,
      target: join(directory, "merged") as HostPath,
      via: "fsopen",
      idMaps: null,
      flags: [],
    },
    { op: "mount", type: "proc", source: "proc", target: inside("/proc"), flags: ["nosuid", "nodev"], options: "" },
    { op: "mount", type: "tmpfs", source: "tmpfs", target: inside("/dev"), flags: ["nosuid"], options: "mode=755" },
    { op: "directory", path: inside("/dev/pts"), mode: 0o755 },
    {
      op: "mount",
      type: "devpts",
      source: "devpts",
      target: inside("/dev/pts"),
      flags: ["nosuid", "noexec"],
      options: "newinstance,ptmxmode=0666,mode=0620",
    },
    { op: "file", path: inside("/dev/null"), mode: 0o666 },
    {
      op: "bind",
      source: "/dev/null" as HostPath,
      target: inside("/dev/null"),
      recursive: false,
      flags: [],
      propagation: null,
    },
    { op: "file", path: inside("/dev/console"), mode: 0o600 },
    { op: "symlink", path: inside("/dev/ptmx"), target: "pts/ptmx" },
    { op: "pivot", root: join(directory, "merged") as HostPath },
    { op: "hostname", name: "workshop" },
    { op: "session" },
    ...(terminal ? [{ op: "terminal", rows: 24, columns: 80, console: true } as const] : []),
  ];
}

function program(argv: readonly [string, ...string[]]): ChildOp[] {
  const [name] = argv;
  const candidates = name.includes("/") ? [name] : [`/usr/bin/${name}`, `/bin/${name}`];
  return [
    { op: "descriptors.close", from: 3 },
    { op: "umask", mask: 0o022 },
    { op: "directory.enter", path: "/" as ContainerPath },
    { op: "gate" },
    { op: "exec", candidates: candidates as ContainerPath[], argv, environment: ["PATH=/usr/bin:/bin", "TERM=xterm"] },
  ];
}

/** Connects as an attached client; resolves when the monitor has said welcome. */
export async function attach(run: Pick<Run, "socket">, options = { stdin: false, output: true }): Promise<Client> {
  const client = new Client(run.socket);
  client.send(encodeHello(options));
  await client.next("welcome");
  return client;
}

export interface Outcome {
  readonly code: number;
  readonly signal: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Attaches, releases and follows the program to its end. */
export async function finish(run: Run): Promise<Outcome> {
  if (run.gate.kind !== "gate") throw new Error(JSON.stringify(run.gate));
  const client = await attach(run);
  client.send(encodeRelease());
  return outcome(client);
}

export async function outcome(client: Client): Promise<Outcome> {
  const { code, signal } = await client.next("exited");
  return { code, signal, stdout: client.text("stdout"), stderr: client.text("stderr") };
}

/** The log's messages, joined as docker does when it prints them. */
export function logOf(run: Run): { log: string; stream: string; time: string }[] {
  assert(run.stdio.log !== null, "a run whose log is read has one");
  const lines = readFileSync(run.stdio.log, "utf8").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });
}

/** The sockets that monitors of this workshop still hold, by path. */
export function heldSockets(workshop: string): string[] {
  const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
  return lines.filter((line) => line.includes(workshop)).map((line) => line.slice(line.indexOf(workshop)));
}

export function removeWorkshop(workshop: string): void {
  rmSync(workshop, { recursive: true, force: true });
}
