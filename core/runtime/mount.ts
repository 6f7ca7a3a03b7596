/** A mount the user asked for, resolved by the engine: its source exists, its volume has a path. */
import type { ContainerPath, HostPath } from "../base/brand.ts";

export interface Mount {
  readonly kind: "bind" | "volume" | "tmpfs";
  /** "" for tmpfs. */
  readonly source: HostPath;
  readonly target: ContainerPath;
  readonly readonly: boolean;
  /** Whether the mounts beneath the source come along. */
  readonly recursive: boolean;
  /** "" is "rprivate"; "shared" and "rshared" are refused by compile (TsboxError "unsupported"). */
  readonly propagation: string;
  /** The source is a file (or a socket or device), so the target is made as one. */
  readonly isFile: boolean;
  /** tmpfs only: "size=64m,mode=1777", also flags such as "exec". */
  readonly options: string;
}
