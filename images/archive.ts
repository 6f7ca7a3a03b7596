/**
 * An image for several platforms as one tar that is both an OCI image layout and what `docker load` takes. The same parts
 * give the same bytes: times are fixed, and our own tar writer writes it. wasi/wasm stands first, so that a kernel
 * that runs both takes that.
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { linuxPorts } from "../backends/linux/ports.ts";
import { encodeText, readAll, streamOf } from "../core/base/bytes.ts";
import { type Descriptor, mediaTypes } from "../core/image/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../core/image/digest.ts";
import { formatIndex, imageNameAnnotation, layoutFile, refNameAnnotation } from "../core/image/index.ts";
import { tarOfChanges } from "../core/image/layer.ts";
import { formatManifest } from "../core/image/manifest.ts";
import { type TarItem, writeTar } from "../core/image/tar-write.ts";
import type { Change, Meta, TreePath } from "../core/unionfs/change.ts";

export interface ImagePlatform {
  readonly architecture: string;
  readonly os: string;
}

/** One file, directory or symbolic link; what lies deeper comes after its directory. */
export type ImageEntry =
  | { readonly path: string; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly directory: true; readonly mode?: number }
  | { readonly path: string; readonly link: string };

export interface PlatformImage {
  readonly platform: ImagePlatform;
  readonly entries: readonly ImageEntry[];
}

export interface ImageParts {
  /** With its tag, as a user types it. */
  readonly name: string;
  /** The configuration's `config`: Env, Cmd, … */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the history says made it. */
  readonly createdBy: string;
  readonly images: readonly PlatformImage[];
}

export const wasi: ImagePlatform = { architecture: "wasm", os: "wasi" };
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** Of this machine's programs. */
export const native: ImagePlatform = { architecture: architectures[process.arch] ?? process.arch, os: "linux" };

const created = "2026-01-01T00:00:00Z";
const archiveBytesMax = 128 * 1024 * 1024;

/** One of the index's images. */
interface Built {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layer: Descriptor;
}

/** `only` the images of that platform are held; the index lists all. */
export async function imageTar(parts: ImageParts, only?: ImagePlatform): Promise<Uint8Array> {
  const blobs = new Map<Digest, Uint8Array>();
  const images: Built[] = [];
  for (const { platform, entries } of parts.images) {
    const held = only === undefined || only.os === platform.os;
    const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
      const digest = digestOf(linuxPorts.hasher, bytes);
      if (held) blobs.set(digest, bytes);
      return { mediaType, digest, size: bytes.length };
    };
    const layer = put(mediaTypes.layer, await readAll(tarOfChanges(changes(entries)), archiveBytesMax));
    const config = put(mediaTypes.config, configOf(parts, platform, layer.digest));
    const manifest = put(mediaTypes.manifest, formatManifest({ config, layers: [layer] }));
    images.push({ manifest: { ...manifest, platform }, config, layer });
  }
  const bytes = formatIndex(images.map(({ manifest }) => manifest));
  const index = { mediaType: mediaTypes.index, digest: digestOf(linuxPorts.hasher, bytes), size: bytes.length };
  blobs.set(index.digest, bytes);
  return readAll(writeTar(archive(parts.name, blobs, index, images)), archiveBytesMax);
}

/** Replaces the file at once, so that nobody reads half of it. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, bytes);
  await rename(`${file}.new`, file);
}

async function* changes(entries: readonly ImageEntry[]): AsyncGenerator<Change, void, undefined> {
  for (const entry of entries) {
    const path = entry.path as TreePath;
    if ("link" in entry) yield { kind: "symlink", path, meta: metaOf(0o777), target: entry.link };
    else if ("directory" in entry) yield { kind: "directory", path, meta: metaOf(entry.mode ?? 0o755) };
    else {
      const { bytes, mode = 0o644 } = entry;
      yield { kind: "file", path, meta: metaOf(mode), size: bytes.length, content: streamOf(bytes) };
    }
  }
}

function metaOf(mode: number): Meta {
  return { mode, uid: 0, gid: 0, mtime: BigInt(Date.parse(created)) * 1_000_000n, xattrs: new Map() };
}

function configOf({ config, createdBy }: ImageParts, platform: ImagePlatform, diffId: Digest): Uint8Array {
  return encodeText(
    JSON.stringify({
      ...platform,
      created,
      config,
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created, created_by: createdBy }],
    }),
  );
}

/** The layout, and manifest.json for those who know only that: they get the last image, Linux's where there is one. */
function archive(
  name: string,
  blobs: ReadonlyMap<Digest, Uint8Array>,
  index: Descriptor,
  images: readonly Built[],
): TarItem[] {
  const blob = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;
  const full = name.includes("/") ? `docker.io/${name}` : `docker.io/library/${name}`;
  const annotations = { [imageNameAnnotation]: full, [refNameAnnotation]: name };
  const docker = images
    .filter(({ layer }) => blobs.has(layer.digest))
    .slice(-1)
    .map(({ config, layer }) => {
      return { Config: blob(config.digest), RepoTags: [name], Layers: [blob(layer.digest)] };
    });
  return [
    item("oci-layout", layoutFile),
    item("index.json", formatIndex([{ ...index, annotations }])),
    item("manifest.json", encodeText(JSON.stringify(docker))),
    ...[...blobs].map(([digest, bytes]) => item(blob(digest), bytes)),
  ];
}

function item(path: string, bytes: Uint8Array): TarItem {
  return {
    kind: "file",
    name: path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 0n,
    linkName: "",
    major: 0,
    minor: 0,
    xattrs: new Map(),
    content: streamOf(bytes),
  };
}
