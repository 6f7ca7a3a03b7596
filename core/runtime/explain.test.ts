import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostPath } from "../base/brand.ts";
import { compile } from "./compile.ts";
import { explainPlan, formatExplanation } from "./explain.ts";
import { specFor } from "./spec-for.ts";
import { plainInput } from "./plain-input.ts";
import { unlimited } from "./resources.ts";
import { exampleContainer, exampleRoot, hybridTraits } from "./testing/examples.ts";
import { undo } from "./undo.ts";

const resources = { ...unlimited, memoryBytes: 64 << 20, nanoCpus: 5e8, pidsLimit: 20, cpusetCpus: "0" };
const spec = specFor({ ...plainInput, resources, terminal: { rows: 24, columns: 80 }, readonlyRootfs: true });
const plan = compile({ spec, mounts: [], root: exampleRoot, container: exampleContainer, traits: hybridTraits });

test("every step is explained once, in the order it is performed, by a sentence, calls and a manual page", () => {
  const steps = explainPlan(plan);
  const spawn = plan.steps.at(-1);
  assert.ok(spawn?.op === "spawn");
  assert.equal(steps.length, plan.steps.length + spawn.child.length);
  for (const { sentence, syscalls, man, step } of [...steps, ...explainPlan(undo(plan))]) {
    assert.match(step, /^\d+(\.\d+)?$/);
    assert.match(sentence, /^[a-z].*[^.]$/);
    assert.match(man, /^[\w-]+\(\d\)$/);
    assert.ok(syscalls.length > 0);
    for (const { name, text } of syscalls) assert.ok(text.startsWith(`${name}(`), text);
  }
});

test("an explanation says what a limit means", () => {
  const sentences = explainPlan(plan).map(({ sentence }) => sentence);
  for (const expected of [
    "limits memory to 64 MiB: beyond it the kernel kills",
    "gives it 50000 microseconds of processor time a period",
    "limits it to 20 processes: fork fails beyond",
    "makes the root file system read-only",
  ])
    assert.ok(sentences.includes(expected), expected);
});

test("a terminal gets the step, the sentence and the manual page, and the calls beneath", () => {
  const [first] = explainPlan({ steps: [{ op: "directory.make", path: "/run/x" as HostPath, mode: 0o700 }] });
  assert.ok(first !== undefined);
  assert.equal(
    formatExplanation([first]),
    '0  makes the directory /run/x on the host  [mkdir(2)]\n     mkdir("/run/x", 0700)\n',
  );
});
