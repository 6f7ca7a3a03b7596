/**
 * The files of an archive that is being read. They come in any order and only once, and what they are
 * is said by one that often comes last: so all are kept until then, small ones in memory, large ones
 * among the blobs, each with the digest that was computed on its way.
 */
import { type ByteStream, readAll } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Hasher } from "../base/ports.ts";
import { Checked } from "./checked.ts";
import type { Digest } from "./digest.ts";
import type { TarEntry } from "./tar.ts";

/** Takes a large file in, wherever it goes, and says what it is. `claimed`: the digest its name promises. */
export type TakeLarge = (content: ByteStream, claimed: Digest | null) => Promise<Omit<Spooled, "place">>;

/** One file of an archive. */
export interface Spooled {
  readonly digest: Digest;
  readonly size: number;
  /** Its first bytes, which tell its compression. */
  readonly head: Uint8Array;
  /** Its content, or "stored": it is among the blobs. */
  readonly place: Uint8Array | "stored";
}

const smallBytes = 64 * 1024;
const memoryBytes = 16 * 1024 * 1024;
const entriesMax = 16384;
const linksMax = 16;

export class Spool {
  readonly #hasher: Hasher;
  readonly #takeLarge: TakeLarge;
  readonly #files = new Map<string, Spooled>();
  readonly #links = new Map<string, string>();
  #entries = 0;
  #held = 0;

  constructor(hasher: Hasher, takeLarge: TakeLarge) {
    this.#hasher = hasher;
    this.#takeLarge = takeLarge;
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

  async #take(entry: TarEntry, claimed: Digest | null): Promise<Spooled> {
    if (entry.size > smallBytes || this.#held + entry.size > memoryBytes)
      return { ...(await this.#takeLarge(entry.content, claimed)), place: "stored" };
    this.#held += entry.size;
    const checked = new Checked(entry.content, this.#hasher);
    const place = await readAll(checked, entry.size);
    return { digest: checked.digest(), size: entry.size, head: checked.head, place };
  }
}
