/** Loads one archive into the store beneath a directory, in a process that a test can kill: ROOT ARCHIVE. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { openImages } from "../../core/engine/images.ts";

const [root = "", archive = ""] = process.argv.slice(2);
const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
process.stdout.write("opened\n");
for await (const { names } of images.load(createReadStream(archive, { highWaterMark: 16 * 1024 })))
  process.stdout.write(`${names.join()}\n`);
await machine.close();
