/**
 * The images of a machine: which there are, what they are called (names → ids), which blobs and
 * layers they share. All of it is in memory as summaries; the layout is written at each change,
 * before the change can be seen. The caller lets one change happen at a time.
 */
import { TsboxError } from "../base/error.ts";
import type { Hasher, Inflate } from "../base/ports.ts";
import type { StoreDisk } from "./blobs.ts";
import { chainIds, type DiffId, type Digest, type ImageId } from "./digest.ts";
import { imageOf } from "./image.ts";
import type { Image } from "./image.ts";
import { type Artifact, blobsOf, type Contents, ImageLayout, type StoredImage } from "./layout.ts";
import { layerRecords } from "./layer-records.ts";
import { defaultTag, formatFamiliar, formatReference, parseReference, type Reference } from "./reference.ts";
import { layerBlobAt, layersOf, packedIndex } from "./summary.ts";

export class ImageTable {
  readonly layout: ImageLayout;
  readonly #hasher: Hasher;
  #images: ReadonlyMap<ImageId, StoredImage> = new Map();
  #byName: ReadonlyMap<string, ImageId> = new Map();
  #artifacts: readonly Artifact[] = [];
  /** Images that were looked at, with their configuration. */
  readonly #details = new WeakMap<StoredImage, Image>();

  private constructor(layout: ImageLayout, hasher: Hasher, contents: Contents) {
    this.layout = layout;
    this.#hasher = hasher;
    this.#take(contents);
  }

  static async open(
    disk: StoreDisk,
    ports: { readonly hasher: Hasher; readonly inflate: Inflate },
    warn: (message: string) => void,
  ): Promise<ImageTable> {
    const layout = new ImageLayout(disk, ports);
    return new ImageTable(layout, ports.hasher, await layout.open(warn));
  }

  list(): StoredImage[] {
    return [...this.#images.values()];
  }

  byId(id: ImageId): StoredImage | null {
    return this.#images.get(id) ?? null;
  }

  /** With what its configuration says. Throws TsboxError "corrupt" when that is damaged. */
  async detail(stored: StoredImage): Promise<Image> {
    const known = this.#details.get(stored);
    if (known !== undefined) return known;
    const image = imageOf(stored, await this.layout.config(stored.id));
    this.#details.set(stored, image);
    return image;
  }

  /**
   * The image a user named: by name first, then by a beginning of its id (moby: daemon/images/image.go).
   * Throws not-found `No such image: X`, invalid for what is no name or fits several ids.
   */
  find(ref: string): StoredImage {
    const name = nameOf(ref);
    const named = name === null ? undefined : this.#byName.get(formatReference(name));
    const found = named === undefined ? this.#byPrefix(ref) : this.#images.get(named);
    if (found !== undefined) return found;
    throw new TsboxError("not-found", `No such image: ${name === null ? ref : formatFamiliar(name)}`);
  }

  /** Which image has the full name; null: none. */
  nameHolder(name: string): ImageId | null {
    return this.#byName.get(name) ?? null;
  }

  #byPrefix(ref: string): StoredImage | undefined {
    const [, digits] = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(ref) ?? [];
    if (digits === undefined) return undefined;
    const found = this.list().filter(({ id }) => id.startsWith(`sha256:${digits}`));
    if (found.length > 1) throw new TsboxError("invalid", `multiple IDs found with provided prefix: ${ref}`);
    return found[0];
  }

  /** Adds an image, or its names to the one there is; a name goes from whoever has it. Its blobs and layers are there. */
  async add(stored: StoredImage): Promise<StoredImage> {
    const known = this.#images.get(stored.id);
    // What a registry has of an image is kept as it came from there last: so it goes on by the digest it has there.
    const kept = known === undefined || stored.digests.length > 0 ? stored : known;
    const added = withNames(kept, [
      [...(known?.names ?? []), ...stored.names],
      [...(known?.digests ?? []), ...stored.digests],
    ]);
    const taken = new Set([...added.names, ...added.digests]);
    const others = this.list()
      .filter(({ id }) => id !== added.id)
      .map((other) => withoutNames(other, taken));
    // The records first: an image that the index names has them, whenever we are killed.
    await this.layout.records.write(layerRecords(this.#hasher, layersOf(added.summary), added.summary.sizes));
    await this.#replace([...others, added]);
    if (kept.manifest.digest !== known?.manifest.digest) await this.layout.saveSummaries(this.list());
    return added;
  }

  /** Takes names away; the image stays. */
  async untag(id: ImageId, names: ReadonlySet<string>): Promise<void> {
    await this.#replace(this.list().map((other) => (other.id === id ? withoutNames(other, names) : other)));
  }

  /** The image goes; its blobs and layers are the caller's to collect. */
  async remove(gone: StoredImage): Promise<void> {
    const rest = this.list().filter(({ id }) => id !== gone.id);
    const chain = chainIds(this.#hasher, layersOf(gone.summary));
    const others = rest.map(({ summary }) => summary.layers);
    await this.#replace(rest);
    await this.layout.records.remove(chain.slice(sharedLayers(gone, others)));
  }

  /** Removes records of stacks that no image has: a kill between the two writes above leaves some. */
  async removeStrayRecords(): Promise<void> {
    const { records } = this.layout;
    const known = new Set(this.list().flatMap(({ summary }) => chainIds(this.#hasher, layersOf(summary))));
    await records.remove((await records.list()).filter((chainId) => !known.has(chainId)));
  }

  /** Keeps something that is no image as it is. */
  async addArtifact(added: Artifact): Promise<void> {
    const json = JSON.stringify(added.json);
    if (this.#artifacts.some((known) => JSON.stringify(known.json) === json)) return;
    this.#artifacts = [...this.#artifacts, added];
    await this.#replace(this.list());
  }

  /** Whether an image, or something else in the index, needs the blob. */
  usesBlob(digest: Digest): boolean {
    if (this.#artifacts.some(({ blobs }) => blobs.includes(digest))) return true;
    for (const { id, manifest, index, summary } of this.#images.values()) {
      if (id === digest || manifest.digest === digest || index === digest) return true;
      if (packedIndex(summary.blobs === "" ? summary.layers : summary.blobs, digest) >= 0) return true;
    }
    return false;
  }

  allBlobs(): ReadonlySet<Digest> {
    return new Set([...this.list().flatMap(blobsOf), ...this.#artifacts.flatMap(({ blobs }) => blobs)]);
  }

  /** What a layer measures and the blob it came in, told by an image that has it; null: no image has it. */
  layer(diffId: DiffId): { readonly size: number; readonly blob: Digest } | null {
    for (const { summary } of this.#images.values()) {
      const at = packedIndex(summary.layers, diffId);
      const size = summary.sizes[at];
      if (size !== undefined) return { size, blob: layerBlobAt(summary, at) };
    }
    return null;
  }

  /** Takes over `images` once the disk knows them. */
  async #replace(images: readonly StoredImage[]): Promise<void> {
    const contents = { images, artifacts: this.#artifacts };
    await this.layout.saveIndex(contents);
    this.#take(contents);
  }

  #take({ images, artifacts }: Contents): void {
    this.#images = new Map(images.map((stored) => [stored.id, stored]));
    this.#byName = new Map(
      images.flatMap(({ id, names, digests }) => [...names, ...digests].map((name) => [name, id] as const)),
    );
    this.#artifacts = artifacts;
  }
}

/** How many of an image's layers, from the bottom, one of the other stacks has as well; these are packed. */
export function sharedLayers({ summary }: StoredImage, others: readonly string[]): number {
  const { layers, sizes } = summary;
  const step = layers.length / Math.max(sizes.length, 1);
  for (let count = sizes.length; count > 0; count--) {
    const bottom = layers.slice(0, count * step);
    if (others.some((other) => other.startsWith(bottom))) return count;
  }
  return 0;
}

/** The full name a ref may be, with its tag; null for what can only be an id. Throws invalid in Docker's words. */
function nameOf(ref: string): Reference | null {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(ref)) return null;
  const reference = parseReference(ref);
  // With both, the digest says which (moby: daemon/images/image.go).
  if (reference.digest !== null) return { ...reference, tag: null };
  return { ...reference, tag: reference.tag ?? defaultTag };
}

/** The image under other names, tagged and by digest. */
function withNames(stored: StoredImage, [names, digests]: readonly [string[], string[]]): StoredImage {
  const sorted = (list: string[]): string[] => [...new Set(list)].toSorted();
  return { ...stored, names: sorted(names), digests: sorted(digests) };
}

function withoutNames(stored: StoredImage, gone: ReadonlySet<string>): StoredImage {
  const left = (list: readonly string[]): string[] => list.filter((name) => !gone.has(name));
  const { names, digests } = stored;
  return [...names, ...digests].some((name) => gone.has(name))
    ? { ...stored, names: left(names), digests: left(digests) }
    : stored;
}
