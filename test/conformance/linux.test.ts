/** The Linux backend's world: a machine on tmpfs, real namespaces, real cgroups. Needs root. */
import { createReadStream, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import type { HostPath } from "../../core/base/brand.ts";
import type { Machine } from "../../core/engine/machine.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { leftSince, snapshot } from "../left/left.ts";
import { conformance } from "./suite.ts";
import type { World } from "./world.ts";

const missing = process.getuid?.() === 0 ? imagesMissing() : "containers of the Linux backend need root";

if (missing === null) conformance("the Linux backend", openWorld);
else describe("conformance of the Linux backend", () => test("every case", { skip: missing }, () => {}));

async function openWorld(): Promise<World> {
  const directory = scratch("conformance");
  const cgroupParent = basename(directory);
  const roots = { dataRoot: join(directory, "data"), runRoot: join(directory, "run"), cgroupParent };
  const tar = await busyboxTar();
  let machine: Machine = await openLinuxMachine(roots);
  const mine = (line: string) => line.includes(cgroupParent) && !line.endsWith(`/${cgroupParent}`);
  const narrow = { directories: [roots.runRoot], mine };
  const before = snapshot(narrow);
  let directories = 0;
  return {
    ports: linuxPorts,
    cgroupParent,
    get machine() {
      return machine;
    },
    async reopen() {
      await machine.close();
      machine = await openLinuxMachine(roots);
    },
    left: () => leftSince(before, narrow),
    hostDirectory: (files) => {
      const path = join(directory, `host${directories++}`);
      mkdirSync(path);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
      return Promise.resolve(path as HostPath);
    },
    hostFile: (path) => Promise.resolve(readFileSync(path, "utf8")),
    busybox: () => createReadStream(tar),
    async close() {
      await machine.close();
      rmSync(directory, { recursive: true });
    },
  };
}
