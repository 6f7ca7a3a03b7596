/**
 * The simulated machine: what a container's start costs in real time, and what a thousand of them hold
 * in memory. There are no peers: nothing else runs containers in a tab; the goals are absolute.
 */
import { readFileSync } from "node:fs";
import { linuxPorts } from "../backends/linux/ports.ts";
import { bootHost } from "../backends/sim/host.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { jumping } from "../backends/sim/kernel/pace.ts";
import { SimMachine } from "../backends/sim/machine.ts";
import { seededRandom } from "../backends/sim/random.ts";
import { snapshotOf } from "../backends/sim/snapshot.ts";
import { stateRoot } from "../backends/sim/state-root.ts";
import { standIn } from "../backends/sim/userland/programs.ts";
import type { ContainerId, HostPath } from "../core/base/brand.ts";
import { hex, streamOf } from "../core/base/bytes.ts";
import type { Task } from "../core/engine/machine.ts";
import type { DiffId } from "../core/image/digest.ts";
import { compile } from "../core/runtime/compile.ts";
import type { Plan } from "../core/runtime/plan.ts";
import { plainInput } from "../core/runtime/plain-input.ts";
import { specFor } from "../core/runtime/spec-for.ts";
import { undo } from "../core/runtime/undo.ts";
import type { Change, Meta, TreePath } from "../core/unionfs/change.ts";
import { events, timesOfLongSession } from "./long-session.ts";
import type { Row } from "./row.ts";

const layer = `sha256:${"b0".repeat(32)}` as DiffId;
const containers = 1000;
const megabyte = 1 << 20;
const bootTime = 1_767_225_600_000_000_000n;

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const world = await openWorld();
  for (let warm = 0; warm < rounds; warm++) await world.startAndEnd();
  const alone = await medianOf(rounds, () => world.startAndEnd());
  yield row("container: start to the program's first step", "ms", alone.median, 2);
  yield row("container: start to its removal", "ms", alone.whole, null);

  const before = heapBytes();
  for (let count = 0; count < containers; count++) await world.start(["sleep", "1000000"]);
  yield row(`${containers} running containers: heap`, "bytes", heapBytes() - before, 300 * megabyte);
  const crowded = await medianOf(rounds, () => world.startAndEnd());
  yield row(`container beside ${containers} others: start to the program's first step`, "ms", crowded.median, 2);

  const began = performance.now();
  const snapshot = snapshotOf(world.kernel);
  yield row(`snapshot with ${containers} containers`, "ms", performance.now() - began, null);
  const rootBegan = performance.now();
  stateRoot(snapshot, linuxPorts.hasher);
  yield row(`state root with ${containers} containers`, "ms", performance.now() - rootBegan, null);

  const { viewed, resumed } = await timesOfLongSession();
  yield row(`any of ${events} events viewed, the slowest`, "ms", Math.max(...viewed), 50);
  yield row(`any of ${events} events gone on from, the slowest`, "ms", Math.max(...resumed), 500);
}

function row(name: string, unit: Row["unit"], ours: number, most: number | null): Row {
  const rounded = Number(ours.toPrecision(4));
  const judged = { bench: "sim", row: name, unit, ours: rounded, peers: {}, ratio: null };
  return { ...judged, goal: most === null ? null : `at most ${most}`, met: most === null ? null : ours <= most };
}

interface Times {
  /** Until the program runs, milliseconds. */
  readonly median: number;
  /** Until nothing is left of it. */
  readonly whole: number;
}

async function medianOf(rounds: number, once: () => Promise<{ started: number; whole: number }>): Promise<Times> {
  const all: { started: number; whole: number }[] = [];
  for (let round = 0; round < rounds; round++) all.push(await once());
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { median: middle(all.map(({ started }) => started)), whole: middle(all.map(({ whole }) => whole)) };
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface BenchWorld {
  readonly kernel: Kernel;
  start(argv: readonly [string, ...string[]]): Promise<{ task: Task; plan: Plan; id: ContainerId }>;
  startAndEnd(): Promise<{ started: number; whole: number }>;
}

async function openWorld(): Promise<BenchWorld> {
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(resolve);
    });
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

async function* busybox(): AsyncGenerator<Change> {
  const meta: Meta = { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
  const bytes = readFileSync("/bin/busybox");
  const path = (name: string): TreePath => name as TreePath;
  for (const name of ["bin", "dev", "proc", "sys"]) yield { kind: "directory", path: path(name), meta };
  yield { kind: "file", path: path("bin/busybox"), meta, size: bytes.length, content: streamOf(bytes) };
  for (const name of ["true", "sleep"]) yield { kind: "symlink", path: path(`bin/${name}`), meta, target: "busybox" };
}
