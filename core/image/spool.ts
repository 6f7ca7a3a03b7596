/**
 * The files of an archive that is being read. They come in any order and only once, and what they are
 * is said by one that often comes last: so all are kept until then, small ones in memory, large ones
 * on disk, each with the digest that was computed on its way.
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, concat, hex, readAll } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Hasher } from "../base/ports.ts";
import { magicBytes } from "./compression.ts";
import type { Digest } from "./digest.ts";
import type { TarEntry } from "./tar.ts";

/** What the spool needs of Disk (engine/machine.ts). */
export interface SpoolDisk {
  read(path: HostPath): Promise<Uint8Array>;
  writeStream(path: HostPath, bytes: ByteStream): Promise<void>;
}

/** One file of an archive. */
export interface Spooled {
  readonly digest: Digest;
  readonly size: number;
  /** Its first bytes, which tell its compression. */
  readonly head: Uint8Array;
  /** Where its content is: here, in a file of the spool, or ("stored") already among the blobs. */
  readonly place: Uint8Array | HostPath | "stored";
}

const smallBytes = 64 * 1024;
const memoryBytes = 16 * 1024 * 1024;
const entriesMax = 16384;
const linksMax = 16;

export class Spool {
  readonly #directory: HostPath;
  readonly #disk: SpoolDisk;
  readonly #hasher: Hasher;
  /** Whether the blob is stored already: then its bytes are only checked. */
  readonly #isStored: (digest: Digest) => boolean;
  readonly #files = new Map<string, Spooled>();
  readonly #links = new Map<string, string>();
  #entries = 0;
  #held = 0;
  #written = 0;

  constructor(directory: HostPath, disk: SpoolDisk, hasher: Hasher, isStored: (digest: Digest) => boolean) {
    this.#directory = directory;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#isStored = isStored;
  }

  /** Takes a file in; of two with one name the later one stays. `claimed`: the digest its name promises. */
  async add(name: string, entry: TarEntry, claimed: Digest | null): Promise<void> {
    this.#count();
    this.#links.delete(name);
    this.#files.set(name, await this.#take(entry, claimed));
  }

  /** A name that stands for another one of the archive. */
  link(name: string, target: string): void {
    this.#count();
    this.#files.delete(name);
    this.#links.set(name, target);
  }

  /** Entries of one name count each: an archive that repeats itself must end as well. */
  #count(): void {
    if (++this.#entries > entriesMax)
      throw new TsboxError("corrupt", `not an image archive: it has more than ${entriesMax} entries`);
  }

  /** Null when the archive has no such file. */
  find(name: string): Spooled | null {
    let at = name;
    for (let hops = 0; hops < linksMax; hops++) {
      const target = this.#links.get(at);
      if (target === undefined) return this.#files.get(at) ?? null;
      at = target;
    }
    return null;
  }

  /** The content of a small file: a document. */
  async read({ place, size }: Spooled, what: string, limit: number): Promise<Uint8Array | null> {
    if (size > limit) throw new TsboxError("corrupt", `${what} is ${size} bytes; at most ${limit} are read`);
    if (place === "stored") return null;
    return typeof place === "string" ? this.#disk.read(place) : place;
  }

  async #take(entry: TarEntry, claimed: Digest | null): Promise<Spooled> {
    const checked = new Checked(entry.content, this.#hasher);
    const place = await this.#put(entry, checked, claimed);
    return { digest: checked.digest(), size: entry.size, head: checked.head, place };
  }

  async #put(entry: TarEntry, checked: Checked, claimed: Digest | null): Promise<Spooled["place"]> {
    if (entry.size <= smallBytes && this.#held + entry.size <= memoryBytes) {
      this.#held += entry.size;
      return readAll(copied(checked), entry.size);
    }
    if (claimed !== null && this.#isStored(claimed)) {
      for await (const _ of checked);
      return "stored";
    }
    const path = `${this.#directory}/${this.#written++}` as HostPath;
    await this.#disk.writeStream(path, checked);
    return path;
  }
}

/** A stream that is hashed on its way, and whose beginning is noted. */
class Checked implements AsyncIterable<Uint8Array> {
  readonly #stream: ByteStream;
  readonly #hash: ReturnType<Hasher["sha256"]>;
  head: Uint8Array = new Uint8Array(0);

  constructor(stream: ByteStream, hasher: Hasher) {
    this.#stream = stream;
    this.#hash = hasher.sha256();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#stream) {
      this.#hash.update(chunk);
      if (this.head.length < magicBytes)
        this.head = concat([this.head, chunk.subarray(0, magicBytes - this.head.length)]);
      yield chunk;
    }
  }

  digest(): Digest {
    return `sha256:${hex(this.#hash.digest())}` as Digest;
  }
}

async function* copied(stream: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of stream) yield chunk.slice();
}
