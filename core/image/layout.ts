/**
 * The images on disk, <data root>/image/: an OCI image layout that other tools can open where it lies.
 *
 *   oci-layout, index.json     every image's manifest, once for each of its names: the only truth that changes
 *   blobs/sha256/<hex>         manifests, configurations, layers as they came (blobs.ts)
 *   layerdb/sha256/<hex>.json  what is known of each layer (layer-records.ts)
 *   summaries.tsv             what listing needs of each image (summary.ts): a shortcut, made again when it is lost
 *
 * index.json is the one point at which an image comes or goes. What other tools put into it and is no
 * image (a chart, a signature) stays in it as it is.
 */
import type { HostPath } from "../base/brand.ts";
import { encodeText, streamOf } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import type { Hasher, Inflate } from "../base/ports.ts";
import { Blobs, type StoreDisk } from "./blobs.ts";
import { decompressed } from "./compression.ts";
import { type ImageConfig, parseConfig } from "./config.ts";
import { bare, corrupt, type Descriptor, isIndexType, isManifestType } from "./descriptor.ts";
import { chainIds, type Digest, type ImageId, isDigest } from "./digest.ts";
import { foundManifests } from "./found-manifests.ts";
import {
  formatIndex,
  imageNameAnnotation,
  type IndexEntry,
  layoutFile,
  parseIndex,
  refNameAnnotation,
} from "./index.ts";
import { LayerRecords } from "./layer-records.ts";
import { isImageManifest, type Manifest, parseManifest, partsOf } from "./manifest.ts";
import { familiarOf } from "./reference.ts";
import { formatSummaries, layerBlobsOf, parseSummaries, summarise, type Summary } from "./summary.ts";
import { readTar } from "./tar.ts";

/** An image as the store keeps it. */
export interface StoredImage {
  readonly id: ImageId;
  readonly manifest: Descriptor;
  /** The index for several platforms it was chosen from; null: it came alone. */
  readonly index: Digest | null;
  /** Full names with a tag, sorted. */
  readonly names: readonly string[];
  /** Full names with a digest, from a registry, sorted. */
  readonly digests: readonly string[];
  readonly summary: Summary;
}

/** What the index has besides images, as it stands there. */
export interface Artifact extends IndexEntry {
  /** All that it is made of, itself first. */
  readonly blobs: readonly Digest[];
}

interface Listed {
  readonly entries: readonly IndexEntry[];
  /** Null: nothing was wrong. */
  readonly damage: string | null;
}

export interface Contents {
  readonly images: readonly StoredImage[];
  readonly artifacts: readonly Artifact[];
}

/** The digests by which registries know an image: full names, parted by blanks. */
const digestsAnnotation = "tsbox.digests";
const indexAnnotation = "tsbox.index";

/** Every blob an image needs. */
export function blobsOf({ manifest, index, summary }: StoredImage): Digest[] {
  return [...(index === null ? [] : [index]), manifest.digest, summary.id, ...layerBlobsOf(summary)];
}

export class ImageLayout {
  readonly blobs: Blobs;
  readonly records: LayerRecords;
  readonly #disk: StoreDisk;
  readonly #hasher: Hasher;
  readonly #inflate: Inflate;
  readonly #root: string;

  constructor(disk: StoreDisk, ports: { readonly hasher: Hasher; readonly inflate: Inflate }) {
    this.#disk = disk;
    this.#hasher = ports.hasher;
    this.#inflate = ports.inflate;
    this.#root = `${disk.dataRoot}/image`;
    this.blobs = new Blobs(disk, ports.hasher);
    this.records = new LayerRecords(disk);
  }

  /**
   * Reads what there is. An index that is damaged is put aside and made again of the blobs; `warn` is told. Throws TsboxError
   * "corrupt" naming the file that is wrong.
   */
  async open(warn: (message: string) => void): Promise<Contents> {
    await this.#disk.makeDirectory(this.blobs.directory, 0o700);
    await this.records.open();
    const isNew = (await this.#disk.stat(this.index)) === null;
    if (isNew) await this.#write("oci-layout", layoutFile);
    const { entries: listed, damage } = isNew ? await this.#found("is missing") : await this.#entries();
    const named = groupByManifest(listed);
    const known = await this.#summaries();
    const images: StoredImage[] = [];
    const artifacts: Artifact[] = [];
    let made = false;
    for (const entries of named.values()) {
      const [{ descriptor }] = entries;
      const summary = known.get(descriptor.digest) ?? (await this.#summarise(descriptor));
      made ||= !known.has(descriptor.digest);
      if (summary === null) for (const entry of entries) artifacts.push(await this.artifact(entry));
      else images.push(imageOf(entries, summary));
    }
    if (made) await this.saveSummaries(images);
    if (isNew || damage !== null) await this.#rewrite({ images, artifacts }, isNew);
    if (damage !== null) warn(`${damage}; ${foundAgain(images.length)}`);
    return { images, artifacts };
  }

  get index(): HostPath {
    return this.#path("index.json");
  }

  #path(name: string): HostPath {
    return `${this.#root}/${name}` as HostPath;
  }

  #write(name: string, bytes: Uint8Array): Promise<void> {
    return this.#disk.writeStream(this.#path(name), streamOf(bytes));
  }

  /** The file is ours and may name tens of thousands: its length has no bound. */
  async #entries(): Promise<Listed> {
    try {
      const bytes = await this.#disk.read(this.index);
      return { entries: parseIndex(bytes, this.index, Number.POSITIVE_INFINITY), damage: null };
    } catch (thrown) {
      if (!(thrown instanceof TsboxError)) throw thrown;
      return this.#found(`is damaged and kept as index.json.damaged: ${messageOf(thrown)}`);
    }
  }

  /** What the blobs tell by themselves; that is no news of a store that is empty. */
  async #found(problem: string): Promise<Listed> {
    const index = formatIndex(await foundManifests(this.blobs));
    const entries = parseIndex(index, this.index, Number.POSITIVE_INFINITY);
    return { entries, damage: entries.length === 0 && problem === "is missing" ? null : `${this.index} ${problem}` };
  }

  async #rewrite(contents: Contents, isNew: boolean): Promise<void> {
    const aside = this.#path("index.json.damaged");
    if (!isNew) await this.#disk.writeStream(aside, this.#disk.stream(this.index));
    await this.saveIndex(contents);
  }

  async #summaries(): Promise<Map<Digest, Summary>> {
    const file = this.#path("summaries.tsv");
    return (await this.#disk.stat(file)) === null
      ? new Map()
      : parseSummaries(this.#hasher, await this.#disk.read(file));
  }

  /** With what it is made of, as far as that can be told: of what is no manifest only itself. */
  async artifact(entry: IndexEntry): Promise<Artifact> {
    const { digest, mediaType } = entry.descriptor;
    if (!isManifestType(mediaType) && !isIndexType(mediaType)) return { ...entry, blobs: [digest] };
    const what = `artifact ${digest}`;
    const parts = partsOf(await this.blobs.document(digest, what), what);
    return { ...entry, blobs: [digest, ...parts.map((part) => part.digest)] };
  }

  /** Null for what is no image. */
  async #summarise(descriptor: Descriptor): Promise<Summary | null> {
    if (!isManifestType(descriptor.mediaType)) return null;
    const { digest } = descriptor;
    try {
      const what = `manifest ${digest}`;
      const bytes = await this.blobs.document(digest, what);
      if (!isImageManifest(bytes, what)) return null;
      const manifest = parseManifest(bytes, what);
      const config = await this.config(manifest.config.digest as ImageId);
      return summarise(manifest, config, await this.#sizes(manifest, config));
    } catch (thrown) {
      throw corrupt(`${this.index} names an image that cannot be read: ${messageOf(thrown)}`);
    }
  }

  /** From the records, and where there is none by reading the layer. */
  async #sizes(manifest: Manifest, config: ImageConfig): Promise<number[]> {
    const sizes: number[] = [];
    for (const [number, chainId] of chainIds(this.#hasher, config.diffIds).entries()) {
      const record = await this.records.read(chainId);
      const blob = manifest.layers[number]?.digest;
      if (record !== null) sizes.push(record.size);
      else if (blob === undefined) throw corrupt(`manifest of ${manifest.config.digest} has too few layers`);
      else sizes.push(await this.#measure(blob));
    }
    return sizes;
  }

  async #measure(blob: Digest): Promise<number> {
    const what = `layer ${blob}`;
    let bytes = 0;
    for await (const { kind, size, linkName } of readTar(
      decompressed(this.blobs.stream(blob), this.#inflate, what),
      what,
    ))
      bytes += kind === "symlink" ? encodeText(linkName).length : size;
    return bytes;
  }

  async config(id: ImageId): Promise<ImageConfig> {
    const what = `configuration ${id}`;
    return parseConfig(await this.blobs.document(id, what), what);
  }

  /** Says which images there are. */
  saveIndex({ images, artifacts }: Contents): Promise<void> {
    const manifests = [...images.flatMap(descriptorsOf), ...artifacts.map(({ json }) => json)];
    return this.#write("index.json", formatIndex(manifests));
  }

  saveSummaries(images: readonly StoredImage[]): Promise<void> {
    const summaries = new Map(images.map(({ manifest, summary }) => [manifest.digest, summary]));
    return this.#write("summaries.tsv", formatSummaries(this.#hasher, summaries));
  }
}

function foundAgain(count: number): string {
  const images = count === 1 ? "1 image was" : `${count} images were`;
  return `${images} found again, without names: tsbox images lists them, tsbox tag names them`;
}

type Entries = [IndexEntry, ...IndexEntry[]];

function groupByManifest(entries: readonly IndexEntry[]): Map<Digest, Entries> {
  const named = new Map<Digest, Entries>();
  for (const entry of entries) {
    const { digest } = entry.descriptor;
    const known = named.get(digest);
    if (known === undefined) named.set(digest, [entry]);
    else known.push(entry);
  }
  return named;
}

function imageOf(entries: Entries, summary: Summary): StoredImage {
  const [{ descriptor }] = entries;
  const names = entries.map(({ descriptor: { annotations } }) => annotations?.[imageNameAnnotation]);
  const index = descriptor.annotations?.[indexAnnotation];
  return {
    id: summary.id,
    manifest: bare(descriptor),
    index: index !== undefined && isDigest(index) ? index : null,
    names: names.filter((name) => name !== undefined).toSorted(),
    digests: (descriptor.annotations?.[digestsAnnotation] ?? "").split(" ").filter(Boolean),
    summary,
  };
}

/** One for each name, or a single nameless one. */
function descriptorsOf({ manifest, index, names, digests }: StoredImage): Descriptor[] {
  const own = {
    ...(digests.length === 0 ? {} : { [digestsAnnotation]: digests.join(" ") }),
    ...(index === null ? {} : { [indexAnnotation]: index }),
  };
  if (names.length === 0) return [Object.keys(own).length === 0 ? manifest : { ...manifest, annotations: own }];
  return names.map((name) => ({
    ...manifest,
    annotations: { ...own, [imageNameAnnotation]: name, [refNameAnnotation]: familiarOf(name) },
  }));
}
