/** Image archives made in code: well-formed unless told otherwise, so that a test can bend one thing. */
import { gzipSync } from "node:zlib";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { type ByteStream, encodeText, readAll, streamOf } from "../../core/base/bytes.ts";
import { type Descriptor, mediaTypes } from "../../core/image/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../../core/image/digest.ts";
import { formatIndex, imageNameAnnotation, layoutFile } from "../../core/image/index.ts";
import { formatManifest } from "../../core/image/manifest.ts";
import type { TarHeader } from "../../core/image/tar.ts";
import { type TarItem, writeTar } from "../../core/image/tar-write.ts";

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0n, linkName: "", major: 0, minor: 0, xattrs: new Map() };

/** An entry of a tar; a file unless `header` says otherwise. */
export function entry(name: string, content: string | Uint8Array = "", header: Partial<TarHeader> = {}): TarItem {
  const bytes = typeof content === "string" ? encodeText(content) : content;
  return { kind: "file", name, ...plain, ...header, size: bytes.length, content: again(bytes) };
}

/** A stream that can be read more than once. */
function again(bytes: Uint8Array): ByteStream {
  return { [Symbol.asyncIterator]: () => streamOf(bytes) };
}

export function link(kind: "symlink" | "hardlink", name: string, linkName: string): TarItem {
  return entry(name, "", { kind, linkName });
}

export function directory(name: string): TarItem {
  return entry(name, "", { kind: "directory", mode: 0o755 });
}

export async function tarOf(...items: readonly TarItem[]): Promise<Uint8Array<ArrayBuffer>> {
  return readAll(writeTar(items), 2 ** 31);
}

export function sha256(bytes: Uint8Array): Digest {
  return digestOf(linuxPorts.hasher, bytes);
}

/** A layer as an archive has it. */
export interface Layer {
  readonly bytes: Uint8Array;
  readonly diffId: string;
}

export function layer(tar: Uint8Array, options: { readonly gzip?: boolean; readonly diffId?: string } = {}): Layer {
  return { bytes: options.gzip === true ? gzipSync(tar) : tar, diffId: options.diffId ?? sha256(tar) };
}

export async function layerOf(...items: readonly TarItem[]): Promise<Layer> {
  return layer(await tarOf(...items));
}

export interface Parts {
  readonly names?: readonly string[];
  readonly layers?: readonly Layer[];
  /** Laid over the configuration; a member that is undefined goes. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The configuration's own text instead. */
  readonly configText?: string;
  /** Laid over manifest.json's only item, or over the OCI manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly extra?: readonly TarItem[];
}

function configOf({ layers = [], config = {}, configText }: Parts): Uint8Array {
  const rootfs = { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) };
  const whole = { architecture: "amd64", os: "linux", config: { Cmd: ["/hello"] }, rootfs, ...config };
  return encodeText(configText ?? JSON.stringify(whole));
}

/** As `docker save` writes it. */
export async function dockerArchive(parts: Parts): Promise<Uint8Array<ArrayBuffer>> {
  const { names = ["forged:latest"], layers = [], extra = [] } = parts;
  const manifest = { Config: "config.json", RepoTags: names, Layers: layers.map((_layer, n) => `${n}/layer.tar`) };
  return tarOf(
    ...layers.map(({ bytes }, number) => entry(`${number}/layer.tar`, bytes)),
    entry("config.json", configOf(parts)),
    entry("manifest.json", JSON.stringify([{ ...manifest, ...parts.manifest }])),
    ...extra,
  );
}

export interface LayoutParts extends Parts {
  /** Bends the descriptors of the manifest's layers. */
  readonly descriptor?: (descriptor: Descriptor) => object;
  /** Bends the descriptor in index.json. */
  readonly top?: (descriptor: Descriptor, put: (mediaType: string, bytes: Uint8Array) => Descriptor) => object;
  readonly layout?: Uint8Array | null;
}

/** An archive of an OCI image layout. */
export async function layoutArchive(parts: LayoutParts): Promise<Uint8Array<ArrayBuffer>> {
  const blobs = new Map<Digest, Uint8Array>();
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const { names = ["docker.io/library/forged:latest"], layers = [], extra = [], descriptor, top, layout } = parts;
  const config = put(mediaTypes.config, configOf(parts));
  const own = layers.map(({ bytes }) => put(mediaTypes.layer, bytes));
  const written = JSON.parse(new TextDecoder().decode(formatManifest({ config, layers: own }))) as object;
  const bent = { ...written, layers: own.map((each) => descriptor?.(each) ?? each), ...parts.manifest };
  const manifest = put(mediaTypes.manifest, encodeText(JSON.stringify(bent)));
  const annotated = { ...manifest, annotations: { [imageNameAnnotation]: names[0] ?? "" } };
  const index = formatIndex([(top?.(annotated, put) ?? annotated) as Descriptor]);
  return tarOf(
    ...(layout === null ? [] : [entry("oci-layout", layout ?? layoutFile)]),
    entry("index.json", index),
    ...[...blobs].map(([digest, bytes]) => entry(`blobs/sha256/${hexOf(digest)}`, bytes)),
    ...extra,
  );
}
