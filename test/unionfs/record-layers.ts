/** Records what layers are on a real file system: `node test/unionfs/record-layers.ts`, as root. Replayed by layers.test.ts. */
import * as fs from "node:fs";
import { join } from "node:path";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { makeWorkshop } from "../../backends/linux/testing/workshop.ts";
import { layerCases } from "./layer-cases.ts";
import { linesOf } from "./layer-worlds.ts";

const workshop = makeWorkshop();
const outside = "/dev/shm/outside-of-layers";
fs.mkdirSync(outside);
fs.writeFileSync(join(outside, "victim"), "untouched");
const machine = await openLinuxMachine(workshop);
const told: Record<string, readonly string[]> = {};
for (const each of layerCases(outside)) told[each.name] = await linesOf(machine.layers, each);
await machine.close();
workshop.remove();
fs.rmSync(outside, { recursive: true });
fs.writeFileSync(join(import.meta.dirname, "recorded-layers.json"), `${JSON.stringify({ outside, told }, null, 1)}\n`);
