/** Volumes on the wire. */
import * as v from "valibot";
import type { Volume } from "../../core/volume/volume.ts";
import { text, textMap } from "./schema.ts";

export const volumeCreateSchema = v.object({ Name: text, Driver: text, DriverOpts: textMap, Labels: textMap });

export function volumeToWire(volume: Volume) {
  return {
    CreatedAt: volume.createdAt,
    Driver: "local",
    Labels: Object.keys(volume.labels).length === 0 ? null : volume.labels,
    Mountpoint: volume.path,
    Name: volume.name,
    Options: null,
    Scope: "local",
  };
}

export type VolumeBody = ReturnType<typeof volumeToWire>;
