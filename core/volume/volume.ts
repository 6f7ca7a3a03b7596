/** A volume: a directory that outlives containers, at <data root>/volumes/<name>/_data. */
import type { HostPath } from "../base/brand.ts";

export interface Volume {
  readonly name: string;
  readonly path: HostPath;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
}
