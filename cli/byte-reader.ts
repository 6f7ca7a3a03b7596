/** Reading a connection by lines and by counts, whatever it is made of. */
import { type ByteStream, concat } from "../core/base/bytes.ts";

/** A header line longer than this is no header line. */
const lineBytesMax = 64 * 1024;
const newline = 10;

export class ByteReader {
  readonly #more: () => Promise<Uint8Array | null>;
  #held: Uint8Array = new Uint8Array(0);

  /** `more` gives the next bytes, null at the connection's end; it throws when the connection broke. */
  constructor(more: () => Promise<Uint8Array | null>) {
    this.#more = more;
  }

  /** Up to the next line's end, which is not given back. Null when the connection ends before the first byte. */
  async lineOrEnd(): Promise<string | null> {
    for (;;) {
      const end = this.#held.indexOf(newline);
      if (end >= 0) {
        const line = latin1(this.#held.subarray(0, end));
        this.#held = this.#held.subarray(end + 1);
        return line.replace(/\r$/, "");
      }
      if (this.#held.length > lineBytesMax) throw endedEarly();
      if (!(await this.#fill())) {
        if (this.#held.length > 0) throw endedEarly();
        return null;
      }
    }
  }

  async line(): Promise<string> {
    const line = await this.lineOrEnd();
    if (line === null) throw endedEarly();
    return line;
  }

  /** So many bytes, as they come. Throws when the connection ends before them. */
  async *take(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      if (this.#held.length === 0 && !(await this.#fill())) throw endedEarly();
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  /** Everything to the connection's end. */
  async *rest(): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#held.length > 0 || (await this.#fill())) {
      const piece = this.#held;
      this.#held = new Uint8Array(0);
      if (piece.length > 0) yield piece;
    }
  }

  async #fill(): Promise<boolean> {
    const more = await this.#more();
    if (more === null) return false;
    this.#held = this.#held.length === 0 ? more : concat([this.#held, more]);
    return true;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function endedEarly(): Error {
  return Object.assign(new Error("the daemon ended the connection early"), { code: "ECONNRESET" });
}
