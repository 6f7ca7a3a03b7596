/**
 * Layers on their way from a tar to a tree: decompressed, hashed, read and unpacked in one pass, as
 * the bytes come. The tree gets its name, the diff id, when the last byte has proved it.
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, encodeText } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Hasher, Inflate } from "../base/ports.ts";
import { Checked } from "../image/checked.ts";
import { compressionOf, decompressed } from "../image/compression.ts";
import type { DiffId } from "../image/digest.ts";
import { changesOfTar } from "../image/layer.ts";
import type { Change } from "../unionfs/change.ts";
import type { Layers } from "./machine.ts";

export interface Unpacked {
  readonly diffId: DiffId;
  /** Bytes of the layer's files; a symlink's is its target, as file systems and Docker count. */
  readonly size: number;
}

export interface UnpackOptions {
  /** Where the blob lies on the disk, as far as it has been read; null: nowhere. */
  readonly file: HostPath | null;
  /** What the layer must be; null: whatever it turns out to be. */
  readonly expected: DiffId | null;
  /** Told of the diff id before the tree gets its name. */
  readonly before: (diffId: DiffId) => Promise<void>;
}

export class ImageLayers {
  readonly #layers: Layers;
  readonly #ports: { readonly hasher: Hasher; readonly inflate: Inflate };
  /** A layer that is being removed is gone already. */
  readonly #removing = new Map<DiffId, Promise<void>>();

  constructor(layers: Layers, ports: { readonly hasher: Hasher; readonly inflate: Inflate }) {
    this.#layers = layers;
    this.#ports = ports;
  }

  async has(diffId: DiffId): Promise<boolean> {
    await this.#removing.get(diffId);
    return this.#layers.has(diffId);
  }

  async remove(diffId: DiffId): Promise<void> {
    const removal = this.#layers.remove(diffId);
    this.#removing.set(diffId, removal);
    try {
      await removal;
    } finally {
      this.#removing.delete(diffId);
    }
  }

  /**
   * Unpacks a layer's tar as it came, compressed or not, or only checks it when the layer is there already.
   * Throws TsboxError "corrupt" naming the layer; then nothing of it is left.
   */
  async unpack(blob: Checked, { file, expected, before }: UnpackOptions): Promise<Unpacked> {
    const what = expected === null ? "a layer" : `layer ${expected}`;
    const tar = this.#tarOf(blob, what);
    const counter = { bytes: 0 };
    const changes = proved(changesOfTar(tar.bytes, what), { counter, digest: tar.digest, expected, what });
    const name = async (): Promise<DiffId> => {
      const diffId = tar.digest();
      await before(diffId);
      await this.#removing.get(diffId);
      return diffId;
    };
    if (expected !== null) await before(expected);
    if (expected !== null && (await this.has(expected))) for await (const _ of changes);
    else await this.#layers.apply(expected ?? name, changes, () => (tar.isBlob() ? file : null));
    return { diffId: tar.digest(), size: counter.bytes };
  }

  /** The uncompressed bytes and, once they are read, their digest: the blob's own when it was not compressed. */
  #tarOf(blob: Checked, what: string): Tar {
    const tar = new Checked(decompressed(blob, this.#ports.inflate, what), this.#ports.hasher, () => !isPlain());
    const isPlain = (): boolean => compressionOf(blob.head, what) === null;
    return { bytes: tar, digest: () => (isPlain() ? blob : tar).digest() as DiffId, isBlob: isPlain };
  }
}

interface Tar {
  readonly bytes: ByteStream;
  readonly digest: () => DiffId;
  /** Whether it is the blob as it came. */
  readonly isBlob: () => boolean;
}

interface Proof {
  readonly counter: { bytes: number };
  readonly digest: () => DiffId;
  readonly expected: DiffId | null;
  readonly what: string;
}

/** The changes, their files' bytes counted; then an error unless they came of the tar that was promised. */
async function* proved(
  changes: AsyncIterable<Change>,
  { counter, digest, expected, what }: Proof,
): AsyncGenerator<Change, void, undefined> {
  for await (const change of changes) {
    if (change.kind === "file") counter.bytes += change.size;
    else if (change.kind === "symlink") counter.bytes += encodeText(change.target).length;
    yield change;
  }
  const found = digest();
  if (expected !== null && found !== expected)
    throw new TsboxError("corrupt", `${what}: its uncompressed content has the digest ${found}`, { expected, found });
}
