/**
 * Where the tests of the Linux machine work: a data root and a run directory on tmpfs, a layer with
 * Debian's static busybox, and containers compiled as the engine compiles them.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { scratch } from "./scratch.ts";
import type { ContainerId, ExecId, HostPath } from "../../../core/base/brand.ts";
import { concat, streamOf } from "../../../core/base/bytes.ts";
import type { Attachment, Machine, Stdio, Task, TaskExit, TaskStart } from "../../../core/engine/machine.ts";
import type { DiffId } from "../../../core/image/digest.ts";
import { compileExec } from "../../../core/runtime/compile-exec.ts";
import { compile } from "../../../core/runtime/compile.ts";
import type { Plan } from "../../../core/runtime/plan.ts";
import { plainInput } from "../../../core/runtime/plain-input.ts";
import { type SpecInput, specFor } from "../../../core/runtime/spec-for.ts";
import { undo } from "../../../core/runtime/undo.ts";
import type { Change, Meta, TreePath } from "../../../core/unionfs/change.ts";

/** Why these tests cannot run here; false when they can. */
export function missing(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  return existsSync("/bin/busybox") ? false : "needs /bin/busybox (package busybox-static)";
}

export interface Workshop {
  readonly directory: string;
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly cgroupParent: string;
  remove(): void;
}

export function makeWorkshop(): Workshop {
  const directory = scratch("linux");
  const [dataRoot, runRoot] = [join(directory, "data"), join(directory, "run")];
  for (const root of [dataRoot, runRoot]) mkdirSync(root);
  const cgroupParent = basename(directory);
  return {
    directory,
    dataRoot,
    runRoot,
    cgroupParent,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function path(text: string): TreePath {
  return text as TreePath;
}

export function meta(given: Partial<Meta> = {}): Meta {
  return { mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000_123_456_789n, xattrs: new Map(), ...given };
}

export function file(name: string, content: string | Uint8Array, given: Partial<Meta> = {}): Change {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { kind: "file", path: path(name), meta: meta(given), size: bytes.length, content: streamOf(bytes) };
}

export async function* changes(...list: Change[]): AsyncGenerator<Change, void, undefined> {
  yield* list;
}

export const busyboxLayer = `sha256:${"b".repeat(64)}` as DiffId;
const applets = ["sh", "echo", "cat", "sleep", "true", "ls", "id", "tty", "stty", "head", "tr", "hostname"];

export async function applyBusybox(machine: Machine): Promise<void> {
  const directories = ["", "bin", "etc", "proc", "sys", "dev", "tmp"];
  await machine.layers.apply(
    busyboxLayer,
    changes(
      ...directories.map((name): Change => ({ kind: "directory", path: path(name), meta: meta() })),
      file("bin/busybox", readFileSync("/bin/busybox")),
      ...applets.map((n): Change => ({ kind: "symlink", path: path(`bin/${n}`), meta: meta(), target: "busybox" })),
    ),
  );
}

const root = { uid: 0, gid: 0, additionalGids: [], home: "/root" };

export type Wishes = Partial<SpecInput> & { readonly stdin?: boolean };

/** A container of the busybox layer, prepared and compiled. */
export class Container {
  readonly id: ContainerId;
  readonly plan: Plan;
  readonly stdio: Stdio;

  private constructor(machine: Machine, id: ContainerId, wishes: Wishes) {
    const { stdin, ...spec } = wishes;
    const { architecture } = machine.traits;
    const directory = `${machine.disk.dataRoot}/containers/${id}`;
    this.id = id;
    this.plan = compile({
      spec: specFor({ ...defaults, architecture, ...spec }),
      mounts: [],
      root: machine.layers.overlay(id, [busyboxLayer]),
      container: id,
      traits: machine.traits,
    });
    this.stdio = {
      terminal: (spec.terminal ?? null) !== null,
      stdin: stdin ?? false,
      stdinOnce: true,
      log: `${directory}/output.log` as HostPath,
      exit: `${directory}/exit` as HostPath,
    };
  }

  static async create(machine: Machine, script: string, wishes: Wishes = {}): Promise<Container> {
    const id = randomBytes(32).toString("hex") as ContainerId;
    await machine.layers.prepare(id, [busyboxLayer]);
    return new Container(machine, id, { argv: ["sh", "-c", script], ...wishes });
  }

  perform(machine: Machine, how: Pick<TaskStart, "beforeRelease" | "unattended"> = {}): Promise<Task> {
    return machine.perform({ key: { container: this.id, exec: null }, plan: this.plan, stdio: this.stdio, ...how });
  }

  performExec(machine: Machine, script: string): Promise<Task> {
    const exec = randomBytes(32).toString("hex") as ExecId;
    const directory = `${machine.disk.runRoot}/${this.id.slice(0, 12)}`;
    const plan = compileExec({
      argv: ["sh", "-c", script],
      env: ["PATH=/bin"],
      cwd: "/",
      user: root,
      terminal: null,
      privileged: false,
      container: this.id,
      plan: this.plan,
      traits: machine.traits,
    });
    const stdio = {
      ...this.stdio,
      terminal: false,
      log: null,
      exit: `${directory}/${exec.slice(0, 12)}.exit` as HostPath,
    };
    return machine.perform({ key: { container: this.id, exec }, plan, stdio });
  }

  async remove(machine: Machine): Promise<void> {
    await machine.carryOut(undo(this.plan));
    await machine.layers.discard(this.id);
    await machine.disk.remove(`${machine.disk.dataRoot}/containers/${this.id}` as HostPath);
  }
}

const defaults: Omit<SpecInput, "architecture"> = {
  ...plainInput,
  argv: ["true"],
  env: ["PATH=/bin"],
  cwd: "/",
  hostname: "workshop",
};

/** Attaches, opens the gate, and follows the program to its end. */
export async function finish(task: Task): Promise<{ output: string; exit: TaskExit | "lost" }> {
  const attachment = await task.attach({ stdin: false, output: true });
  const output = textOf(attachment);
  await task.release();
  return { output: await output, exit: await task.exited };
}

export async function textOf(attachment: Attachment): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of attachment.output) chunks.push(bytes);
  return new TextDecoder().decode(concat(chunks));
}

/** Opens the gate and reads to the line "ready". */
export async function untilReady(task: Task): Promise<void> {
  const attachment = await task.attach({ stdin: false, output: true });
  await task.release();
  for await (const { bytes } of attachment.output) if (new TextDecoder().decode(bytes).includes("ready")) return;
  throw new Error("the program ended before it was ready");
}
