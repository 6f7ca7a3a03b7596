import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerPath, HostPath } from "../base/brand.ts";
import { checkPlan } from "./check.ts";
import { compile } from "./compile.ts";
import { compileExec } from "./compile-exec.ts";
import type { Mount } from "./mount.ts";
import type { ChildOp, Plan } from "./plan.ts";
import { specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { exampleContainer, exampleRoot, unifiedTraits } from "./testing/examples.ts";
import type { HostTraits, WasiRunner } from "./traits.ts";

const runner: WasiRunner = {
  files: [
    { source: "/lib/ld.so" as HostPath, name: "ld.so" },
    { source: "/opt/node" as HostPath, name: "node" },
  ],
  argv: ["./ld.so", "--library-path", "./", "./node"],
};

function planOn(wasi: HostTraits["wasi"], env: readonly string[] = [], mounts: readonly Mount[] = []): Plan {
  const spec = specFor({ ...plainInput, argv: ["hello", "you"], env, wasm: true });
  const traits = { ...unifiedTraits, wasi };
  const plan = compile({ spec, mounts, root: exampleRoot, container: exampleContainer, traits });
  checkPlan(plan);
  return plan;
}

function childOf(plan: Plan): readonly ChildOp[] {
  const spawn = plan.steps.at(-1);
  return spawn?.op === "spawn" ? spawn.child : [];
}

function execOf(plan: Plan): Extract<ChildOp, { op: "exec" }> {
  const exec = childOf(plan).at(-1);
  assert.ok(exec?.op === "exec");
  return exec;
}

test("a kernel that executes WebAssembly is given the program itself", () => {
  const exec = execOf(planOn("kernel", ["PATH=/bin"]));
  assert.deepEqual([exec.candidates, exec.argv], [["/bin/hello"], ["hello", "you"]]);
  const paths = childOf(planOn("kernel")).flatMap((op) => ("path" in op ? [String(op.path)] : []));
  assert.deepEqual(
    paths.filter((path) => path.includes("wasi")),
    [],
  );
});

test("elsewhere a runner is bound beneath /dev, read-only, and called with the program's words", () => {
  const plan = planOn(runner, ["A=b"]);
  const binds = childOf(plan).filter((op) => op.op === "bind" && op.target.startsWith("/dev/wasi/"));
  assert.deepEqual(
    binds.map((op) => op.op === "bind" && [op.source, op.target, op.flags]),
    [
      ["/lib/ld.so", "/dev/wasi/ld.so", ["ro", "nosuid", "nodev"]],
      ["/opt/node", "/dev/wasi/node", ["ro", "nosuid", "nodev"]],
    ],
  );
  const { candidates, argv, environment } = execOf(plan);
  assert.deepEqual(candidates, ["/dev/wasi/ld.so"]);
  assert.deepEqual(argv, ["/dev/wasi/ld.so", "--library-path", "/dev/wasi/", "/dev/wasi/node", "0", "hello", "you"]);
  assert.ok(environment.includes("A=b"));
});

test("variables that would reach into the runner are handed on as words", () => {
  const { argv, environment } = execOf(planOn(runner, ["NODE_OPTIONS=--require=/x", "LD_PRELOAD=/x.so", "NODENAME=n"]));
  assert.deepEqual(argv.slice(4), ["2", "NODE_OPTIONS=--require=/x", "LD_PRELOAD=/x.so", "hello", "you"]);
  assert.deepEqual(
    environment.filter((variable) => /^(NODE|LD)/.test(variable)),
    ["NODENAME=n"],
  );
});

test("an exec session in such a container is run by the runner too", () => {
  const input = { ...plainInput, argv: ["/other"] as [string], privileged: false, container: exampleContainer };
  const session = (plan: Plan, wasi: HostTraits["wasi"]): readonly string[] =>
    execOf(compileExec({ ...input, plan, traits: { ...unifiedTraits, wasi } })).argv;
  assert.deepEqual(session(planOn(runner), runner).slice(3), ["/dev/wasi/node", "0", "/other"]);
  assert.deepEqual(session(planOn("kernel"), "kernel"), ["/other"]);
});

test("without a runner, or with a /dev of the user's, it is refused and said why", () => {
  assert.throws(() => planOn(null), /nothing on this machine can run such: choose another platform of the image/);
  const mount: Mount = {
    kind: "bind",
    source: "/dev" as HostPath,
    target: "/dev" as ContainerPath,
    readonly: false,
    recursive: true,
    propagation: "",
    isFile: false,
    options: "",
  };
  assert.throws(() => planOn(runner, [], [mount]), /needs a \/dev of its own/);
});
