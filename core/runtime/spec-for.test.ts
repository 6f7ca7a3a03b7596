import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilitySet } from "./capability-set.ts";
import { defaultCapabilities } from "./capabilities.ts";
import { execOp } from "./exec-op.ts";
import { limitsFor, specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { unlimited } from "./resources.ts";

test("the environment is Docker's own variables, then those asked for in their place, then HOME", () => {
  const env = (change: Partial<typeof plainInput>): readonly string[] =>
    specFor({ ...plainInput, ...change }).process.env;
  assert.deepEqual(env({ env: ["A=1", "PATH=/bin", "B"], terminal: { rows: 0, columns: 0 } }), [
    "PATH=/bin",
    "HOSTNAME=c0ffee",
    "TERM=xterm",
    "A=1",
    "HOME=/root",
  ]);
  assert.deepEqual(env({ env: ["HOME=/x"], user: { ...plainInput.user, home: "" } }).at(-1), "HOME=/x");
  assert.deepEqual(env({ user: { ...plainInput.user, home: "" } }).at(-1), "HOME=/");
});

test("capabilities are added and dropped as Docker does it", () => {
  const set = (add: string[], drop: string[], privileged = false): string[] => capabilitySet({ add, drop, privileged });
  assert.deepEqual(set([], []).toSorted(), [...defaultCapabilities].toSorted());
  assert.deepEqual(set(["net_admin"], ["ALL"]), ["CAP_NET_ADMIN"]);
  assert.deepEqual(set(["CAP_KILL"], ["kill"]).includes("CAP_KILL"), true);
  assert.deepEqual([set(["ALL"], ["CAP_KILL"]).length, set([], [], true).length], [40, 41]);
  assert.throws(() => set(["FLY"], []), /invalid CapAdd: unknown capability: "CAP_FLY"/);
  assert.throws(() => set([], ["CAP_FLY"]), /invalid CapDrop: unknown capability: "CAP_FLY"/);
});

test("only root starts with capabilities in force", () => {
  const { process } = specFor({ ...plainInput, user: { uid: 7, gid: 7, additionalGids: [], home: "" } });
  assert.deepEqual([process.capabilities.effective, process.capabilities.bounding.length], [[], 14]);
});

test("limits become the runtime spec's: swap is twice the memory, processors a share of a period", () => {
  assert.deepEqual(limitsFor(unlimited), {});
  assert.deepEqual(
    limitsFor({ ...unlimited, memoryBytes: 100, nanoCpus: 1.5e9, pidsLimit: 5, blkioWeight: 10, cpuShares: 2 }),
    {
      memory: { limit: 100, swap: 200 },
      cpu: { shares: 2, quota: 150_000, period: 100_000 },
      pids: { limit: 5 },
      blockIO: { weight: 10 },
    },
  );
  assert.deepEqual(limitsFor({ ...unlimited, memoryBytes: 100, memorySwapBytes: -1 }).memory?.swap, -1);
});

test("what makes no sense is refused with the thing named", () => {
  assert.throws(() => specFor({ ...plainInput, cwd: "x" }), /the working directory 'x' is invalid/);
  assert.throws(() => specFor({ ...plainInput, cgroupParent: "../x" }), /invalid cgroup parent "..\/x"/);
  assert.throws(
    () => specFor({ ...plainInput, ulimits: [{ name: "files", soft: 1, hard: 1 }] }),
    /invalid ulimit type: files/,
  );
  assert.throws(
    () => specFor({ ...plainInput, ulimits: [{ name: "core", soft: 2, hard: 1 }] }),
    /soft limit must be less than or equal to hard limit: 2 > 1/,
  );
});

test("a privileged container masks nothing, mounts /sys writable and loads no filter", () => {
  const { linux, mounts } = specFor({ ...plainInput, privileged: true });
  assert.deepEqual([linux.maskedPaths, linux.readonlyPaths, linux.seccomp], [[], [], null]);
  assert.ok(
    mounts.filter(({ destination }) => destination.startsWith("/sys")).every((one) => !one.options.includes("ro")),
  );
});

test("a command is looked for as execvp does it", () => {
  const search = (command: string, path: string, cwd: string): readonly string[] => {
    const op = execOp({ args: [command], env: [`PATH=${path}`], cwd });
    return op.op === "exec" ? op.candidates : [];
  };
  assert.deepEqual(search("sh", "/usr/bin:/bin:/bin", "/"), ["/usr/bin/sh", "/bin/sh"]);
  assert.deepEqual(search("sh", "/bin::lib", "/w"), ["/bin/sh", "/w/sh", "/w/lib/sh"]);
  assert.deepEqual(search("./x", "/bin", "/w"), ["/w/x"]);
  assert.deepEqual(search("/a/../b/x", "/bin", "/w"), ["/b/x"]);
  assert.deepEqual([search("", "/bin", "/"), search("sh", "", "/")], [[], []]);
});
