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

/** Throws TsboxError "corrupt" for a document that is damaged. */
export async function explainImage(
  stored: StoredImage,
  names: { readonly typed: string; readonly name: string | null },
  { blobs, hasher }: { readonly blobs: Blobs; readonly hasher: Hasher },
): Promise<Explanation> {
  const { id, index, manifest: descriptor, summary } = stored;
  const text = async (digest: Digest): Promise<string> => decodeBytes(await blobs.document(digest, `blob ${digest}`));
  const manifestText = await blobs.document(descriptor.digest, `manifest ${descriptor.digest}`);
  const manifest = parseManifest(manifestText, `manifest ${descriptor.digest}`);
  const configBytes = await blobs.document(id, `configuration ${id}`);
  const { diffIds } = parseConfig(configBytes, `configuration ${id}`);
  const documents: DocumentStep[] = [
    ...(index === null ? [] : [await indexStep(index, blobs)]),
    { kind: "manifest", ...step(descriptor), how: manifestHow(index), text: await text(descriptor.digest) },
    { kind: "config", ...step(manifest.config), how: configHow, text: decodeBytes(configBytes) },
  ];
  const chain = chainIds(hasher, diffIds);
  const layers = manifest.layers.map((layer, number) =>
    layerStep(layer, diffIds, chain, number, summary.sizes[number] ?? 0),
  );
  const manifestId = index ?? descriptor.digest;
  return { ...names, documents, layers, configId: id, manifestId };
}

const configHow =
  "SHA-256 of the configuration's bytes as they are, blanks and order included; it lists the diff ids, so it stands for all content";

function manifestHow(index: Digest | null): string {
  const from = index === null ? "named by the store's index.json" : "chosen from the index by its platform";
  return `SHA-256 of the manifest's bytes; ${from}; it lists the configuration and the layers' blobs`;
}

function step({ mediaType, digest, size }: Descriptor): Pick<DocumentStep, "mediaType" | "digest" | "size"> {
  return { mediaType, digest, size };
}

async function indexStep(digest: Digest, blobs: Blobs): Promise<DocumentStep> {
  const bytes = await blobs.document(digest, `index ${digest}`);
  const text = decodeBytes(bytes);
  const { mediaType } = JSON.parse(text) as { mediaType?: unknown };
  const type = typeof mediaType === "string" ? mediaType : "";
  const how = "SHA-256 of the index's bytes; it lists one manifest for each platform";
  return { kind: "index", mediaType: type, digest, size: bytes.length, how, text };
}

function layerStep(
  { mediaType, digest, size }: Descriptor,
  diffIds: readonly DiffId[],
  chain: readonly ChainId[],
  number: number,
  filesSize: number,
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
