/** The simulated kernel's world: a host that boots in the test, busybox's programs played by userland's stand-ins. */
import { createReadStream } from "node:fs";
import { describe, test } from "node:test";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { HostFiles } from "../../backends/sim/host-files.ts";
import { bootHost } from "../../backends/sim/host.ts";
import type { Kernel } from "../../backends/sim/kernel/kernel.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { SimMachine } from "../../backends/sim/machine.ts";
import { simPorts } from "../../backends/sim/ports.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { standIn } from "../../backends/sim/userland/programs.ts";
import { webAssemblyLoader } from "../../backends/sim/wasm/loader.ts";
import { encodeText } from "../../core/base/bytes.ts";
import type { HostPath } from "../../core/base/brand.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { conformance } from "./suite.ts";
import type { World } from "./world.ts";

const missing = imagesMissing();
const bootTime = 1_767_225_600_000_000_000n;

if (missing === null) conformance("the simulated kernel", openWorld);
else describe("conformance of the simulated kernel", () => test("every case", { skip: missing }, () => {}));

const pause = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function openWorld(): Promise<World> {
  const loader = { standIn, webAssembly: webAssemblyLoader({ hasher: linuxPorts.hasher }) };
  const kernel = bootHost({ now: bootTime, random: seededRandom(1), pace: jumping(pause), loader });
  const files = new HostFiles(kernel);
  const tar = await busyboxTar();
  let machine = SimMachine.open(kernel);
  let directories = 0;
  const before = new Set(holdings(kernel));
  return {
    ports: simPorts(kernel, linuxPorts),
    cgroupParent: "conformance",
    get machine() {
      return machine;
    },
    async reopen() {
      await machine.close();
      machine = SimMachine.open(kernel);
    },
    async left() {
      await kernel.turns.run();
      return holdings(kernel).filter((line) => !before.has(line));
    },
    hostDirectory: (contents) => {
      const path = `/root/host${directories++}`;
      files.makeDirectory(path);
      for (const [name, text] of Object.entries(contents)) files.replace(`${path}/${name}`, encodeText(text), 0o644);
      return Promise.resolve(path as HostPath);
    },
    hostFile: (path) => Promise.resolve(new TextDecoder().decode(files.read(path))),
    busybox: () => createReadStream(tar),
    close: () => Promise.resolve(),
  };
}

/** What the kernel holds, a line a thing. */
function holdings(kernel: Kernel): string[] {
  const { mounts } = kernel.init.namespaces.mount.table;
  const cgroups = [...(kernel.cgroups.root.children.get("conformance")?.children.keys() ?? [])];
  return [
    ...[...kernel.processes.values()].map(({ pid, name }) => `process ${pid} ${name}`),
    ...[...mounts.values()].map(({ id, type }) => `mount ${id} ${type}`),
    ...cgroups.map((name) => `cgroup ${name}`),
  ];
}
