/** Records what the kernel says to a few scripts: `node test/unionfs/record.ts`, as root. Replayed by recorded.test.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { comparable, type Mounting, mountings, onOverlay, onTmpfs, openOracle } from "./against-kernel.ts";
import { cases } from "./cases.ts";
import { building, seekingHoles, using } from "./commands.ts";
import { type Command, Performer } from "./performing.ts";
import { carryOut, type Step } from "./surroundings.ts";

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

const scripts: [Mounting | null, readonly Command[]][] = [];
for (const steps of fc.sample(above, options)) scripts.push([null, await short(onTmpfs(steps))]);
for (const mounting of mountings)
  for (const [lowers, upper] of fc.sample(layers, options))
    scripts.push([mounting, await short(onOverlay(mounting, [...lowers, upper]))]);
for (const { mounting, steps } of cases) scripts.push([mounting, await scriptOf(steps)]);

/** Views of the steps between are left out: the errno of each and the end tell. */
async function short(steps: readonly Step[]): Promise<Command[]> {
  const script = await scriptOf(steps);
  const last = script.findLastIndex(([name]) => name === "upper");
  return script.filter(([name], at) => (name !== "view" && name !== "upper") || at >= last - 1);
}

async function scriptOf(steps: readonly Step[]): Promise<readonly Command[]> {
  return (await carryOut(new Performer(), steps)).script;
}

const recorded: unknown[] = [];
for (const [mounting, script] of scripts) {
  const kernel = comparable(mounting, await oracle.run(script));
  recorded.push({ script: script.map((each) => each.join("\t")), kernel });
}
writeFileSync(join(import.meta.dirname, "recorded.json"), `${JSON.stringify(recorded, null, 1)}\n`);
oracle.close();
