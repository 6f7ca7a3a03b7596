import assert from "node:assert/strict";
import { createReadStream, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { type ByteStream, streamOf } from "../../core/base/bytes.ts";
import { messageOf, TsboxError } from "../../core/base/error.ts";
import { openImages } from "../../core/engine/images.ts";
import type { Machine } from "../../core/engine/machine.ts";
import { MemoryMachine } from "../../core/engine/testing/memory-machine.ts";
import { directory, dockerArchive, entry, layerOf, link } from "./forge.ts";
import { harmless, type Hostile, hostileArchives } from "./hostile.ts";
import { busyboxTar, imagesMissing } from "./make.ts";

// Each hostile archive is refused with one error that names the thing, and the data root is as it was.

const needsRoot = process.getuid?.() === 0 ? false : "unpacks layers with owners and devices: needs root";

async function load(machine: Machine, tar: ByteStream): Promise<string[]> {
  const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
  const loaded: string[] = [];
  for await (const { image } of images.load(tar)) loaded.push(image.id);
  return loaded;
}

async function refusal(machine: Machine, tar: ByteStream): Promise<string> {
  try {
    return `accepted: ${(await load(machine, tar)).join(" ")}`;
  } catch (thrown) {
    return thrown instanceof TsboxError ? `${thrown.code}: ${thrown.message}` : `not ours: ${messageOf(thrown)}`;
  }
}

/** Tries one archive where a harmless image is already. */
async function holds(machine: Machine, everything: () => string[], hostile: Hostile): Promise<void> {
  await load(machine, streamOf(await harmless()));
  const before = everything();
  const said = await refusal(machine, await hostile.make());
  assert.match(said, new RegExp(`^${hostile.code}: `));
  assert.match(said, hostile.says);
  assert.deepEqual(everything(), before);
}

for (const hostile of hostileArchives.filter(({ onDiskOnly }) => onDiskOnly !== true))
  test(`in memory: ${hostile.name}`, async () => {
    const machine = new MemoryMachine();
    const everything = (): string[] => [...machine.world.files.keys(), ...machine.world.layers.keys()].toSorted();
    await holds(machine, everything, hostile);
  });

test("on disk", { skip: needsRoot }, async (t) => {
  const root = scratch("hostile");
  const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
  const everything = (): string[] => readdirSync(join(root, "data"), { recursive: true, encoding: "utf8" }).toSorted();
  try {
    for (const hostile of hostileArchives) await t.test(hostile.name, () => holds(machine, everything, hostile));
    await t.test("a real image cut off anywhere", { skip: imagesMissing() ?? false }, async () => {
      const tar = await busyboxTar();
      const before = everything();
      const { size } = statSync(tar);
      // The last 10 KiB are zeros, which may be missing.
      const lengths = [0, 1, 511, 512, 513, 1024, 4096, 100_000, size >> 1, size - 20_000, size - 11_000];
      for (const end of lengths) {
        const said = await refusal(machine, end === 0 ? streamOf() : createReadStream(tar, { end: end - 1 }));
        assert.match(said, /^corrupt: /, `cut at ${end}`);
        assert.deepEqual(everything(), before);
      }
    });
    await t.test("a path through a symlink stays inside of the layer", async () => {
      const victim = join(root, "victim");
      mkdirSync(victim);
      const through = await layerOf(
        link("symlink", "away", victim),
        link("symlink", "up", "../../../../../../../.."),
        directory(`.${victim}`),
        entry("away/evil", "x"),
        entry(`up${victim}/evil2`, "x"),
      );
      await refusal(machine, streamOf(await dockerArchive({ layers: [through] })));
      assert.deepEqual(readdirSync(victim), []);
    });
  } finally {
    await machine.close();
    rmSync(root, { recursive: true });
  }
});
