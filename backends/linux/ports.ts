/** The ports of core/base on a Linux host: the machine's clock, its randomness, node:crypto and node:zlib. */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { pipeline, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { ByteStream } from "../../core/base/bytes.ts";
import { messageOf, TsboxError } from "../../core/base/error.ts";
import { isEndOfBuffer, passing } from "./passing.ts";
import type { Clock, Compression, Hasher, Inflate, Ports, Random } from "../../core/base/ports.ts";

const millisecond = 1_000_000n;
/** How far the fine clock may be from the wall clock before the wall clock was set by somebody. */
const tolerance = 2n * millisecond;

/** What a timer of node's can count; a longer one would ring at once. */
const longestTimer = 2 ** 31 - 1;

/** The wall clock tells milliseconds only; between two of its steps the monotonic clock counts on. */
class WallClock implements Clock {
  #offset = BigInt(Date.now()) * millisecond - process.hrtime.bigint();

  now(): bigint {
    const before = process.hrtime.bigint();
    const wall = BigInt(Date.now()) * millisecond;
    const monotonic = process.hrtime.bigint();
    const ahead = monotonic + this.#offset - wall;
    // Where other programs ran between the two readings, these say nothing of each other.
    const together = monotonic - before < millisecond;
    if (together && (ahead < -tolerance || ahead > tolerance)) this.#offset = wall - monotonic;
    return monotonic + this.#offset;
  }

  minutesEast(ms: number): number {
    return -new Date(ms).getTimezoneOffset();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      for (let left = ms; left > 0; left -= longestTimer)
        await wait(Math.min(left, longestTimer), undefined, signal === undefined ? {} : { signal });
    } catch (thrown) {
      if (signal?.aborted !== true) throw thrown;
    }
  }
}

const random: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };

const hasher: Hasher = {
  sha256() {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => new Uint8Array(hash.digest()),
    };
  },
};

/**
 * Pieces larger than zlib's 16 KiB: fewer turns of the loop for a layer of many megabytes. So much comes out ahead of the
 * reader that the thread that inflates need not wait for the one that reads. Nothing is taken in ahead: what a source
 * gives is valid until it is asked for more.
 */
const streaming = { chunkSize: 256 * 1024, readableHighWaterMark: 1024 * 1024, writableHighWaterMark: 1 };

const decompressors: Readonly<Record<Compression, () => Transform>> = {
  gzip: () => createGunzip(streaming),
  zstd: () => createZstdDecompress(streaming),
};

const inflate: Inflate = { decompress: inflated };

async function* inflated(format: Compression, compressed: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  const decompressor = decompressors[format]();
  pipeline(compressed, decompressor, () => {}); // the iteration below sees the error too
  try {
    yield* passing(decompressor as AsyncIterable<Buffer>, isEndOfBuffer);
  } catch (thrown) {
    throw isDamage(thrown) ? new TsboxError("corrupt", `not a whole ${format} stream: ${messageOf(thrown)}`) : thrown;
  }
}

/** An error of the codec, not of where the bytes came from. */
function isDamage(thrown: unknown): boolean {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  return code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_ZLIB_INITIALIZATION_FAILED";
}

export const linuxPorts: Ports = { clock: new WallClock(), random, hasher, inflate };
