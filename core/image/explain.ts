/**
 * The ladder of digests from what a user types down to the bytes: name → (index →) manifest →
 * configuration → layers → diff ids, each with its length and how its digest comes about. Two names
 * of one image are told apart here: Docker's image id is the digest of the configuration, containerd's
 * that of the manifest or index.
 */
import { decodeBytes } from "../base/bytes.ts";
import type { Hasher } from "../base/ports.ts";
import type { Blobs } from "./blobs.ts";
import { parseConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import { type ChainId, chainIds, type DiffId, type Digest, type ImageId } from "./digest.ts";
import type { StoredImage } from "./layout.ts";
import { parseManifest } from "./manifest.ts";

/** A document on the way: an index, a manifest, a configuration. */
export interface DocumentStep {
  readonly kind: "index" | "manifest" | "config";
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly how: string;
  /** Its bytes, as text. */
  readonly text: string;
}

export interface LayerStep {
  readonly mediaType: string;
  /** The digest of the blob as it is stored and sent. */
  readonly digest: Digest;
  readonly size: number;
  /** The digest of the uncompressed tar. */
  readonly diffId: DiffId;
  /** The digest of the stack up to here. */
  readonly chainId: ChainId;
  /** Bytes of the layer's files. */
  readonly filesSize: number;
  readonly how: string;
  readonly howChain: string;
}

export interface Explanation {
  /** What the user typed, and the full name it stands for; null when it was an id. */
  readonly typed: string;
  readonly name: string | null;
  readonly documents: readonly DocumentStep[];
  readonly layers: readonly LayerStep[];
  /** The image's id as Docker's own store has it. */
  readonly configId: ImageId;
  /** The image's id as containerd's stores, and Docker on top of them, have it. */
  readonly manifestId: Digest;
}

/** What an image is made of, as far as its digests are concerned. */
export interface ExplainedImage {
  /** The index for several platforms it was chosen from. */
  readonly index: { readonly digest: Digest; readonly bytes: Uint8Array } | null;
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  /** Bytes of each layer's files, bottom first. */
  readonly filesSizes: readonly number[];
}

export interface Names {
  readonly typed: string;
  readonly name: string | null;
}

/** Of an image in the store. Throws TsboxError "corrupt" for a document that is damaged. */
export async function explainImage(
  { id, index, manifest, summary }: StoredImage,
  names: Names,
  { blobs, hasher }: { readonly blobs: Blobs; readonly hasher: Hasher },
): Promise<Explanation> {
  const image: ExplainedImage = {
    index: index === null ? null : { digest: index, bytes: await blobs.document(index, `index ${index}`) },
    manifest,
    manifestBytes: await blobs.document(manifest.digest, `manifest ${manifest.digest}`),
    configBytes: await blobs.document(id, `configuration ${id}`),
    filesSizes: summary.sizes,
  };
  return explain(image, names, { hasher, from: "the store" });
}

/** `from`: where it lies. Throws TsboxError "corrupt". */
export function explain(
  { index, manifest: descriptor, manifestBytes, configBytes, filesSizes }: ExplainedImage,
  names: Names,
  { hasher, from }: { readonly hasher: Hasher; readonly from: keyof typeof waysToManifest },
): Explanation {
  const manifest = parseManifest(manifestBytes, `manifest ${descriptor.digest}`);
  const { diffIds } = parseConfig(configBytes, `configuration ${manifest.config.digest}`);
  const chain = chainIds(hasher, diffIds);
  return {
    ...names,
    documents: [
      ...(index === null ? [] : [indexStep(index)]),
      { kind: "manifest", ...step(descriptor), how: manifestHow(index, from), text: decodeBytes(manifestBytes) },
      { kind: "config", ...step(manifest.config), how: configHow, text: decodeBytes(configBytes) },
    ],
    layers: manifest.layers.map((layer, number) =>
      layerStep(layer, { diffIds, chain, number, filesSize: filesSizes[number] ?? 0 }),
    ),
    configId: manifest.config.digest as ImageId,
    manifestId: index?.digest ?? descriptor.digest,
  };
}

const configHow =
  "SHA-256 of the configuration's bytes as they are, blanks and order included; it lists the diff ids, so it stands for all content";

const waysToManifest = {
  "the store": "named by the store's index.json",
  "the archive": "named by the archive's index.json, or made from the manifest.json of docker save",
} as const;

function manifestHow(index: ExplainedImage["index"], from: keyof typeof waysToManifest): string {
  const way = index === null ? waysToManifest[from] : "chosen from the index by its platform";
  return `SHA-256 of the manifest's bytes; ${way}; it lists the configuration and the layers' blobs`;
}

function step({ mediaType, digest, size }: Descriptor): Pick<DocumentStep, "mediaType" | "digest" | "size"> {
  return { mediaType, digest, size };
}

function indexStep({ digest, bytes }: NonNullable<ExplainedImage["index"]>): DocumentStep {
  const text = decodeBytes(bytes);
  const { mediaType } = JSON.parse(text) as { mediaType?: unknown };
  const type = typeof mediaType === "string" ? mediaType : "";
  const how = "SHA-256 of the index's bytes; it lists one manifest for each platform";
  return { kind: "index", mediaType: type, digest, size: bytes.length, how, text };
}

function layerStep(
  { mediaType, digest, size }: Descriptor,
  {
    diffIds,
    chain,
    number,
    filesSize,
  }: {
    readonly diffIds: readonly DiffId[];
    readonly chain: readonly ChainId[];
    readonly number: number;
    readonly filesSize: number;
  },
): LayerStep {
  const diffId = diffIds[number] ?? (digest as DiffId);
  const chainId = chain[number] ?? (diffId as Digest as ChainId);
  const how =
    digest === diffId
      ? "SHA-256 of the tar; it is stored uncompressed, so blob and diff id are one"
      : "blob: SHA-256 of the compressed bytes; diff id: SHA-256 of the tar after decompression";
  const howChain =
    number === 0
      ? "the bottom: the chain id is the diff id"
      : `SHA-256 of the text "${chain[number - 1]} ${diffId}" (the chain id below, a blank, the diff id)`;
  return { mediaType, digest, size, diffId, chainId, filesSize, how, howChain };
}

/** The explanation as lines for a terminal. */
export function explanationLines(explanation: Explanation): string[] {
  const { typed, name, documents, layers, configId, manifestId } = explanation;
  return [
    name === null || name === typed ? `${typed}` : `${typed}  means  ${name}`,
    ...documents.flatMap(({ kind, digest, size, mediaType, how }) => [
      `└─ ${kind} ${digest}`,
      `     ${size} bytes, ${mediaType}`,
      `     ${how}`,
    ]),
    ...layers.flatMap((layer, number) => [
      `   └─ layer ${number + 1} of ${layers.length}: blob ${layer.digest}`,
      `        ${layer.size} bytes, ${layer.mediaType}`,
      `        diff id  ${layer.diffId}  (${layer.filesSize} bytes of files)`,
      `        ${layer.how}`,
      `        chain id ${layer.chainId}`,
      `        ${layer.howChain}`,
    ]),
    `image id (Docker's store: digest of the configuration):          ${configId}`,
    `image id (containerd's stores: digest of the manifest or index): ${manifestId}`,
  ];
}
