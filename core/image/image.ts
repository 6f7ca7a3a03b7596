/** An image as values: whole, with what its configuration says, and as a list shows it. */
import type { ImageConfig } from "./config.ts";
import type { JsonObject } from "./descriptor.ts";
import type { DiffId, Digest, ImageId } from "./digest.ts";
import type { StoredImage } from "./layout.ts";
import { familiarOf } from "./reference.ts";
import { sizeOf } from "./summary.ts";

/** The `config` of an image configuration (OCI image-spec, config.md), as far as a container takes it over. */
export interface ImageDefaults {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | null;
  /** Lines of a Dockerfile for whoever builds on the image; Docker's, as is the next. */
  readonly onBuild: readonly string[];
  /** As it stands there. */
  readonly healthcheck: JsonObject | null;
}

/** A step of an image's making, oldest first (OCI image-spec, config.md: "history"). */
export interface HistoryStep {
  /** RFC 3339, "" when it is not told. */
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** It changed the configuration only. */
  readonly emptyLayer: boolean;
}

export interface Image {
  readonly id: ImageId;
  /** Familiar names, "busybox:latest". */
  readonly names: readonly string[];
  /** "busybox@sha256:…", from a registry. */
  readonly digests: readonly string[];
  /** RFC 3339; "" when the image does not say. */
  readonly created: string;
  readonly author: string;
  readonly comment: string;
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly layers: readonly DiffId[];
  /** Bytes of the files in each layer, bottom first. */
  readonly layerSizes: readonly number[];
  /** Bytes of all layers, uncompressed. */
  readonly size: number;
  readonly history: readonly HistoryStep[];
  readonly defaults: ImageDefaults;
  /** The configuration's own bytes are at this digest. */
  readonly config: Digest;
  /** The digest under which a registry and containerd's stores know the image. */
  readonly manifest: Digest;
}

/** An image as a list shows it; no document needs to be read for it. */
export interface ListedImage {
  readonly id: ImageId;
  readonly names: readonly string[];
  readonly digests: readonly string[];
  readonly created: string;
  readonly createdSeconds: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly size: number;
}

/** A stored image never changes: it is always listed as the same value. */
const known = new WeakMap<StoredImage, ListedImage>();

export function listed(stored: StoredImage): ListedImage {
  const before = known.get(stored);
  if (before !== undefined) return before;
  const { id, names, digests, summary } = stored;
  const { created, createdSeconds, labels } = summary;
  const familiar = { names: names.map(familiarOf), digests: digests.map(familiarOf) };
  const image = { id, ...familiar, created, createdSeconds, labels, size: sizeOf(summary) };
  known.set(stored, image);
  return image;
}

/** An image with what its configuration says. */
export function imageOf(stored: StoredImage, { platform, diffIds, ...config }: ImageConfig): Image {
  const { id, names, digests, size } = listed(stored);
  const { sizes } = stored.summary;
  return {
    ...config,
    ...platform,
    id,
    names,
    digests,
    layers: diffIds,
    layerSizes: sizes,
    size,
    config: id,
    manifest: stored.manifest.digest,
  };
}

export interface RemovedImage {
  readonly untagged?: string;
  readonly deleted?: string;
}
