/** The files of a group of version 2 (cgroup-v2.rst, "Interface Files"), with the kernel's errors. */
import { Errno } from "../../../../core/base/errno.ts";
import { setting, text } from "../synthetic.ts";
import { type CpuState, defaultWeight, weightOfNice } from "./cpu.ts";
import { effectiveSet, parseCpuList } from "./cpuset.ts";
import { command, countedPids, type Files, join, members, type Place } from "./files-common.ts";
import { isGroupFrozen } from "./freezer.ts";
import {
  availableIn,
  type Cgroup,
  controllers,
  descendants,
  type HugetlbState,
  type IoState,
  population,
} from "./group.ts";
import type { MemoryState } from "./memory.ts";
import { keyed, orMax, orUnlimited, pages, parseInteger, parseMemory, parseWithin } from "./values.ts";

/** PID_MAX_LIMIT. */
const weightMost = 10_000;
const [periodLeast, periodMost, quotaLeast] = [1000, 1_000_000, 1000];
const niceWeights = Array.from({ length: 40 }, (_, at) => weightOfNice(at - 20, defaultWeight));

export function unifiedFiles(place: Place): Files {
  const { group } = place;
  const isRoot = group.parent === null;
  return {
    ...coreFiles(place),
    ...(isRoot ? {} : ownFiles(place)),
    ...(group.states.memory === null ? {} : memoryFiles(place, group.states.memory, isRoot)),
    ...(group.states.pids === null || isRoot ? {} : pidsFiles(group.states.pids)),
    ...(group.states.cpu === null || isRoot ? {} : cpuFiles(group.states.cpu)),
    ...(group.states.cpuset === null ? {} : cpusetFiles(group, isRoot)),
    ...(group.states.hugetlb === null || isRoot ? {} : hugetlbFiles(group.states.hugetlb)),
    ...(group.states.io === null ? {} : ioFiles(group.states.io, isRoot)),
  };
}

function coreFiles(place: Place): Files {
  const { kernel, group } = place;
  const procs = setting(
    () =>
      members(place)
        .map((pid) => `${pid}\n`)
        .join(""),
    (value) => join(place, value),
  );
  return {
    "cgroup.procs": procs,
    "cgroup.threads": procs,
    "cgroup.controllers": text(() => line(availableIn(group))),
    "cgroup.subtree_control": setting(
      () => line(controllers.filter((each) => group.delegated.has(each))),
      (value) => kernel.cgroups.delegate(group, value),
    ),
    "cgroup.stat": text(() => keyed({ nr_descendants: descendants(group), nr_dying_descendants: 0 })),
    "cgroup.max.depth": countLimit(
      () => group.depthMax,
      (value) => {
        group.depthMax = value;
      },
    ),
    "cgroup.max.descendants": countLimit(
      () => group.descendantsMax,
      (value) => {
        group.descendantsMax = value;
      },
    ),
    "cpu.stat": text(() => cpuStat(group)),
  };
}

function line(words: readonly string[]): string {
  return words.length === 0 ? "" : `${words.join(" ")}\n`;
}

function countLimit(get: () => number, set: (value: number) => void): Files[string] {
  return setting(
    () => orMax(Number.isFinite(get()) ? get() : null),
    (value) => {
      if (value.trim() === "max") return set(Number.POSITIVE_INFINITY);
      const count = parseInteger(value);
      if (count < 0) throw new Errno("ERANGE");
      set(count);
    },
  );
}

function ownFiles({ kernel, group }: Place): Files {
  return {
    "cgroup.type": setting(
      () => "domain\n",
      (value) => {
        // Processes here have one thread: there is nothing to spread over a threaded subtree.
        throw new Errno(value.trim() === "threaded" ? "EOPNOTSUPP" : "EINVAL");
      },
    ),
    "cgroup.events": text(() =>
      keyed({ populated: population(group) > 0 ? 1 : 0, frozen: isGroupFrozen(group) ? 1 : 0 }),
    ),
    "cgroup.freeze": setting(
      () => `${group.frozen ? 1 : 0}\n`,
      (value) => kernel.freeze(group, parseWithin(value, 0, 1) === 1),
    ),
    "cgroup.kill": command((value) => {
      parseWithin(value, 1, 1);
      kernel.killCgroup(group);
    }),
  };
}

function memoryFiles({ kernel }: Place, state: MemoryState, isRoot: boolean): Files {
  const stat = { "memory.stat": text(() => memoryStat(state)) };
  if (isRoot) return stat;
  return {
    ...stat,
    "memory.current": text(() => `${pages(state.bytes)}\n`),
    "memory.peak": setting(
      () => `${pages(state.peak)}\n`,
      () => {
        state.peak = state.bytes;
      },
    ),
    "memory.max": memoryLimit(state, "max", () => kernel.memory.relieve(state)),
    "memory.high": memoryLimit(state, "high"),
    "memory.low": memoryLimit(state, "low"),
    "memory.min": memoryLimit(state, "min"),
    "memory.swap.current": text(() => "0\n"),
    "memory.swap.max": memoryLimit(state, "swapMax"),
    "memory.swap.events": text(() => keyed({ high: 0, max: 0, fail: 0 })),
    "memory.events": text(() => keyed(state.events)),
    "memory.events.local": text(() => keyed(state.localEvents)),
    "memory.oom.group": setting(
      () => `${Number(state.killsGroup)}\n`,
      (value) => {
        const on = parseInteger(value);
        if (on !== 0 && on !== 1) throw new Errno("EINVAL");
        state.killsGroup = on === 1;
      },
    ),
  };
}

function memoryLimit(
  state: MemoryState,
  which: "max" | "high" | "low" | "min" | "swapMax",
  changed: () => void = () => {},
): Files[string] {
  return setting(
    () => orMax(state[which]),
    (value) => {
      state[which] = parseMemory(value, "max");
      changed();
    },
  );
}

/** Anonymous memory is all there is; the keys are the kernel's first ones. */
function memoryStat(state: MemoryState): string {
  const anon = pages(state.bytes);
  const none = { file: 0, kernel: 0, kernel_stack: 0, pagetables: 0, percpu: 0, sock: 0, vmalloc: 0, shmem: 0 };
  const lists = { inactive_anon: 0, active_anon: anon, inactive_file: 0, active_file: 0, unevictable: 0 };
  return keyed({ anon, ...none, file_mapped: 0, file_dirty: 0, file_writeback: 0, swapcached: 0, ...lists });
}

function pidsFiles(state: NonNullable<Cgroup["states"]["pids"]>): Files {
  return {
    ...countedPids(state),
    "pids.events": text(() => keyed({ max: state.refusedBeneath })),
    "pids.events.local": text(() => keyed({ max: state.refused })),
  };
}

function cpuFiles(state: CpuState): Files {
  return {
    "cpu.weight": setting(
      () => `${state.idle ? 0 : state.weight}\n`,
      (value) => {
        state.weight = parseWithin(value, 1, weightMost);
      },
    ),
    "cpu.weight.nice": setting(
      () => `${niceOf(state.weight)}\n`,
      (value) => {
        state.weight = niceWeights[parseWithin(value, -20, 19) + 20] ?? defaultWeight;
      },
    ),
    "cpu.idle": setting(
      () => `${Number(state.idle)}\n`,
      (value) => {
        const on = parseInteger(value);
        if (on !== 0 && on !== 1) throw new Errno("EINVAL");
        state.idle = on === 1;
      },
    ),
    "cpu.max": setting(
      () => `${state.quota === null ? "max" : state.quota / 1000n} ${state.period / 1000n}\n`,
      (value) => setCpuMax(state, value),
    ),
    "cpu.max.burst": setting(
      () => `${state.burst / 1000n}\n`,
      (value) => setBurst(state, value),
    ),
  };
}

function niceOf(weight: number): number {
  const distances = niceWeights.map((each) => Math.abs(each - weight));
  return distances.indexOf(Math.min(...distances)) - 20;
}

/** "max", "QUOTA", "QUOTA PERIOD", in microseconds. EINVAL for what is no number, too short or too long. */
function setCpuMax(state: CpuState, value: string): void {
  const [quota = "", period] = value.trim().split(/\s+/);
  if (!/^(?:max|\d+)$/.test(quota) || (period !== undefined && !/^\d+$/.test(period))) throw new Errno("EINVAL");
  setBandwidth(state, quota === "max" ? null : Number(quota), period === undefined ? null : Number(period));
}

/** Microseconds. */
export function setBandwidth(state: CpuState, quota: number | null, period: number | null): void {
  if (quota !== null && quota < quotaLeast) throw new Errno("EINVAL");
  if (period !== null && (period < periodLeast || period > periodMost)) throw new Errno("EINVAL");
  if (quota !== null && state.burst > BigInt(quota) * 1000n) throw new Errno("EINVAL");
  state.quota = quota === null ? null : BigInt(quota) * 1000n;
  if (period !== null) state.period = BigInt(period) * 1000n;
  if (quota === null) state.throttledSince = null;
}

function setBurst(state: CpuState, value: string): void {
  const micros = parseInteger(value);
  if (micros < 0 || (state.quota !== null && BigInt(micros) * 1000n > state.quota)) throw new Errno("EINVAL");
  state.burst = BigInt(micros) * 1000n;
}

/** Programs here do not run in the kernel: all their time is the user's. */
function cpuStat(group: Cgroup): string {
  const used = group.cpuUsed / 1000n;
  const core = { usage_usec: used, user_usec: used, system_usec: 0 };
  const state = group.states.cpu;
  if (state === null || group.parent === null) return keyed(core);
  const { periods, throttledPeriods, throttledNanos } = state;
  const quota = { nr_periods: periods, nr_throttled: throttledPeriods, throttled_usec: throttledNanos / 1000n };
  return keyed({ ...core, ...quota, nr_bursts: 0, burst_usec: 0 });
}

function cpusetFiles(group: Cgroup, isRoot: boolean): Files {
  const effective = {
    "cpuset.cpus.effective": text(() => `${effectiveSet(group, "cpus")}\n`),
    "cpuset.mems.effective": text(() => `${effectiveSet(group, "mems")}\n`),
  };
  return isRoot
    ? effective
    : { "cpuset.cpus": cpuList(group, "cpus"), "cpuset.mems": cpuList(group, "mems"), ...effective };
}

export function cpuList(
  group: Cgroup,
  which: "cpus" | "mems",
  check: (group: Cgroup, which: "cpus" | "mems", wanted: string) => void = () => {},
): Files[string] {
  return setting(
    () => `${group.states.cpuset?.[which] ?? ""}\n`,
    (value) => {
      const { cpuset } = group.states;
      const wanted = parseCpuList(value);
      check(group, which, wanted);
      if (cpuset !== null) cpuset[which] = wanted;
    },
  );
}

/** Nobody takes huge pages here. */
function hugetlbFiles(state: HugetlbState): Files {
  return {
    "hugetlb.2MB.current": text(() => "0\n"),
    "hugetlb.2MB.max": setting(
      // This one shows version 1's number for no limit.
      () => orUnlimited(state.max),
      (value) => {
        state.max = parseMemory(value, "max");
      },
    ),
    "hugetlb.2MB.events": text(() => keyed({ max: 0 })),
  };
}

/** There are no block devices: nothing is counted, and none can be limited. */
function ioFiles(state: IoState, isRoot: boolean): Files {
  const stat = { "io.stat": text(() => "") };
  if (isRoot) return stat;
  return {
    ...stat,
    "io.max": setting(
      () => "",
      (value) => {
        throw new Errno(/^\d+:\d+ /.test(value) ? "ENODEV" : "EINVAL");
      },
    ),
    "io.weight": setting(
      () => `default ${state.weight}\n`,
      (value) => {
        const number = parseInteger(value.replace(/^\s*default\s+/, ""));
        if (number < 1 || number > weightMost) throw new Errno("EINVAL");
        state.weight = number;
      },
    ),
  };
}
