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
import { building, dating, marking, markingWhiteouts, seekingHoles, using } from "./commands.ts";
import { type Command, Performer } from "./performing.ts";
import { shortened } from "./shortening.ts";
import { carryOut, type Step } from "./surroundings.ts";

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

/** What differs, or null. */
async function differenceOf(steps: readonly Step[], mounting: Mounting | null): Promise<string | null> {
  if (typeof oracle === "string") return null;
  const performer = new Performer();
  const { script, said } = carryOut(performer, steps);
  const theirs = comparable(mounting, await oracle.run(script));
  performed += stepsARun;
  const difference = firstDifference(script, comparable(mounting, said), theirs);
  if (difference !== null) return difference;
  const faults = performer.trees.flatMap((tree) => checkTree(tree, { mayHaveWhiteout: () => true }));
  return faults.length > 0 ? faults.map(({ path, problem }) => `${path} ${problem}`).join("\n") : null;
}

/** Fails with the shortest script that still differs. */
async function compare(steps: readonly Step[], mounting: Mounting | null): Promise<void> {
  if ((await differenceOf(steps, mounting)) === null) return;
  const { script } = carryOut(new Performer(), steps);
  const short = await shortened(script, async (each) => (await differenceOf(each, mounting)) !== null);
  assert.fail((await differenceOf(short, mounting)) ?? "it does not differ again");
}

interface Part {
  readonly mounting: Mounting | null;
  readonly seed: number;
  /** Of all commands. */
  readonly share: number;
}

async function compareAll(scripts: fc.Arbitrary<readonly Step[]>, { mounting, seed, share }: Part): Promise<void> {
  const property = fc.asyncProperty(scripts, (each) => compare(each, mounting));
  const numRuns = Math.ceil((steps * share) / stepsARun);
  const { failed, errorInstance, counterexamplePath } = await fc.check(property, {
    seed,
    numRuns,
    endOnFailure: true,
  });
  if (failed) assert.fail(`seed ${seed}, run ${counterexamplePath}: ${String(errorInstance)}`);
}

for (const { name, mounting, steps } of cases) test(name, { skip }, () => compare(steps, mounting));

const onTrees = fc.array(fc.oneof({ weight: 12, arbitrary: using }, { weight: 1, arbitrary: seekingHoles }), {
  minLength: stepsARun,
  maxLength: stepsARun,
});

test("a tree does what tmpfs does", { skip }, () =>
  compareAll(
    onTrees.map((all) => onTmpfs(all)),
    { mounting: null, seed, share: 0.15 },
  ),
);

for (const [number, limits] of ["size=20480,nr_inodes=5", "size=16384", "nr_inodes=7", "size=73728"].entries())
  test(`a tree that fills up does what tmpfs does, ${limits}`, { skip }, () =>
    compareAll(
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
  return compareAll(scripts, { mounting: first, seed, share: 0.05 });
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
    compareUnions(mounting, seed + number),
  );
}

function compareUnions(mounting: Mounting, seed: number): Promise<void> {
  const steps = fc
    .tuple(fc.array(building, { maxLength: 20 }), fc.array(dating, { maxLength: 4 }))
    .map(([built, dated]) => [...built, ...dated]);
  const marks = fc.oneof({ weight: 5, arbitrary: fc.constant<Step[]>([]) }, ...marksOf(mounting));
  const layer = fc.record({ steps, marks });
  const lowers = fc.oneof(
    { weight: 5, arbitrary: fc.array(layer, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(layer, { minLength: 4, maxLength: 7 }) },
  );
  const upper = fc.array(using, { minLength: stepsARun, maxLength: stepsARun });
  const lookEvery = fc.constantFrom(1, 1, 7);
  const scripts = fc
    .tuple(lowers, upper, lookEvery)
    .map(([below, above, every]) =>
      onOverlay(mounting, [...below, above], every).map((step) => allowed(mounting, step)),
    );
  return compareAll(scripts, { mounting, seed, share: 0.7 / mountings.length });
}

/**
 * The kernel looks up what it lists with xino, and files where there may be files that are whiteouts: it cannot read a
 * directory in which that fails once, and leaves the name out the next time; with redirects it may leave it out at once. We
 * read it. No marks are made with which that would show.
 */
function marksOf({ options, below, isReadOnly = false }: Mounting): fc.Arbitrary<Step[]>[] {
  if (options.includes("xino=on") || isReadOnly) return [];
  const any = fc.array(marking, { maxLength: 4 });
  if (below !== undefined || options.includes("redirect_dir=on")) return [any];
  return [any, fc.array(markingWhiteouts, { maxLength: 4 })];
}

/** With userxattr the kernel forgets that two names of a copied-up symlink or device are one file: no such are made. */
function allowed({ options }: Mounting, step: Step): Step {
  if (!options.startsWith("userxattr") || typeof step !== "function") return step;
  return (around) =>
    step(around).map(([name = "", path = "", ...rest]) =>
      name === "link" && !around.is(path, "file") ? ["lstat", path] : [name, path, ...rest],
    );
}

test("as many commands were tried as were asked for", { skip }, () => {
  assert.ok(performed >= steps, `${performed} of ${steps}`);
});
