/**
 * The machine on a simulated kernel. Tasks and their monitors are processes of that kernel, files lie
 * on its host's file system, so both outlive an engine: `open` on the same kernel finds them again.
 *
 * The engine stands outside the kernel and acts between two turns (kernel/turns.ts).
 */
import { assert } from "../../core/base/assert.ts";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { ContainerFiles, Machine, Task, TaskExit, TaskKey, TaskStart } from "../../core/engine/machine.ts";
import type { Join, Plan } from "../../core/runtime/plan.ts";
import type { HostTraits } from "../../core/runtime/traits.ts";
import type { View } from "../../core/runtime/view.ts";
import { SimDisk } from "./disk.ts";
import { HostFiles } from "./host-files.ts";
import { cgroupAt } from "./kernel/cgroup/group.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { Process } from "./kernel/process.ts";
import { TreeLayers } from "./layers.ts";
import { Monitor } from "./monitor.ts";
import { performHost } from "./perform.ts";
import type { Stage } from "./stage.ts";
import { SimFiles } from "./seen-files.ts";
import { simTraits } from "./traits.ts";

export interface Roots {
  readonly dataRoot: HostPath;
  readonly runRoot: HostPath;
}

export const defaultRoots: Roots = { dataRoot: "/var/lib/tsbox" as HostPath, runRoot: "/run/tsbox" as HostPath };

/** What docker-init does is in userland/programs/init.ts. */
const initFile = encodeText("\u007fELF docker-init, simulated: what it does is in backends/sim/userland");

function installInit(files: HostFiles, { init }: HostTraits): void {
  if (init === undefined) return;
  files.makeDirectory(init.slice(0, init.lastIndexOf("/")));
  files.install(init, initFile);
}

/** The tasks of a kernel by their keys: they are the kernel's, not an engine's. */
const tasksOf = new WeakMap<Kernel, Map<string, Monitor>>();

export class SimMachine implements Machine {
  readonly traits: HostTraits = simTraits;
  readonly disk: SimDisk;
  readonly layers: TreeLayers;
  readonly #files: HostFiles;
  readonly #stage: Stage;
  readonly #tasks: Map<string, Monitor>;

  private constructor(kernel: Kernel, { dataRoot, runRoot }: Roots) {
    this.#files = new HostFiles(kernel);
    installInit(this.#files, this.traits);
    this.disk = new SimDisk(this.#files, dataRoot, runRoot);
    this.layers = new TreeLayers(this.#files, dataRoot);
    this.#tasks = tasksOf.get(kernel) ?? new Map<string, Monitor>();
    tasksOf.set(kernel, this.#tasks);
    this.#stage = {
      kernel,
      branch: (path) => this.#files.branch(path),
      find: (join) => this.#find(join),
    };
  }

  static open(kernel: Kernel, roots: Roots = defaultRoots): SimMachine {
    return new SimMachine(kernel, roots);
  }

  async perform(start: TaskStart): Promise<Task> {
    const key = keyOf(start.key);
    assert(!this.#tasks.has(key), "a task is performed once");
    this.#files.makeDirectory(this.#directory(start.key.container), 0o700);
    this.#files.remove(start.stdio.exit);
    const monitor = new Monitor(this.#stage, start);
    this.#tasks.set(key, monitor);
    void monitor.exited.then(() => this.#forget(start));
    await monitor.performed;
    return taskOf(monitor);
  }

  #directory(container: ContainerId): string {
    return `${this.disk.runRoot}/${container.slice(0, 12)}`;
  }

  #forget({ key, stdio }: TaskStart): void {
    this.#tasks.delete(keyOf(key));
    if (key.exec !== null) this.#files.remove(stdio.exit);
    const isUsed = [...this.#tasks.values()].some(({ start }) => start.key.container === key.container);
    if (!isUsed) this.#files.remove(this.#directory(key.container));
  }

  #find({ container }: Join): Process {
    const monitor = this.#tasks.get(keyOf({ container, exec: null }));
    if (monitor === undefined) throw new TsboxError("conflict", `container ${container} is not running`);
    return monitor.child;
  }

  carryOut(plan: Plan): Promise<void> {
    const { kernel } = this.#stage;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    kernel.launch("tsbox-helper", async (sys) => {
      await performHost(this.#stage, sys, plan.steps, () => Promise.resolve()).then(resolve, reject);
      kernel.turns.tell();
      return 0;
    });
    return promise;
  }

  async recover(key: TaskKey): Promise<Task | TaskExit | "lost"> {
    const monitor = this.#tasks.get(keyOf(key));
    if (monitor === undefined) return key.exec === null ? this.#recordedExit(key.container) : "lost";
    if (monitor.wasReleased) return taskOf(monitor);
    monitor.signal(9);
    await monitor.exited;
    return "lost";
  }

  #recordedExit(container: ContainerId): TaskExit | "lost" {
    const path = `${this.disk.dataRoot}/containers/${container}/exit`;
    if (this.#files.find(path) === null) return "lost";
    const recorded = JSON.parse(decodeBytes(this.#files.read(path))) as { code: number; signal: number; at: string };
    return { ...recorded, at: BigInt(recorded.at) };
  }

  files(view: View): ContainerFiles {
    return new SimFiles(this.#stage, view);
  }

  async oomKills(plan: Plan): Promise<number> {
    const child = plan.steps.flatMap((step) => (step.op === "spawn" ? step.child : []));
    const join = child.find((op) => op.op === "cgroup.join");
    const group = join?.op === "cgroup.join" ? cgroupAt(this.#stage.kernel.cgroups.root, join.cgroup.path) : null;
    return group?.states.memory?.events.oom_kill ?? 0;
  }

  async close(): Promise<void> {}
}

function keyOf({ container, exec }: TaskKey): string {
  return `${container} ${exec ?? ""}`;
}

function taskOf(monitor: Monitor): Task {
  return {
    key: monitor.start.key,
    pid: monitor.child.pid,
    exited: monitor.exited,
    release: () => monitor.release(),
    attach: async (options) => monitor.attach(options),
    signal: async (number) => monitor.signal(number),
    resize: async (rows, columns) => monitor.resize(rows, columns),
  };
}
