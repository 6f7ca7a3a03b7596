/**
 * Descriptors point at blobs: what they are, how long, and the digest that proves it (OCI image-spec,
 * descriptor.md), and the media types of images, OCI's and Docker's (distribution: manifest v2.2).
 *
 * The checks here serve all of an image's JSON: each names the document and the field that is wrong.
 */
import { decodeBytes } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import { type Digest, isDigest } from "./digest.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** What an artifact's manifest is of, when it is no image. */
  readonly artifactType?: string;
}

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
} as const;

/** The longest manifest, index or configuration that is read, as registries and containerd have it. */
export const jsonBytesMax = 4 * 1024 * 1024;

export const isIndexType = (type: string): boolean => type === mediaTypes.index || type === mediaTypes.dockerList;
export const isManifestType = (type: string): boolean =>
  type === mediaTypes.manifest || type === mediaTypes.dockerManifest;
export const isConfigType = (type: string): boolean => type === mediaTypes.config || type === mediaTypes.dockerConfig;

/** `what` names the document in errors. Throws TsboxError "corrupt" for what is no JSON object. */
export function parseJson(bytes: Uint8Array, what: string, bytesMax = jsonBytesMax): JsonObject {
  return asObject(parseAny(bytes, what, bytesMax), what);
}

/** As parseJson, for a document that is an array (docker save's manifest.json). */
export function parseJsonArray(bytes: Uint8Array, what: string): readonly unknown[] {
  return asArray(parseAny(bytes, what, jsonBytesMax), what);
}

function parseAny(bytes: Uint8Array, what: string, bytesMax: number): unknown {
  if (bytes.length > bytesMax) throw corrupt(`${what} is ${bytes.length} bytes; at most ${bytesMax} are read`);
  try {
    return JSON.parse(decodeBytes(bytes)) as unknown;
  } catch (error) {
    throw corrupt(`${what} is not JSON: ${messageOf(error)}`);
  }
}

/** Throws TsboxError "corrupt" naming the field that is wrong. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, annotations, platform, artifactType } = asObject(value, what);
  if (typeof digest !== "string" || !isDigest(digest))
    throw corrupt(`${what}: digest ${JSON.stringify(digest)} is not sha256: and 64 hex digits`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw corrupt(`${what}: size ${JSON.stringify(size)} is not a number of bytes`);
  return {
    mediaType: asText(mediaType, `${what}: mediaType`),
    digest,
    size,
    ...(annotations === undefined || annotations === null ? {} : { annotations: asTexts(annotations, what) }),
    ...(platform === undefined || platform === null ? {} : { platform: parsePlatform(platform, what) }),
    ...(artifactType === undefined ? {} : { artifactType: asText(artifactType, `${what}: artifactType`) }),
  };
}

/** Only what it points at, without what was said of it there. */
export function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function parsePlatform(value: unknown, what: string): NonNullable<Descriptor["platform"]> {
  const { os, architecture, variant } = asObject(value, `${what}: platform`);
  return {
    os: asText(os, `${what}: platform.os`),
    architecture: asText(architecture, `${what}: platform.architecture`),
    ...(typeof variant === "string" ? { variant } : {}),
  };
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw corrupt(`${what} is not an object`);
  return value as JsonObject;
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw corrupt(`${what} is not a list`);
  return value as readonly unknown[];
}

/** A text; "" when there is none. */
export function asText(value: unknown, what: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw corrupt(`${what} is not a text`);
  return value;
}

/** A list of texts; null when there is none. */
export function asTextList(value: unknown, what: string): readonly string[] | null {
  if (value === undefined || value === null) return null;
  return asArray(value, what).map((item) => asText(item, what));
}

/** Names with texts; none when there are none. */
export function asTexts(value: unknown, what: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const texts = asObject(value, what);
  // Most need no change, and an index may have tens of thousands.
  if (Object.values(texts).every((text) => typeof text === "string")) return texts as Readonly<Record<string, string>>;
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, asText(text, what)]));
}

export function corrupt(message: string): TsboxError {
  return new TsboxError("corrupt", message);
}
