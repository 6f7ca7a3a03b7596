/**
 * Streams whose chunks are valid until the next one is asked for (core/base/ports.ts): their memory is given back then.
 * Left to the collector, hundreds of megabytes that come and go would have it look through the whole heap again and again.
 */

/** Small chunks may lie in a pool that others use, and are not worth it. */
const smallBytes = 16 * 1024;

type Chunk = Uint8Array<ArrayBufferLike>;

/** `isSpent`: whether nobody needs the chunk's whole buffer when it has been read. */
export async function* passing(
  chunks: AsyncIterable<Chunk>,
  isSpent: (chunk: Chunk) => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    const { buffer, byteOffset, length } = chunk;
    // Not as a Buffer, whose slice() is no copy.
    yield new Uint8Array(buffer, byteOffset, length);
    if (buffer instanceof ArrayBuffer && length > smallBytes && isSpent(chunk)) buffer.transfer(0);
  }
}

/** For a source that hands out a buffer from its beginning to its end. */
export function isEndOfBuffer({ buffer, byteOffset, length }: Chunk): boolean {
  return byteOffset + length === buffer.byteLength;
}

/** For a source whose chunks may be parts of something else. */
export function isWholeBuffer({ buffer, length }: Chunk): boolean {
  return length === buffer.byteLength;
}
