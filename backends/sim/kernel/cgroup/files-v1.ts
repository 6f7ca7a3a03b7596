/** The files of a group of version 1 (kernel: admin-guide/cgroup-v1/), a controller after the other. */
import { Errno } from "../../../../core/base/errno.ts";
import { setting, text } from "../synthetic.ts";
import type { CpuState } from "./cpu.ts";
import { effectiveSet } from "./cpuset.ts";
import { command, countedPids, type Files, join, members, type Place } from "./files-common.ts";
import { cpuList, setBandwidth } from "./files-v2.ts";
import { isGroupFrozen } from "./freezer.ts";
import type { Cgroup } from "./group.ts";
import type { MemoryState } from "./memory.ts";
import { keyed, orUnlimited, pages, parseInteger, parseMemory } from "./values.ts";

const [sharesLeast, sharesMost, sharesOfWeight] = [2, 262_144, 10.24];
const nanosPerTick = 10_000_000n;

export function legacyFiles(place: Place): Files {
  const { group } = place;
  const { hierarchy, states } = group;
  const isRoot = group.parent === null;
  const has = (controller: Parameters<typeof hierarchy.controllers.has>[0]): boolean =>
    hierarchy.controllers.has(controller);
  return {
    ...coreFiles(place),
    ...(states.memory === null ? {} : memoryFiles(place, states.memory, isRoot)),
    ...(states.pids === null || isRoot ? {} : pidsFiles(states.pids)),
    ...(states.cpu === null ? {} : cpuFiles(group, states.cpu)),
    ...(has("cpuacct") ? cpuacctFiles(group) : {}),
    ...(states.cpuset === null ? {} : cpusetFiles(group)),
    ...(has("freezer") && !isRoot ? freezerFiles(place) : {}),
    ...(has("devices") ? devicesFiles() : {}),
    ...(has("io") ? { "blkio.reset_stats": command(() => {}) } : {}),
  };
}

function coreFiles(place: Place): Files {
  const { group } = place;
  const procs = setting(
    () =>
      members(place)
        .sort((a, b) => a - b)
        .map((pid) => `${pid}\n`)
        .join(""),
    (value) => join(place, value),
  );
  return {
    "cgroup.procs": procs,
    tasks: procs,
    notify_on_release: flag(group, "notify"),
    "cgroup.clone_children": flag(group, "clone"),
    ...(group.parent === null
      ? {
          "cgroup.sane_behavior": text(() => "0\n"),
          release_agent: setting(
            () => "\n",
            () => {},
          ),
        }
      : {}),
  };
}

function flag({ flags }: Cgroup, name: "notify" | "clone"): Files[string] {
  return setting(
    () => `${Number(flags.has(name))}\n`,
    (value) => {
      if (parseInteger(value) === 0) flags.delete(name);
      else flags.add(name);
    },
  );
}

function memoryFiles(place: Place, state: MemoryState, isRoot: boolean): Files {
  return {
    "memory.usage_in_bytes": text(() => `${pages(state.bytes)}\n`),
    "memory.max_usage_in_bytes": setting(
      () => `${pages(state.peak)}\n`,
      () => {
        state.peak = state.bytes;
      },
    ),
    "memory.failcnt": setting(
      () => `${state.failures}\n`,
      () => {
        state.failures = 0;
      },
    ),
    "memory.limit_in_bytes": setting(
      () => orUnlimited(state.max),
      (value) => setLimit(state, parseMemory(value, "-1"), isRoot),
    ),
    "memory.memsw.limit_in_bytes": setting(
      () => orUnlimited(state.both),
      (value) => setBoth(state, parseMemory(value, "-1"), isRoot),
    ),
    "memory.memsw.usage_in_bytes": text(() => `${pages(state.bytes)}\n`),
    "memory.stat": text(() => memoryStat(state)),
    ...memorySettings(place, state, isRoot),
  };
}

function memorySettings({ kernel }: Place, state: MemoryState, isRoot: boolean): Files {
  return {
    "memory.soft_limit_in_bytes": setting(
      () => orUnlimited(state.soft),
      (value) => {
        state.soft = parseMemory(value, "-1");
      },
    ),
    "memory.swappiness": setting(
      () => `${state.swappiness}\n`,
      (value) => {
        const swappiness = parseInteger(value);
        if (swappiness < 0 || swappiness > 200) throw new Errno("EINVAL");
        state.swappiness = swappiness;
      },
    ),
    "memory.use_hierarchy": setting(
      () => "1\n",
      (value) => {
        if (parseInteger(value) !== 1) throw new Errno("EINVAL");
      },
    ),
    "memory.oom_control": setting(
      () =>
        keyed({
          oom_kill_disable: Number(state.waitsForMemory),
          under_oom: 0,
          oom_kill: state.localEvents.oom_kill,
        }),
      (value) => {
        const on = parseInteger(value);
        if (isRoot || (on !== 0 && on !== 1)) throw new Errno("EINVAL");
        state.waitsForMemory = on === 1;
        kernel.memory.relieve(state);
      },
    ),
    "memory.force_empty": command(() => {
      if (isRoot) throw new Errno("EINVAL");
    }),
  };
}

/** The root has none. EBUSY: more is in use than that, and nothing can be given up. EINVAL beyond the limit on both. */
function setLimit(state: MemoryState, max: number | null, isRoot: boolean): void {
  if (isRoot || isMore(max, state.both)) throw new Errno("EINVAL");
  if (isMore(state.bytes, max)) throw new Errno("EBUSY");
  state.max = max;
}

function setBoth(state: MemoryState, both: number | null, isRoot: boolean): void {
  if (isRoot || isMore(state.max, both)) throw new Errno("EINVAL");
  if (isMore(state.bytes, both)) throw new Errno("EBUSY");
  state.both = both;
}

/** null is without limit. */
function isMore(a: number | null, b: number | null): boolean {
  return b !== null && (a === null || a > b);
}

function memoryStat(state: MemoryState): string {
  const rss = pages(state.bytes);
  const limit = state.max ?? "9223372036854771712";
  const own = keyed({ cache: 0, rss, rss_huge: 0, shmem: 0, mapped_file: 0, dirty: 0, writeback: 0, swap: 0 });
  const total = keyed({ total_cache: 0, total_rss: rss });
  return `${own}${keyed({ inactive_anon: 0, active_anon: rss })}hierarchical_memory_limit ${limit}\n${total}`;
}

function pidsFiles(state: NonNullable<Cgroup["states"]["pids"]>): Files {
  return {
    ...countedPids(state),
    "pids.events": text(() => keyed({ max: state.failedForks })),
  };
}

function cpuFiles(group: Cgroup, state: CpuState): Files {
  const isRoot = group.parent === null;
  const micros = (value: bigint): number => Number(value / 1000n);
  return {
    "cpu.shares": setting(
      () => `${state.shares}\n`,
      (value) => setShares(state, parseInteger(value), isRoot),
    ),
    "cpu.cfs_quota_us": setting(
      () => `${state.quota === null ? -1 : micros(state.quota)}\n`,
      (value) => {
        const quota = parseInteger(value);
        setLegacyBandwidth(group, state, quota < 0 ? null : quota, micros(state.period));
      },
    ),
    "cpu.cfs_period_us": setting(
      () => `${micros(state.period)}\n`,
      (value) =>
        setLegacyBandwidth(group, state, state.quota === null ? null : micros(state.quota), parseInteger(value)),
    ),
    "cpu.stat": text(() =>
      keyed({
        nr_periods: state.periods,
        nr_throttled: state.throttledPeriods,
        throttled_time: state.throttledNanos,
        nr_bursts: 0,
        burst_time: 0,
      }),
    ),
  };
}

function setShares(state: CpuState, shares: number, isRoot: boolean): void {
  if (isRoot) throw new Errno("EINVAL");
  state.shares = Math.min(Math.max(shares, sharesLeast), sharesMost);
  state.weight = state.shares / sharesOfWeight;
}

/** EINVAL at the root, and for a larger share than the group around has or one beneath keeps (version 1 only). */
function setLegacyBandwidth(group: Cgroup, state: CpuState, quota: number | null, period: number): void {
  if (group.parent === null) throw new Errno("EINVAL");
  const ratio = quota === null ? null : quota / period;
  const around = ratioOf(group.parent.states.cpu);
  const beneath = [...group.children.values()].map(({ states }) => ratioOf(states.cpu));
  const isTooMuch = (inner: number | null, outer: number | null): boolean =>
    inner !== null && outer !== null && inner > outer;
  if (isTooMuch(ratio, around) || beneath.some((each) => isTooMuch(each, ratio))) throw new Errno("EINVAL");
  setBandwidth(state, quota, period);
}

function ratioOf(state: CpuState | null): number | null {
  if (state === null) return null;
  return state.quota === null ? ratioOf(state.parent) : Number(state.quota) / Number(state.period);
}

function cpuacctFiles(group: Cgroup): Files {
  const usage = setting(
    () => `${group.cpuUsed}\n`,
    (value) => {
      if (parseInteger(value) !== 0) throw new Errno("EINVAL");
      group.cpuUsed = 0n;
    },
  );
  return {
    "cpuacct.usage": usage,
    "cpuacct.usage_user": text(() => `${group.cpuUsed}\n`),
    "cpuacct.usage_sys": text(() => "0\n"),
    "cpuacct.usage_percpu": text(() => `${group.cpuUsed} \n`),
    "cpuacct.stat": text(() => keyed({ user: group.cpuUsed / nanosPerTick, system: 0 })),
  };
}

function cpusetFiles(group: Cgroup): Files {
  return {
    "cpuset.cpus": cpuList(group, "cpus", checkNested),
    "cpuset.mems": cpuList(group, "mems", checkNested),
    "cpuset.effective_cpus": text(() => `${effectiveSet(group, "cpus")}\n`),
    "cpuset.effective_mems": text(() => `${effectiveSet(group, "mems")}\n`),
  };
}

/** EACCES for what the group around does not have, EBUSY for taking away what one beneath has. */
function checkNested({ parent, children }: Cgroup, which: "cpus" | "mems", wanted: string): void {
  if (wanted !== "" && parent !== null && parent.states.cpuset?.[which] === "") throw new Errno("EACCES");
  const isUsed = [...children.values()].some(({ states }) => (states.cpuset?.[which] ?? "") !== "");
  if (wanted === "" && isUsed) throw new Errno("EBUSY");
}

function freezerFiles({ kernel, group }: Place): Files {
  return {
    "freezer.state": setting(
      () => `${isGroupFrozen(group) ? "FROZEN" : "THAWED"}\n`,
      (value) => {
        const word = value.trim();
        if (word !== "FROZEN" && word !== "THAWED") throw new Errno("EINVAL");
        kernel.freeze(group, word === "FROZEN");
      },
    ),
    "freezer.self_freezing": text(() => `${Number(group.frozen)}\n`),
    "freezer.parent_freezing": text(() => `${Number(group.parent !== null && isGroupFrozen(group.parent))}\n`),
  };
}

/** Which devices may be used is not enforced here: no device of this machine reaches outside of it. */
function devicesFiles(): Files {
  return {
    "devices.list": text(() => "a *:* rwm\n"),
    "devices.allow": command(checkDevice),
    "devices.deny": command(checkDevice),
  };
}

/** "a", or "c 1:3 rwm", "b *:* m". */
function checkDevice(value: string): void {
  if (!/^\s*(?:a.*|[bc] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3})\s*$/.test(value)) throw new Errno("EINVAL");
}
