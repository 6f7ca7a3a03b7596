/**
 * The bytes of a file as a value: writing gives a new Content and leaves the old one as it was, so
 * that a snapshot of a whole file system costs nothing. Bytes lie in chunks of 64 KiB; a missing
 * chunk is a hole and reads as zeros.
 */
import { Map as PersistentMap } from "immutable";

const chunkBytes = 65536;

export interface Content {
  readonly size: number;
  readonly chunks: PersistentMap<number, Uint8Array>;
}

export const emptyContent: Content = { size: 0, chunks: PersistentMap() };

/** Takes the bytes over without copying: the caller must not write to them again. */
export function contentOf(bytes: Uint8Array): Content {
  const chunks = PersistentMap<number, Uint8Array>().withMutations((map) => {
    for (let at = 0; at < bytes.length; at += chunkBytes) map.set(at / chunkBytes, bytes.subarray(at, at + chunkBytes));
  });
  return { size: bytes.length, chunks };
}

/** Up to `length` bytes from `offset`; fewer at the end of the file, none behind it. */
export function readContent(content: Content, offset: number, length: number): Uint8Array {
  const end = Math.min(content.size, offset + length);
  if (offset >= end) return new Uint8Array(0);
  const bytes = new Uint8Array(end - offset);
  for (let at = offset; at < end; at = chunkEnd(at)) {
    const start = at % chunkBytes;
    const part = content.chunks
      .get(Math.floor(at / chunkBytes))
      ?.subarray(start, start + Math.min(chunkEnd(at), end) - at);
    if (part !== undefined) bytes.set(part, at - offset);
  }
  return bytes;
}

/** The content with `bytes` written at `offset`; what lies between the old end and `offset` is a hole. */
export function writeContent(content: Content, offset: number, bytes: Uint8Array): Content {
  const end = offset + bytes.length;
  const chunks = content.chunks.withMutations((map) => {
    for (let at = offset; at < end; at = chunkEnd(at)) {
      const number = Math.floor(at / chunkBytes);
      const part = bytes.subarray(at - offset, Math.min(chunkEnd(at), end) - offset);
      map.set(number, overwrite(map.get(number), at % chunkBytes, part));
    }
  });
  return { size: Math.max(content.size, end), chunks };
}

/** The content cut or extended (by a hole) to `size`. */
export function resizeContent(content: Content, size: number): Content {
  if (size >= content.size) return { size, chunks: content.chunks };
  const last = Math.floor(size / chunkBytes);
  const kept = content.chunks.filter((_chunk, number) => number < last);
  const edge = content.chunks.get(last)?.slice(0, size % chunkBytes);
  return { size, chunks: edge === undefined || edge.length === 0 ? kept : kept.set(last, edge) };
}

function chunkEnd(at: number): number {
  return (Math.floor(at / chunkBytes) + 1) * chunkBytes;
}

function overwrite(chunk: Uint8Array | undefined, start: number, part: Uint8Array): Uint8Array {
  const next = new Uint8Array(Math.max(chunk?.length ?? 0, start + part.length));
  if (chunk !== undefined) next.set(chunk);
  next.set(part, start);
  return next;
}
