/**
 * What listing, sharing and collecting need to know of an image, so that ten thousand images are
 * there at start without a look at their documents. All of it follows from the manifest's digest: it
 * never changes, and can always be made again of the blobs.
 *
 * Digests stand end to end in one text, 64 hex digits each: such a text costs little to parse, and
 * whether two stacks of layers share their bottom is whether one text begins with the other.
 */
import { concat, decodeBytes, encodeText } from "../base/bytes.ts";
import type { Hasher } from "../base/ports.ts";
import { parseTime } from "../base/time.ts";
import type { ImageConfig } from "./config.ts";
import { type DiffId, type Digest, digestOf, hexOf, type ImageId } from "./digest.ts";
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
const digestLength = "sha256:".length + digits;

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

/**
 * The file of summaries: a line that says what it is, with the digest of all that follows, then one for each image. As
 * nobody else writes it, what has that digest is what was written.
 */
const heading = "tsbox-summaries 2 ";

/** By the manifest's digest. */
export function formatSummaries(hasher: Hasher, summaries: ReadonlyMap<Digest, Summary>): Uint8Array<ArrayBuffer> {
  const lines = encodeText([...summaries].map(([manifest, summary]) => `${manifest}\t${lineOf(summary)}\n`).join(""));
  return concat([encodeText(`${heading}${digestOf(hasher, lines)}\n`), lines]);
}

/** None when the file is not whole: it is only a shortcut. */
export function parseSummaries(hasher: Hasher, file: Uint8Array): Map<Digest, Summary> {
  const found = new Map<Digest, Summary>();
  const lines = file.subarray(heading.length + digestLength + 1);
  const expected = encodeText(`${heading}${digestOf(hasher, lines)}\n`);
  if (!expected.every((byte, at) => byte === file[at])) return found;
  const text = decodeBytes(lines);
  for (let at = 0, end = text.indexOf("\n"); end >= 0; at = end + 1, end = text.indexOf("\n", at)) {
    const manifest = text.slice(at, at + digestLength) as Digest;
    found.set(manifest, new WrittenSummary(text.slice(at + digestLength + 1, end)));
  }
  return found;
}

function lineOf(summary: Summary): string {
  if (summary instanceof WrittenSummary) return summary.line;
  const { id, created, createdSeconds, labels, layers, blobs, sizes } = summary;
  return [id, createdSeconds, layers, blobs, sizes.join(), JSON.stringify([created, labels])].join("\t");
}

/** A line of the file, taken apart when somebody looks at more than its id: ten thousand are there at the start. */
class WrittenSummary implements Summary {
  readonly id: ImageId;
  readonly line: string;
  #rest: Omit<Summary, "id"> | null = null;

  constructor(line: string) {
    this.id = line.slice(0, digestLength) as ImageId;
    this.line = line;
  }

  get #read(): Omit<Summary, "id"> {
    if (this.#rest !== null) return this.#rest;
    const [, seconds, layers = "", blobs = "", sizes = "", told = ""] = this.line.split("\t");
    const [created, labels] = JSON.parse(told) as [string, Record<string, string>];
    const numbers = sizes === "" ? [] : sizes.split(",").map(Number);
    return (this.#rest = { created, createdSeconds: Number(seconds), labels, layers, blobs, sizes: numbers });
  }

  get created(): string {
    return this.#read.created;
  }

  get createdSeconds(): number {
    return this.#read.createdSeconds;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#read.labels;
  }

  get layers(): string {
    return this.#read.layers;
  }

  get blobs(): string {
    return this.#read.blobs;
  }

  get sizes(): readonly number[] {
    return this.#read.sizes;
  }
}
