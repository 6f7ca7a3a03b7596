/**
 * Opens an image archive to look at: its documents, its layers, and where each of its files comes
 * from. Nothing is unpacked and nothing is kept but names and sizes; the digests are computed from
 * the bytes, the diff ids too. Hostile archives are refused with one TsboxError, as `load` does.
 */
import { type ByteStream, concat, hex, streamOf } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import type { Hasher } from "../core/base/ports.ts";
import { type ArchivedImage, readArchive } from "../core/image/archive.ts";
import { Checked } from "../core/image/checked.ts";
import { compressionOf, decompressed } from "../core/image/compression.ts";
import type { Digest, DiffId } from "../core/image/digest.ts";
import { changesOfTar } from "../core/image/layer.ts";
import { explain, type Explanation, type Names } from "../core/image/explain.ts";
import { formatPlatform } from "../core/image/platform.ts";
import { familiarOf } from "../core/image/reference.ts";
import { Spool, type Spooled } from "../core/image/spool.ts";
import { entryOf, type LayerEntry, Origins } from "../core/unionfs/origin.ts";
import { inflate } from "./codecs.ts";

export interface InspectedImage {
  /** Full names. */
  readonly names: readonly string[];
  /** The digest of the configuration. */
  readonly id: Digest;
  /** How its name leads to its bytes. */
  readonly ladder: Explanation;
  /** "linux/amd64" */
  readonly platform: string;
  readonly created: string;
  /** Bottom first. */
  readonly layers: readonly InspectedLayer[];
}

export interface InspectedLayer {
  /** Of the blob as it is in the archive. */
  readonly digest: Digest;
  /** Of the uncompressed tar. */
  readonly diffId: DiffId;
  readonly blobBytes: number;
  readonly compression: "gzip" | "zstd" | "none";
  /** The build's instruction, "" when the image does not say. */
  readonly createdBy: string;
  readonly files: number;
  /** Bytes of its files. */
  readonly fileBytes: number;
  readonly hidden: number;
}

export interface OpenedImage {
  readonly image: InspectedImage;
  readonly origins: Origins;
}

/** What a page can hold: a larger archive is for a real machine. */
const archiveBytesMax = 1_500_000_000;
const entriesMax = 1_000_000;

/** Throws TsboxError "corrupt" or "unsupported" naming what is wrong. */
export async function openArchive(tar: ByteStream, hasher: Hasher, architecture = "amd64"): Promise<OpenedImage[]> {
  const blobs = new Blobs(hasher);
  const spool = new Spool(hasher, (content) => blobs.take(content));
  const platform = { os: "linux", architecture, variant: "" };
  const stored = (digest: Digest): Promise<Uint8Array> => Promise.resolve(concat(blobs.chunks(digest)));
  const { images } = await readArchive(tar, { spool, hasher, inflate, platform, stored });
  const opened: OpenedImage[] = [];
  for (const image of images) opened.push(await openImage(image, blobs, hasher));
  return opened;
}

async function openImage(archived: ArchivedImage, blobs: Blobs, hasher: Hasher): Promise<OpenedImage> {
  const steps = archived.config.history.filter(({ emptyLayer }) => !emptyLayer);
  const layers: InspectedLayer[] = [];
  const entries: LayerEntry[][] = [];
  for (const [number, diffId] of archived.config.diffIds.entries()) {
    const blob = archived.layers[number];
    if (blob === undefined) continue;
    const held = await entriesOf(blob, diffId, blobs, hasher);
    entries.push(held);
    layers.push({ ...describe(blob, held), diffId, createdBy: steps[number]?.createdBy ?? "" });
  }
  const { names, configDigest: id, config } = archived;
  const ladder = explain({ ...archived, filesSizes: layers.map(({ fileBytes }) => fileBytes) }, typedFor(names, id), {
    hasher,
    from: "the archive",
  });
  const image = { names, id, ladder, created: config.created, layers };
  return { image: { ...image, platform: formatPlatform(config.platform) }, origins: new Origins(entries) };
}

/** What a user would type for it: a name as Docker shows it, or else its id. */
function typedFor(names: readonly string[], id: Digest): Names {
  const name = names[0] ?? null;
  return { typed: name === null ? id : familiarOf(name), name };
}

function describe(blob: Spooled, entries: readonly LayerEntry[]): Omit<InspectedLayer, "diffId" | "createdBy"> {
  return {
    digest: blob.digest,
    blobBytes: blob.size,
    compression: compressionOf(blob.head, `layer ${blob.digest}`) ?? "none",
    files: entries.length,
    fileBytes: entries.reduce((sum, { size }) => sum + size, 0),
    hidden: entries.filter(({ kind }) => kind === "whiteout" || kind === "opaque").length,
  };
}

/** The layer's entries; its content must have the diff id that the configuration promises. */
async function entriesOf(blob: Spooled, diffId: DiffId, blobs: Blobs, hasher: Hasher): Promise<LayerEntry[]> {
  const what = `layer ${diffId}`;
  const hash = hasher.sha256();
  const plain = compressionOf(blob.head, what) === null;
  const bytes = decompressed(blobs.stream(blob), inflate, what);
  const entries: LayerEntry[] = [];
  for await (const change of changesOfTar(plain ? bytes : hashed(bytes, hash), what)) {
    if (entries.length >= entriesMax) throw tooLarge(`${what} has more than ${entriesMax} entries`);
    entries.push(entryOf(change));
  }
  const found = plain ? blob.digest : `sha256:${hex(hash.digest())}`;
  if (found !== diffId) throw new TsboxError("corrupt", `${what}: its uncompressed content has the digest ${found}`);
  return entries;
}

async function* hashed(
  bytes: ByteStream,
  hash: { update(bytes: Uint8Array): void },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

function tooLarge(what: string): TsboxError {
  return new TsboxError("unsupported", `${what}: too large for this page; load it with tsbox on a Linux machine`);
}

/** The archive's large files by their digests, held in memory in the chunks in which they came. */
class Blobs {
  readonly #hasher: Hasher;
  readonly #chunks = new Map<Digest, readonly Uint8Array[]>();
  #held = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  async take(content: ByteStream): Promise<Omit<Spooled, "place">> {
    const checked = new Checked(content, this.#hasher);
    const chunks: Uint8Array[] = [];
    for await (const chunk of checked) {
      this.#held += chunk.length;
      if (this.#held > archiveBytesMax) throw tooLarge(`the archive has more than ${archiveBytesMax} bytes`);
      chunks.push(chunk.slice());
    }
    const digest = checked.digest();
    this.#chunks.set(digest, chunks);
    return { digest, size: checked.size, head: checked.head };
  }

  chunks(digest: Digest): readonly Uint8Array[] {
    return this.#chunks.get(digest) ?? [];
  }

  stream({ place, digest }: Spooled): ByteStream {
    return place === "stored" ? streamOf(...this.chunks(digest)) : streamOf(place);
  }
}
