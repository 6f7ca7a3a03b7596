/**
 * A stream read ahead of its reader: while one piece is worked on, the next ones arrive. Small chunks,
 * as a network gives them, become larger pieces, so that what is paid for each (a write, a turn of
 * the loop) is paid less often. What came before a failure is read first, then the failure. A source
 * whose chunks do not stay valid is no source for this.
 */
import { type ByteStream, concat } from "./bytes.ts";

export interface Ahead {
  /** A piece has at least so many bytes, if they come in time. */
  readonly pieceBytes: number;
  /** No more than about so many are held. */
  readonly heldBytes: number;
}

export async function* readAhead(stream: ByteStream, ahead: Ahead): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new Reader(stream, ahead);
  try {
    for (let piece = await reader.take(); piece !== null; piece = await reader.take()) yield piece;
  } finally {
    await reader.stop();
  }
}

class Reader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #ahead: Ahead;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #failure: { readonly thrown: unknown } | null = null;
  #ended = false;
  /** Wakes whoever waits: the filling for room, the taking for bytes. */
  #wake: (() => void) | null = null;
  readonly #filled: Promise<void>;

  constructor(stream: ByteStream, ahead: Ahead) {
    this.#source = stream[Symbol.asyncIterator]();
    this.#ahead = ahead;
    this.#filled = this.#fill();
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#ended) {
        const next = await this.#source.next();
        if (next.done === true) break;
        this.#chunks.push(next.value);
        this.#held += next.value.length;
        if (this.#held >= this.#ahead.pieceBytes) this.#ring();
        if (this.#held >= this.#ahead.heldBytes && !this.#ended) await this.#change();
      }
    } catch (thrown) {
      this.#failure = { thrown };
    }
    this.#ended = true;
    this.#ring();
  }

  /** Null at the end. */
  async take(): Promise<Uint8Array | null> {
    while (this.#held < this.#ahead.pieceBytes && !this.#ended) await this.#change();
    if (this.#chunks.length > 0) {
      const piece = concat(this.#chunks);
      this.#chunks = [];
      this.#held = 0;
      this.#ring();
      return piece;
    }
    if (this.#failure !== null) throw this.#failure.thrown;
    return null;
  }

  async stop(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#ring();
      await this.#source.return?.();
    }
    await this.#filled;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
  }

  #ring(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
