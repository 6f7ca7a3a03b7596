/** The cgroup2 file system: groups as directories, their limits and counters as files (cgroup-v2.rst). */
import { Errno } from "../../../core/base/errno.ts";
import {
  availableIn,
  type CgroupNode,
  controllers,
  delegate,
  isFrozen,
  newCgroup,
  population,
  removeCgroup,
} from "./cgroup.ts";
import type { Kernel } from "./kernel.ts";
import { numberIn } from "./process.ts";
import { setting, Synthetic, text, type SyntheticDirectory, type SyntheticNode } from "./synthetic.ts";

export function cgroupfs(kernel: Kernel, root: CgroupNode): Synthetic {
  return new Synthetic(groupDirectory(kernel, root), () => kernel.turns.now);
}

/** A group's directory is made once, when somebody looks. */
const directories = new WeakMap<CgroupNode, SyntheticDirectory>();

function groupDirectory(kernel: Kernel, group: CgroupNode): SyntheticDirectory {
  const known = directories.get(group) ?? newDirectory(kernel, group);
  directories.set(group, known);
  return known;
}

function newDirectory(kernel: Kernel, group: CgroupNode): SyntheticDirectory {
  const files = groupFiles(kernel, group);
  return {
    kind: "directory",
    mode: 0o755,
    names: () => [...Object.keys(files).filter((name) => isOffered(group, name)), ...group.children.keys()].sort(),
    child: (name) => {
      const child = group.children.get(name);
      if (child !== undefined) return groupDirectory(kernel, child);
      return Object.hasOwn(files, name) && isOffered(group, name) ? (files[name] ?? null) : null;
    },
    make: (name) => void newCgroup(name, group),
    remove: (name) => {
      const child = group.children.get(name);
      if (child === undefined) throw new Errno("ENOENT", name);
      removeCgroup(child);
    },
  };
}

/** A controller's files are there when it was handed down; cpu.stat counts without it. */
function isOffered(group: CgroupNode, name: string): boolean {
  const controller = controllers.find((each) => name.startsWith(`${each}.`));
  return controller === undefined || name === "cpu.stat" || availableIn(group).includes(controller);
}

function groupFiles(kernel: Kernel, group: CgroupNode): Readonly<Record<string, SyntheticNode>> {
  const common = {
    "cgroup.procs": setting(
      () => members(kernel, group),
      (value) => join(kernel, group, Number(value)),
    ),
    "cgroup.controllers": text(() => `${availableIn(group).join(" ")}\n`),
    "cgroup.subtree_control": setting(
      () => `${controllers.filter((each) => group.delegated.has(each)).join(" ")}\n`,
      (value) => delegate(group, value),
    ),
    "cpu.stat": text(() => cpuStat(group)),
  };
  return group.parent === null ? common : { ...common, ...limitFiles(kernel, group) };
}

function limitFiles(kernel: Kernel, group: CgroupNode): Readonly<Record<string, SyntheticNode>> {
  return {
    "cgroup.events": text(() => `populated ${population(group) > 0 ? 1 : 0}\nfrozen ${isFrozen(group) ? 1 : 0}\n`),
    "cgroup.freeze": setting(
      () => `${group.frozen ? 1 : 0}\n`,
      (value) => {
        group.frozen = value.trim() === "1";
      },
    ),
    "cgroup.kill": { kind: "file", mode: 0o200, read: () => "", write: () => kernel.killCgroup(group) },
    "memory.current": text(() => `${group.memoryBytes}\n`),
    "memory.peak": text(() => `${group.memoryPeak}\n`),
    "memory.max": limit(
      () => group.memoryMax,
      (value) => {
        group.memoryMax = value;
      },
    ),
    "memory.swap.max": limit(
      () => 0,
      () => {},
    ),
    "memory.low": limit(
      () => 0,
      () => {},
    ),
    "memory.events": text(
      () => `low 0\nhigh 0\nmax ${group.oomKills}\noom ${group.oomKills}\noom_kill ${group.oomKills}\n`,
    ),
    "pids.current": text(() => `${population(group)}\n`),
    "pids.max": limit(
      () => group.pidsMax,
      (value) => {
        group.pidsMax = value;
      },
    ),
    "pids.events": text(() => `max ${group.pidsRefused}\n`),
    "cpu.max": setting(
      () => `${group.cpuQuota === null ? "max" : group.cpuQuota / 1000n} ${group.cpuPeriod / 1000n}\n`,
      (value) => setCpuMax(group, value),
    ),
    "cpu.weight": setting(
      () => "100\n",
      () => {},
    ),
    "cpuset.cpus": kept(),
    "cpuset.mems": kept(),
    "io.weight": setting(
      () => "default 100\n",
      () => {},
    ),
  };
}

/** What is written is shown again: there is one processor and one node of memory. */
function kept(): SyntheticNode {
  let text = "";
  return setting(
    () => `${text}\n`,
    (value) => {
      if (!/^[\d,-]*$/.test(value.trim())) throw new Errno("EINVAL");
      text = value.trim();
    },
  );
}

function limit(get: () => number | null, set: (value: number | null) => void): SyntheticNode {
  return setting(
    () => `${get() ?? "max"}\n`,
    (value) => set(numberOrMax(value)),
  );
}

/** EINVAL for what is neither a number nor "max". */
function numberOrMax(value: string): number | null {
  const word = value.trim();
  if (word === "max") return null;
  if (!/^\d+$/.test(word)) throw new Errno("EINVAL");
  return Number(word);
}

function setCpuMax(group: CgroupNode, value: string): void {
  const [quota = "", period] = value.trim().split(/\s+/);
  const micros = numberOrMax(quota);
  group.cpuQuota = micros === null ? null : BigInt(micros) * 1000n;
  if (period !== undefined) group.cpuPeriod = BigInt(numberOrMax(period) ?? 100_000) * 1000n;
}

function members(kernel: Kernel, group: CgroupNode): string {
  const reader = kernel.turns.current ?? kernel.init;
  const numbers = [...kernel.processes.values()].filter(
    (process) => process.cgroup === group && process.state !== "zombie",
  );
  return numbers.map((process) => `${numberIn(reader.namespaces.pid, process)}\n`).join("");
}

/** Writing 0 moves the writer itself. */
function join(kernel: Kernel, group: CgroupNode, pid: number): void {
  const writer = kernel.turns.current ?? kernel.init;
  const process = pid === 0 ? writer : kernel.find(writer.namespaces.pid, pid);
  if (process === null) throw new Errno("ESRCH");
  // Processes stand in leaves only: what is handed down would have to be shared with them.
  if (group.parent !== null && group.delegated.size > 0) throw new Errno("EBUSY");
  kernel.moveToCgroup(process, group);
}

function cpuStat(group: CgroupNode): string {
  const used = group.cpuUsed / 1000n;
  return `usage_usec ${used}\nuser_usec ${used}\nsystem_usec 0\nnr_periods ${group.periods}\nnr_throttled ${group.throttledPeriods}\nthrottled_usec 0\n`;
}
