/** What a world makes of layers, as lines: all that the union shows, files that are read without a mount, or what was refused. */
import { createHash } from "node:crypto";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { HostFiles } from "../../backends/sim/host-files.ts";
import { bootHost } from "../../backends/sim/host.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { TreeLayers } from "../../backends/sim/layers.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { standIn } from "../../backends/sim/userland/programs.ts";
import { webAssemblyLoader } from "../../backends/sim/wasm/loader.ts";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { readAll } from "../../core/base/bytes.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Layers } from "../../core/engine/machine.ts";
import type { DiffId } from "../../core/image/digest.ts";
import type { Change, Meta } from "../../core/unionfs/change.ts";
import type { LayerCase } from "./layer-cases.ts";

/** What is later was stamped by a clock. */
const durableFrom = 1_000_000_000_000_000_000n;
const bootTime = 1_767_225_600_000_000_000n;

/** The layers of a simulated host. */
export function simulatedLayers(): Layers {
  const loader = { standIn, webAssembly: webAssemblyLoader({ hasher: linuxPorts.hasher }) };
  const kernel = bootHost({ now: bootTime, random: seededRandom(1), pace: jumping(() => Promise.resolve()), loader });
  return new TreeLayers(new HostFiles(kernel), "/var/lib/tsbox" as HostPath);
}

let made = 0;

/** Makes the layers, looks at them, and removes them. */
export async function linesOf(layers: Layers, each: LayerCase): Promise<string[]> {
  const lowers: DiffId[] = [];
  try {
    for (const changes of each.layers()) {
      const layer = `sha256:${named(++made)}` as DiffId;
      await layers.apply(layer, inTurn(changes));
      lowers.push(layer);
    }
    const lines = await seen(layers, lowers, each);
    for await (const { problem } of layers.check()) lines.push(problem);
    return lines;
  } catch (thrown) {
    if (!(thrown instanceof TsboxError)) throw thrown;
    return [`refused: ${thrown.code} ${String(thrown.data["errno"])} ${String(thrown.data["path"])}`];
  } finally {
    for (const layer of lowers) await layers.remove(layer);
  }
}

async function* inTurn(changes: readonly Change[]): AsyncGenerator<Change, void, undefined> {
  yield* changes;
}

async function seen(layers: Layers, lowers: readonly DiffId[], { reads = [] }: LayerCase): Promise<string[]> {
  const container = named(++made) as ContainerId;
  await layers.prepare(container, lowers);
  try {
    const lines: string[] = [];
    for await (const change of layers.merged(container, lowers)) lines.push(await lineOf(change));
    for (const path of reads) {
      const bytes = await layers.readFile(container, lowers, path, 1000);
      lines.push(`read ${path}: ${bytes === null ? "nothing" : Buffer.from(bytes).toString("latin1")}`);
    }
    return lines;
  } finally {
    await layers.discard(container);
  }
}

function named(number: number): string {
  return createHash("sha256").update(`${process.pid} ${number}`).digest("hex");
}

async function lineOf(change: Change): Promise<string> {
  const words = [change.kind, JSON.stringify(change.path)];
  if ("meta" in change) words.push(metaOf(change.meta));
  if ("target" in change) words.push(`-> ${change.target}`);
  if ("major" in change) words.push(`${change.major}:${change.minor}`);
  if (change.kind === "file")
    words.push(JSON.stringify(Buffer.from(await readAll(change.content, 1000)).toString("latin1")));
  return words.join(" ");
}

function metaOf({ mode, uid, gid, mtime, xattrs }: Meta): string {
  const attributes = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`);
  const time = mtime >= durableFrom ? "now" : String(mtime);
  return [mode.toString(8), `${uid}:${gid}`, time, ...attributes.toSorted()].join(" ");
}
