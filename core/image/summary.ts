/**
 * What listing, sharing and collecting need to know of an image, so that ten thousand images are
 * there at start without a look at their documents. All of it follows from the manifest's digest: it
 * never changes, and can always be made again of the blobs.
 *
 * Digests stand end to end in one text, 64 hex digits each: such a text costs little to parse, and
 * whether two stacks of layers share their bottom is whether one text begins with the other.
 */
import { decodeBytes, encodeText } from "../base/bytes.ts";
import { parseTime } from "../base/time.ts";
import type { ImageConfig } from "./config.ts";
import { asObject, asTexts } from "./descriptor.ts";
import { type DiffId, type Digest, hexOf, type ImageId, isDigest } from "./digest.ts";
import type { Manifest } from "./manifest.ts";

export interface Summary {
  readonly id: ImageId;
  /** RFC 3339; "" when the image does not say. */
  readonly created: string;
  /** The same in seconds since the epoch; 0 when it does not say. */
  readonly createdSeconds: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The diff ids, bottom first, packed. */
  readonly layers: string;
  /** The digests of the blobs they came in, packed; "" when these are the diff ids. */
  readonly blobs: string;
  /** Bytes of the files in each layer, bottom first. */
  readonly sizes: readonly number[];
}

const digits = 64;

export function summarise(manifest: Manifest, config: ImageConfig, sizes: readonly number[]): Summary {
  const layers = pack(config.diffIds);
  const blobs = pack(manifest.layers.map(({ digest }) => digest));
  const { created, defaults } = config;
  const id = manifest.config.digest as ImageId;
  const createdSeconds = Number((parseTime(created) ?? 0n) / 1_000_000_000n);
  const { labels } = defaults;
  return { id, created, createdSeconds, labels, layers, blobs: blobs === layers ? "" : blobs, sizes };
}

export function pack(digests: readonly Digest[]): string {
  return digests.map(hexOf).join("");
}

export function layersOf({ layers }: Summary): DiffId[] {
  return unpack(layers) as DiffId[];
}

export function layerBlobsOf({ layers, blobs }: Summary): Digest[] {
  return unpack(blobs === "" ? layers : blobs);
}

/** Bytes of the files in all layers. */
export function sizeOf({ sizes }: Summary): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Where in a packed text the digest stands, -1 when it does not. */
export function packedIndex(packed: string, digest: Digest): number {
  const at = packed.indexOf(hexOf(digest));
  return at < 0 || at % digits !== 0 ? -1 : at / digits;
}

function unpack(packed: string): Digest[] {
  return Array.from({ length: packed.length / digits }, (_, number) => unpackAt(packed, number));
}

function unpackAt(packed: string, number: number): Digest {
  return `sha256:${packed.slice(number * digits, (number + 1) * digits)}` as Digest;
}

export function layerBlobAt({ layers, blobs }: Summary, number: number): Digest {
  return unpackAt(blobs === "" ? layers : blobs, number);
}

const version = 1;

/** The file of summaries, by the manifest's digest. */
export function formatSummaries(summaries: ReadonlyMap<Digest, Summary>): Uint8Array<ArrayBuffer> {
  return encodeText(JSON.stringify({ version, images: Object.fromEntries(summaries) }));
}

/** What can be read of the file: it is only a shortcut, so what is wrong in it is left out. */
export function parseSummaries(bytes: Uint8Array): Map<Digest, Summary> {
  const found = new Map<Digest, Summary>();
  try {
    const file = asObject(JSON.parse(decodeBytes(bytes)), "summaries");
    if (file["version"] !== version) return found;
    for (const [digest, value] of Object.entries(asObject(file["images"], "images")))
      if (isDigest(digest) && isSummary(value)) found.set(digest, value);
  } catch {
    return new Map();
  }
  return found;
}

function isSummary(value: unknown): value is Summary {
  const { id, created, createdSeconds, labels, layers, blobs, sizes } = asObject(value, "summary");
  asTexts(labels, "labels");
  return (
    typeof id === "string" &&
    typeof created === "string" &&
    typeof createdSeconds === "number" &&
    isDigest(id) &&
    typeof layers === "string" &&
    typeof blobs === "string" &&
    Array.isArray(sizes) &&
    sizes.every((size) => Number.isSafeInteger(size)) &&
    layers.length === sizes.length * digits &&
    (blobs === "" || blobs.length === layers.length)
  );
}
