/**
 * The record of a container: everything the engine must know of it after a restart. It is written
 * whole, atomically, at containers/<id>/record.json, before the engine acts on what it says.
 */
import type { ContainerId, ContainerPath, HostPath } from "../base/brand.ts";
import type { DiffId, ImageId } from "../image/digest.ts";
import type { Plan } from "../runtime/plan.ts";
import type { Config, HostConfig } from "./config.ts";
import type { ContainerState } from "./state.ts";

export interface MountPoint {
  readonly kind: "bind" | "volume" | "tmpfs";
  /** The volume's name, "" for others. */
  readonly name: string;
  readonly source: HostPath;
  readonly target: ContainerPath;
  readonly readonly: boolean;
  readonly propagation: string;
  readonly mode: string;
}

export interface ContainerRecord {
  readonly version: 1;
  readonly id: ContainerId;
  /** Without the leading slash the wire adds. */
  readonly name: string;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly createdAt: string;
  readonly image: ImageId;
  readonly layers: readonly DiffId[];
  /** "linux/amd64", of the image. Records of earlier versions have none. */
  readonly platform?: string;
  /** The image's configuration and the request, merged: what the container is. */
  readonly config: Config;
  readonly hostConfig: HostConfig;
  readonly path: string;
  readonly args: readonly string[];
  readonly mounts: readonly MountPoint[];
  readonly state: ContainerState;
  /** 0 while it does not run. */
  readonly pid: number;
  readonly exitCode: number;
  /** Why the last start failed, "" if it did not. */
  readonly error: string;
  readonly oomKilled: boolean;
  /** RFC 3339; "0001-01-01T00:00:00Z" for never. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly restartCount: number;
  /** The user stopped or killed it: "unless-stopped" then leaves it so. */
  readonly stoppedByUser: boolean;
  /** The boot (…/sys/kernel/random/boot_id) in which `undo` means something. */
  readonly bootId: string;
  /** Stored before perform, so that whatever happens next can be undone. */
  readonly plan: Plan | null;
  readonly undo: Plan | null;
  readonly logPath: HostPath;
}
