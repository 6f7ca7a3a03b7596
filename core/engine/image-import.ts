/**
 * `import`: a tar of a root file system becomes an image of one layer (moby: daemon/images/image_import.go).
 * The layer is stored uncompressed, whatever it came in: its digest is then the same everywhere.
 */
import { type ByteStream, encodeText } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { formatTime } from "../base/time.ts";
import { decompressed } from "../image/compression.ts";
import { changeConfig } from "../image/config-change.ts";
import { mediaTypes } from "../image/descriptor.ts";
import { digestOf } from "../image/digest.ts";
import type { StoredImage } from "../image/layout.ts";
import { formatManifest } from "../image/manifest.ts";
import type { Platform } from "../image/platform.ts";
import type { Intake } from "./image-intake.ts";

export interface ImportOptions {
  /** A full name with a tag; null: the image gets none. */
  readonly name: string | null;
  readonly message: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  readonly platform: Platform;
}

/** Throws TsboxError "corrupt" for what is no tar, "invalid" for a change that cannot be made. */
export async function importImage(
  tar: ByteStream,
  { name, message, changes, platform }: ImportOptions,
  { ports, intake }: { readonly ports: Ports; readonly intake: Intake },
): Promise<StoredImage> {
  const config = changeConfig({}, changes);
  if (!["linux", "wasi"].includes(platform.os)) throw new TsboxError("invalid", "operating system is not supported");
  const layer = await intake.file(decompressed(tar, ports.inflate, "the archive"), null);
  if (layer.size === 0) throw new TsboxError("corrupt", "the archive is empty: an image needs at least one entry");
  const created = formatTime(ports.clock.now());
  const { os, architecture, variant } = platform;
  const configBytes = encodeText(
    JSON.stringify({
      architecture,
      ...(variant === "" ? {} : { variant }),
      os,
      comment: message,
      created,
      config,
      history: [{ created, comment: message }],
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    }),
  );
  const configDigest = digestOf(ports.hasher, configBytes);
  const manifest = formatManifest({
    config: { mediaType: mediaTypes.config, digest: configDigest, size: configBytes.length },
    layers: [{ mediaType: mediaTypes.layer, digest: layer.digest, size: layer.size }],
  });
  const digest = digestOf(ports.hasher, manifest);
  await intake.put(configDigest, configBytes);
  await intake.put(digest, manifest);
  const descriptor = { mediaType: mediaTypes.manifest, digest, size: manifest.length };
  return intake.commit({ manifest: descriptor, names: name === null ? [] : [name] });
}
