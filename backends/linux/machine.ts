/**
 * The Linux machine: plans go to the helper, tasks are spoken to through their monitors' sockets.
 *
 *   <run root>/<12 hex of the container>/s                 the monitor of its first process
 *   <run root>/<12 hex of the container>/<12 hex of exec>  the monitor of an exec session
 *
 * Starting is one round trip: the plan goes to the helper, with the release when nobody is to be attached before.
 * Otherwise we connect to the monitor while it makes the mounts, and it finds the release when it comes to the gate.
 * Nothing polls.
 */
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { assert } from "../../core/base/assert.ts";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { Errno, type ErrnoName } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { ContainerFiles, Machine, Task, TaskExit, TaskKey, TaskStart } from "../../core/engine/machine.ts";
import { defaultCgroupParent } from "../../core/runtime/default-spec.ts";
import { PlanError } from "../../core/runtime/plan-error.ts";
import type { Cgroup, Plan } from "../../core/runtime/plan.ts";
import { cgroupParent } from "../../core/runtime/spec-for.ts";
import type { HostTraits } from "../../core/runtime/traits.ts";
import type { View } from "../../core/runtime/view.ts";
import { SeenFiles } from "./container-files.ts";
import { LinuxDisk, makeDirectory } from "./disk.ts";
import { asErrno, failedWith } from "./errors.ts";
import { Helper } from "./helper.ts";
import { findHelper } from "./helper-binary.ts";
import { OverlayLayers } from "./layers.ts";
import { type Lock, lockDataRoot } from "./lock.ts";
import { compileFilter } from "./seccomp/filter.ts";
import { LinuxTask, type ProcessIdentity, readExit, type TaskPlace } from "./task.ts";
import { probeTraits } from "./traits.ts";
import { warmUp } from "./warm-up.ts";
import type { PerformRequest, Request } from "./wire/request.ts";

export interface LinuxMachineOptions {
  /** Images, layers, containers. */
  readonly dataRoot: string;
  /** Sockets; emptied by a reboot. */
  readonly runRoot: string;
  /** Where containers' cgroups are made, relative to each hierarchy; "tsbox" when not given. */
  readonly cgroupParent?: string;
  /** The helper's binary; found or compiled when not given. */
  readonly helper?: string;
}

/** "/<12 hex>/<12 hex>" fits behind it into a socket's address, sun_path (unix(7)). */
const runRootMax = 107 - 26;

/**
 * Opens the machine. Throws TsboxError "conflict" when another engine has the data root,
 * "unsupported" when there is no helper and no way to compile one.
 */
export async function openLinuxMachine(options: LinuxMachineOptions): Promise<Machine> {
  const dataRoot = openRoot(options.dataRoot);
  const runRoot = openRoot(options.runRoot);
  if (Buffer.byteLength(runRoot) > runRootMax)
    throw new TsboxError(
      "invalid",
      `the run directory ${runRoot} is longer than ${runRootMax} bytes: choose a shorter one`,
    );
  const parent = cgroupParent(options.cgroupParent ?? "") || defaultCgroupParent;
  const binary = await findHelper(options.helper);
  const lock = await lockDataRoot(dataRoot);
  const helper = new Helper(binary);
  const traits = { ...probeTraits({ dataRoot, cgroupParent: parent }), init: fs.realpathSync(binary) as HostPath };
  const layers = new OverlayLayers({ dataRoot, runRoot, helper, via: traits.overlay });
  try {
    await layers.open();
  } catch (thrown) {
    await helper.close();
    await lock.release();
    throw thrown;
  }
  setImmediate(() => void warmUp(traits));
  return new LinuxMachine({ traits, disk: new LinuxDisk(dataRoot, runRoot), layers, helper, lock });
}

/** Makes the directory; gives its path without symlinks. */
function openRoot(path: string): HostPath {
  try {
    makeDirectory(resolve(path), 0o711);
    return fs.realpathSync(path) as HostPath;
  } catch (thrown) {
    throw asErrno(thrown, path);
  }
}

interface Parts {
  readonly traits: HostTraits;
  readonly disk: LinuxDisk;
  readonly layers: OverlayLayers;
  readonly helper: Helper;
  readonly lock: Lock;
}

class LinuxMachine implements Machine {
  readonly traits: HostTraits;
  readonly disk: LinuxDisk;
  readonly layers: OverlayLayers;
  readonly #helper: Helper;
  readonly #lock: Lock;
  /** By their sockets. */
  readonly #tasks = new Map<HostPath, LinuxTask>();
  /** How many tasks, also ones being started, have their sockets in a container's run directory. */
  readonly #users = new Map<string, number>();
  #views = 0;

  constructor({ traits, disk, layers, helper, lock }: Parts) {
    this.traits = traits;
    this.disk = disk;
    this.layers = layers;
    this.#helper = helper;
    this.#lock = lock;
  }

  async perform(start: TaskStart): Promise<Task> {
    const { key, stdio } = start;
    const place: TaskPlace = { key, socket: this.#socket(key), exit: stdio.exit };
    assert(!this.#tasks.has(place.socket), "a task is performed once, and no two containers share 12 digits");
    this.#use(place);
    try {
      clearExit(place.exit);
      return this.#keep(place, await this.#toGate(start, place));
    } catch (thrown) {
      this.#unuse(place);
      throw thrown;
    }
  }

  /** While the monitor makes the mounts, those who wait for the task are connected and the release is sent. */
  async #toGate(start: TaskStart, place: TaskPlace): Promise<LinuxTask> {
    const { plan, stdio, unattended = false } = start;
    const { architecture } = this.traits;
    const connected = Promise.withResolvers<LinuxTask>();
    connected.promise.catch(() => {}); // of no interest to a start that fails
    const request: Request = {
      kind: "perform",
      plan,
      stdio,
      socket: place.socket,
      early: true,
      released: unattended,
      resolve: (join) => this.#identityOf(join.container),
      seccomp: (profile) => compileFilter(profile, architecture),
    };
    const result = await this.#helper.request(request, () => connected.resolve(connect(place, start)));
    if (result.kind === "failed") throw new PlanError(result.failure);
    assert(result.kind === "gate", "a performed plan stands at its gate");
    const task = await connected.promise;
    task.identify(result);
    return task;
  }

  #identityOf(container: ContainerId): ProcessIdentity {
    const task = this.#tasks.get(this.#socket({ container, exec: null }));
    if (task === undefined) throw new TsboxError("conflict", `container ${container} is not running`);
    return task.identity;
  }

  #directory(container: ContainerId): string {
    return `${this.disk.runRoot}/${container.slice(0, 12)}`;
  }

  #socket({ container, exec }: TaskKey): HostPath {
    return `${this.#directory(container)}/${exec === null ? "s" : exec.slice(0, 12)}` as HostPath;
  }

  /** Where exits are kept by convention: the engine names the same files when it starts a task. */
  #exit({ container, exec }: TaskKey): HostPath {
    if (exec === null) return `${this.disk.dataRoot}/containers/${container}/exit` as HostPath;
    return `${this.#directory(container)}/${exec.slice(0, 12)}.exit` as HostPath;
  }

  #keep(place: TaskPlace, task: LinuxTask): LinuxTask {
    this.#tasks.set(place.socket, task);
    void task.exited.then(() => {
      this.#tasks.delete(place.socket);
      this.#unuse(place);
    });
    return task;
  }

  #use({ key }: TaskPlace): void {
    const directory = this.#directory(key.container);
    const users = this.#users.get(directory) ?? 0;
    this.#users.set(directory, users + 1);
    if (users > 0) return;
    try {
      makeDirectory(directory, 0o700);
    } catch (thrown) {
      this.#users.delete(directory);
      throw asErrno(thrown, directory);
    }
  }

  /** With its last task the directory goes. */
  #unuse({ key, exit }: TaskPlace): void {
    const directory = this.#directory(key.container);
    const users = (this.#users.get(directory) ?? 0) - 1;
    this.#users.set(directory, users);
    if (key.exec !== null) fs.rmSync(exit, { force: true });
    if (users > 0) return;
    this.#users.delete(directory);
    removeRunDirectory(directory);
  }

  async carryOut(plan: Plan): Promise<void> {
    const result = await this.#helper.request({ kind: "carry-out", plan });
    if (result.kind === "failed") throw new PlanError(result.failure);
  }

  /** A task that never passed its gate is ended and counts as lost: nothing of its image has run. */
  async recover(key: TaskKey): Promise<Task | TaskExit | "lost"> {
    const place: TaskPlace = { key, socket: this.#socket(key), exit: this.#exit(key) };
    const known = this.#tasks.get(place.socket);
    if (known !== undefined) return known;
    this.#use(place);
    const task = await LinuxTask.find(place);
    if (task === null) {
      const exit = readExit(place.exit);
      this.#unuse(place);
      return exit ?? "lost";
    }
    this.#keep(place, task);
    return task.wasReleased ? task : end(task, place);
  }

  files(view: View): ContainerFiles {
    return new SeenFiles(async () => {
      const socket = `${this.disk.runRoot}/v${++this.#views}` as HostPath;
      const resolve: PerformRequest["resolve"] = (join) => this.#identityOf(join.container);
      const result = await this.#helper.request({ kind: "view", socket, view, resolve });
      if (result.kind === "failed") throw new Errno(result.failure.errno as ErrnoName, result.failure.path);
      return socket;
    });
  }

  async oomKills(plan: Plan): Promise<number> {
    const cgroup = this.#memoryCgroup(plan);
    if (cgroup === null) return 0;
    const version = this.traits.cgroups.find(({ mount }) => mount === cgroup.mount)?.version;
    const file = join(cgroup.mount, cgroup.path, version === 1 ? "memory.oom_control" : "memory.events");
    try {
      return Number(/^oom_kill (\d+)$/m.exec(fs.readFileSync(file, "utf8"))?.[1] ?? 0);
    } catch (thrown) {
      if (failedWith(thrown, "ENOENT", "ENODEV")) return 0;
      throw asErrno(thrown);
    }
  }

  /** The one the plan's child joins. */
  #memoryCgroup(plan: Plan): Cgroup | null {
    const mount = this.traits.cgroups.find(({ controllers }) => controllers.includes("memory"))?.mount;
    const child = plan.steps.flatMap((step) => (step.op === "spawn" ? step.child : []));
    const join = child.find((op) => op.op === "cgroup.join" && op.cgroup.mount === mount);
    return join?.op === "cgroup.join" ? join.cgroup : null;
  }

  async close(): Promise<void> {
    for (const task of this.#tasks.values()) task.detach();
    await this.#helper.close();
    this.#removeCgroupParents();
    await this.#lock.release();
  }

  /** Those that hold no container's cgroup any more. */
  #removeCgroupParents(): void {
    const parts = this.traits.cgroupParent.split("/");
    const parents = parts.map((_, index) => parts.slice(0, index + 1).join("/")).toReversed();
    for (const { mount } of this.traits.cgroups) for (const parent of parents) removeEmpty(join(mount, parent));
  }
}

/** Opens the connection to a monitor that performs. What goes wrong with the release is told to whoever releases. */
async function connect(place: TaskPlace, { beforeRelease, unattended }: TaskStart): Promise<LinuxTask> {
  const task = new LinuxTask(place);
  await beforeRelease?.(task);
  if (beforeRelease !== undefined || unattended === true) task.release().catch(() => {});
  return task;
}

/** A cgroup with another within, or with a process, stays. */
function removeEmpty(directory: string): void {
  try {
    fs.rmdirSync(directory);
  } catch (thrown) {
    if (!failedWith(thrown, "ENOENT", "EBUSY", "ENOTEMPTY")) throw asErrno(thrown, directory);
  }
}

/**
 * A monitor unlinks its own socket at the same time. fs.rmSync would not do: when a file is gone that it has just
 * listed it stops there and, with `force`, says nothing.
 */
function removeRunDirectory(directory: string): void {
  try {
    for (const name of fs.readdirSync(directory)) fs.rmSync(join(directory, name), { force: true });
    fs.rmdirSync(directory);
  } catch (thrown) {
    if (!failedWith(thrown, "ENOENT", "ENOTEMPTY")) throw asErrno(thrown, directory);
  }
}

/** An exit of an earlier run would be taken for this one's. */
function clearExit(path: HostPath): void {
  try {
    fs.unlinkSync(path);
  } catch (thrown) {
    if (!failedWith(thrown, "ENOENT")) throw asErrno(thrown, path);
  }
}

async function end(task: LinuxTask, { exit }: TaskPlace): Promise<"lost"> {
  await task.signal(9);
  await task.exited;
  fs.rmSync(exit, { force: true });
  return "lost";
}
