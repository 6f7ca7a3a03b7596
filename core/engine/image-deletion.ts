/** `rmi` and `prune`: images go, with those of their layers that nobody else needs. Inside a change. */
import type { Hasher } from "../base/ports.ts";
import { chainIds } from "../image/digest.ts";
import { listed, type RemovedImage } from "../image/image.ts";
import { blobsOf, type StoredImage } from "../image/layout.ts";
import { familiarOf } from "../image/reference.ts";
import { type ImageTable, sharedLayers } from "../image/store.ts";
import { layersOf, pack } from "../image/summary.ts";
import { usageOf } from "../image/usage.ts";
import type { Pruned, PruneOptions } from "./engine.ts";
import { planRemoval } from "./image-removal.ts";
import type { ImageAction, ImageUser } from "./image-store.ts";
import { type Leases, type Thing, thing } from "./leases.ts";

export interface RemoveParts {
  readonly table: ImageTable;
  readonly leases: Leases;
  readonly hasher: Hasher;
  readonly users: () => readonly ImageUser[];
  readonly emit: (action: ImageAction, id: StoredImage["id"]) => void;
}

/** Throws not-found, and conflict in Docker's words. */
export async function removeImage(parts: RemoveParts, ref: string, force: boolean): Promise<RemovedImage[]> {
  const { table, users, emit } = parts;
  const found = table.find(ref);
  const { id } = found;
  const removal = planRemoval(
    found,
    ref,
    users().filter(({ image }) => image === id),
    force,
  );
  if (!removal.delete) await table.untag(id, new Set(removal.untag));
  for (const _ of removal.untag) emit("untag", id);
  const untagged = removal.untag.map((name) => ({ untagged: familiarOf(name) }));
  return removal.delete ? [...untagged, ...(await deleteImage(parts, found))] : untagged;
}

/** `superfluous`: what the store has that nothing needs. */
export async function pruneImages(
  parts: RemoveParts,
  { dangling, accepts }: PruneOptions,
  superfluous: () => Promise<Thing[]>,
): Promise<Pruned> {
  const { table, leases, users, emit } = parts;
  const before = usageOf(table.list()).layersSize;
  const removed: RemovedImage[] = [];
  for (const image of table.list()) {
    const names = [...image.names, ...image.digests];
    const isUsed = users().some((user) => user.image === image.id);
    if ((dangling && names.length > 0) || isUsed || !accepts(listed(image))) continue;
    for (const _ of names) emit("untag", image.id);
    removed.push(...names.map((name) => ({ untagged: familiarOf(name) })), ...(await deleteImage(parts, image)));
  }
  await leases.disown(await superfluous());
  await leases.collect(true);
  await table.removeStrayRecords();
  return { removed, reclaimedBytes: before - usageOf(table.list()).layersSize };
}

/** The image and those of its layers that nobody else needs, as Docker lists them: by chain id, from the top. */
async function deleteImage(
  { table, leases, hasher, users, emit }: RemoveParts,
  stored: StoredImage,
): Promise<RemovedImage[]> {
  const layers = layersOf(stored.summary);
  const things = [
    ...blobsOf(stored).map((digest) => thing("blob", digest)),
    ...layers.map((diffId) => thing("layer", diffId)),
  ];
  await leases.disown(things);
  await table.remove(stored);
  await leases.collect();
  emit("delete", stored.id);
  const used = users().map((user) => pack(user.layers));
  const others = [...table.list().map(({ summary }) => summary.layers), ...used];
  const gone = chainIds(hasher, layers).slice(sharedLayers(stored, others)).toReversed();
  return [{ deleted: stored.id }, ...gone.map((id) => ({ deleted: id }))];
}
