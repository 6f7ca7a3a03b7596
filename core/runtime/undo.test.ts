import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlan } from "./check.ts";
import { compile } from "./compile.ts";
import { compileExec } from "./compile-exec.ts";
import type { HostOp, Plan } from "./plan.ts";
import { specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { exampleContainer, exampleRoot, hybridTraits, unifiedTraits } from "./testing/examples.ts";
import type { HostTraits } from "./traits.ts";
import { undo } from "./undo.ts";

function planOn(traits: HostTraits): Plan {
  return compile({ spec: specFor(plainInput), mounts: [], root: exampleRoot, container: exampleContainer, traits });
}

function short(step: HostOp): string {
  return "cgroup" in step ? `${step.op} ${step.cgroup.controller} ${step.cgroup.path.slice(0, 12)}` : step.op;
}

test("undo ends the processes first and then removes the container's cgroups, the last made first", () => {
  assert.deepEqual(undo(planOn(hybridTraits)).steps.map(short), [
    "cgroup.kill unified tsbox/c0ffee",
    "cgroup.remove unified tsbox/c0ffee",
    "cgroup.remove pids tsbox/c0ffee",
    "cgroup.remove blkio tsbox/c0ffee",
    "cgroup.remove freezer tsbox/c0ffee",
    "cgroup.remove devices tsbox/c0ffee",
    "cgroup.remove memory tsbox/c0ffee",
    "cgroup.remove cpuacct tsbox/c0ffee",
    "cgroup.remove cpu tsbox/c0ffee",
  ]);
});

test("undo leaves the parents of cgroups, which other containers share", () => {
  assert.deepEqual(undo(planOn(unifiedTraits)).steps.map(short), [
    "cgroup.kill unified tsbox/c0ffee",
    "cgroup.remove unified tsbox/c0ffee",
  ]);
});

test("without a v2 hierarchy the freezer's cgroup is the one that is killed", () => {
  const cgroups = hybridTraits.cgroups.filter(({ version }) => version === 1);
  assert.equal(undo(planOn({ ...hybridTraits, cgroups })).steps.map(short)[0], "cgroup.kill freezer tsbox/c0ffee");
});

test("undoing an exec session touches nothing of its container", () => {
  const session = compileExec({
    argv: ["id"],
    env: [],
    cwd: "/",
    user: plainInput.user,
    terminal: null,
    privileged: false,
    container: exampleContainer,
    plan: planOn(hybridTraits),
    traits: hybridTraits,
  });
  assert.deepEqual(undo(session).steps, []);
});

test("an undo is a plan of host steps that passes the check", () => {
  const plan = undo(planOn(hybridTraits));
  checkPlan(plan);
  assert.ok(plan.steps.every(({ op }) => op !== "spawn"));
});

test("undo removes the directories a plan made, deepest first", () => {
  const made = ["/run/a", "/run/a/b"].map((path) => ({ op: "directory.make", path, mode: 0o700 })) as HostOp[];
  assert.deepEqual(undo({ steps: made }).steps, [
    { op: "directory.remove", path: "/run/a/b" },
    { op: "directory.remove", path: "/run/a" },
  ]);
});
