import assert from "node:assert/strict";
import { test } from "node:test";
import { usageOf } from "./usage.ts";

const machine = { processors: 2, memoryBytes: 1 << 30 };
const procStat = "cpu  100 0 50 800 10 0 5 0 7 0\ncpu0 1 2 3\n";
const from = (files: Readonly<Record<string, string>>) => (name: string) => files[name] ?? null;

test("cgroup v1: every counter has a file of its own", () => {
  const files = {
    "cpuacct.usage": "1500\n",
    "cpuacct.usage_percpu": "1000 500 \n",
    "cpuacct.stat": "user 3\nsystem 4\n",
    "cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 77\n",
    "memory.usage_in_bytes": "4096\n",
    "memory.max_usage_in_bytes": "8192\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.failcnt": "3\n",
    "memory.stat": "cache 10\nrss 20\n",
    "pids.current": "2\n",
    "pids.max": "max\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 512\n8:0 Total 512\nTotal 512\n",
  };
  assert.deepEqual(usageOf(1, from(files), procStat, machine), {
    processor: {
      total: 1500,
      user: 30_000_000,
      kernel: 40_000_000,
      each: [1000, 500],
      machine: 965 * 10_000_000,
      processors: 2,
      periods: 5,
      throttledPeriods: 2,
      throttled: 77,
    },
    memory: { bytes: 4096, peak: 8192, limit: 1 << 30, refusals: 3, details: { cache: 10, rss: 20 } },
    pids: { current: 2, limit: null },
    disks: [
      { major: 8, minor: 0, operation: "read", bytes: 512 },
      { major: 8, minor: 0, operation: "total", bytes: 512 },
    ],
  });
});

test("cgroup v2: microseconds, one file for a disk, limits that say max", () => {
  const files = {
    "cpu.stat": "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 1\nnr_throttled 1\nthrottled_usec 6\n",
    "memory.current": "100\n",
    "memory.max": "5000\n",
    "memory.events": "low 0\nmax 4\n",
    "memory.stat": "anon 60\n",
    "pids.current": "1\n",
    "pids.max": "9\n",
    "io.stat": "254:1 rbytes=7 wbytes=8 rios=1 wios=1 dbytes=0 dios=0\n",
  };
  const { processor, memory, pids, disks } = usageOf(2, from(files), procStat, machine);
  assert.deepEqual([processor.total, processor.user, processor.kernel, processor.throttled], [9000, 5000, 4000, 6000]);
  assert.deepEqual(memory, { bytes: 100, peak: 0, limit: 5000, refusals: 4, details: { anon: 60 } });
  assert.deepEqual(pids, { current: 1, limit: 9 });
  assert.deepEqual(disks, [
    { major: 254, minor: 1, operation: "read", bytes: 7 },
    { major: 254, minor: 1, operation: "write", bytes: 8 },
  ]);
});

test("files that are not there count nothing", () => {
  const { processor, memory, disks } = usageOf(2, () => null, "", machine);
  assert.deepEqual(
    [processor.total, processor.machine, memory.bytes, memory.limit, disks.length],
    [0, 0, 0, 1 << 30, 0],
  );
});
