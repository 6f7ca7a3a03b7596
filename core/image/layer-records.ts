/**
 * What is known of each layer of the images, one file each: <data root>/image/layerdb/sha256/<hex of
 * the chain id>.json. A chain id stands for a layer on top of those below it (OCI image-spec,
 * config.md), so the same tar on two different bottoms has two records and one tree:
 *
 *   diff_id    the digest of the layer's uncompressed tar
 *   chain_id   the digest of the stack up to here
 *   parent     the chain id below, null at the bottom
 *   size       bytes of the layer's files
 *   cache_id   the name of its unpacked tree under <data root>/layers
 *
 * Docker keeps the same facts under image/overlay2/layerdb. They follow from the blobs, and are made
 * again when they are missing.
 */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText, streamOf } from "../base/bytes.ts";
import type { Hasher } from "../base/ports.ts";
import type { StoreDisk } from "./blobs.ts";
import { asObject } from "./descriptor.ts";
import { type ChainId, chainIds, type DiffId, hexOf } from "./digest.ts";

export interface LayerRecord {
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  readonly parent: ChainId | null;
  readonly size: number;
  readonly cacheId: string;
}

/** The records of a stack of layers, bottom first. */
export function layerRecords(hasher: Hasher, diffIds: readonly DiffId[], sizes: readonly number[]): LayerRecord[] {
  const chain = chainIds(hasher, diffIds);
  return chain.flatMap((chainId, number) => {
    const diffId = diffIds[number];
    const size = sizes[number];
    if (diffId === undefined || size === undefined) return [];
    return [{ diffId, chainId, parent: chain[number - 1] ?? null, size, cacheId: hexOf(diffId) }];
  });
}

export class LayerRecords {
  readonly #disk: StoreDisk;
  readonly #directory: HostPath;

  constructor(disk: StoreDisk) {
    this.#disk = disk;
    this.#directory = `${disk.dataRoot}/image/layerdb/sha256` as HostPath;
  }

  async open(): Promise<void> {
    await this.#disk.makeDirectory(this.#directory, 0o700);
  }

  path(chainId: ChainId): HostPath {
    return `${this.#directory}/${hexOf(chainId)}.json` as HostPath;
  }

  /** Null when there is none, or none that can be read. */
  async read(chainId: ChainId): Promise<LayerRecord | null> {
    if ((await this.#disk.stat(this.path(chainId))) === null) return null;
    try {
      const json = asObject(JSON.parse(decodeBytes(await this.#disk.read(this.path(chainId)))), "layer record");
      const { diff_id, chain_id, parent, size, cache_id } = json;
      if (chain_id !== chainId || typeof size !== "number" || typeof cache_id !== "string") return null;
      return { diffId: diff_id as DiffId, chainId, parent: parent as ChainId | null, size, cacheId: cache_id };
    } catch {
      return null;
    }
  }

  async write(records: readonly LayerRecord[]): Promise<void> {
    for (const record of records)
      if ((await this.#disk.stat(this.path(record.chainId))) === null)
        await this.#disk.writeStream(this.path(record.chainId), streamOf(formatRecord(record)));
  }

  async remove(chainIds: readonly ChainId[]): Promise<void> {
    for (const chainId of chainIds) await this.#disk.remove(this.path(chainId));
  }

  async list(): Promise<ChainId[]> {
    const names = await this.#disk.list(this.#directory);
    const records = names.filter((name) => /^[0-9a-f]{64}\.json$/.test(name));
    return records.map((name) => `sha256:${name.slice(0, -".json".length)}` as ChainId);
  }
}

export function formatRecord({ diffId, chainId, parent, size, cacheId }: LayerRecord): Uint8Array<ArrayBuffer> {
  const record = { diff_id: diffId, chain_id: chainId, parent, size, cache_id: cacheId };
  return encodeText(`${JSON.stringify(record, null, 2)}\n`);
}
