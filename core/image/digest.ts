/**
 * Digests name content (OCI image-spec, descriptor.md): "sha256:" and 64 hex digits. Four kinds
 * must not be mixed: a blob's, a layer's uncompressed tar (diff id), a stack of layers (chain id),
 * and an image's configuration (image id).
 */
import type { Brand } from "../base/brand.ts";
import { encodeText, hex } from "../base/bytes.ts";
import type { Hasher } from "../base/ports.ts";

export type Digest = Brand<string, "Digest">;
/** The digest of a layer's uncompressed tar. */
export type DiffId = Digest & Brand<string, "DiffId">;
/** The digest of a stack of layers, bottom to top (OCI image-spec, config.md "Layer ChainID"). */
export type ChainId = Digest & Brand<string, "ChainId">;
/** The digest of an image's configuration: the image's own name. */
export type ImageId = Digest & Brand<string, "ImageId">;

const form = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return form.test(text);
}

/** The 64 hex digits. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

export function digestOf(hasher: Hasher, bytes: Uint8Array): Digest {
  const hash = hasher.sha256();
  hash.update(bytes);
  return `sha256:${hex(hash.digest())}` as Digest;
}

/** The chain id of each prefix of a stack of layers, bottom first. */
export function chainIds(hasher: Hasher, diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push((parent === undefined ? diffId : digestOf(hasher, encodeText(`${parent} ${diffId}`))) as ChainId);
  }
  return chain;
}
