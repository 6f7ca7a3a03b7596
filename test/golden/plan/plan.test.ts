/**
 * Golden plans: what a container's input compiles to, reviewed as data. Each folder holds
 * input.json (what differs from a plain container) and plan.jsonl. A change of the compiler shows
 * as a diff here; `UPDATE_GOLDEN=1 node --test test/golden/plan/plan.test.ts` writes it.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { checkPlan } from "../../../core/runtime/check.ts";
import { compile } from "../../../core/runtime/compile.ts";
import { type CompileExecInput, compileExec } from "../../../core/runtime/compile-exec.ts";
import type { Mount } from "../../../core/runtime/mount.ts";
import type { Op, Plan } from "../../../core/runtime/plan.ts";
import { type SpecInput, specFor } from "../../../core/runtime/spec-for.ts";
import { plainInput } from "../../../core/runtime/plain-input.ts";
import { type Resources, unlimited } from "../../../core/runtime/resources.ts";
import { exampleContainer, exampleRoot, hybridTraits, unifiedTraits } from "../../../core/runtime/testing/examples.ts";

interface GoldenInput {
  readonly host: "hybrid" | "unified";
  readonly spec?: Partial<Omit<SpecInput, "resources">> & { readonly resources?: Partial<Resources> };
  readonly mounts?: readonly Mount[];
  /** Instead of the container's plan, that of a session in it. */
  readonly exec?: Pick<CompileExecInput, "argv" | "env" | "cwd" | "user" | "terminal" | "privileged">;
}

function planOf({ host, spec = {}, mounts = [], exec }: GoldenInput): Plan {
  const traits = host === "hybrid" ? hybridTraits : unifiedTraits;
  const input = { ...plainInput, ...spec, resources: { ...unlimited, ...spec.resources } };
  const plan = compile({ spec: specFor(input), mounts, root: exampleRoot, container: exampleContainer, traits });
  return exec === undefined ? plan : compileExec({ ...exec, container: exampleContainer, plan, traits });
}

/** A step a line; a seccomp profile by its name only, for it has tests of its own. */
function format(plan: Plan): string {
  const line = (step: string, op: Op): string => {
    const { child: _, ...rest } = { child: null, ...op };
    return `${JSON.stringify({ step, ...rest }, (key, value: unknown) => (key === "profile" ? "…" : value))}\n`;
  };
  const lines = plan.steps.flatMap((op, index) => [
    line(`${index}`, op),
    ...(op.op === "spawn" ? op.child.map((inner, at) => line(`${index}.${at}`, inner)) : []),
  ]);
  return lines.join("");
}

const here = new URL(".", import.meta.url);
const cases = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());

for (const { name } of cases) {
  test(`the golden plan of ${name}`, () => {
    const input = JSON.parse(readFileSync(new URL(`${name}/input.json`, here), "utf8")) as GoldenInput;
    const plan = planOf(input);
    checkPlan(plan);
    const golden = new URL(`${name}/plan.jsonl`, here);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, format(plan));
    assert.equal(format(plan), readFileSync(golden, "utf8"));
  });
}
