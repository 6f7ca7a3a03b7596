/**
 * Random shell programs in dash and in the simulator: what they print and their status are equal, and one of them has
 * something on standard error where the other has. 150 programs, 20,000 with --long; TSBOX_TEST_SEED sets which.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { textOf } from "./cases.ts";
import { environment } from "./fixture.ts";
import { shellProgram } from "./shell-programs.ts";
import { runInSimulator } from "./world.ts";

interface Said {
  readonly stdout: string;
  readonly complains: boolean;
  readonly code: number;
}

const isLong = fc.readConfigureGlobal().numRuns !== undefined;
const programs = isLong ? 20_000 : 150;
const seed = Number(process.env["TSBOX_TEST_SEED"] ?? 7);
const timeoutMs = 5000;
const hasDash = spawnSync("dash", ["-c", ":"]).status === 0;

function inDash(program: string, directory: string): Said | null {
  const { stdout, stderr, status, error } = spawnSync("dash", ["-c", program], {
    argv0: "/bin/sh",
    cwd: directory,
    env: Object.fromEntries(environment.map((entry) => entry.split("="))),
    timeout: timeoutMs,
    input: "",
  });
  if (error !== undefined || status === null) return null;
  return { stdout: textOf(stdout), complains: stderr.length > 0, code: status };
}

async function inSimulator(program: string): Promise<Said> {
  const { stdout, stderr, code } = await runInSimulator(program, { directory: "/tmp" });
  return { stdout: textOf(stdout), complains: stderr.length > 0, code };
}

test(`${programs} random programs say in the simulator what they say in dash`, {
  skip: hasDash ? false : "dash is not installed",
}, async () => {
  const root = scratch("random-programs");
  const directory = join(root, "tmp");
  mkdirSync(directory);
  try {
    await fc.assert(
      fc.asyncProperty(shellProgram, async (program) => {
        const expected = inDash(program, directory);
        fc.pre(expected !== null);
        assert.deepEqual(await inSimulator(program), expected);
      }),
      { numRuns: programs, seed },
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});
