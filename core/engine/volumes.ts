/** The volumes as the engine's callers see them. */
import { TsboxError } from "../base/error.ts";
import type { MountPoint } from "../container/record.ts";
import type { Volume } from "../volume/volume.ts";
import type { Context } from "./context.ts";
import type { Volumes } from "./engine.ts";
import type { Live } from "./live.ts";

export function volumesOf(context: Context): Volumes {
  return {
    list: () => Promise.resolve(context.volumes.list()),
    get: async (name) => get(context, name),
    async create({ name, labels }) {
      const { volume, made } = await context.volumes.make(name === "" ? null : name, labels);
      if (made) context.events.emit("volume", "create", volume.name, { driver: "local" });
      return volume;
    },
    remove: (name, { force }) => remove(context, name, force),
  };
}

function get(context: Context, name: string): Volume {
  const volume = context.volumes.get(name);
  if (volume === null) throw new TsboxError("not-found", `get ${name}: no such volume`);
  return volume;
}

async function remove(context: Context, name: string, force: boolean): Promise<void> {
  if (force && context.volumes.get(name) === null) return;
  get(context, name);
  const users = usersOf(context, name);
  if (users.length > 0) throw new TsboxError("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
  await context.volumes.remove(name);
  context.events.emit("volume", "destroy", name, { driver: "local" });
}

/** Tells that a container began or ceased to use its volumes. */
export function emitMounts(context: Context, live: Live, action: "mount" | "unmount"): void {
  for (const { kind, name, target, readonly, propagation } of live.record.mounts) {
    if (kind !== "volume") continue;
    const access = action === "mount" ? { destination: target, "read/write": String(!readonly), propagation } : {};
    context.events.emit("volume", action, name, { driver: "local", container: live.record.id, ...access });
  }
}

/** The ids of the containers that mount it. */
function usersOf(context: Context, name: string): string[] {
  const users = context.containers.list().filter(({ record }) => record.mounts.some((mount) => mount.name === name));
  return users.map(({ record }) => record.id);
}

/** Removes those of a removed container's volumes that nobody named and nobody else mounts. */
export async function removeAnonymous(context: Context, mounts: readonly MountPoint[]): Promise<void> {
  for (const { name } of mounts) {
    if (context.volumes.get(name)?.anonymous !== true || usersOf(context, name).length > 0) continue;
    await context.attempt(`removing volume ${name}`, context.volumes.remove(name));
    context.events.emit("volume", "destroy", name, { driver: "local" });
  }
}
