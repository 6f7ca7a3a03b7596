import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createReadStream, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { bootHost } from "../../backends/sim/host.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { SimMachine } from "../../backends/sim/machine.ts";
import { simPorts } from "../../backends/sim/ports.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { standIn } from "../../backends/sim/userland/programs.ts";
import { webAssemblyLoader } from "../../backends/sim/wasm/loader.ts";
import { readAll, streamOf } from "../../core/base/bytes.ts";
import type { Ports } from "../../core/base/ports.ts";
import type { ImageStore } from "../../core/engine/image-store.ts";
import { openImages } from "../../core/engine/images.ts";
import type { Machine } from "../../core/engine/machine.ts";
import { dockerdMissing, startDockerd } from "../docker-cli/dockerd.ts";
import { directory, entry, tarOf } from "./forge.ts";
import { busyboxTar, imagesMissing } from "./make.ts";

// Images know no world: what the simulated host holds and saves is byte for byte what Linux does, and real Docker runs it.

const skip = process.getuid?.() === 0 ? (imagesMissing() ?? false) : "unpacks layers with their owners: needs root";

const pause = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function filled(machine: Machine, ports: Ports): Promise<ImageStore> {
  const images = await openImages({ disk: machine.disk, layers: machine.layers, ports });
  for await (const _ of images.load(createReadStream(await busyboxTar())));
  const root = await tarOf(directory("data/"), entry("data/file", "from the tab\n"));
  await images.import(streamOf(root), { name: "me/data:1", message: "m", changes: ["CMD x"], platform: null });
  return images;
}

async function simulated(): Promise<{ images: ImageStore; close: () => Promise<void> }> {
  const loader = { standIn, webAssembly: webAssemblyLoader({ hasher: linuxPorts.hasher }) };
  const kernel = bootHost({ now: 1_767_225_600_000_000_000n, random: seededRandom(1), pace: jumping(pause), loader });
  const machine = SimMachine.open(kernel);
  return { images: await filled(machine, simPorts(kernel, linuxPorts)), close: () => machine.close() };
}

test("both worlds make the same layers, find nothing wrong with them, and save the same bytes", { skip }, async () => {
  const root = scratch("worlds");
  const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
  const sim = await simulated();
  try {
    const linux = await filled(machine, linuxPorts);
    const findings: string[] = [];
    for (const images of [linux, sim.images])
      for await (const { thing, problem } of images.check()) findings.push(`${thing} ${problem}`);
    assert.deepEqual(findings, []);
    const layersOf = async (images: ImageStore): Promise<readonly string[]> => (await images.get("me/data:1")).layers;
    assert.deepEqual(await layersOf(sim.images), await layersOf(linux));
    const [ours, theirs] = [await linux.save(["busybox"]), await sim.images.save(["busybox"])];
    assert.deepEqual(await readAll(theirs, 2 ** 26), await readAll(ours, 2 ** 26));
  } finally {
    await sim.close();
    await machine.close();
    rmSync(root, { recursive: true });
  }
});

test("dockerd loads and runs what the simulated world saved", {
  skip: skip || (dockerdMissing() ?? false),
}, async () => {
  const root = scratch("worlds");
  const dockerd = await startDockerd();
  const sim = await simulated();
  const docker = (...args: string[]): string =>
    spawnSync("docker", ["-H", dockerd.host, ...args], { encoding: "utf8" }).stdout;
  try {
    const archive = join(root, "sim.tar");
    writeFileSync(archive, await readAll(await sim.images.save(["busybox", "me/data:1"]), 2 ** 26));
    docker("load", "-i", archive);
    assert.equal(docker("run", "--rm", "--network", "none", "busybox", "echo", "from the tab"), "from the tab\n");
    for (const name of ["busybox", "me/data:1"])
      assert.equal(docker("image", "inspect", "--format", "{{.Id}}", name).trim(), (await sim.images.get(name)).id);
  } finally {
    await sim.close();
    await dockerd.stop();
    rmSync(root, { recursive: true });
  }
});
