/**
 * Archives of images, written: at once what `docker save` writes (manifest.json) and an OCI image
 * layout (index.json), over the same blobs. The documents come first, so that whoever reads the
 * archive as a stream knows what is to come. The same images under the same names always give the same
 * bytes: blobs in the order of their digests, no times, no owners.
 */
import { type ByteStream, encodeText, streamOf } from "../base/bytes.ts";
import { type Descriptor, mediaTypes } from "./descriptor.ts";
import { type Digest, hexOf, type ImageId } from "./digest.ts";
import { formatIndex, imageNameAnnotation, layoutFile, refNameAnnotation } from "./index.ts";
import { familiarOf } from "./reference.ts";
import { writeTar, type TarItem } from "./tar-write.ts";

/** An image to be written. */
export interface SavedImage {
  readonly id: ImageId;
  readonly manifest: Descriptor;
  /** Full names it is to have; none: it is known by its id. */
  readonly names: readonly string[];
  /** The blobs of its layers, bottom first. */
  readonly layers: readonly Digest[];
}

export interface SavedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly content: ByteStream;
}

/** `blobs`: all that the images need, each once. */
export function writeArchive(
  images: readonly SavedImage[],
  blobs: readonly SavedBlob[],
): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar([
    file("oci-layout", layoutFile),
    file("index.json", formatIndex(images.flatMap(descriptorsOf))),
    file("manifest.json", encodeText(JSON.stringify(images.map(dockerItem)))),
    directory("blobs/"),
    directory("blobs/sha256/"),
    ...blobs
      .toSorted((one, other) => (one.digest < other.digest ? -1 : 1))
      .map(({ digest, size, content }) => item(pathOf(digest), size, content)),
  ]);
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function descriptorsOf({ manifest, names }: SavedImage): Descriptor[] {
  const { digest, size } = manifest;
  const bare = { mediaType: manifest.mediaType || mediaTypes.manifest, digest, size };
  if (names.length === 0) return [bare];
  return names.map((name) => ({
    ...bare,
    annotations: { [imageNameAnnotation]: name, [refNameAnnotation]: familiarOf(name) },
  }));
}

/** Names of its members as docker save writes them (moby: image/tarexport). */
function dockerItem({ id, names, layers }: SavedImage): object {
  const tags = names.length === 0 ? null : names.map(familiarOf);
  return { Config: pathOf(id), RepoTags: tags, Layers: layers.map(pathOf) };
}

const meta = { mode: 0o644, uid: 0, gid: 0, mtime: 0n, linkName: "", major: 0, minor: 0, xattrs: new Map() };

function file(name: string, bytes: Uint8Array): TarItem {
  return item(name, bytes.length, streamOf(bytes));
}

function item(name: string, size: number, content: ByteStream): TarItem {
  return { ...meta, kind: "file", name, size, content };
}

function directory(name: string): TarItem {
  return { ...meta, kind: "directory", mode: 0o755, name, size: 0, content: streamOf() };
}
