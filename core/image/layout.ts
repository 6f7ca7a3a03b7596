/**
 * The images on disk, <data root>/image/: an OCI image layout that other tools can open where it lies.
 *
 *   oci-layout, index.json     every image's manifest, once for each of its names; the only file that changes
 *   blobs/sha256/<hex>         manifests, configurations, layers as they came
 *
 * index.json is the one point at which an image comes or goes: a blob that it does not lead to is
 * rubbish of a crash, and removed when the layout is opened. What the uncompressed layers measure is
 * noted there too, as an annotation.
 */
import type { HostPath } from "../base/brand.ts";
import type { ByteStream } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import { parseConfig } from "./config.ts";
import { corrupt, type Descriptor } from "./descriptor.ts";
import { type Digest, hexOf, type ImageId } from "./digest.ts";
import type { Image } from "./image.ts";
import { formatIndex, imageNameAnnotation, layoutFile, parseIndex, refNameAnnotation } from "./index.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import { formatFamiliar, parseReference } from "./reference.ts";
import type { Spooled } from "./spool.ts";

/** What the layout needs of Disk (engine/machine.ts). */
export interface LayoutDisk {
  readonly dataRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  stream(path: HostPath): ByteStream;
  writeAtomically(path: HostPath, bytes: Uint8Array): Promise<void>;
  rename(from: HostPath, to: HostPath): Promise<void>;
  makeDirectory(path: HostPath, mode?: number): Promise<void>;
  list(path: HostPath): Promise<string[]>;
  stat(path: HostPath): Promise<unknown>;
  remove(path: HostPath): Promise<void>;
}

/** An image with where its parts are. */
export interface StoredImage {
  /** Its names are those of `names`, made familiar. */
  readonly image: Image;
  /** Full names, sorted. */
  readonly names: readonly string[];
  /** Bytes of the files in each layer, bottom first. */
  readonly layerSizes: readonly number[];
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

const sizesAnnotation = "tsbox.layer-sizes";

/** Every blob an image needs. */
export function blobsOf({ descriptor, manifest }: StoredImage): Digest[] {
  return [descriptor.digest, manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)];
}

export class ImageLayout {
  readonly #disk: LayoutDisk;
  readonly #root: string;
  readonly #blobs = new Set<Digest>();

  private constructor(disk: LayoutDisk) {
    this.#disk = disk;
    this.#root = `${disk.dataRoot}/image`;
  }

  /** Reads the images; blobs that belong to none go away. Throws TsboxError "corrupt" naming the file that is wrong. */
  static async open(disk: LayoutDisk): Promise<{ layout: ImageLayout; images: StoredImage[] }> {
    const layout = new ImageLayout(disk);
    const images = await layout.#read();
    await layout.#sweep(new Set(images.flatMap(blobsOf)));
    return { layout, images };
  }

  /** Whether the blob is here, without a look at the disk. */
  has(digest: Digest): boolean {
    return this.#blobs.has(digest);
  }

  path(digest: Digest): HostPath {
    return `${this.#root}/blobs/sha256/${hexOf(digest)}` as HostPath;
  }

  /** Stores a document. */
  async write(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (!this.has(digest)) await this.#disk.writeAtomically(this.path(digest), bytes);
    this.#blobs.add(digest);
  }

  /** Takes a spooled file over. */
  async take({ digest, place }: Spooled): Promise<void> {
    if (this.has(digest)) return;
    if (place === "stored")
      throw new TsboxError("unavailable", `blob ${digest} was removed while the image was loaded; load it again`);
    if (typeof place !== "string") return this.write(digest, place);
    await this.#disk.rename(place, this.path(digest));
    this.#blobs.add(digest);
  }

  async remove(digest: Digest): Promise<void> {
    this.#blobs.delete(digest);
    await this.#disk.remove(this.path(digest));
  }

  /** Says which images there are. */
  async save(images: Iterable<StoredImage>): Promise<void> {
    await this.#disk.writeAtomically(this.#index, formatIndex([...images].flatMap(descriptorsOf)));
  }

  get #index(): HostPath {
    return `${this.#root}/index.json` as HostPath;
  }

  async #read(): Promise<StoredImage[]> {
    await this.#disk.makeDirectory(`${this.#root}/blobs/sha256` as HostPath, 0o700);
    if ((await this.#disk.stat(this.#index)) === null) {
      await this.#disk.writeAtomically(`${this.#root}/oci-layout` as HostPath, layoutFile);
      await this.save([]);
    }
    const named = new Map<Digest, { descriptor: Descriptor; names: string[] }>();
    for (const descriptor of parseIndex(await this.#disk.read(this.#index), this.#index)) {
      const known = named.get(descriptor.digest) ?? { descriptor, names: [] };
      const name = descriptor.annotations?.[imageNameAnnotation];
      named.set(descriptor.digest, { ...known, names: [...known.names, ...(name === undefined ? [] : [name])] });
    }
    return Promise.all([...named.values()].map(({ descriptor, names }) => this.#readImage(descriptor, names)));
  }

  async #readImage(descriptor: Descriptor, names: readonly string[]): Promise<StoredImage> {
    const document = async (digest: Digest): Promise<Uint8Array> => {
      try {
        return await this.#disk.read(this.path(digest));
      } catch (thrown) {
        throw corrupt(`${this.#index} names a blob that cannot be read: ${messageOf(thrown)}; move ${this.#root} away`);
      }
    };
    const { digest, mediaType, size } = descriptor;
    const manifest = parseManifest(await document(digest), this.path(digest));
    const config = await document(manifest.config.digest);
    const layerSizes = (descriptor.annotations?.[sizesAnnotation] ?? "").split(",").filter(Boolean).map(Number);
    return storedImage({ descriptor: { mediaType, digest, size }, manifest, config, names, layerSizes });
  }

  async #sweep(used: ReadonlySet<Digest>): Promise<void> {
    for (const name of await this.#disk.list(`${this.#root}/blobs/sha256` as HostPath)) {
      const digest = `sha256:${name}` as Digest;
      if (used.has(digest)) this.#blobs.add(digest);
      else await this.#disk.remove(this.path(digest));
    }
  }
}

/** Throws TsboxError "corrupt" for a configuration that is none. */
export function storedImage(parts: {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: Uint8Array;
  readonly names: readonly string[];
  readonly layerSizes: readonly number[];
}): StoredImage {
  const { descriptor, manifest, names, layerSizes } = parts;
  const id = manifest.config.digest as ImageId;
  const { platform, diffIds, ...rest } = parseConfig(parts.config, `configuration ${id}`);
  const image: Image = {
    ...rest,
    ...platform,
    id,
    names: [],
    digests: [],
    layers: diffIds,
    layerSizes,
    size: layerSizes.reduce((sum, size) => sum + size, 0),
    config: id,
  };
  return withNames({ image, names: [], layerSizes, descriptor, manifest }, names);
}

/** The image under other names. */
export function withNames(stored: StoredImage, names: Iterable<string>): StoredImage {
  const sorted = [...new Set(names)].toSorted();
  return { ...stored, names: sorted, image: { ...stored.image, names: sorted.map(familiar) } };
}

function familiar(name: string): string {
  return formatFamiliar(parseReference(name));
}

/** One for each name, or a single nameless one. */
function descriptorsOf({ descriptor, names, layerSizes }: StoredImage): Descriptor[] {
  const sizes = { [sizesAnnotation]: layerSizes.join(",") };
  if (names.length === 0) return [{ ...descriptor, annotations: sizes }];
  return names.map((name) => ({
    ...descriptor,
    annotations: { ...sizes, [imageNameAnnotation]: name, [refNameAnnotation]: familiar(name) },
  }));
}
