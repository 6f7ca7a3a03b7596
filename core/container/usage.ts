/**
 * What a container has used, from the files of its control groups (Documentation/admin-guide/cgroup-v1 and
 * cgroup-v2.rst) and from /proc/stat.
 */

/** A file's text; null when it is not there. */
export type Texts = (name: string) => string | null;

export interface Usage {
  readonly processor: ProcessorUsage;
  readonly memory: MemoryUsage;
  readonly pids: { readonly current: number; readonly limit: number | null };
  readonly disks: readonly DiskUsage[];
}

/** Nanoseconds. */
export interface ProcessorUsage {
  readonly total: number;
  readonly user: number;
  readonly kernel: number;
  /** By processor; empty where the kernel does not tell. */
  readonly each: readonly number[];
  /** Of the whole machine, on all its processors, idle time too. */
  readonly machine: number;
  readonly processors: number;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttled: number;
}

export interface MemoryUsage {
  readonly bytes: number;
  /** The most it ever was; 0 where the kernel does not tell. */
  readonly peak: number;
  /** The machine's memory when there is no limit. */
  readonly limit: number;
  readonly refusals: number;
  readonly details: Readonly<Record<string, number>>;
}

export interface DiskUsage {
  readonly major: number;
  readonly minor: number;
  readonly operation: string;
  readonly bytes: number;
}

export interface MachineSize {
  readonly processors: number;
  readonly memoryBytes: number;
}

const userHz = 100;
const nanosecondsOfTick = 1e9 / userHz;

/** `version`: of the hierarchy that a controller's files are in. */
export function usageOf(version: 1 | 2, texts: Texts, procStat: string, machine: MachineSize): Usage {
  const pids = texts("pids.max");
  return {
    processor: {
      ...(version === 1 ? processorV1(texts) : processorV2(texts)),
      machine: machineTime(procStat),
      processors: machine.processors,
    },
    memory: version === 1 ? memoryV1(texts, machine) : memoryV2(texts, machine),
    pids: {
      current: number(texts("pids.current")),
      limit: pids === null || pids.trim() === "max" ? null : number(pids),
    },
    disks: version === 1 ? disksV1(texts) : disksV2(texts),
  };
}

function number(text: string | null): number {
  const value = Number(text?.trim() ?? 0);
  return Number.isFinite(value) ? value : 0;
}

/** Lines of "key value". */
function table(text: string | null): Record<string, number> {
  const lines = (text ?? "").split("\n").map((line) => line.split(" "));
  return Object.fromEntries(
    lines.filter(({ length }) => length === 2).map(([key = "", value]) => [key, Number(value)]),
  );
}

type OwnTime = Omit<ProcessorUsage, "machine" | "processors">;

function processorV1(texts: Texts): OwnTime {
  const { user = 0, system = 0 } = table(texts("cpuacct.stat"));
  const { nr_periods = 0, nr_throttled = 0, throttled_time = 0 } = table(texts("cpu.stat"));
  return {
    total: number(texts("cpuacct.usage")),
    user: user * nanosecondsOfTick,
    kernel: system * nanosecondsOfTick,
    each: (texts("cpuacct.usage_percpu") ?? "").trim().split(/\s+/).filter(Boolean).map(Number),
    periods: nr_periods,
    throttledPeriods: nr_throttled,
    throttled: throttled_time,
  };
}

function processorV2(texts: Texts): OwnTime {
  const stat = table(texts("cpu.stat"));
  const micros = (name: string): number => (stat[name] ?? 0) * 1000;
  return {
    total: micros("usage_usec"),
    user: micros("user_usec"),
    kernel: micros("system_usec"),
    each: [],
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    throttled: micros("throttled_usec"),
  };
}

/** The first line of /proc/stat, without the guests' time, which is in the users' already (proc_stat(5)). */
function machineTime(procStat: string): number {
  const [, ...ticks] = (procStat.split("\n")[0] ?? "").split(/\s+/).map(Number);
  return ticks.slice(0, 8).reduce((sum, each) => sum + each, 0) * nanosecondsOfTick;
}

function limitOf(text: string | null, machine: MachineSize): number {
  const limit = text === null || text.trim() === "max" ? Number.POSITIVE_INFINITY : number(text);
  return Math.min(limit, machine.memoryBytes);
}

function memoryV1(texts: Texts, machine: MachineSize): MemoryUsage {
  return {
    bytes: number(texts("memory.usage_in_bytes")),
    peak: number(texts("memory.max_usage_in_bytes")),
    limit: limitOf(texts("memory.limit_in_bytes"), machine),
    refusals: number(texts("memory.failcnt")),
    details: table(texts("memory.stat")),
  };
}

function memoryV2(texts: Texts, machine: MachineSize): MemoryUsage {
  return {
    bytes: number(texts("memory.current")),
    peak: number(texts("memory.peak")),
    limit: limitOf(texts("memory.max"), machine),
    refusals: table(texts("memory.events"))["max"] ?? 0,
    details: table(texts("memory.stat")),
  };
}

/** "8:0 Read 4096". */
function disksV1(texts: Texts): DiskUsage[] {
  const lines = (texts("blkio.throttle.io_service_bytes_recursive") ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, major, minor, operation, bytes] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (operation === undefined) return [];
    return [{ major: Number(major), minor: Number(minor), operation: operation.toLowerCase(), bytes: Number(bytes) }];
  });
}

/** "8:0 rbytes=4096 wbytes=0 rios=1 …". */
function disksV2(texts: Texts): DiskUsage[] {
  const names = new Map([
    ["rbytes", "read"],
    ["wbytes", "write"],
  ]);
  return (texts("io.stat") ?? "").split("\n").flatMap((line) => {
    const [device = "", ...pairs] = line.split(" ");
    const [major, minor] = device.split(":").map(Number);
    return pairs.flatMap((pair) => {
      const [key = "", value] = pair.split("=");
      const operation = names.get(key);
      if (operation === undefined || major === undefined || minor === undefined) return [];
      return [{ major, minor, operation, bytes: Number(value) }];
    });
  });
}
