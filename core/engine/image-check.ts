/**
 * `system check`: reads all that the store of images holds and names each damaged, missing or
 * superfluous thing, with what to do. It changes nothing.
 */
import { messageOf } from "../base/error.ts";
import type { Hasher } from "../base/ports.ts";
import { Checked } from "../image/checked.ts";
import { type DiffId, type Digest, hexOf } from "../image/digest.ts";
import type { StoredImage } from "../image/layout.ts";
import { layerRecords, type LayerRecord } from "../image/layer-records.ts";
import { parseManifest } from "../image/manifest.ts";
import { familiarOf } from "../image/reference.ts";
import type { ImageTable } from "../image/store.ts";
import { layersOf } from "../image/summary.ts";
import { partsOf, type Thing, thing } from "./leases.ts";
import type { Layers } from "./machine.ts";

export interface Finding {
  /** "blob sha256:…", "layer sha256:…", "record sha256:…", "file". */
  readonly thing: string;
  /** The file or directory. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

export interface CheckParts {
  readonly table: ImageTable;
  readonly layers: Layers;
  readonly hasher: Hasher;
  readonly dataRoot: string;
  /** Whether the thing is noted as what may go: it is on its way in, or waits for a second try. */
  readonly isNoted: (kind: "blob" | "layer", digest: Digest) => boolean;
  /** Whether a container stands on the layer. */
  readonly isUsed: (diffId: DiffId) => boolean;
}

/** The findings as they are made: the blobs are read whole. */
export async function* checkImages(parts: CheckParts): AsyncGenerator<Finding, void, undefined> {
  const seen = new Set<string>();
  for (const stored of parts.table.list()) {
    yield* checkDocuments(parts, stored, seen);
    yield* checkLayers(parts, stored, seen);
  }
  for await (const problem of parts.layers.check())
    yield { ...problem, remedy: "remove what uses it, and load or pull it again" };
  yield* superfluous(parts);
}

async function* checkDocuments(
  { table, hasher }: CheckParts,
  stored: StoredImage,
  seen: Set<string>,
): AsyncGenerator<Finding, void, undefined> {
  const { blobs } = table.layout;
  const { id, index, manifest } = stored;
  const again = `remove the image and load or pull it again: tsbox rmi -f ${nameOf(stored)}`;
  for (const digest of [...(index === null ? [] : [index]), manifest.digest, id]) {
    if (seen.has(digest)) continue;
    seen.add(digest);
    const problem = await problemOf(digest, { table, hasher });
    if (problem !== null) yield { thing: `blob ${digest}`, path: blobs.path(digest), problem, remedy: again };
  }
  try {
    const { layers } = parseManifest(await blobs.document(manifest.digest, "manifest"), `manifest ${manifest.digest}`);
    for (const { digest, size } of layers) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      const problem = await problemOf(digest, { table, hasher, size });
      if (problem !== null) yield { thing: `blob ${digest}`, path: blobs.path(digest), problem, remedy: again };
    }
  } catch {
    return; // the manifest itself was named already
  }
}

/** What is wrong with a blob; null: nothing. */
async function problemOf(
  digest: Digest,
  { table, hasher, size }: Pick<CheckParts, "table" | "hasher"> & { readonly size?: number },
): Promise<string | null> {
  const { blobs } = table.layout;
  const found = await blobs.size(digest);
  if (found === null) return "is missing";
  if (size !== undefined && found !== size) return `has ${found} bytes, it should have ${size}`;
  try {
    const content = new Checked(blobs.stream(digest), hasher);
    for await (const _ of content);
    return content.digest() === digest ? null : `is damaged: its content has the digest ${content.digest()}`;
  } catch (thrown) {
    return `cannot be read: ${messageOf(thrown)}`;
  }
}

async function* checkLayers(
  { table, layers, hasher, dataRoot }: CheckParts,
  stored: StoredImage,
  seen: Set<string>,
): AsyncGenerator<Finding, void, undefined> {
  const { records } = table.layout;
  for (const record of layerRecords(hasher, layersOf(stored.summary), stored.summary.sizes)) {
    const { chainId, diffId } = record;
    if (seen.has(`record ${chainId}`)) continue;
    seen.add(`record ${chainId}`);
    const again = `remove the image and load or pull it again: tsbox rmi -f ${nameOf(stored)}`;
    if (!(await layers.has(diffId)))
      yield {
        thing: `layer ${diffId}`,
        path: `${dataRoot}/layers/${hexOf(diffId)}`,
        problem: "its unpacked tree is missing",
        remedy: again,
      };
    if (!isSame(await records.read(chainId), record))
      yield {
        thing: `record ${chainId}`,
        path: records.path(chainId),
        problem: "is missing or wrong",
        remedy: "nothing needs it to run; it is written anew when the image is loaded, pulled or tagged",
      };
  }
}

function isSame(found: LayerRecord | null, record: LayerRecord): boolean {
  return found !== null && JSON.stringify(found) === JSON.stringify(record);
}

async function* superfluous(parts: CheckParts): AsyncGenerator<Finding, void, undefined> {
  const { blobs } = parts.table.layout;
  for (const each of await superfluousThings(parts)) {
    const [kind, digest] = partsOf(each);
    const path = kind === "blob" ? blobs.path(digest) : `${parts.dataRoot}/layers/${hexOf(digest)}`;
    yield {
      thing: each,
      path,
      problem: "belongs to no image and no container",
      remedy: "tsbox image prune removes it",
    };
  }
}

/** Blobs and layers nobody needs, and nobody noted. */
export async function superfluousThings(parts: CheckParts): Promise<Thing[]> {
  const { table, layers, isNoted, isUsed } = parts;
  const needed = table.allBlobs();
  const blobs = (await table.layout.blobs.list()).filter((digest) => !needed.has(digest) && !isNoted("blob", digest));
  const owned = new Set(table.list().flatMap(({ summary }) => layersOf(summary)));
  const trees = (await layers.list()).filter(
    (diffId) => !owned.has(diffId) && !isNoted("layer", diffId) && !isUsed(diffId),
  );
  return [...blobs.map((digest) => thing("blob", digest)), ...trees.map((diffId) => thing("layer", diffId))];
}

function nameOf({ id, names }: StoredImage): string {
  const [name] = names;
  return name === undefined ? id : familiarOf(name);
}
