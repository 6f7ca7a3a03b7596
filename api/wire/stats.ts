/** A container's use of the machine in Docker's form (moby: api/types/stats.go, StatsJSON). */
import { formatTime, zeroTime } from "../../core/base/time.ts";
import type { ContainerRecord } from "../../core/container/record.ts";
import type { Usage } from "../../core/container/usage.ts";

export interface Sample {
  /** null: it did not run. */
  readonly usage: Usage | null;
  /** Nanoseconds since the epoch; null with no usage. */
  readonly at: bigint | null;
}

export const nothingRead: Sample = { usage: null, at: null };

export function statsToWire({ id, name }: Pick<ContainerRecord, "id" | "name">, now: Sample, before: Sample): object {
  return {
    read: timeOf(now),
    preread: timeOf(before),
    pids_stats: pidsOf(now.usage),
    blkio_stats: disksOf(now.usage),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: processorOf(now.usage),
    precpu_stats: processorOf(before.usage),
    memory_stats: memoryOf(now.usage),
    name: `/${name}`,
    id,
  };
}

function timeOf({ at }: Sample): string {
  return at === null ? zeroTime : formatTime(at);
}

function pidsOf(usage: Usage | null): object {
  if (usage === null) return {};
  const { current, limit } = usage.pids;
  return { current, ...(limit === null ? {} : { limit }) };
}

function disksOf(usage: Usage | null): object {
  const none = {
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
  if (usage === null) return { io_service_bytes_recursive: null, ...none };
  const bytes = usage.disks.map(({ major, minor, operation, bytes: value }) => ({
    major,
    minor,
    op: operation,
    value,
  }));
  return { io_service_bytes_recursive: bytes, ...none };
}

function processorOf(usage: Usage | null): object {
  const throttling = (periods: number, throttled: number, time: number): object => ({
    periods,
    throttled_periods: throttled,
    throttled_time: time,
  });
  if (usage === null)
    return {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: throttling(0, 0, 0),
    };
  const { total, each, kernel, user, machine, processors, periods, throttledPeriods, throttled } = usage.processor;
  return {
    cpu_usage: {
      total_usage: total,
      ...(each.length === 0 ? {} : { percpu_usage: each }),
      usage_in_kernelmode: kernel,
      usage_in_usermode: user,
    },
    system_cpu_usage: machine,
    online_cpus: processors,
    throttling_data: throttling(periods, throttledPeriods, throttled),
  };
}

function memoryOf(usage: Usage | null): object {
  if (usage === null) return {};
  const { bytes, peak, limit, refusals, details } = usage.memory;
  return {
    usage: bytes,
    ...(peak === 0 ? {} : { max_usage: peak }),
    stats: details,
    ...(refusals === 0 ? {} : { failcnt: refusals }),
    limit,
  };
}
