/**
 * A view: what a process has to do to see a container's files as the container does. It enters the mount namespace of
 * one that runs; of any other it puts layers and volumes together in a mount namespace of its own, which ends with it.
 * The ops are a plan's. Nothing is run there, and nothing has to be undone.
 */
import type { ContainerId, ContainerPath, HostPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { volumeOps } from "./mount-ops.ts";
import type { Mount } from "./mount.ts";
import type { ChildOp, Overlay, Plan } from "./plan.ts";
import type { HostTraits } from "./traits.ts";

export type View = readonly ChildOp[];

/** `plan`: the one that started it. */
export function viewOfRunning(container: ContainerId, plan: Plan): View {
  const spawn = plan.steps.at(-1);
  const users = spawn?.op === "spawn" && spawn.create.includes("user");
  return [{ op: "enter", join: { container, namespaces: users ? ["user", "mount"] : ["mount"] } }];
}

export interface StillInput {
  readonly root: Pick<Overlay, "lowers" | "upper" | "work" | "target">;
  /** tmpfs mounts are left out: there is nothing in them. */
  readonly mounts: readonly Mount[];
  /** Whether nothing but what is mounted can be written. */
  readonly readonly: boolean;
  readonly traits: HostTraits;
  /** Whether it has a user namespace of its own: its ids are then not those of its layers. */
  readonly ownUsers: boolean;
}

/** Of a container that does not run. Throws TsboxError "unsupported" when its ids are known only to its namespace. */
export function viewOfStill({ root, mounts, readonly, traits, ownUsers }: StillInput): View {
  if (ownUsers)
    throw new TsboxError(
      "unsupported",
      "the files of a container with a user namespace of its own can be reached only while it runs: start it",
    );
  const top = "/" as HostPath;
  return [
    { op: "unshare", namespaces: ["mount"] },
    { op: "propagation", path: top, mode: "rprivate" },
    { op: "overlay", ...root, via: traits.overlay, idMaps: null, flags: ["nodev"] },
    ...volumeOps(mounts),
    { op: "pivot", root: root.target },
    ...(readonly ? [{ op: "readonly", path: "/" as ContainerPath } satisfies ChildOp] : []),
  ];
}
