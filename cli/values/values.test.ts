import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDevice, parseMount, parseRestart, splitVolumes } from "./mounts.ts";
import { parseExpose, parsePublish } from "./ports.ts";
import { parseCpus, parseSize, parseSwap, parseUlimit } from "./size.ts";
import { parseDuration } from "./time.ts";

test("sizes are powers of 1024", () => {
  assert.deepEqual(["64m", "1.5g", "512", "1KiB", "2 MB", "3t"].map(parseSize), [
    ...[64 * 2 ** 20, 1.5 * 2 ** 30, 512, 1024, 2 * 2 ** 20, 3 * 2 ** 40],
  ]);
  for (const text of ["", "x", "-1", "1x", "1.m"]) assert.throws(() => parseSize(text), /invalid size/);
  assert.equal(parseSwap("-1"), -1);
});

test("processors are billionths", () => {
  assert.deepEqual(["1.5", "0.1", ".5", "2", "1e-3"].map(parseCpus), [1.5e9, 1e8, 5e8, 2e9, 1e6]);
  assert.throws(() => parseCpus("0.0000000001"), /too precise/);
});

test("ulimits have a soft and a hard limit", () => {
  assert.deepEqual(["nofile=10:20", "core=0", "memlock=-1:-1"].map(parseUlimit), [
    { Name: "nofile", Soft: 10, Hard: 20 },
    { Name: "core", Soft: 0, Hard: 0 },
    { Name: "memlock", Soft: -1, Hard: -1 },
  ]);
});

test("mounts are fields", () => {
  assert.deepEqual(parseMount("type=bind,src=/a,dst=/b,ro"), {
    Type: "bind",
    Source: "/a",
    Target: "/b",
    ReadOnly: true,
  });
  assert.deepEqual(parseMount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700"), {
    Type: "tmpfs",
    Target: "/t",
    TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o700 },
  });
});

test("volumes with a source are binds, and relative sources are made absolute", () => {
  assert.deepEqual(
    splitVolumes(["name:/a", "./here:/b:ro", "/c"], (path) => `/cwd/${path}`),
    { binds: ["name:/a", "/cwd/./here:/b:ro"], anonymous: { "/c": {} } },
  );
});

test("devices may be renamed and restricted", () => {
  assert.deepEqual(["/dev/a", "/dev/a:r", "/dev/a:/dev/b", "/dev/a:/dev/b:rw"].map(parseDevice), [
    { PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "rwm" },
    { PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "r" },
    { PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "rwm" },
    { PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "rw" },
  ]);
});

test("restart policies may count", () => {
  assert.deepEqual(parseRestart("on-failure:3"), { Name: "on-failure", MaximumRetryCount: 3 });
  assert.throws(() => parseRestart("on-failure:x"), /maximum retry count must be an integer/);
});

test("ports may be ranges, bound to an address", () => {
  assert.deepEqual(parseExpose("80-81/udp"), ["80/udp", "81/udp"]);
  assert.deepEqual(["80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]::80", "90-91:80-81"].flatMap(parsePublish), [
    { port: "80/tcp", hostIp: "", hostPort: "" },
    { port: "80/tcp", hostIp: "", hostPort: "8080" },
    { port: "80/udp", hostIp: "127.0.0.1", hostPort: "8080" },
    { port: "80/tcp", hostIp: "::1", hostPort: "" },
    { port: "80/tcp", hostIp: "", hostPort: "90" },
    { port: "81/tcp", hostIp: "", hostPort: "91" },
  ]);
});

test("durations are Go's", () => {
  assert.deepEqual(["1h30m", "1.5s", "10ms", "x", "5"].map(parseDuration), [5_400_000, 1500, 10, null, null]);
});
