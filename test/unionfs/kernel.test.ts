/**
 * core/unionfs against the kernel: the same random commands are done to both, and every result, every
 * errno, and after every step the tree that is seen and the upper layer must be equal. Needs root for
 * mount(2); elsewhere recorded sequences are replayed (recorded.test.ts).
 *
 * 3,000 commands, a million with --long; TSBOX_TEST_STEPS sets another number, TSBOX_TEST_SEED what they are made of.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { checkTree } from "../../core/unionfs/check.ts";
import {
  comparable,
  firstDifference,
  type Mounting,
  mountings,
  onOverlay,
  onTmpfs,
  openOracle,
} from "./against-kernel.ts";
import { cases } from "./cases.ts";
import { building, seekingHoles, using } from "./commands.ts";
import { type Command, Performer } from "./performing.ts";

const oracle = openOracle();
const skip = typeof oracle === "string" ? oracle : false;
const isLong = fc.readConfigureGlobal().numRuns !== undefined;
const steps = Number(process.env["TSBOX_TEST_STEPS"] ?? (isLong ? 1_000_000 : 3000));
const seed = Number(process.env["TSBOX_TEST_SEED"] ?? 20);
const stepsARun = 30;
let performed = 0;

after(() => {
  if (typeof oracle !== "string") oracle.close();
});

function compare(script: readonly Command[], mounting: Mounting | null): void {
  if (typeof oracle === "string") return;
  const theirs = comparable(mounting, oracle.run(script));
  const performer = new Performer();
  const ours = comparable(mounting, performer.run(script));
  const difference = firstDifference(script, ours, theirs);
  if (difference !== null) assert.fail(difference);
  for (const tree of performer.trees) assert.deepEqual(checkTree(tree, { mayHaveWhiteouts: true }), []);
}

function runsFor(share: number): number {
  return Math.ceil((steps * share) / stepsARun);
}

for (const { name, mounting, script } of cases) test(name, { skip }, () => compare(script, mounting));

test("a tree does what tmpfs does", { skip }, () => {
  const commands = fc.array(fc.oneof({ weight: 12, arbitrary: using }, { weight: 1, arbitrary: seekingHoles }), {
    minLength: stepsARun,
    maxLength: stepsARun,
  });
  fc.assert(
    fc.property(commands, (all) => {
      performed += all.length;
      compare(onTmpfs(all), null);
    }),
    { seed, numRuns: runsFor(0.3) },
  );
});

for (const mounting of mountings) {
  const { options, isOneFileSystem } = mounting;
  const layers = isOneFileSystem ? "layers of one file system" : "layers of several file systems";
  test(`a union does what overlayfs does, ${options}, ${layers}`, { skip }, () => compareUnions(mounting));
}

function compareUnions(mounting: Mounting): void {
  const lower = fc.array(building, { maxLength: 20 });
  const upper = fc.array(using, { minLength: stepsARun, maxLength: stepsARun });
  fc.assert(
    fc.property(fc.array(lower, { minLength: 1, maxLength: 3 }), upper, (lowers, commands) => {
      performed += commands.length;
      compare(onOverlay(mounting, [...lowers, commands]), mounting);
    }),
    { seed, numRuns: runsFor(0.7 / mountings.length) },
  );
}

test("as many commands were tried as were asked for", { skip }, () => {
  assert.ok(performed >= steps, `${performed} of ${steps}`);
});
