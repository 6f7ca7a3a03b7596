/**
 * `npm run bench -- [NAME…] [--json] [--rounds N]`: measures tsbox beside the peers found on this machine.
 *
 * With --json each row is one line of JSON on standard output (bench/row.ts says of what); notes go to standard error.
 * The exit code is 1 when a goal is not met.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sweep } from "../backends/linux/testing/scratch.ts";
import { formatRow, type Row } from "./row.ts";

/** Each bench is a file that exports `bench(rounds)`; it is loaded only when asked for. */
const benches: Readonly<Record<string, () => Promise<{ bench: (rounds: number) => AsyncIterable<Row> }>>> = {
  images: () => import("./images.ts"),
  layers: () => import("./layers.ts"),
  page: () => import("./page.ts"),
  perform: () => import("./perform.ts"),
  registry: () => import("./registry.ts"),
  shell: () => import("./shell.ts"),
  sim: () => import("./sim.ts"),
  start: () => import("./start.ts"),
  unionfs: () => import("./unionfs.ts"),
  wasm: () => import("./wasm.ts"),
};

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "21" } },
  });
  const names = positionals.length > 0 ? positionals : Object.keys(benches);
  for (const name of sweep()) process.stderr.write(`removed ${name}, which a run left that was killed\n`);
  build();
  let missed = 0;
  for (const name of names) {
    const load = benches[name];
    if (load === undefined) return unknown(name);
    for await (const row of (await load()).bench(Number(values.rounds))) {
      process.stdout.write(`${values.json ? JSON.stringify(row) : formatRow(row)}\n`);
      if (row.met === false) missed++;
    }
  }
  return missed === 0 ? 0 : 1;
}

/** What is measured is dist/ as the sources are now. */
function build(): void {
  const program = fileURLToPath(new URL("../build.ts", import.meta.url));
  const { status } = spawnSync(process.execPath, [program], { stdio: ["ignore", process.stderr, process.stderr] });
  if (status !== 0) throw new Error("npm run build failed: its own words stand above");
}

function unknown(name: string): number {
  process.stderr.write(`there is no bench ${name}: there are ${Object.keys(benches).join(", ")}\n`);
  return 2;
}
