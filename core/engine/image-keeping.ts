/** What keeps blobs and layers in the store (an image, a container, nobody), and how they go. */
import type { HostPath } from "../base/brand.ts";
import type { Clock } from "../base/ports.ts";
import { type DiffId, hexOf } from "../image/digest.ts";
import type { ImageTable } from "../image/store.ts";
import { ingestOf } from "./image-intake.ts";
import type { ImageLayers } from "./image-layers.ts";
import type { ImageUser } from "./image-store.ts";
import { Leases, partsOf, type Thing } from "./leases.ts";
import type { Disk } from "./machine.ts";

export interface KeepingParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly table: ImageTable;
  readonly layers: ImageLayers;
  readonly users: () => readonly ImageUser[];
}

/** Opens the leases; of layers that were coming, those nobody noted for a second try are removed. */
export async function openLeases(parts: KeepingParts): Promise<Leases> {
  const { disk, clock } = parts;
  const leases = await Leases.open(disk, clock, {
    need: (thing) => need(thing, parts),
    remove: (thing) => remove(thing, parts),
  });
  const kept = new Set(leases.list().map((thing) => partFile(disk, thing)));
  await disk.makeDirectory(ingestOf(disk), 0o700);
  for (const name of await disk.list(ingestOf(disk))) {
    const path = `${ingestOf(disk)}/${name}` as HostPath;
    if (!kept.has(path)) await disk.remove(path);
  }
  return leases;
}

function need(thing: Thing, { table, users }: KeepingParts): "owned" | "used" | "nobody" {
  const [kind, digest] = partsOf(thing);
  switch (kind) {
    case "part":
      return "nobody";
    case "blob":
      return table.usesBlob(digest) ? "owned" : "nobody";
    case "layer":
      if (table.layer(digest as DiffId) !== null) return "owned";
      return users().some(({ layers }) => layers.includes(digest as DiffId)) ? "used" : "nobody";
  }
}

async function remove(thing: Thing, { disk, table, layers }: KeepingParts): Promise<void> {
  const [kind, digest] = partsOf(thing);
  switch (kind) {
    case "part":
      return disk.remove(partFile(disk, thing));
    case "blob":
      return table.layout.blobs.remove(digest);
    case "layer":
      return layers.remove(digest as DiffId);
  }
}

function partFile(disk: Disk, thing: Thing): HostPath {
  const [, digest] = partsOf(thing);
  return `${ingestOf(disk)}/${hexOf(digest)}.part` as HostPath;
}
