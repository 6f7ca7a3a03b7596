/**
 * Bytes and streams of bytes. A stream is an AsyncIterable of chunks: both worlds have it, it
 * carries backpressure, and whoever stops reading early calls `return()` by leaving the loop.
 */
export type ByteStream = AsyncIterable<Uint8Array>;

/** One new array holding the chunks end to end. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Reads a stream whole; it keeps none of its chunks. `limit` (bytes) bounds what hostile input can make us hold. */
export async function readAll(stream: ByteStream, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limit) throw new RangeError(`stream is longer than ${limit} bytes`);
    chunks.push(chunk.slice());
  }
  return concat(chunks);
}

/** A stream of one chunk. */
export async function* streamOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Text to bytes, the inverse of `decodeBytes`: a lone low surrogate U+DC80…U+DCFF stands for the
 * raw byte 0x80…0xFF. (The scheme is PEP 383's "surrogateescape": file names are bytes on Linux,
 * and a name that is not UTF-8 must survive the way through a string.)
 */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  if (text.isWellFormed()) return encoder.encode(text);
  return concat(
    Array.from(text, (char) => {
      const code = char.charCodeAt(0);
      return char.length === 1 && code >= 0xdc80 && code <= 0xdcff
        ? Uint8Array.of(code - 0xdc00)
        : encoder.encode(char);
    }),
  );
}

/** Bytes to text, reversibly: what is not UTF-8 becomes lone low surrogates, byte by byte. */
export function decodeBytes(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeWithEscapes(bytes);
  }
}

function decodeWithEscapes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = utf8LengthAt(bytes, at);
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : strictDecoder.decode(bytes.subarray(at, at + length));
    at += Math.max(length, 1);
  }
  return text;
}

/** How many bytes the valid UTF-8 sequence at `at` has; 0 when there is none. */
function utf8LengthAt(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      strictDecoder.decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      continue;
    }
  }
  return 0;
}
