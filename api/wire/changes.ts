/** What `docker diff` asks for: GET /containers/{id}/changes. */
import type { Difference } from "../../core/unionfs/diff.ts";

export interface FilesystemChange {
  readonly Path: string;
  /** 0 modified, 1 added, 2 deleted. */
  readonly Kind: 0 | 1 | 2;
}

const kinds = { C: 0, A: 1, D: 2 } as const;

/** Docker answers null where nothing changed. */
export function changesToWire(differences: readonly Difference[]): FilesystemChange[] | null {
  return differences.length === 0 ? null : differences.map(({ kind, path }) => ({ Path: path, Kind: kinds[kind] }));
}
