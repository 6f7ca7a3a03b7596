/** Records what the kernel says to a few scripts: `node test/unionfs/record.ts`, as root. Replayed by recorded.test.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { mountings, onOverlay, onTmpfs, openOracle, renumbered } from "./against-kernel.ts";
import { cases } from "./cases.ts";
import { building, seekingHoles, using } from "./commands.ts";
import type { Command } from "./performing.ts";

const oracle = openOracle();
if (typeof oracle === "string") throw new Error(oracle);

const options = { seed: 404, numRuns: 3 };
const above = fc.array(fc.oneof({ weight: 12, arbitrary: using }, { weight: 1, arbitrary: seekingHoles }), {
  minLength: 60,
  maxLength: 60,
});
const layers = fc.tuple(
  fc.array(fc.array(building, { minLength: 15, maxLength: 15 }), { minLength: 2, maxLength: 2 }),
  fc.array(using, { minLength: 40, maxLength: 40 }),
);

const scripts: (readonly Command[])[] = [
  ...fc.sample(above, options).map((commands) => short(onTmpfs(commands))),
  ...mountings.flatMap((mounting) =>
    fc.sample(layers, options).map(([lowers, upper]) => short(onOverlay(mounting, [...lowers, upper]))),
  ),
  ...cases.map(({ script }) => script),
];

/** Views of the steps between are left out: the errno of each and the end tell. */
function short(script: Command[]): Command[] {
  const last = script.findLastIndex(([name]) => name === "upper");
  return script.filter(([name], at) => (name !== "view" && name !== "upper") || at >= last - 1);
}

const recorded = scripts.map((script) => ({
  script: script.map((each) => each.join("\t")),
  kernel: renumbered(oracle.run(script)),
}));
writeFileSync(join(import.meta.dirname, "recorded.json"), `${JSON.stringify(recorded, null, 1)}\n`);
oracle.close();
