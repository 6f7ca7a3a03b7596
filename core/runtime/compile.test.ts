import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerPath, HostPath } from "../base/brand.ts";
import { compile } from "./compile.ts";
import { compileExec } from "./compile-exec.ts";
import type { Mount } from "./mount.ts";
import type { ChildOp, Plan } from "./plan.ts";
import { type SpecInput, specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { unlimited } from "./resources.ts";
import { exampleContainer, exampleRoot, hybridTraits, unifiedTraits } from "./testing/examples.ts";
import type { HostTraits } from "./traits.ts";

function planOf(change: Partial<SpecInput>, mounts: readonly Mount[] = [], traits: HostTraits = hybridTraits): Plan {
  const spec = specFor({ ...plainInput, ...change });
  return compile({ spec, mounts, root: exampleRoot, container: exampleContainer, traits });
}

function childOf(plan: Plan): readonly ChildOp[] {
  const spawn = plan.steps.at(-1);
  return spawn?.op === "spawn" ? spawn.child : [];
}

function settings(plan: Plan): string[] {
  return plan.steps.flatMap((step) =>
    step.op === "cgroup.set" && !step.file.startsWith("devices") ? [`${step.file}=${step.value}`] : [],
  );
}

function bind(source: string, target: string): Mount {
  return {
    kind: "bind",
    source: source as HostPath,
    target: target as ContainerPath,
    readonly: false,
    recursive: true,
    propagation: "",
    isFile: false,
    options: "",
  };
}

const limited = {
  ...unlimited,
  memoryBytes: 100 << 20,
  memoryReservationBytes: 50 << 20,
  nanoCpus: 2.5e8,
  cpuShares: 1024,
  pidsLimit: 9,
  cpusetCpus: "0-1",
  blkioWeight: 500,
};

test("limits are written by their names in cgroup v1, the memory before the memory with swap", () => {
  assert.deepEqual(settings(planOf({ resources: limited })), [
    "cpu.shares=1024",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=25000",
    "cpuset.cpus=0-1",
    "memory.limit_in_bytes=104857600",
    "memory.memsw.limit_in_bytes=209715200",
    "memory.soft_limit_in_bytes=52428800",
    "blkio.bfq.weight=500",
    "pids.max=9",
  ]);
});

test("on cgroup v2 the parents hand the controllers down, and the limits have v2's names and scales", () => {
  assert.deepEqual(settings(planOf({ resources: limited, cgroupParent: "a" }, [], unifiedTraits)), [
    "cgroup.subtree_control=+cpu +cpuset +memory +pids +io",
    "cgroup.subtree_control=+cpu +cpuset +memory +pids +io",
    "memory.max=104857600",
    "memory.swap.max=104857600",
    "memory.low=52428800",
    "cpu.weight=39",
    "cpu.max=25000 100000",
    "cpuset.cpus=0-1",
    "pids.max=9",
    "io.weight=4950",
  ]);
});

test("a limit whose controller the machine does not have is refused by name", () => {
  const traits = { ...hybridTraits, cgroups: [], rootless: true };
  assert.throws(
    () => planOf({ resources: limited }, [], traits),
    /cgroup controller memory is not available here: a user needs a delegated cgroup v2/,
  );
  assert.ok(childOf(planOf({}, [], traits)).length > 0);
});

test("shallow mounts come before the mounts beneath them, and a user's mount replaces a default one", () => {
  const mounts = [bind("/h/deep", "/data/a/b"), bind("/h/shm", "/dev/shm"), bind("/h/data", "/data")];
  const targets = childOf(planOf({}, mounts)).flatMap((op) =>
    op.op === "bind" || op.op === "mount" ? [op.target] : [],
  );
  assert.deepEqual(
    targets.filter((target) => !target.startsWith("/sys/fs")),
    ["/proc", "/dev", "/sys", "/data", "/dev/pts", "/dev/mqueue", "/dev/shm", "/data/a/b"],
  );
});

test("a user's /dev takes the place of every device, symlink and mount of ours", () => {
  const child = childOf(planOf({}, [bind("/dev", "/dev")]));
  assert.ok(child.every((op) => op.op !== "device" && op.op !== "symlink"));
  assert.deepEqual(
    child.flatMap((op) => ("target" in op && String(op.target).startsWith("/dev") ? [op.target] : [])),
    ["/dev"],
  );
});

test("where nothing filters devices every mount is nodev and the default devices are bound", () => {
  const child = childOf(planOf({}, [bind("/h", "/data"), bind("/dev/fuse", "/dev/fuse")], unifiedTraits));
  const open = child.flatMap((op) =>
    (op.op === "bind" || op.op === "mount" || op.op === "overlay") && !op.flags.includes("nodev") ? [op.target] : [],
  );
  assert.ok(child.every(({ op }) => op !== "device"));
  assert.deepEqual(open, [
    "/dev/pts",
    "/dev/fuse",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
  ]);
});

test("a container gets no more than the host has: capabilities and hard limits are clamped", () => {
  const child = childOf(planOf({ privileged: true, ulimits: [{ name: "nofile", soft: -1, hard: -1 }] }));
  const capabilities = child.find(({ op }) => op === "capabilities");
  assert.ok(capabilities?.op === "capabilities" && !capabilities.bounding.includes("CAP_SYS_RESOURCE"));
  assert.deepEqual(
    child.find(({ op }) => op === "rlimit"),
    { op: "rlimit", resource: "nofile", soft: 4096, hard: 4096 },
  );
});

test("the filter is loaded before the user changes, and with no_new_privs as the last thing before the gate", () => {
  const tail = (change: Partial<SpecInput>): string[] =>
    childOf(planOf(change))
      .map(({ op }) => op)
      .slice(-7);
  assert.deepEqual(tail({}), ["directory.enter", "umask", "seccomp", "user", "capabilities", "gate", "exec"]);
  assert.deepEqual(tail({ noNewPrivileges: true }), [
    "umask",
    "user",
    "capabilities",
    "no.new.privileges",
    "seccomp",
    "gate",
    "exec",
  ]);
});

test("mounts that would reach the host are refused", () => {
  assert.throws(
    () => planOf({}, [{ ...bind("/h", "/data"), propagation: "rshared" }]),
    /mount propagation rshared of \/data is not supported/,
  );
});

test("a private user namespace needs a kernel that can shift the ids of layers", () => {
  const range = [{ inside: 0, outside: 100_000, count: 65_536 }];
  const userMaps = { uids: range, gids: range };
  assert.throws(() => planOf({ userMaps }, [], { ...hybridTraits, idmappedMounts: false }), /id-mapped layers/);
});

test("an exec session takes over what its container was left with", () => {
  const plan = planOf({
    noNewPrivileges: true,
    capabilities: { add: [], drop: ["ALL"] },
    ulimits: [{ name: "core", soft: 0, hard: 0 }],
  });
  const session = compileExec({
    argv: ["id"],
    env: ["A=1"],
    cwd: "/tmp",
    user: { uid: 9, gid: 9, additionalGids: [], home: "/h" },
    terminal: null,
    privileged: false,
    container: exampleContainer,
    plan,
    traits: hybridTraits,
  });
  const child = childOf(session);
  assert.deepEqual(
    child.map(({ op }) => op).filter((op) => op !== "cgroup.join"),
    [
      "oom.score",
      "enter",
      "session",
      "rlimit",
      "descriptors.close",
      "directory.enter",
      "umask",
      "user",
      "capabilities",
      "no.new.privileges",
      "seccomp",
      "gate",
      "exec",
    ],
  );
  assert.deepEqual(
    child.find(({ op }) => op === "enter"),
    {
      op: "enter",
      join: { container: exampleContainer, namespaces: ["mount", "uts", "ipc", "network", "cgroup"] },
    },
  );
  const exec = child.at(-1);
  assert.ok(exec?.op === "exec");
  assert.deepEqual(exec.environment.slice(1), ["HOSTNAME=c0ffee", "A=1", "HOME=/h"]);
});
