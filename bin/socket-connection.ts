/**
 * A socket of node's as a connection of the command line's. The socket is paused while much is unread,
 * so that a fast daemon fills the kernel's buffer and not our memory. (A Readable's own async iterator
 * does this too, for a millisecond more on a cold start.)
 */
import type { Socket } from "node:net";
import { ByteReader } from "../cli/byte-reader.ts";
import type { Connection } from "../cli/http-client.ts";

export function connectionOf(socket: Socket): Connection {
  const input = new SocketInput(socket);
  return {
    reader: new ByteReader(() => input.next()),
    write: (...pieces) => write(socket, pieces),
    end: () => socket.end(),
    close: () => socket.destroy(),
  };
}

/** One system call for all pieces. */
async function write(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  if (socket.destroyed) throw Object.assign(new Error("the connection is closed"), { code: "EPIPE" });
  socket.cork();
  for (const piece of pieces) if (piece.length > 0) socket.write(piece);
  socket.uncork();
  if (socket.writableNeedDrain) await roomIn(socket);
}

/** Resolves when more can be written, or never will be. */
function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

/** So much may wait to be read before the daemon has to. */
const heldBytesMax = 1024 * 1024;

class SocketInput {
  readonly #socket: Socket;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;
  #problem: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > heldBytesMax) socket.pause();
      this.#settle();
    });
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#end(null));
    socket.on("error", (problem) => this.#end(problem));
  }

  async next(): Promise<Uint8Array | null> {
    while (this.#held.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    }
    const chunk = this.#held.shift();
    this.#heldBytes -= chunk?.length ?? 0;
    if (chunk === undefined && this.#problem !== null) throw this.#problem;
    return chunk ?? null;
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
}
