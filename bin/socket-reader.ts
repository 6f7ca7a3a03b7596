/**
 * Reading a socket by lines and by counts. The socket is paused while nobody waits, so that a fast
 * daemon fills the kernel's buffer and not our memory. (A Readable's own async iterator does this
 * too, for a millisecond more on a cold start.)
 */
import type { Socket } from "node:net";
import type { ByteStream } from "../core/base/bytes.ts";

/** A header line longer than this is no header line. */
const lineLimit = 64 * 1024;

export class SocketReader {
  readonly #socket: Socket;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;
  #problem: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      socket.pause();
      this.#settle();
    });
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#end(null));
    socket.on("error", (problem) => this.#end(problem));
  }

  /** Up to the next line's end, which is not given back. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf(10);
      if (end >= 0) {
        const line = this.#held.toString("latin1", 0, end);
        this.#held = this.#held.subarray(end + 1);
        return line.replace(/\r$/, "");
      }
      if (this.#held.length > lineLimit || !(await this.#more())) throw this.#tooShort();
    }
  }

  /** So many bytes, as they come. Throws when the connection ends before them. */
  async *take(count: number): ByteStream {
    for (let left = count; left > 0; ) {
      if (this.#held.length === 0 && !(await this.#more())) throw this.#tooShort();
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** Everything to the connection's end. */
  async *rest(): ByteStream {
    while (this.#held.length > 0 || (await this.#more())) {
      const piece = this.#held;
      this.#held = Buffer.alloc(0);
      yield piece;
    }
    if (this.#problem !== null) throw this.#problem;
  }

  /** false: there will be no more. */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const before = this.#held.length;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#socket.resume();
    });
    return this.#held.length > before;
  }

  #end(problem: Error | null): void {
    this.#ended = true;
    this.#problem ??= problem;
    this.#settle();
  }

  #settle(): void {
    this.#wake?.();
    this.#wake = null;
  }

  #tooShort(): Error {
    return this.#problem ?? Object.assign(new Error("the daemon ended the connection early"), { code: "ECONNRESET" });
  }
}
