/**
 * What the core needs of the world around it and may not reach for: time, chance, hashing,
 * decompression. On Linux these are the real ones; in the simulator they come from a seed.
 */
import type { ByteStream } from "./bytes.ts";

export interface Clock {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  now(): bigint;
  /** Resolves after so many milliseconds, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** How far local time is ahead of UTC at a moment, milliseconds since the epoch; absent: local time is UTC. */
  minutesEast?(ms: number): number;
}

export interface Random {
  /** So many random bytes. */
  bytes(count: number): Uint8Array;
}

/** An incremental SHA-256. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** The digest, 32 bytes; ends the hash. */
  digest(): Uint8Array;
}

export interface Hasher {
  sha256(): Hash;
}

export type Compression = "gzip" | "zstd";

export interface Inflate {
  /**
   * The decompressed stream. A chunk is valid until the next one is asked for: its memory may then be used again.
   * Bytes that are not of that format throw TsboxError "corrupt".
   */
  decompress(format: Compression, compressed: ByteStream): ByteStream;
}

/** All of them, as the engine is handed them. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly inflate: Inflate;
}
