/**
 * The same layers in both worlds: as trees in memory, seen through the union of core/unionfs, and as directories that the
 * helper writes, seen through the kernel's overlayfs. What is seen, and what is refused, is equal; nothing outside is
 * touched. Where directories cannot be made as root, what the kernel showed was recorded (record-layers.ts).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { makeWorkshop, missing, type Workshop } from "../../backends/linux/testing/workshop.ts";
import type { Machine } from "../../core/engine/machine.ts";
import { layerCases, someLayers } from "./layer-cases.ts";
import { linesOf, simulatedLayers } from "./layer-worlds.ts";

const recorded = JSON.parse(fs.readFileSync(join(import.meta.dirname, "recorded-layers.json"), "utf8")) as {
  outside: string;
  told: Record<string, readonly string[]>;
};
const simulated = simulatedLayers();

for (const each of layerCases(recorded.outside))
  test(`in memory as it was on disk: ${each.name}`, async () => {
    assert.deepEqual(await linesOf(simulated, each), recorded.told[each.name]);
  });

describe("layers in memory and on disk", { skip: missing(), concurrency: false }, () => {
  let workshop: Workshop;
  let machine: Machine;
  let outside: string;

  before(async () => {
    workshop = makeWorkshop();
    outside = join(workshop.directory, "outside");
    fs.mkdirSync(outside);
    fs.writeFileSync(join(outside, "victim"), "untouched");
    machine = await openLinuxMachine(workshop);
  });
  after(async () => {
    await machine.close();
    workshop.remove();
  });

  const canary = (): string[] =>
    ["", "victim"].map((name) => {
      const { mode, uid, mtimeNs, nlink } = fs.statSync(join(outside, name), { bigint: true });
      return [mode, uid, mtimeNs, nlink, fs.readdirSync(outside).join()].join(" ");
    });

  for (const { name } of layerCases(""))
    test(`the same: ${name}`, async () => {
      const untouched = canary();
      const each = layerCases(outside).find((one) => one.name === name);
      assert.ok(each !== undefined);
      assert.deepEqual(await linesOf(simulated, each), await linesOf(machine.layers, each));
      assert.deepEqual(canary(), untouched);
    });

  test("the same: random layers", async () => {
    const property = fc.asyncProperty(someLayers, async (each) => {
      assert.deepEqual(await linesOf(simulated, each), await linesOf(machine.layers, each));
    });
    const isLong = fc.readConfigureGlobal().numRuns !== undefined;
    await fc.assert(property, { seed: 5, numRuns: isLong ? 5000 : 80 });
  });
});
