/** GET /system/df: the room that images take, and what uses them. */
import type { ContainerRecord } from "../core/container/record.ts";
import type { Call, Context } from "./route.ts";
import { containerSummary } from "./wire/container-summary.ts";
import { imageSummary } from "./wire/image.ts";
import { volumeToWire } from "./wire/volume.ts";

/** What containers wrote and volumes hold is not measured: volumes say -1, as Docker says what it does not know. */
export async function diskUsage({ engine, system }: Context, { version }: Call) {
  const { images, containers, volumes } = engine;
  const usage = await images.usage();
  const shared = new Map(usage.images.map((image) => [image.id, image.shared]));
  const records = await containers.list();
  const now = system.clock.now();
  return {
    LayersSize: usage.layersSize,
    Images: (await images.list()).map((image) => ({
      ...imageSummary(image, version),
      SharedSize: shared.get(image.id) ?? 0,
      Containers: records.filter((record) => record.image === image.id).length,
    })),
    Containers: records.map((record) => containerSummary(record, now)),
    Volumes: (await volumes.list()).map((volume) => ({
      ...volumeToWire(volume),
      UsageData: { Size: -1, RefCount: usersOf(records, volume.name) },
    })),
    BuildCache: [],
  };
}

function usersOf(records: readonly ContainerRecord[], volume: string): number {
  return records.filter(({ mounts }) => mounts.some((mount) => mount.kind === "volume" && mount.name === volume))
    .length;
}

export type DiskUsage = Awaited<ReturnType<typeof diskUsage>>;
