import assert from "node:assert/strict";
import { test } from "node:test";
import { noHostConfig } from "../engine/testing/memory-images.ts";
import { checkLimits } from "./limits.ts";

test("limits that make no sense are refused in docker's words", () => {
  const table: [change: Partial<typeof noHostConfig.resources>, message: string][] = [
    [{ memoryBytes: 6 * 1024 * 1024 - 1 }, "Minimum memory limit allowed is 6MB"],
    [
      { memoryBytes: 10e6, memorySwapBytes: 9e6 },
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [{ memorySwapBytes: 9e6 }, "You should always set the Memory limit when using Memoryswap limit, see usage"],
    [
      { memoryBytes: 10e6, memoryReservationBytes: 20e6 },
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [{ nanoCpus: 3e9 }, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
    [{ nanoCpus: 1 }, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
    [{ nanoCpus: 1e9, cpuQuotaMicros: 1000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
    [{ cpuPeriodMicros: 10 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
    [{ cpusetCpus: "0-2" }, "Requested CPUs are not available - requested 0-2, available: 0-1"],
    [{ cpusetCpus: "a" }, "Invalid value a for cpuset cpus"],
    [{ blkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
  ];
  const check = (resources: Partial<typeof noHostConfig.resources>): void =>
    checkLimits({ ...noHostConfig, resources: { ...noHostConfig.resources, ...resources } }, 2);
  for (const [change, message] of table) assert.throws(() => check(change), { code: "invalid", message });
  check({ memoryBytes: 50e6, memorySwapBytes: -1, nanoCpus: 5e8, cpusetCpus: "0,1", pidsLimit: 10 });
});
