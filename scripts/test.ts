/**
 * `npm test`: everything that says whether a checkout is good, in the order in which a mistake is cheapest to learn
 * of. Each stage but the node:test ones counts as one test. The last line is `N passed, N failed, N skipped`, summed
 * over all stages; the exit code is 0 only when nothing failed.
 *
 *     npm test [-- STAGE …]     only these stages, by their names below
 *     npm run test:long         many more random cases for each property, and the virtual machine
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scratch, sweep } from "../backends/linux/testing/scratch.ts";
import type { Tally } from "./reporter.ts";

interface Stage {
  readonly name: string;
  /** Test files for node:test … */
  readonly files?: readonly string[];
  /** … or a command that is good when it exits with 0, run by this Node. */
  readonly command?: readonly [string, ...string[]];
  /** How many files at once; 1 where tests look at the whole machine. */
  readonly concurrency?: number;
  /** Only run when it is asked for by name. */
  readonly asked?: boolean;
  /** A program without which the stage is skipped. */
  readonly needs?: string;
}

const long = process.argv.includes("--long");
/** In the virtual machine everything takes ten times as long. */
const isSlow = long || process.env["TSBOX_VM"] !== undefined;
const bin = "node_modules";
const stages: readonly Stage[] = [
  { name: "build", command: ["build.ts"] },
  { name: "types", command: [`${bin}/typescript/bin/tsc`, "-b", "--pretty", "false"] },
  { name: "lint", command: [`${bin}/oxlint/bin/oxlint`, "--type-aware"] },
  { name: "format", command: [`${bin}/@biomejs/biome/bin/biome`, "format"] },
  { name: "unused", command: [`${bin}/knip/bin/knip.js`] },
  { name: "tidy", files: ["test/tidy/**/*.test.ts"] },
  { name: "unit", files: ["{core,api,cli,backends,host,bin,images,bench,scripts}/**/*.test.ts"] },
  { name: "whole", files: ["test/!(tidy|page|vm)/**/*.test.ts"], concurrency: 1 },
  {
    name: "page",
    command: [`${bin}/@web/test-runner/dist/bin.js`, "--config", "test/browser/runner.ts"],
    needs: "/usr/bin/chromium",
  },
  { name: "vm", command: ["test/vm/run.ts"], asked: !long },
  // What the virtual machine runs: the tests whose outcome depends on the kernel and its cgroups.
  {
    name: "kernel",
    files: ["test/conformance/linux.test.ts", "test/explain/*.test.ts", "backends/linux/*.test.ts"],
    concurrency: 1,
    asked: true,
  },
];

process.exitCode = await main(process.argv.slice(2).filter((argument) => !argument.startsWith("--")));

async function main(only: readonly string[]): Promise<number> {
  const unknown = only.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    process.stderr.write(
      `no such stage: ${unknown.join(", ")}; there are ${stages.map(({ name }) => name).join(", ")}\n`,
    );
    return 2;
  }
  for (const name of sweep()) process.stdout.write(`removed ${name}, which a run left that was killed\n`);
  const total: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const stage of stages) {
    if (only.length > 0 ? !only.includes(stage.name) : stage.asked === true) continue;
    const started = performance.now();
    process.stdout.write(`\n== ${stage.name}\n`);
    add(total, await runStage(stage));
    process.stdout.write(`== ${stage.name}: ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
  for (const failure of total.failures) process.stdout.write(`\nfailed: ${failure}\n`);
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function add(total: Tally, tally: Tally): void {
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
  total.failures.push(...tally.failures);
}

async function runStage(stage: Stage): Promise<Tally> {
  if (stage.needs !== undefined && !existsSync(stage.needs)) {
    process.stdout.write(`skipped: ${stage.needs} is not installed\n`);
    return { passed: 0, failed: 0, skipped: 1, failures: [] };
  }
  if (stage.command === undefined) return runTests(stage);
  const { code, tail } = await run(stage.command);
  if (code === 0) return { passed: 1, failed: 0, skipped: 0, failures: [] };
  return { passed: 0, failed: 1, skipped: 0, failures: [`stage ${stage.name} (exit code ${code})\n${tail}`] };
}

/** Runs node:test over the files. A run that ends without a tally is a failure too. */
async function runTests({ name, files: patterns = [], concurrency = 2 }: Stage): Promise<Tally> {
  const files = globSync([...patterns], { exclude: ["**/node_modules/**"] }).toSorted();
  if (files.length === 0) return { passed: 0, failed: 1, skipped: 0, failures: [`stage ${name}: no test files`] };
  const directory = scratch("tally", tmpdir());
  try {
    const { code, tail } = await run(testCommand(join(directory, "tally"), files, concurrency));
    const tally = readTally(join(directory, "tally"));
    if (tally !== null && (code === 0 || tally.failed > 0)) return tally;
    return {
      passed: tally?.passed ?? 0,
      failed: 1,
      skipped: 0,
      failures: [`stage ${name} (exit code ${code})\n${tail}`],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function testCommand(tally: string, files: readonly string[], concurrency: number): [string, ...string[]] {
  return [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${isSlow ? 3_000_000 : 300_000}`,
    ...(long ? ["--import", "./scripts/long.ts"] : []),
    "--test-reporter=./scripts/reporter.ts",
    "--test-reporter-destination=stdout",
    "--test-reporter=./scripts/reporter.ts",
    `--test-reporter-destination=${tally}`,
    ...files,
  ];
}

function readTally(path: string): Tally | null {
  try {
    return JSON.parse(readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? "") as Tally;
  } catch {
    return null;
  }
}

/** Runs Node with these arguments, shows what it prints, and keeps the end of it for the list of failures. */
function run(args: readonly string[]): Promise<{ code: number; tail: string }> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: environment() });
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-6000);
    });
  }
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ code: code ?? 255, tail }));
  });
}

/** A test must not depend on the caller's own tsbox or Docker, nor on how its certificates are set up. */
function environment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, FORCE_COLOR: "0" };
  for (const name of ["NODE_EXTRA_CA_CERTS", "TSBOX_HOST", "DOCKER_HOST"]) delete environment[name];
  return environment;
}
