/**
 * The simulated kernel against the real one: the random commands that hold core/unionfs to the kernel (kernel.test.ts), as
 * system calls of a process of the simulator; and such with mounts in between, which core alone has none of.
 *
 * 1,200 commands, 300,000 with --long; TSBOX_TEST_STEPS sets another number, TSBOX_TEST_SEED what they are made of.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { mountings, onTmpfs, onTmpfsWithMounts, openOracle } from "./against-kernel.ts";
import { cases } from "./cases.ts";
import { mounting, using } from "./commands.ts";
import { Comparison, onTrees, onUnions, stepsARun } from "./comparing.ts";
import { inSimulator } from "./in-simulator.ts";
import type { Command } from "./performing.ts";
import type { Step } from "./surroundings.ts";

const oracle = openOracle();
const skip = typeof oracle === "string" ? oracle : false;
const isLong = fc.readConfigureGlobal().numRuns !== undefined;
const steps = Number(process.env["TSBOX_TEST_STEPS"] ?? (isLong ? 300_000 : 1200));
const seed = Number(process.env["TSBOX_TEST_SEED"] ?? 20);
const comparison = new Comparison(oracle, async (act) => ({ result: await inSimulator(act), fault: null }), steps);

after(() => {
  if (typeof oracle !== "string") oracle.close();
});

/** What this kernel's system calls cannot say: a change of owner to nobody and no group. */
function sayable(step: Step): Step {
  const said = ([name = "", ...f]: Command): Command =>
    name === "chown" && f[1] === "-1" && f[2] === "-1" ? ["chown", f[0] ?? "", "-1", "0", f[3] ?? ""] : [name, ...f];
  return typeof step === "function" ? (around) => step(around).map(said) : said(step);
}

for (const { name, mounting, steps } of cases)
  test(`in the simulator ${name}`, { skip }, () => comparison.compare(steps.map(sayable), mounting));

test("a tmpfs of the simulator does what the kernel's does", { skip }, () =>
  comparison.compareAll(
    onTrees.map((all) => onTmpfs(all.map(sayable))),
    { mounting: null, seed, share: 0.3 },
  ),
);

for (const [number, mounting] of mountings.entries()) {
  const { options, isOneFileSystem, isReadOnly = false } = mounting;
  const layers = `layers of ${isOneFileSystem ? "one file system" : "several file systems"}${isReadOnly ? ", read-only" : ""}`;
  test(`an overlay of the simulator does what the kernel's does, ${options}, ${layers}`, { skip }, () =>
    comparison.compareAll(
      onUnions(mounting).map((all) => all.map(sayable)),
      { mounting, seed: seed + number, share: 0.4 / mountings.length },
    ),
  );
}

const amongMounts = fc.array(fc.oneof({ weight: 1, arbitrary: using }, { weight: 1, arbitrary: mounting }), {
  minLength: stepsARun,
  maxLength: stepsARun,
});

test("with mounts in between, and some capabilities, the simulator does what the kernel does", { skip }, () =>
  comparison.compareAll(
    amongMounts.map((all) => onTmpfsWithMounts(all.map(sayable))),
    { mounting: null, seed, share: 0.3 },
  ),
);

test("as many commands were tried as were asked for", { skip }, () => {
  assert.ok(comparison.performed >= steps, `${comparison.performed} of ${steps}`);
});
