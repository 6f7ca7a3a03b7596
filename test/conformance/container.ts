/**
 * Containers as the suite uses them: a busybox image, a spec with a few wishes, and what came of it.
 * It drives the Machine directly, without the engine, as that port is what is being tested.
 */
import { concat } from "../../core/base/bytes.ts";
import type { ContainerId, ExecId, HostPath } from "../../core/base/brand.ts";
import { hex, streamOf } from "../../core/base/bytes.ts";
import type { Attachment, OutputChunk, Stdio, Task, TaskExit } from "../../core/engine/machine.ts";
import { openImages } from "../../core/engine/images.ts";
import type { DiffId } from "../../core/image/digest.ts";
import { checkPlan } from "../../core/runtime/check.ts";
import { compile } from "../../core/runtime/compile.ts";
import { compileExec } from "../../core/runtime/compile-exec.ts";
import type { Mount } from "../../core/runtime/mount.ts";
import type { Plan } from "../../core/runtime/plan.ts";
import { unlimited } from "../../core/runtime/resources.ts";
import { specFor, type SpecInput } from "../../core/runtime/spec-for.ts";
import { undo } from "../../core/runtime/undo.ts";
import { tarOfChanges } from "../../core/image/layer.ts";
import type { Change, TreePath } from "../../core/unionfs/change.ts";
import { code, smallModule } from "../../backends/sim/wasm/testing/modules.ts";
import { program, programs } from "../../images/wasi/build.ts";
import type { World } from "./world.ts";

const root = { uid: 0, gid: 0, additionalGids: [], home: "/root" };

export type Wishes = Partial<SpecInput> & {
  readonly mounts?: readonly Mount[];
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  /** What its root is; busybox if not given. */
  readonly image?: ImageName;
};

export type ImageName = "busybox" | "wasi";

/** Loads the busybox image once and gives its layers. */
export async function busyboxLayers(world: World): Promise<readonly DiffId[]> {
  const { disk, layers } = world.machine;
  const images = await openImages({ disk, layers, ports: world.ports });
  for await (const loaded of images.load(world.busybox())) return loaded.image.layers;
  throw new Error("the busybox tar held no image");
}

/** A layer with our programs for WASI and one that aborts. */
export async function wasiLayers(world: World): Promise<readonly DiffId[]> {
  const files = await Promise.all(programs.map(async (name) => [name, await program(name)] as const));
  const all = [...files, ["abort", smallModule({ start: code.unreachable })] as const];
  const meta = { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map<string, Uint8Array>() };
  const changes = async function* (): AsyncGenerator<Change, void, undefined> {
    for (const [name, bytes] of all)
      yield { kind: "file", path: name as TreePath, meta, size: bytes.length, content: streamOf(bytes) };
  };
  const hash = world.ports.hasher.sha256();
  for await (const chunk of tarOfChanges(changes())) hash.update(chunk);
  const diffId = `sha256:${hex(hash.digest())}` as DiffId;
  await world.machine.layers.apply(diffId, changes());
  return [diffId];
}

export class Container {
  readonly id: ContainerId;
  readonly plan: Plan;
  readonly stdio: Stdio;
  readonly #world: World;
  readonly #wishes: Wishes;

  private constructor(world: World, id: ContainerId, layers: readonly DiffId[], wishes: Wishes) {
    const { machine } = world;
    this.#world = world;
    this.#wishes = wishes;
    this.id = id;
    this.plan = compile({
      spec: specFor({ ...inputOf(id, wishes, machine.traits.architecture), cgroupParent: world.cgroupParent }),
      mounts: wishes.mounts ?? [],
      root: machine.layers.overlay(id, layers),
      container: id,
      traits: machine.traits,
    });
    checkPlan(this.plan);
    this.stdio = stdioOf(`${machine.disk.dataRoot}/containers/${id}`, wishes);
  }

  static async create(world: World, layers: readonly DiffId[], wishes: Wishes): Promise<Container> {
    const id = hex(world.ports.random.bytes(32)) as ContainerId;
    await world.machine.disk.makeDirectory(`${world.machine.disk.dataRoot}/containers/${id}` as HostPath);
    await world.machine.layers.prepare(id, layers);
    return new Container(world, id, layers, wishes);
  }

  /** Up to the gate. */
  perform(): Promise<Task> {
    return this.#world.machine.perform({ key: { container: this.id, exec: null }, plan: this.plan, stdio: this.stdio });
  }

  /** An exec session in the running container, up to its gate. */
  async performExec(argv: readonly [string, ...string[]], wishes: Wishes = {}): Promise<Task> {
    const exec = hex(this.#world.ports.random.bytes(32)) as ExecId;
    const { disk, traits } = this.#world.machine;
    const directory = `${disk.runRoot}/${this.id.slice(0, 12)}`;
    const plan = compileExec({
      argv,
      env: wishes.env ?? inputOf(this.id, this.#wishes, traits.architecture).env,
      cwd: wishes.cwd ?? "/",
      user: wishes.user ?? root,
      terminal: wishes.terminal ?? null,
      privileged: false,
      container: this.id,
      plan: this.plan,
      traits,
    });
    checkPlan(plan);
    const stdio = {
      ...stdioOf(directory, wishes),
      log: null,
      exit: `${directory}/${exec.slice(0, 12)}.exit` as HostPath,
    };
    return this.#world.machine.perform({ key: { container: this.id, exec }, plan, stdio });
  }

  /** What a restarted engine finds of it. */
  recover(): Promise<Task | TaskExit | "lost"> {
    return this.#world.machine.recover({ container: this.id, exec: null });
  }

  async log(): Promise<{ log: string; stream: string; time: string }[]> {
    const text = await this.#world.hostFile(this.stdio.log ?? "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });
  }

  /** Undoes the plan: no cgroup, mount or process remains; the layer does. */
  undo(): Promise<void> {
    return this.#world.machine.carryOut(undo(this.plan));
  }

  async remove(): Promise<void> {
    await this.undo();
    await this.#world.machine.layers.discard(this.id);
    await this.#world.machine.disk.remove(`${this.#world.machine.disk.dataRoot}/containers/${this.id}` as HostPath);
  }
}

export interface Outcome {
  readonly code: number;
  readonly signal: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Attaches, opens the gate, gives the input and waits for the end. */
export async function finish(task: Task, input: string | null = null): Promise<Outcome> {
  const attachment = await task.attach({ stdin: input !== null, output: true });
  const output = collect(attachment);
  await task.release();
  if (input !== null) {
    await attachment.write(new TextEncoder().encode(input));
    await attachment.closeInput();
  }
  const texts = await output;
  const exit = await ended(task);
  return { code: exit.code, signal: exit.signal, ...texts };
}

export async function ended(task: Task): Promise<TaskExit> {
  const exit = await task.exited;
  if (exit === "lost") throw new Error("the task was lost");
  return exit;
}

export async function collect(attachment: Attachment): Promise<{ stdout: string; stderr: string }> {
  const chunks: OutputChunk[] = [];
  for await (const chunk of attachment.output) chunks.push(chunk);
  return { stdout: textOf(chunks, "stdout"), stderr: textOf(chunks, "stderr") };
}

/** Reads output until it holds `text`; gives all that was read. */
export async function readUntil(output: AsyncIterator<OutputChunk>, text: string): Promise<string> {
  let seen = "";
  while (!seen.includes(text)) {
    const { value, done } = await output.next();
    if (done === true) throw new Error(`output ended before ${JSON.stringify(text)}; it was ${JSON.stringify(seen)}`);
    seen += new TextDecoder().decode(value.bytes);
  }
  return seen;
}

function textOf(chunks: readonly OutputChunk[], stream: OutputChunk["stream"]): string {
  return new TextDecoder().decode(
    concat(chunks.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.bytes)),
  );
}

function stdioOf(directory: string, wishes: Wishes): Stdio {
  return {
    terminal: wishes.terminal !== undefined && wishes.terminal !== null,
    stdin: wishes.stdin ?? false,
    stdinOnce: wishes.stdinOnce ?? true,
    log: `${directory}/log` as HostPath,
    exit: `${directory}/exit` as HostPath,
  };
}

function inputOf(id: ContainerId, wishes: Wishes, architecture: SpecInput["architecture"]): SpecInput {
  const { mounts: _, stdin: __, stdinOnce: ___, image: ____, ...given } = wishes;
  return {
    argv: ["true"],
    env: ["PATH=/bin"],
    cwd: "/",
    user: root,
    terminal: null,
    hostname: id.slice(0, 12),
    domainname: "",
    readonlyRootfs: false,
    capabilities: { add: [], drop: [] },
    privileged: false,
    noNewPrivileges: false,
    seccomp: "default",
    architecture,
    maskedPaths: null,
    readonlyPaths: null,
    resources: unlimited,
    ulimits: [],
    sysctls: {},
    shmSizeBytes: 0,
    oomScoreAdj: 0,
    devices: [],
    namespaces: { pid: "private", ipc: "private", uts: "private", network: "private", cgroup: "private" },
    userMaps: null,
    cgroupParent: "",
    ...given,
  };
}
