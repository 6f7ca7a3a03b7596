/**
 * Blobs: content under its digest, <data root>/image/blobs/sha256/<hex>, as an OCI image layout keeps
 * it. A blob is whole, checked and on the disk before it gets its name; it never changes afterwards.
 *
 * Whether one is there is asked of the disk, not of a list in memory: a hundred thousand blobs cost
 * nothing until they are used.
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, streamOf } from "../base/bytes.ts";

import type { Hasher } from "../base/ports.ts";
import { corrupt, jsonBytesMax } from "./descriptor.ts";
import { type Digest, digestOf, hexOf } from "./digest.ts";

/** What the store of images needs of Disk (engine/machine.ts). */
export interface StoreDisk {
  readonly dataRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  stream(path: HostPath, offset?: number, length?: number): ByteStream;
  writeStream(path: HostPath, bytes: ByteStream): Promise<void>;
  rename(from: HostPath, to: HostPath): Promise<void>;
  makeDirectory(path: HostPath, mode?: number): Promise<void>;
  list(path: HostPath): Promise<string[]>;
  stat(path: HostPath): Promise<{ readonly size: number } | null>;
  remove(path: HostPath): Promise<void>;
}

export class Blobs {
  readonly #disk: StoreDisk;
  readonly #hasher: Hasher;
  readonly directory: HostPath;
  /** One that is being removed is gone already; one of the same name waits until it is. */
  readonly #removing = new Map<Digest, Promise<void>>();

  constructor(disk: StoreDisk, hasher: Hasher) {
    this.#disk = disk;
    this.#hasher = hasher;
    this.directory = `${disk.dataRoot}/image/blobs/sha256` as HostPath;
  }

  path(digest: Digest): HostPath {
    return `${this.directory}/${hexOf(digest)}` as HostPath;
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.size(digest)) !== null;
  }

  /** Bytes; null when it is not here. */
  async size(digest: Digest): Promise<number | null> {
    if (this.#removing.has(digest)) return null;
    return (await this.#disk.stat(this.path(digest)))?.size ?? null;
  }

  stream(digest: Digest, offset?: number, length?: number): ByteStream {
    return this.#disk.stream(this.path(digest), offset, length);
  }

  /** A document's bytes, checked. `what` names it in errors. Throws TsboxError "corrupt". */
  async document(digest: Digest, what: string): Promise<Uint8Array> {
    const size = await this.size(digest);
    if (size === null) throw corrupt(`${what} is not in the store (blob ${digest}); ${remedy}`);
    if (size > jsonBytesMax) throw corrupt(`${what} is ${size} bytes; at most ${jsonBytesMax} are read`);
    const bytes = await this.#disk.read(this.path(digest));
    if (digestOf(this.#hasher, bytes) !== digest) throw corrupt(`${what} is damaged (blob ${digest}); ${remedy}`);
    return bytes;
  }

  /** Stores a document. Its digest was checked, or made of it. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#removing.get(digest);
    if (!(await this.has(digest))) await this.#disk.writeStream(this.path(digest), streamOf(bytes));
  }

  /** Takes a file over whose digest was checked; it was written on the same file system. */
  async adopt(digest: Digest, from: HostPath): Promise<void> {
    await this.#removing.get(digest);
    await this.#disk.rename(from, this.path(digest));
  }

  async remove(digest: Digest): Promise<void> {
    const removal = this.#disk.remove(this.path(digest));
    this.#removing.set(digest, removal);
    try {
      await removal;
    } finally {
      this.#removing.delete(digest);
    }
  }

  /** All that are stored; what is no digest is left out. */
  async list(): Promise<Digest[]> {
    const names = await this.#disk.list(this.directory);
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => `sha256:${name}` as Digest);
  }
}

const remedy = "tsbox system check names all that is damaged and what to do";
