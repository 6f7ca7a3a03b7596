import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ContainerId, ContainerPath, HostPath } from "../base/brand.ts";
import { checkPlan } from "./check.ts";
import { compile } from "./compile.ts";
import { compileExec } from "./compile-exec.ts";
import type { Mount } from "./mount.ts";
import type { ChildOp, Plan, Spawn } from "./plan.ts";
import { type NamespaceMode, type SpecInput, specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { unlimited } from "./resources.ts";
import { exampleContainer, exampleRoot, hybridTraits, unifiedTraits } from "./testing/examples.ts";

const mode = fc.constantFrom<NamespaceMode[]>("private", "host", {
  container: "b".repeat(64) as ContainerId,
});
const path = fc
  .array(fc.constantFrom("data", "dev", "etc", "proc", "x y", "é"), { minLength: 1, maxLength: 3 })
  .map((parts) => `/${parts.join("/")}`);
const mount: fc.Arbitrary<Mount> = fc.record({
  kind: fc.constantFrom("bind", "volume", "tmpfs"),
  source: path as fc.Arbitrary<HostPath>,
  target: path as fc.Arbitrary<ContainerPath>,
  readonly: fc.boolean(),
  recursive: fc.boolean(),
  propagation: fc.constantFrom("", "rslave", "private"),
  isFile: fc.boolean(),
  options: fc.constantFrom("", "size=1m", "exec,mode=700"),
});
const range = { inside: 0, outside: 100_000, count: 65_536 };

const specInput: fc.Arbitrary<SpecInput> = fc
  .record({
    argv: fc.constantFrom<SpecInput["argv"][]>(["echo", "hi"], ["./x"], ["/bin/sh"], [""]),
    cwd: fc.constantFrom("", "/", "/a/../b", "/data/sub"),
    user: fc.constantFrom(plainInput.user, { uid: 1000, gid: 100, additionalGids: [5], home: "" }),
    terminal: fc.constantFrom(null, { rows: 24, columns: 80 }),
    readonlyRootfs: fc.boolean(),
    privileged: fc.boolean(),
    noNewPrivileges: fc.boolean(),
    seccomp: fc.constantFrom("default", "unconfined"),
    capabilities: fc.constantFrom({ add: ["all"], drop: ["KILL"] }, { add: ["sys_admin"], drop: ["ALL"] }),
    resources: fc.record({
      memoryBytes: fc.constantFrom(0, 64 << 20),
      nanoCpus: fc.constantFrom(0, 5e8),
      pidsLimit: fc.constantFrom(0, -1, 20),
      cpusetCpus: fc.constantFrom("", "0"),
    }),
    ulimits: fc.constantFrom([], [{ name: "nofile", soft: 100, hard: -1 }]),
    namespaces: fc.record({ pid: mode, ipc: mode, uts: mode, network: mode, cgroup: mode }),
    userMaps: fc.constantFrom(null, { uids: [range], gids: [range] }),
    cgroupParent: fc.constantFrom("", "a/b", "/system.slice"),
  })
  .map((some) => ({ ...plainInput, ...some, resources: { ...unlimited, ...some.resources } }));

const traits = fc.constantFrom(hybridTraits, unifiedTraits, { ...hybridTraits, cgroups: [], seccomp: false });

const plan: fc.Arbitrary<Plan> = fc
  .record({ input: specInput, mounts: fc.array(mount, { maxLength: 3 }), traits })
  .map(({ input, mounts, traits }) => {
    // A limit on a host without controllers is refused, not compiled.
    const resources = traits.cgroups.length === 0 ? unlimited : input.resources;
    const spec = specFor({ ...input, resources });
    return compile({ spec, mounts, root: exampleRoot, container: exampleContainer, traits });
  });

test("every plan the compiler makes passes the check, and so does a session in its container", () => {
  fc.assert(
    fc.property(plan, (any) => {
      checkPlan(any);
      const session = {
        argv: ["id"],
        env: [],
        cwd: "",
        user: plainInput.user,
        terminal: null,
        privileged: false,
      } as const;
      checkPlan(compileExec({ ...session, container: exampleContainer, plan: any, traits: hybridTraits }));
    }),
    { numRuns: 300 },
  );
});

function spawnOf(any: Plan): Spawn {
  const spawn = any.steps.at(-1);
  assert.ok(spawn?.op === "spawn");
  return spawn;
}

function withChild(any: Plan, change: (child: readonly ChildOp[]) => readonly ChildOp[]): Plan {
  const spawn = spawnOf(any);
  return { steps: [...any.steps.slice(0, -1), { ...spawn, child: change(spawn.child) }] };
}

const plain = compile({
  spec: specFor({ ...plainInput, terminal: { rows: 1, columns: 1 } }),
  mounts: [],
  root: exampleRoot,
  container: exampleContainer,
  traits: hybridTraits,
});

function moved(kind: ChildOp["op"], before: ChildOp["op"]): (child: readonly ChildOp[]) => ChildOp[] {
  return (child) => {
    const op = child.find((one) => one.op === kind);
    assert.ok(op !== undefined);
    const others = child.filter((one) => one !== op);
    return others.toSpliced(
      others.findIndex((one) => one.op === before),
      0,
      op,
    );
  };
}

function replaced<K extends ChildOp["op"]>(kind: K, change: Partial<Extract<ChildOp, { op: K }>>) {
  return (child: readonly ChildOp[]): ChildOp[] => child.map((one) => (one.op === kind ? { ...one, ...change } : one));
}

const without =
  (kind: ChildOp["op"]) =>
  (child: readonly ChildOp[]): ChildOp[] =>
    child.filter(({ op }) => op !== kind);

const spoiled: Readonly<Record<string, (child: readonly ChildOp[]) => readonly ChildOp[]>> = {
  "the cgroup namespace before the cgroups": moved("unshare", "cgroup.join"),
  "the overlay before the mounts are cut off": moved("overlay", "propagation"),
  "a mount after the pivot": moved("pivot", "mount"),
  "a setting after /proc/sys is read-only": moved("mask", "sysctl"),
  "a terminal without a session": without("session"),
  "capabilities before the user": moved("capabilities", "user"),
  "a filter after the rights are gone": moved("user", "seccomp"),
  "no pivot": without("pivot"),
  "no gate": without("gate"),
  "something after the gate": moved("gate", "umask"),
  "the host's files left open": without("descriptors.close"),
  "another root": replaced("pivot", { root: "/elsewhere" as HostPath }),
  "two programs": (child) => [...child, ...child.slice(-1)],
  "a path that climbs": replaced("mount", { target: "/proc/../.." as ContainerPath }),
  "a relative path": replaced("mask", { path: "proc/kcore" as ContainerPath }),
  "a mount over the root": replaced("mount", { target: "/" as ContainerPath }),
  "a NUL in the environment": replaced("exec", { environment: ["A=\0"] }),
  "too many layers": replaced("overlay", { lowers: Array.from({ length: 501 }, () => "/l" as HostPath) }),
  "an id out of range": replaced("user", { uid: 2 ** 32 - 1 }),
  "an unknown right": replaced("capabilities", { bounding: ["CAP_FLY" as "CAP_KILL"] }),
  "a cgroup that climbs": replaced("cgroup.join", {
    cgroup: { controller: "cpu", mount: "/sys/fs/cgroup/cpu" as HostPath, path: "../x" },
  }),
};

for (const [name, spoil] of Object.entries(spoiled)) {
  test(`the check refuses ${name}, naming the step`, () => {
    assert.throws(() => checkPlan(withChild(plain, spoil)), /^TsboxError: plan step \d+/);
  });
}

test("the check refuses a spawn that is not last, one with a made cgroup namespace, and one without its id maps", () => {
  const spawn = spawnOf(plain);
  const wrong: readonly Plan[] = [
    { steps: [spawn, ...plain.steps.slice(0, 1)] },
    { steps: [{ ...spawn, create: [...spawn.create, "cgroup"] }] },
    { steps: [{ ...spawn, create: [...spawn.create, "user"] }] },
  ];
  for (const one of wrong) assert.throws(() => checkPlan(one), /^TsboxError: plan step \d+ \(spawn\)/);
});

test("dropping any single step of the way out of privilege is refused", () => {
  for (const kind of ["user", "capabilities", "descriptors.close", "gate", "exec"] as const) {
    assert.throws(() => checkPlan(withChild(plain, without(kind))), /TsboxError/, kind);
  }
});
