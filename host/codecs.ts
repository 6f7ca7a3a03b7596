/**
 * Inflating in plain JavaScript, for the page's worker and for Node when it lives again what happened in
 * a page. It is not asynchronous, so the simulated kernel never has to wait for it. It comes with the
 * engine, as nobody needs it before there is an image.
 */
import { Gunzip } from "fflate";
import { Decompress } from "fzstd";
import { type ByteStream, concat } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { Compression, Inflate } from "../core/base/ports.ts";

/** Compressed bytes are taken in pieces of this size, so that a bomb unfolds bit by bit and its reader can stop it. */
const pieceBytes = 16 * 1024;

interface Decompressor {
  push(bytes: Uint8Array, final: boolean): void;
}

const decompressors: Readonly<Record<Compression, (take: (bytes: Uint8Array) => void) => Decompressor>> = {
  gzip: (take) => new Members(take),
  zstd: (take) => new Decompress(take),
};

/**
 * gzip (RFC 1952): fflate takes a stream that breaks off for one that ends, so the length that stands at
 * the end of the last member is held against what came out of it.
 */
class Members implements Decompressor {
  readonly #gunzip: Gunzip;
  #made = 0;
  #tail: Uint8Array = new Uint8Array(0);

  constructor(take: (bytes: Uint8Array) => void) {
    this.#gunzip = new Gunzip((bytes) => {
      this.#made += bytes.length;
      take(bytes);
    });
    this.#gunzip.onmember = () => {
      this.#made = 0;
    };
  }

  push(bytes: Uint8Array, final: boolean): void {
    this.#tail = concat([this.#tail, bytes.subarray(-4)]).subarray(-4);
    this.#gunzip.push(bytes, final);
    if (final && littleEndian(this.#tail) !== this.#made % 2 ** 32) throw new Error("it ends too early");
  }
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte, at) => sum + byte * 2 ** (8 * at), 0);
}

export const inflate: Inflate = { decompress: inflated };

async function* inflated(format: Compression, compressed: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  let made: Uint8Array[] = [];
  const decompressor = decompressors[format]((bytes) => made.push(bytes));
  const push = (bytes: Uint8Array, final: boolean): Uint8Array[] => {
    made = [];
    pushed(format, decompressor, bytes, final);
    return made;
  };
  for await (const chunk of compressed) {
    for (let at = 0; at < chunk.length; at += pieceBytes) yield* push(chunk.slice(at, at + pieceBytes), false);
  }
  yield* push(new Uint8Array(0), true);
}

function pushed(format: Compression, decompressor: Decompressor, bytes: Uint8Array, final: boolean): void {
  try {
    decompressor.push(bytes, final);
  } catch (thrown) {
    throw new TsboxError("corrupt", `not a whole ${format} stream: ${messageOf(thrown)}`);
  }
}
