/**
 * Whether the resources asked for make sense on this machine, in docker's words
 * (moby: daemon/daemon_unix.go verifyPlatformContainerResources). All throw TsboxError "invalid".
 */
import { TsboxError } from "../base/error.ts";
import type { HostConfig } from "./config.ts";
import type { Resources } from "../runtime/resources.ts";

const leastMemory = 6 * 1024 * 1024;

function refuse(condition: boolean, message: string): void {
  if (condition) throw new TsboxError("invalid", message);
}

export function checkLimits(
  host: Pick<HostConfig, "resources" | "shmSizeBytes" | "oomScoreAdj">,
  processors: number,
): void {
  checkMemory(host.resources);
  checkCpu(host.resources, processors);
  const { blkioWeight } = host.resources;
  refuse(blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000), "Range of blkio weight is from 10 to 1000");
  refuse(host.shmSizeBytes < 0, "SHM size can not be less than 0");
  refuse(
    Math.abs(host.oomScoreAdj) > 1000,
    `Invalid value ${host.oomScoreAdj}, range for oom score adj is [-1000, 1000]`,
  );
}

function refuseConflict(condition: boolean, message: string): void {
  if (condition) throw new TsboxError("conflict", message);
}

/** Limits as changed: what is 0 or "" stays (moby: container/container_unix.go UpdateContainer). */
export function mergedLimits(old: Resources, asked: Resources): Resources {
  const { memoryBytes, memorySwapBytes } = asked;
  refuseConflict(asked.nanoCpus > 0 && old.cpuQuotaMicros > 0, conflicting("NanoCPUs", "CPU Quota"));
  refuseConflict(asked.nanoCpus > 0 && old.cpuPeriodMicros > 0, conflicting("NanoCPUs", "CPU Period"));
  refuseConflict(asked.cpuQuotaMicros > 0 && old.nanoCpus > 0, conflicting("CPU Quota", "NanoCPUs"));
  refuseConflict(asked.cpuPeriodMicros > 0 && old.nanoCpus > 0, conflicting("CPU Period", "NanoCPUs"));
  const swap = old.memorySwapBytes === 0 ? 2 * old.memoryBytes : old.memorySwapBytes;
  refuseConflict(
    memoryBytes > 0 && memoryBytes > swap && memorySwapBytes === 0,
    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
  );
  const merged = Object.entries(asked).filter(([, value]) => value !== 0 && value !== "");
  return { ...old, memorySwapBytes: swap, ...Object.fromEntries(merged) };
}

function conflicting(asked: string, set: string): string {
  return `Conflicting options: ${asked} cannot be updated as ${set} has already been set`;
}

function checkMemory({ memoryBytes, memorySwapBytes, memoryReservationBytes }: Resources): void {
  refuse(memoryBytes !== 0 && memoryBytes < leastMemory, "Minimum memory limit allowed is 6MB");
  refuse(
    memoryBytes > 0 && memorySwapBytes > 0 && memorySwapBytes < memoryBytes,
    "Minimum memoryswap limit should be larger than memory limit, see usage",
  );
  refuse(
    memoryBytes === 0 && memorySwapBytes > 0,
    "You should always set the Memory limit when using Memoryswap limit, see usage",
  );
  refuse(
    memoryReservationBytes !== 0 && memoryReservationBytes < leastMemory,
    "Minimum memory reservation allowed is 6MB",
  );
  refuse(
    memoryBytes > 0 && memoryReservationBytes > memoryBytes,
    "Minimum memory limit can not be less than memory reservation limit, see usage",
  );
}

function checkCpu(resources: Resources, processors: number): void {
  const { nanoCpus, cpuShares, cpuPeriodMicros, cpuQuotaMicros } = resources;
  refuse(nanoCpus !== 0 && cpuPeriodMicros !== 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
  refuse(nanoCpus !== 0 && cpuQuotaMicros !== 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  refuse(
    nanoCpus !== 0 && (nanoCpus < 1e7 || nanoCpus > processors * 1e9),
    `Range of CPUs is from 0.01 to ${processors}.00, as there are only ${processors} CPUs available`,
  );
  refuse(cpuShares < 0, `invalid CPU shares (${cpuShares}): value must be a positive integer`);
  refuse(
    cpuPeriodMicros !== 0 && (cpuPeriodMicros < 1000 || cpuPeriodMicros > 1_000_000),
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
  );
  refuse(cpuQuotaMicros > 0 && cpuQuotaMicros < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  checkCpuset(resources.cpusetCpus, processors);
}

/** "0-2,4" (cpuset(7), list format). */
function checkCpuset(list: string, processors: number): void {
  if (list === "") return;
  refuse(!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list), `Invalid value ${list} for cpuset cpus`);
  const highest = Math.max(...list.split(/[-,]/).map(Number));
  refuse(highest >= processors, `Requested CPUs are not available - requested ${list}, available: 0-${processors - 1}`);
}
