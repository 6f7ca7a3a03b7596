/** Pruning images, for `image prune` and `system prune`. */
import type { Client } from "./client.ts";
import { filterQuery } from "./filters.ts";

export interface PrunedImages {
  readonly deleted: readonly { readonly Untagged?: string; readonly Deleted?: string }[];
  /** Bytes. */
  readonly reclaimed: number;
}

export async function pruneImages(
  client: Client,
  { all, filters }: { readonly all: boolean; readonly filters: readonly string[] },
): Promise<PrunedImages> {
  const query = { filters: filterQuery([...filters, `dangling=${!all}`]) };
  const answer = await client.post<{ ImagesDeleted: PrunedImages["deleted"] | null; SpaceReclaimed: number }>(
    "/images/prune",
    query,
  );
  return { deleted: answer.ImagesDeleted ?? [], reclaimed: answer.SpaceReclaimed };
}

export function prunedLines(deleted: PrunedImages["deleted"]): string[] {
  return deleted.map(({ Untagged, Deleted }) => (Deleted ? `deleted: ${Deleted}` : `untagged: ${Untagged}`));
}
