/**
 * Archives of images, read in one pass: what `docker save` writes (manifest.json names configurations
 * and layers by their place in the archive) and OCI image layouts (index.json points at blobs by
 * digest). An archive that is both is read as a layout, because that keeps its manifests.
 *
 * Nothing in an archive is believed: names are cleaned, digests and sizes computed on the way.
 */
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Compression, Hasher, Inflate } from "../base/ports.ts";
import { compressionOf, decompressed } from "./compression.ts";
import { type ImageConfig, parseConfig } from "./config.ts";
import {
  asArray,
  asObject,
  asTextList,
  corrupt,
  type Descriptor,
  isIndexType,
  isManifestType,
  jsonBytesMax,
  mediaTypes,
  parseJsonArray,
} from "./descriptor.ts";
import { type Digest, digestOf, hexOf, isDigest } from "./digest.ts";
import { checkLayout, imageNameAnnotation, parseIndex, refNameAnnotation } from "./index.ts";
import { cleanPath } from "./layer.ts";
import { formatManifest, type Manifest, parseManifest } from "./manifest.ts";
import { choose, formatPlatform, type Platform } from "./platform.ts";
import { formatReference, parseReference, tryParseReference, withDefaultTag } from "./reference.ts";
import type { Spool, Spooled } from "./spool.ts";
import { readTar, type TarEntry } from "./tar.ts";

/** An image as an archive holds it, complete and consistent as far as can be told without unpacking. */
export interface ArchivedImage {
  /** Full names. */
  readonly names: readonly string[];
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly configDigest: Digest;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Bottom first, one for each diff id of the configuration. */
  readonly layers: readonly Spooled[];
}

export interface ArchiveOptions {
  readonly spool: Spool;
  readonly hasher: Hasher;
  readonly inflate: Inflate;
  /** What to take out of an index for several platforms. */
  readonly platform: Platform;
  /** Reads a blob that is stored already. */
  readonly stored: (digest: Digest) => Promise<Uint8Array>;
}

const blobName = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.(?:tar|json))$/;
const layerTypes: Readonly<Record<Compression | "none", string>> = {
  none: mediaTypes.layer,
  gzip: mediaTypes.layerGzip,
  zstd: mediaTypes.layerZstd,
};

/** Reads a whole archive. Throws TsboxError "corrupt" naming the entry, document or digest that is wrong. */
export async function readArchive(stream: ByteStream, options: ArchiveOptions): Promise<ArchivedImage[]> {
  let entries = 0;
  for await (const entry of readTar(decompressed(stream, options.inflate, "the archive"), "the archive")) {
    entries++;
    await takeIn(entry, options.spool);
  }
  if (entries === 0) throw corrupt("not an image archive: it is empty");
  return new Archive(options).images();
}

async function takeIn(entry: TarEntry, spool: Spool): Promise<void> {
  const refuse = (message: string): TsboxError =>
    corrupt(`the archive: entry ${JSON.stringify(entry.name)} ${message}`);
  const name = cleanPath(entry.name, refuse);
  switch (entry.kind) {
    case "file":
      return takeFile(name, entry, spool);
    case "symlink":
      return spool.link(name, cleanPath(`${name}/../${entry.linkName}`, refuse));
    case "hardlink":
      return spool.link(name, cleanPath(entry.linkName, refuse));
    case "directory":
      return undefined;
    case "character":
    case "block":
    case "fifo":
      throw refuse("is a device; an image archive has files only");
  }
}

async function takeFile(name: string, entry: TarEntry, spool: Spool): Promise<void> {
  const [, blob, file] = blobName.exec(name) ?? [];
  const hexDigits = blob ?? file;
  const claimed = hexDigits === undefined ? null : (`sha256:${hexDigits}` as Digest);
  await spool.add(name, entry, claimed);
  const found = spool.find(name)?.digest;
  if (claimed !== null && found !== claimed) throw corrupt(`${name}: its content has the digest ${found}`);
}

class Archive {
  readonly #options: ArchiveOptions;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  async images(): Promise<ArchivedImage[]> {
    if (this.#options.spool.find("index.json") !== null) return this.#fromLayout();
    if (this.#options.spool.find("manifest.json") !== null) return this.#fromDocker();
    throw corrupt(
      "not an image archive: it has neither manifest.json (docker save) nor index.json (an OCI image layout)",
    );
  }

  async #fromLayout(): Promise<ArchivedImage[]> {
    checkLayout(await this.#document("oci-layout", "oci-layout"));
    const manifests = new Map<Digest, { manifest: Descriptor; names: Set<string> }>();
    for (const descriptor of parseIndex(await this.#document("index.json", "index.json"), "index.json")) {
      const manifest = await this.#manifestOf(descriptor, 0);
      if (manifest === null) continue;
      const known = manifests.get(manifest.digest) ?? { manifest, names: new Set() };
      for (const name of namesOf(descriptor)) known.names.add(name);
      manifests.set(manifest.digest, known);
    }
    const images: ArchivedImage[] = [];
    for (const { manifest, names } of manifests.values()) images.push(await this.#fromManifest(manifest, [...names]));
    if (images.length === 0) throw corrupt("index.json names no image");
    return images;
  }

  /** The manifest itself, or the one for our platform from an index of several; null: not an image's. */
  async #manifestOf(descriptor: Descriptor, depth: number): Promise<Descriptor | null> {
    if (isManifestType(descriptor.mediaType)) return descriptor;
    if (!isIndexType(descriptor.mediaType)) return null;
    if (depth > 2) throw corrupt(`index ${descriptor.digest}: indexes are nested too deep`);
    const what = `index ${descriptor.digest}`;
    const { platform } = this.#options;
    const list = parseIndex(await this.#blob(descriptor, what), what);
    const chosen = choose(list, platform);
    if (chosen === null) throw corrupt(`${what} has no image for ${formatPlatform(platform)}`);
    return this.#manifestOf(chosen, depth + 1);
  }

  async #fromManifest(descriptor: Descriptor, names: readonly string[]): Promise<ArchivedImage> {
    const what = `manifest ${descriptor.digest}`;
    const manifestBytes = await this.#blob(descriptor, what);
    const manifest = parseManifest(manifestBytes, what);
    const configBytes = await this.#blob(manifest.config, `configuration ${manifest.config.digest}`);
    const layers = manifest.layers.map((layer) => this.#find(layer, `layer ${layer.digest}`));
    return this.#image({ descriptor, manifestBytes, manifest, configBytes, layers, names });
  }

  async #fromDocker(): Promise<ArchivedImage[]> {
    const items = parseJsonArray(await this.#document("manifest.json", "manifest.json"), "manifest.json");
    if (items.length === 0) throw corrupt("manifest.json names no image");
    const images: ArchivedImage[] = [];
    for (const [number, item] of items.entries())
      images.push(await this.#fromDockerItem(item, `manifest.json: image ${number}`));
    return images;
  }

  /** Docker's archives have no manifest of the image's own: we write one. */
  async #fromDockerItem(item: unknown, what: string): Promise<ArchivedImage> {
    const { Config: configName, RepoTags: tags, Layers: files } = asObject(item, what);
    if (typeof configName !== "string") throw corrupt(`${what}: Config is not a file's name`);
    const configBytes = await this.#document(configName, `${what}: its configuration ${configName}`);
    const layers = asArray(files ?? [], `${what}: Layers`).map((file, number) => this.#layerFile(file, number, what));
    const manifest: Manifest = {
      config: { mediaType: mediaTypes.config, digest: this.#digestOf(configBytes), size: configBytes.length },
      layers: layers.map((layer) => layerDescriptor(layer)),
    };
    const manifestBytes = formatManifest(manifest);
    const descriptor: Descriptor = {
      mediaType: mediaTypes.manifest,
      digest: this.#digestOf(manifestBytes),
      size: manifestBytes.length,
    };
    const names = (asTextList(tags, `${what}: RepoTags`) ?? []).map((tag) => fullName(tag, `${what}: RepoTags`));
    return this.#image({ descriptor, manifestBytes, manifest, configBytes, layers, names });
  }

  #layerFile(file: unknown, number: number, what: string): Spooled {
    if (typeof file !== "string") throw corrupt(`${what}: layer ${number} is not a file's name`);
    const name = cleanPath(file, (message) => corrupt(`${what}: layer ${JSON.stringify(file)} ${message}`));
    const layer = this.#options.spool.find(name);
    if (layer === null) throw corrupt(`${what}: its layer ${file} is not in the archive`);
    return layer;
  }

  #image(parts: {
    readonly descriptor: Descriptor;
    readonly manifestBytes: Uint8Array;
    readonly manifest: Manifest;
    readonly configBytes: Uint8Array;
    readonly layers: readonly Spooled[];
    readonly names: readonly string[];
  }): ArchivedImage {
    const { descriptor, manifest, configBytes, layers, names, manifestBytes } = parts;
    const configDigest = manifest.config.digest;
    const config = parseConfig(configBytes, `configuration ${configDigest}`);
    checkLayers(config, layers, `configuration ${configDigest}`);
    const { mediaType, digest, size } = descriptor;
    return { names, manifest: { mediaType, digest, size }, manifestBytes, configDigest, configBytes, config, layers };
  }

  /** The blob a descriptor points at, as a document. */
  async #blob(descriptor: Descriptor, what: string): Promise<Uint8Array> {
    return this.#read(this.#find(descriptor, what), what);
  }

  #find({ digest, size }: Descriptor, what: string): Spooled {
    const found = this.#options.spool.find(`blobs/sha256/${hexOf(digest)}`);
    if (found === null) throw corrupt(`${what} is not in the archive`);
    if (found.digest !== digest) throw corrupt(`${what}: its content has the digest ${found.digest}`);
    if (found.size !== size) throw corrupt(`${what}: it should have ${size} bytes and has ${found.size}`);
    return found;
  }

  async #document(name: string, what: string): Promise<Uint8Array> {
    const file = this.#options.spool.find(cleanPath(name, (message) => corrupt(`${what} ${message}`)));
    if (file === null) throw corrupt(`${what} is not in the archive`);
    return this.#read(file, what);
  }

  async #read(file: Spooled, what: string): Promise<Uint8Array> {
    const { spool, stored } = this.#options;
    return (await spool.read(file, what, jsonBytesMax)) ?? stored(file.digest);
  }

  #digestOf(bytes: Uint8Array): Digest {
    return digestOf(this.#options.hasher, bytes);
  }
}

/** As many layers as diff ids; one that is not compressed has its diff id as digest. */
function checkLayers(config: ImageConfig, layers: readonly Spooled[], what: string): void {
  const { diffIds } = config;
  if (diffIds.length !== layers.length)
    throw corrupt(`${what}: rootfs has ${diffIds.length} layers, the image comes with ${layers.length}`);
  for (const [number, layer] of layers.entries()) {
    const expected = diffIds[number];
    if (compressionOf(layer.head, `layer ${layer.digest}`) === null && layer.digest !== expected)
      throw corrupt(`layer ${number} (${expected}): its content has the digest ${layer.digest}`);
  }
}

function layerDescriptor({ head, digest, size }: Spooled): Descriptor {
  return { mediaType: layerTypes[compressionOf(head, `layer ${digest}`) ?? "none"], digest, size };
}

/** The names a layout's index gives an image. A reference name that is only a tag names no repository. */
function namesOf({ annotations = {} }: Descriptor): string[] {
  const full = annotations[imageNameAnnotation];
  if (full !== undefined) return [fullName(full, `index.json: ${imageNameAnnotation}`)];
  const name = annotations[refNameAnnotation];
  if (name === undefined || name === "latest" || isDigest(name)) return [];
  const reference = tryParseReference(name);
  return reference === null || reference.digest !== null ? [] : [formatReference(withDefaultTag(reference))];
}

function fullName(text: string, what: string): string {
  try {
    const reference = parseReference(text);
    return formatReference(withDefaultTag({ ...reference, digest: null }));
  } catch (thrown) {
    throw new TsboxError("corrupt", `${what}: ${JSON.stringify(text)} is not an image's name`, {}, { cause: thrown });
  }
}
