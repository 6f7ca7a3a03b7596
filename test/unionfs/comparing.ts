/**
 * Comparing a subject with the kernel: scripts are carried out by both, and every result, every errno, and what is seen
 * after every step must be equal. What differs is shortened before it is told.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { comparable, firstDifference, type Mounting, onOverlay, type Oracle } from "./against-kernel.ts";
import { building, dating, marking, markingWhiteouts, seekingHoles, using } from "./commands.ts";
import type { Subject } from "./performing.ts";
import { shortened } from "./shortening.ts";
import { carryOut, type Step } from "./surroundings.ts";

/** Gives a fresh subject for a script, and says what is wrong with it afterwards; null: nothing. */
export type Stage = <T>(act: (subject: Subject) => Promise<T>) => Promise<{ result: T; fault: string | null }>;

/** Commands that are done to the uppermost layer in a script. */
export const stepsARun = 30;

export interface Part {
  readonly mounting: Mounting | null;
  readonly seed: number;
  /** Of all commands. */
  readonly share: number;
}

export class Comparison {
  readonly #oracle: Oracle | string;
  readonly #stage: Stage;
  readonly #steps: number;
  performed = 0;

  constructor(oracle: Oracle | string, stage: Stage, steps: number) {
    this.#oracle = oracle;
    this.#stage = stage;
    this.#steps = steps;
  }

  /** What differs, or null. */
  async #differenceOf(steps: readonly Step[], mounting: Mounting | null): Promise<string | null> {
    if (typeof this.#oracle === "string") return null;
    const { result, fault } = await this.#stage((subject) => carryOut(subject, steps));
    const theirs = comparable(mounting, await this.#oracle.run(result.script));
    this.performed += stepsARun;
    return firstDifference(result.script, comparable(mounting, result.said), theirs) ?? fault;
  }

  /** Fails with the shortest script that still differs. */
  async compare(steps: readonly Step[], mounting: Mounting | null): Promise<void> {
    if ((await this.#differenceOf(steps, mounting)) === null) return;
    const { result } = await this.#stage((subject) => carryOut(subject, steps));
    const short = await shortened(result.script, async (each) => (await this.#differenceOf(each, mounting)) !== null);
    assert.fail((await this.#differenceOf(short, mounting)) ?? "it does not differ again");
  }

  async compareAll(scripts: fc.Arbitrary<readonly Step[]>, { mounting, seed, share }: Part): Promise<void> {
    const property = fc.asyncProperty(scripts, (each) => this.compare(each, mounting));
    const numRuns = Math.ceil((this.#steps * share) / stepsARun);
    const { failed, errorInstance, counterexamplePath } = await fc.check(property, {
      seed,
      numRuns,
      endOnFailure: true,
    });
    if (failed) assert.fail(`seed ${seed}, run ${counterexamplePath}: ${String(errorInstance)}`);
  }
}

/** Commands on one file system. */
export const onTrees = fc.array(fc.oneof({ weight: 12, arbitrary: using }, { weight: 1, arbitrary: seekingHoles }), {
  minLength: stepsARun,
  maxLength: stepsARun,
});

/** Layers, some with marks that only overlayfs should write, and what is done on top of them. */
export function onUnions(mounting: Mounting): fc.Arbitrary<Step[]> {
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
  return fc
    .tuple(lowers, upper, lookEvery)
    .map(([below, above, every]) =>
      onOverlay(mounting, [...below, above], every).map((step) => allowed(mounting, step)),
    );
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
