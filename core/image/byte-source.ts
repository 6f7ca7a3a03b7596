/** Reads a stream in pieces of wanted lengths. What it hands out is valid until the next call. */
import { type ByteStream, concat } from "../base/bytes.ts";

const nothing = new Uint8Array(0);

export class ByteSource {
  readonly #stream: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = nothing;
  #at = 0;
  /** Bytes handed out or skipped so far. */
  offset = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream[Symbol.asyncIterator]();
  }

  /** The next `count` bytes if they are at hand: most are, and waiting for what is there costs more than reading it. */
  ready(count: number): Uint8Array | null {
    return this.#chunk.length - this.#at >= count ? this.#advance(count) : null;
  }

  /** The next `count` bytes; fewer only at the end of the stream. */
  async take(count: number): Promise<Uint8Array> {
    const ready = this.ready(count);
    if (ready !== null) return ready;
    const parts: Uint8Array[] = [];
    for (let missing = count; missing > 0; ) {
      const part = await this.some(missing);
      if (part === null) break;
      parts.push(part.slice());
      missing -= part.length;
    }
    return concat(parts);
  }

  /** Some bytes, at most `max`, as the stream has them at hand; null at its end. */
  async some(max: number): Promise<Uint8Array | null> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#stream.next();
      if (next.done === true) return null;
      this.#chunk = next.value;
      this.#at = 0;
    }
    return this.#advance(Math.min(max, this.#chunk.length - this.#at));
  }

  /** Whether so many bytes were there to be skipped. */
  async skip(count: number): Promise<boolean> {
    for (let missing = count; missing > 0; ) {
      const part = await this.some(missing);
      if (part === null) return false;
      missing -= part.length;
    }
    return true;
  }

  /** The rest of the stream, whatever its length. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let part = await this.some(Infinity); part !== null; part = await this.some(Infinity)) yield part;
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    this.#chunk = nothing;
    this.#at = 0;
    await this.#stream.return?.();
  }

  #advance(count: number): Uint8Array {
    const part = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.offset += count;
    return part;
  }
}
