/** An image: its configuration and where it came from, as a value. */
import type { DiffId, Digest, ImageId } from "./digest.ts";

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
}

export interface RemovedImage {
  readonly untagged?: string;
  readonly deleted?: string;
}
