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
  bare,
  corrupt,
  type Descriptor,
  isIndexType,
  isManifestType,
  jsonBytesMax,
  mediaTypes,
  parseJsonArray,
} from "./descriptor.ts";
import { type Digest, digestOf, hexOf, isDigest } from "./digest.ts";
import { checkLayout, imageNameAnnotation, type IndexEntry, parseIndex, refNameAnnotation } from "./index.ts";
import { cleanPath } from "./layer.ts";
import { formatManifest, isImageManifest, parseManifest, partsOf } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { choose, formatPlatform, isAttestation, type Wanted } from "./platform.ts";
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
  /** The index for several platforms it was chosen from. */
  readonly index: Document | null;
}

interface Document {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** Something in a layout that is no image; it is kept as it is. */
export interface ArchivedArtifact {
  readonly entry: IndexEntry;
  readonly files: readonly Spooled[];
}

export interface ArchiveContents {
  readonly images: readonly ArchivedImage[];
  readonly artifacts: readonly ArchivedArtifact[];
}

export interface ArchiveOptions {
  readonly spool: Spool;
  readonly hasher: Hasher;
  readonly inflate: Inflate;
  /** What to take out of an index for several platforms. */
  readonly platform: Wanted;
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
export async function readArchive(stream: ByteStream, options: ArchiveOptions): Promise<ArchiveContents> {
  let entries = 0;
  for await (const entry of readTar(decompressed(stream, options.inflate, "the archive"), "the archive")) {
    entries++;
    await takeIn(entry, options.spool);
  }
  if (entries === 0) throw corrupt("not an image archive: it is empty");
  return new Archive(options).contents();
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

/** An image's manifest, and the index it was taken from. */
interface Choice {
  readonly manifest: Descriptor;
  readonly bytes: Uint8Array;
  readonly index: Document | null;
}

class Archive {
  readonly #options: ArchiveOptions;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  async contents(): Promise<ArchiveContents> {
    if (this.#options.spool.find("index.json") !== null) return this.#fromLayout();
    if (this.#options.spool.find("manifest.json") !== null) return { images: await this.#fromDocker(), artifacts: [] };
    throw corrupt(
      "not an image archive: it has neither manifest.json (docker save) nor index.json (an OCI image layout)",
    );
  }

  async #fromLayout(): Promise<ArchiveContents> {
    checkLayout(await this.#document("oci-layout", "oci-layout"));
    const chosen = new Map<Digest, { choice: Choice; names: Set<string> }>();
    const artifacts: ArchivedArtifact[] = [];
    for (const entry of parseIndex(await this.#document("index.json", "index.json"), "index.json")) {
      if (isAttestation(entry.descriptor)) continue;
      const choice = await this.#choose(entry.descriptor, null, 0);
      if (choice === null) {
        artifacts.push(await this.#artifact(entry));
        continue;
      }
      const known = chosen.get(choice.manifest.digest) ?? { choice, names: new Set() };
      for (const name of namesOf(entry.descriptor)) known.names.add(name);
      chosen.set(choice.manifest.digest, known);
    }
    if (chosen.size === 0) throw corrupt("index.json names no image");
    const images: ArchivedImage[] = [];
    for (const { choice, names } of chosen.values()) images.push(await this.#fromManifest(choice, [...names]));
    return { images, artifacts };
  }

  /** The manifest itself, or the one for our platform from an index of several; null: not an image's. */
  async #choose(descriptor: Descriptor, index: Document | null, depth: number): Promise<Choice | null> {
    if (isManifestType(descriptor.mediaType)) return this.#chosen(descriptor, index);
    if (!isIndexType(descriptor.mediaType)) return null;
    if (depth > 2) throw corrupt(`index ${descriptor.digest}: indexes are nested too deep`);
    const what = `index ${descriptor.digest}`;
    const { platform } = this.#options;
    const bytes = await this.#blob(descriptor, what);
    const list = parseIndex(bytes, what).map((entry) => entry.descriptor);
    const chosen = choose(list, platform);
    if (chosen === null) throw corrupt(`${what} has no image for ${formatPlatform(platform)}`);
    return this.#choose(chosen, index ?? { digest: descriptor.digest, bytes }, depth + 1);
  }

  async #chosen(manifest: Descriptor, index: Document | null): Promise<Choice | null> {
    const what = `manifest ${manifest.digest}`;
    const bytes = await this.#blob(manifest, what);
    return isImageManifest(bytes, what) ? { manifest, bytes, index } : null;
  }

  /** A layout may have only some of what an index lists. */
  async #artifact(entry: IndexEntry): Promise<ArchivedArtifact> {
    const { descriptor } = entry;
    const what = `artifact ${descriptor.digest}`;
    const own = this.#find(descriptor, what);
    if (!isManifestType(descriptor.mediaType)) return { entry, files: [own] };
    const parts = partsOf(await this.#read(own, what), what);
    return { entry, files: [own, ...parts.map((part) => this.#find(part, `${what}: blob ${part.digest}`))] };
  }

  async #fromManifest(choice: Choice, names: readonly string[]): Promise<ArchivedImage> {
    const { manifest: descriptor, bytes: manifestBytes, index } = choice;
    const manifest = parseManifest(manifestBytes, `manifest ${descriptor.digest}`);
    const configBytes = await this.#blob(manifest.config, `configuration ${manifest.config.digest}`);
    const layers = manifest.layers.map((layer) => this.#find(layer, `layer ${layer.digest}`));
    return this.#image({ descriptor, manifestBytes, manifest, configBytes, layers, names, index });
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
    return this.#image({ descriptor, manifestBytes, manifest, configBytes, layers, names, index: null });
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
    readonly index: Document | null;
  }): ArchivedImage {
    const { descriptor, manifest, configBytes, layers, names, manifestBytes, index } = parts;
    const configDigest = manifest.config.digest;
    const config = parseConfig(configBytes, `configuration ${configDigest}`);
    checkLayers(config, layers, `configuration ${configDigest}`);
    return { names, manifest: bare(descriptor), manifestBytes, configDigest, configBytes, config, layers, index };
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

  async #read({ size, place, digest }: Spooled, what: string): Promise<Uint8Array> {
    if (size > jsonBytesMax) throw corrupt(`${what} is ${size} bytes; at most ${jsonBytesMax} are read`);
    return place === "stored" ? this.#options.stored(digest) : place;
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
