import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatTime, parseTime, zeroTime } from "../base/time.ts";
import { memoryPorts } from "../engine/testing/memory-ports.ts";
import { checkLimits } from "./limits.ts";
import { makeUpName, parseName } from "./names.ts";
import { nextDelayMs, restartsAfter } from "./restart.ts";
import { parseSecurity } from "./security.ts";
import { parseSignal, signalName } from "./signal.ts";
import { humanDuration, statusOf } from "./status.ts";
import { noHostConfig } from "../engine/testing/memory-images.ts";

test("lengths of time in docker's words", () => {
  const minute = 60;
  const hour = 60 * minute;
  const day = 24 * hour;
  const table: [seconds: number, words: string][] = [
    [0.9, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [119, "About a minute"],
    [3 * minute, "3 minutes"],
    [59 * minute + 59, "59 minutes"],
    [hour, "About an hour"],
    [1.4 * hour, "About an hour"],
    [1.5 * hour, "2 hours"],
    [47.4 * hour, "47 hours"],
    [2 * day, "2 days"],
    [13 * day, "13 days"],
    [14 * day, "2 weeks"],
    [59 * day, "8 weeks"],
    [61 * day, "2 months"],
    [729 * day, "24 months"],
    [731 * day, "2 years"],
  ];
  for (const [seconds, words] of table) assert.equal(humanDuration(seconds), words, `${seconds} s`);
});

test("the STATUS column", () => {
  const startedAt = "2026-01-01T00:00:00Z";
  const finishedAt = "2026-01-01T00:01:00Z";
  const now = parseTime("2026-01-01T00:03:00Z") ?? 0n;
  const of = (state: Parameters<typeof statusOf>[0]["state"]) =>
    statusOf({ state, exitCode: 7, startedAt, finishedAt }, now);
  assert.deepEqual((["created", "running", "paused", "restarting", "exited", "removing", "dead"] as const).map(of), [
    "Created",
    "Up 3 minutes",
    "Up 3 minutes (Paused)",
    "Restarting (7) 2 minutes ago",
    "Exited (7) 2 minutes ago",
    "Removal In Progress",
    "Dead",
  ]);
});

test("signals by name and number", () => {
  const table: [text: string, number: number][] = [
    ["SIGINT", 2],
    ["int", 2],
    ["9", 9],
    ["WINCH", 28],
    ["SIGRTMIN", 34],
    ["RTMIN+3", 37],
    ["RTMAX-1", 63],
  ];
  for (const [text, number] of table) assert.equal(parseSignal(text), number);
  for (let number = 1; number <= 31; number++) assert.equal(parseSignal(signalName(number)), number);
  for (const text of ["", "0", "65", "SIGNOSUCH", "RTMIN+99", "-1", "9.5"])
    assert.throws(() => parseSignal(text), { message: `invalid signal: ${text}` });
});

test("names: docker's grammar, and made-up ones follow it and are free", () => {
  for (const name of ["ab", "/web", "a.b_c-d", "0x"]) assert.equal(parseName(name), name.replace("/", ""));
  for (const name of ["", "a", "/", "-ab", "a b", "a/b", "ä1"])
    assert.throws(() => parseName(name), { code: "invalid", message: /^Invalid container name \(/ });
  const taken = new Set<string>();
  const { random } = memoryPorts();
  for (let count = 0; count < 500; count++) taken.add(parseName(makeUpName(random, (name) => taken.has(name))));
  assert.equal(taken.size, 500);
  assert.match([...taken][0] ?? "", /^[a-z]+_[a-z]+$/);
});

test("times survive being text", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n }),
      (time) => parseTime(formatTime(time)) === time,
    ),
  );
  assert.equal(formatTime(1_500_000_000n), "1970-01-01T00:00:01.5Z");
  assert.equal(parseTime("2026-01-01T01:00:00+01:00"), parseTime("2026-01-01T00:00:00Z"));
  assert.equal(parseTime("yesterday"), null);
  assert.notEqual(parseTime(zeroTime), null);
});

test("restart policies: who restarts after what, and when", () => {
  const of = (
    name: "no" | "always" | "unless-stopped" | "on-failure",
    exitCode: number,
    count = 0,
    stopped = false,
  ): boolean =>
    restartsAfter(
      { name, maximumRetryCount: name === "on-failure" ? 3 : 0 },
      { exitCode, restartCount: count, stoppedByUser: stopped },
    );
  assert.deepEqual(
    [
      of("no", 1),
      of("always", 0),
      of("unless-stopped", 0),
      of("on-failure", 0),
      of("on-failure", 1),
      of("on-failure", 1, 3),
      of("always", 1, 9, true),
    ],
    [false, true, true, false, true, false, false],
  );
  const delays = [0];
  for (let end = 0; end < 11; end++) delays.push(nextDelayMs(delays.at(-1) ?? 0, 5));
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000]);
  assert.equal(nextDelayMs(60_000, 10_000), 100);
});

test("security options", () => {
  const defaults = { noNewPrivileges: false, seccomp: "default", systemPaths: "default" };
  assert.deepEqual(parseSecurity([]), defaults);
  assert.deepEqual(parseSecurity(["no-new-privileges", "label=disable", "apparmor=unconfined"]), {
    ...defaults,
    noNewPrivileges: true,
  });
  assert.deepEqual(parseSecurity(["no-new-privileges:false", "seccomp=unconfined", "systempaths=unconfined"]), {
    noNewPrivileges: false,
    seccomp: "unconfined",
    systemPaths: "unconfined",
  });
  for (const option of ["nosuch", "no-new-privileges=maybe", "systempaths=x"])
    assert.throws(() => parseSecurity([option]), { code: "invalid" }, option);
});

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
