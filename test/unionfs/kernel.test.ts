/**
 * core/unionfs against the kernel: the same random commands are done to both, and every result, every
 * errno, and after every step the tree that is seen and the upper layer must be equal. (In a third of
 * the unions only after every seventh step: looking finds all names, and some steps are to meet names
 * that nobody has looked for.) Needs root for mount(2); elsewhere recorded sequences are replayed
 * (recorded.test.ts).
 *
 * 3,000 commands, a million with --long; TSBOX_TEST_STEPS sets another number, TSBOX_TEST_SEED what they
 * are made of. Counted are those that are done to the uppermost layer, 30 a script.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { checkTree } from "../../core/unionfs/check.ts";
import { mountings, onOverlay, onTmpfs, openOracle } from "./against-kernel.ts";
import { cases } from "./cases.ts";
import { building, using } from "./commands.ts";
import { Comparison, onTrees, onUnions, stepsARun } from "./comparing.ts";
import { type Command, Performer } from "./performing.ts";
import type { Step } from "./surroundings.ts";

const oracle = openOracle();
const skip = typeof oracle === "string" ? oracle : false;
const isLong = fc.readConfigureGlobal().numRuns !== undefined;
const steps = Number(process.env["TSBOX_TEST_STEPS"] ?? (isLong ? 1_000_000 : 3000));
const seed = Number(process.env["TSBOX_TEST_SEED"] ?? 20);

const comparison = new Comparison(
  oracle,
  async (act) => {
    const performer = new Performer();
    const result = await act(performer);
    const faults = performer.trees.flatMap((tree) => checkTree(tree, { mayHaveWhiteout: () => true }));
    return {
      result,
      fault: faults.length === 0 ? null : faults.map(({ path, problem }) => `${path} ${problem}`).join("\n"),
    };
  },
  steps,
);

after(() => {
  if (typeof oracle !== "string") oracle.close();
});

for (const { name, mounting, steps } of cases) test(name, { skip }, () => comparison.compare(steps, mounting));

test("a tree does what tmpfs does", { skip }, () =>
  comparison.compareAll(
    onTrees.map((all) => onTmpfs(all)),
    { mounting: null, seed, share: 0.15 },
  ),
);

for (const [number, limits] of ["size=20480,nr_inodes=5", "size=16384", "nr_inodes=7", "size=73728"].entries())
  test(`a tree that fills up does what tmpfs does, ${limits}`, { skip }, () =>
    comparison.compareAll(
      onTrees.map((all) => onTmpfs(all.map(releasing), `mode=755,${limits}`)),
      { mounting: null, seed: seed + number, share: 0.025 },
    ),
  );

/** Room for data only: of inodes the kernel takes some for itself. */
test("a union whose upper layer fills up does what overlayfs does", { skip }, () => {
  const [first] = mountings.filter(({ isOneFileSystem }) => !isOneFileSystem);
  assert.ok(first !== undefined);
  const lower = fc.array(building, { maxLength: 20 });
  const upper = fc.array(using, { minLength: stepsARun, maxLength: stepsARun });
  const scripts = fc.tuple(lower, upper).map(([below, above]) => onOverlay(first, [below, above], 1, "size=20480"));
  return comparison.compareAll(scripts, { mounting: first, seed, share: 0.05 });
});

/** The kernel keeps a removed directory as long as a file that was opened in it is open, and counts it: none is left open. */
function releasing(step: Step): Step {
  if (typeof step !== "function") return step;
  return (around) =>
    step(around).flatMap((command): Command[] => {
      const [name, , path = "", flags = ""] = command;
      if (name === "open" && flags.includes("u")) return [["lstat", path]];
      const closing: Command[] = ["0", "1", "2"].map((slot) => ["close", slot]);
      return name === "rmdir" || name === "rename" ? [...closing, command] : [command];
    });
}

for (const [number, mounting] of mountings.entries()) {
  const { options, isOneFileSystem, isReadOnly = false } = mounting;
  const layers = `layers of ${isOneFileSystem ? "one file system" : "several file systems"}${isReadOnly ? ", read-only" : ""}`;
  test(`a union does what overlayfs does, ${options}, ${layers}`, { skip }, () =>
    comparison.compareAll(onUnions(mounting), { mounting, seed: seed + number, share: 0.7 / mountings.length }),
  );
}

test("as many commands were tried as were asked for", { skip }, () => {
  assert.ok(comparison.performed >= steps, `${comparison.performed} of ${steps}`);
});
