/** A stream whose bytes are counted and hashed on their way, and whose beginning is noted. */
import { type ByteStream, concat, hex } from "../base/bytes.ts";
import type { Hash, Hasher } from "../base/ports.ts";
import { magicBytes } from "./compression.ts";
import type { Digest } from "./digest.ts";

export class Checked implements AsyncIterable<Uint8Array> {
  readonly #stream: ByteStream;
  readonly #hash: Hash;
  readonly #isHashed: () => boolean;
  #digest: Digest | null = null;
  /** Bytes so far. */
  size = 0;
  /** Its first bytes, which tell its compression. */
  head: Uint8Array = new Uint8Array(0);

  /** `isHashed` is asked at each chunk: who knows the digest anyway need not compute it. */
  constructor(stream: ByteStream, hasher: Hasher, isHashed = (): boolean => true) {
    this.#stream = stream;
    this.#isHashed = isHashed;
    this.#hash = hasher.sha256();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#stream) {
      if (this.#isHashed()) this.#hash.update(chunk);
      this.size += chunk.length;
      if (this.head.length < magicBytes)
        this.head = concat([this.head, chunk.subarray(0, magicBytes - this.head.length)]);
      yield chunk;
    }
  }

  /** To be asked when the stream has ended. */
  digest(): Digest {
    this.#digest ??= `sha256:${hex(this.#hash.digest())}` as Digest;
    return this.#digest;
  }
}
