/**
 * Random scripts on the kernel and on the simulated one, their answers equal line by line. Needs root, a C compiler and
 * control groups; elsewhere recorded ones are replayed (recorded.test.ts).
 *
 * 4 scripts, 200 with --long (each takes about a second); TSBOX_TEST_SEED is the first one's.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { after, test } from "node:test";
import fc from "fast-check";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { whyNoOwnGroups } from "../userland/own-groups.ts";
import { randomScript } from "./random.ts";
import { compileActors } from "./real.ts";
import { playInRealScene, playInScene } from "./scene.ts";

const isLong = fc.readConfigureGlobal().numRuns !== undefined;
const scripts = isLong ? 200 : 4;
const first = Number(process.env["TSBOX_TEST_SEED"] ?? 1000);
const hasCompiler = spawnSync("cc", ["--version"]).status === 0;
const skip = whyNoOwnGroups() ?? (hasCompiler ? false : "there is no C compiler");

const work = skip === false ? scratch("kernel") : null;
after(() => {
  if (work !== null) rmSync(work, { recursive: true, force: true });
});

test("random system calls of several processes have the kernel's answers", { skip }, async () => {
  assert.ok(work !== null);
  const actors = compileActors(work);
  for (let seed = first; seed < first + scripts; seed++) {
    const { lines } = randomScript(seed);
    const [theirs, ours] = [playInRealScene(actors, lines), await playInScene(lines)];
    assert.deepEqual(ours, theirs, `TSBOX_TEST_SEED=${seed}\n${lines.join("\n")}`);
  }
});
