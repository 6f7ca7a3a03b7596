/**
 * From perform to exec: how long a plan takes through the helper, its monitor and the machine, beside the floor: a
 * C program that makes the same system calls and nothing else (floor.c).
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../backends/linux/machine.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import { compileFilter } from "../backends/linux/seccomp/filter.ts";
import type { ContainerId, HostPath } from "../core/base/brand.ts";
import { hex, streamOf } from "../core/base/bytes.ts";
import type { Machine } from "../core/engine/machine.ts";
import type { DiffId } from "../core/image/digest.ts";
import { defaultCapabilities } from "../core/runtime/capabilities.ts";
import { compile } from "../core/runtime/compile.ts";
import { defaultSeccomp } from "../core/runtime/default-seccomp.ts";
import type { Plan } from "../core/runtime/plan.ts";
import { specFor } from "../core/runtime/spec-for.ts";
import { plainInput } from "../core/runtime/plain-input.ts";
import { undo } from "../core/runtime/undo.ts";
import type { Change, Meta, TreePath } from "../core/unionfs/change.ts";
import { type Contender, interleave } from "./interleave.ts";
import { judge, type Row } from "./row.ts";

const layer = `sha256:${"b0".repeat(32)}` as DiffId;

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const directory = scratch("bench");
  const machine = await openLinuxMachine({
    dataRoot: join(directory, "data"),
    runRoot: join(directory, "run"),
    cgroupParent: basename(directory),
  });
  try {
    await machine.layers.apply(layer, busybox());
    const times = await interleave([ours(machine), floor(directory, machine)], rounds);
    for (const kind of ["median", "minimum"] as const) {
      const peers = { floor: times.get("floor")?.[kind] ?? Number.NaN };
      const measured = { bench: "perform", row: `perform to exec (${kind})`, unit: "ms", peers } as const;
      yield judge({ ...measured, ours: times.get("tsbox")?.[kind] ?? Number.NaN }, { peer: "floor", atMost: 1.3 });
    }
  } finally {
    await machine.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function* busybox(): AsyncGenerator<Change> {
  const meta: Meta = { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
  const bytes = readFileSync("/bin/busybox");
  const path = (name: string): TreePath => name as TreePath;
  for (const name of ["bin", "dev", "proc", "sys"]) yield { kind: "directory", path: path(name), meta };
  yield { kind: "file", path: path("bin/busybox"), meta, size: bytes.length, content: streamOf(bytes) };
  yield { kind: "symlink", path: path("bin/true"), meta, target: "busybox" };
}

function ours(machine: Machine): Contender {
  return {
    name: "tsbox",
    async once() {
      const container = hex(linuxPorts.random.bytes(32)) as ContainerId;
      const home = `${machine.disk.dataRoot}/containers/${container}`;
      await machine.disk.makeDirectory(home as HostPath);
      await machine.layers.prepare(container, [layer]);
      const plan = planFor(machine, container);
      const stdio = { terminal: false, stdin: false, stdinOnce: false };
      const files = { log: `${home}/log` as HostPath, exit: `${home}/exit` as HostPath };
      const begin = performance.now();
      const key = { container, exec: null };
      const task = await machine.perform({ key, plan, stdio: { ...stdio, ...files }, unattended: true });
      await task.release();
      const elapsed = performance.now() - begin;
      await task.exited;
      await machine.carryOut(undo(plan));
      await machine.layers.discard(container);
      return elapsed;
    },
  };
}

function planFor(machine: Machine, container: ContainerId): Plan {
  return compile({
    spec: specFor({ ...plainInput, argv: ["true"] }),
    mounts: [],
    root: machine.layers.overlay(container, [layer]),
    container,
    traits: machine.traits,
  });
}

function floor(directory: string, machine: Machine): Contender {
  const { traits } = machine;
  const program = join(directory, "floor");
  execFileSync("gcc", ["-std=gnu11", "-O2", "-static", join(import.meta.dirname, "floor.c"), "-o", program]);
  const root = join(directory, "layer");
  for (const name of ["bin", "dev", "proc", "sys"]) mkdirSync(join(root, name), { recursive: true });
  cpSync("/bin/busybox", join(root, "bin/busybox"));
  symlinkSync("busybox", join(root, "bin/true"));
  const filter = join(directory, "filter");
  const profile = defaultSeccomp(defaultCapabilities, traits.architecture);
  writeFileSync(filter, compileFilter(profile, traits.architecture));
  return {
    name: "floor",
    async once() {
      const { stdout } = await promisify(execFile)(program, ["1", directory, filter, ...hierarchiesOf(machine)]);
      return Number(stdout) / 1e6;
    },
  };
}

/** The hierarchies in which the plan makes a cgroup: the floor makes its own in the same. */
function hierarchiesOf(machine: Machine): string[] {
  const { steps } = planFor(machine, "f".repeat(64) as ContainerId);
  return steps.flatMap((step) => (step.op === "cgroup.make" ? [step.cgroup.mount] : []));
}
