/** A simulated machine for measurements, in Node and in a browser alike: containers of busybox, straight from their plans. */
import { bootHost } from "../backends/sim/host.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { jumping } from "../backends/sim/kernel/pace.ts";
import { SimMachine } from "../backends/sim/machine.ts";
import { seededRandom } from "../backends/sim/random.ts";
import { standIn } from "../backends/sim/userland/programs.ts";
import type { ContainerId, HostPath } from "../core/base/brand.ts";
import { encodeText, hex, streamOf } from "../core/base/bytes.ts";
import type { Task } from "../core/engine/machine.ts";
import type { DiffId } from "../core/image/digest.ts";
import { compile } from "../core/runtime/compile.ts";
import type { Plan } from "../core/runtime/plan.ts";
import { plainInput } from "../core/runtime/plain-input.ts";
import { specFor } from "../core/runtime/spec-for.ts";
import { undo } from "../core/runtime/undo.ts";
import type { Change, Meta, TreePath } from "../core/unionfs/change.ts";

const layer = `sha256:${"b0".repeat(32)}` as DiffId;
const bootTime = 1_767_225_600_000_000_000n;

export interface BenchWorld {
  readonly kernel: Kernel;
  start(argv: readonly [string, ...string[]]): Promise<{ task: Task; plan: Plan; id: ContainerId }>;
  startAndEnd(): Promise<Times>;
}

/** `pause`: a macrotask of wherever this runs. */
export async function openWorld(pause: () => Promise<void>): Promise<BenchWorld> {
  const loader = { standIn, webAssembly: () => Promise.reject(new Error("no WebAssembly in this bench")) };
  const kernel = bootHost({ now: bootTime, random: seededRandom(1), pace: jumping(pause), loader });
  const machine = SimMachine.open(kernel);
  await machine.layers.apply(layer, busybox());

  const start: BenchWorld["start"] = async (argv) => {
    const id = hex(kernel.options.random(32)) as ContainerId;
    const directory = `${machine.disk.dataRoot}/containers/${id}`;
    await machine.disk.makeDirectory(directory as HostPath);
    await machine.layers.prepare(id, [layer]);
    const plan = compile({
      spec: specFor({ ...plainInput, argv }),
      mounts: [],
      root: machine.layers.overlay(id, [layer]),
      container: id,
      traits: machine.traits,
    });
    const stdio = { terminal: false, stdin: false, stdinOnce: false, log: `${directory}/log` as HostPath };
    const exit = `${directory}/exit` as HostPath;
    const task = await machine.perform({ key: { container: id, exec: null }, plan, stdio: { ...stdio, exit } });
    await task.release();
    return { task, plan, id };
  };

  const startAndEnd: BenchWorld["startAndEnd"] = async () => {
    const began = performance.now();
    const { task, plan, id } = await start(["true"]);
    const started = performance.now() - began;
    await task.exited;
    await machine.carryOut(undo(plan));
    await machine.layers.discard(id);
    await machine.disk.remove(`${machine.disk.dataRoot}/containers/${id}` as HostPath);
    return { started, whole: performance.now() - began };
  };
  return { kernel, start, startAndEnd };
}

const banner = encodeText("\u007fELF BusyBox v1.35.0");
/** As large as Debian's, of which the simulator looks at the banner only. */
const busyboxBytes = 2_000_000;

async function* busybox(): AsyncGenerator<Change> {
  const meta: Meta = { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
  const bytes = new Uint8Array(busyboxBytes);
  bytes.set(banner);
  const path = (name: string): TreePath => name as TreePath;
  for (const name of ["bin", "dev", "proc", "sys"]) yield { kind: "directory", path: path(name), meta };
  yield { kind: "file", path: path("bin/busybox"), meta, size: bytes.length, content: streamOf(bytes) };
  for (const name of ["true", "sleep"]) yield { kind: "symlink", path: path(`bin/${name}`), meta, target: "busybox" };
}

export interface Times {
  /** Until the program runs, milliseconds. */
  readonly started: number;
  /** Until nothing is left of it. */
  readonly whole: number;
}

/** The median of some rounds. */
export async function medianTimes(world: BenchWorld, rounds: number): Promise<Times> {
  const all: Times[] = [];
  for (let round = 0; round < rounds; round++) all.push(await world.startAndEnd());
  return { started: median(all.map(({ started }) => started)), whole: median(all.map(({ whole }) => whole)) };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
