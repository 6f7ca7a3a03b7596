/**
 * The images of a machine: which there are, what they are called (I4: names → ids), which blobs and
 * layers they share. All of it is in memory; the layout is written at each change, before the change
 * can be seen. The caller lets one change happen at a time.
 */
import { TsboxError } from "../base/error.ts";
import type { DiffId, Digest, ImageId } from "./digest.ts";
import { blobsOf, ImageLayout, type LayoutDisk, type StoredImage, withNames } from "./layout.ts";
import { defaultTag, formatFamiliar, formatReference, parseReference, type Reference } from "./reference.ts";

export class ImageTable {
  readonly layout: ImageLayout;
  #images: ReadonlyMap<ImageId, StoredImage>;
  #byName: ReadonlyMap<string, ImageId> = new Map();

  private constructor(layout: ImageLayout, images: readonly StoredImage[]) {
    this.layout = layout;
    this.#images = byId(images);
    this.#byName = nameIndex(images);
  }

  static async open(disk: LayoutDisk): Promise<ImageTable> {
    const { layout, images } = await ImageLayout.open(disk);
    return new ImageTable(layout, images);
  }

  list(): StoredImage[] {
    return [...this.#images.values()];
  }

  byId(id: ImageId): StoredImage | null {
    return this.#images.get(id) ?? null;
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

  #byPrefix(ref: string): StoredImage | undefined {
    const [, digits] = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(ref) ?? [];
    if (digits === undefined) return undefined;
    const found = [...this.#images.values()].filter(({ image }) => image.id.startsWith(`sha256:${digits}`));
    if (found.length > 1) throw new TsboxError("invalid", `multiple IDs found with provided prefix: ${ref}`);
    return found[0];
  }

  /** Adds an image, or its names to the one there is; a name goes from whoever has it. */
  async add(stored: StoredImage): Promise<StoredImage> {
    const known = this.#images.get(stored.image.id) ?? stored;
    const added = withNames(known, [...known.names, ...stored.names]);
    const taken = new Set(added.names);
    const others = this.list()
      .filter(({ image }) => image.id !== added.image.id)
      .map((other) => withoutNames(other, taken));
    await this.#replace([...others, added]);
    return added;
  }

  /** Takes names away; the image stays. */
  async untag(id: ImageId, names: ReadonlySet<string>): Promise<void> {
    await this.#replace(this.list().map((other) => (other.image.id === id ? withoutNames(other, names) : other)));
  }

  async remove(id: ImageId): Promise<void> {
    const gone = this.#images.get(id);
    await this.#replace(this.list().filter(({ image }) => image.id !== id));
    if (gone !== undefined) await this.dropBlobs(blobsOf(gone));
  }

  /** Removes the blobs that no image needs. */
  async dropBlobs(digests: readonly Digest[]): Promise<void> {
    const used = new Set(this.list().flatMap(blobsOf));
    for (const digest of digests) if (!used.has(digest)) await this.layout.remove(digest);
  }

  /** The layers some image is made of. */
  layers(): ReadonlySet<DiffId> {
    return new Set(this.list().flatMap(({ image }) => image.layers));
  }

  /** What a layer measures and the blob it came in, told by an image that has it. */
  layer(diffId: DiffId): { size: number; blob: Digest } | null {
    for (const { image, manifest, layerSizes } of this.#images.values()) {
      const at = image.layers.indexOf(diffId);
      const blob = manifest.layers[at]?.digest;
      const size = layerSizes[at];
      if (blob !== undefined && size !== undefined) return { size, blob };
    }
    return null;
  }

  /** Takes over `images` once the disk knows them. */
  async #replace(images: readonly StoredImage[]): Promise<void> {
    await this.layout.save(images);
    this.#images = byId(images);
    this.#byName = nameIndex(images);
  }
}

/** The full name a ref may be, with its tag; null for what can only be an id. Throws invalid in Docker's words. */
function nameOf(ref: string): Reference | null {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(ref)) return null;
  const reference = parseReference(ref);
  return reference.digest === null ? { ...reference, tag: reference.tag ?? defaultTag } : reference;
}

function withoutNames(stored: StoredImage, gone: ReadonlySet<string>): StoredImage {
  return stored.names.some((name) => gone.has(name))
    ? withNames(
        stored,
        stored.names.filter((name) => !gone.has(name)),
      )
    : stored;
}

function byId(images: readonly StoredImage[]): ReadonlyMap<ImageId, StoredImage> {
  return new Map(images.map((stored) => [stored.image.id, stored]));
}

function nameIndex(images: readonly StoredImage[]): ReadonlyMap<string, ImageId> {
  return new Map(images.flatMap(({ image, names }) => names.map((name) => [name, image.id] as const)));
}
