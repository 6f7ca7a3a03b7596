/**
 * The bytes of a file. At the bottom lies what the file was made of, a slice of a layer's bytes that
 * is never copied; over it lie chunks of 64 KiB, made when somebody writes. A page of 4 KiB that
 * nobody wrote is a hole and reads as zeros, as on tmpfs.
 *
 * A change goes into the chunk in place when the writer owns it, else the chunk is copied first
 * (owner.ts). Reading gives a view where that is cheaper than a copy; a chunk of which a view is out
 * is nobody's any more, so the view never changes.
 */
import { Errno } from "../base/errno.ts";
import { nobody, type Owner } from "./owner.ts";
import { SparseArray } from "./sparse-array.ts";

const chunkBytes = 65536;
const pageBytes = 4096;
/** Reads below this are copied out: cheaper than giving the chunk up. */
const viewMin = 4096;
/** 16 TiB, as on ext4 with blocks of 4 KiB. */
const sizeMax = 2 ** 44;
const nothing = new Uint8Array(0);

interface Chunk {
  owner: Owner;
  /** Up to 64 KiB; what is missing at the end is zeros. */
  bytes: Uint8Array;
  /** A bit for each of the 16 pages that has been written. */
  pages: number;
}

export class Content {
  readonly owner: Owner;
  size: number;
  /** Pages of 4 KiB that are not holes. */
  pages: number;
  #base: Uint8Array;
  #chunks: SparseArray<Chunk> | null;

  private constructor(owner: Owner, size: number, pages: number, base: Uint8Array, chunks: SparseArray<Chunk> | null) {
    this.owner = owner;
    this.size = size;
    this.pages = pages;
    this.#base = base;
    this.#chunks = chunks;
  }

  static readonly empty: Content = new Content(nobody, 0, 0, nothing, null);

  /** Takes the bytes over without copying: the caller must not write to them again. */
  static of(bytes: Uint8Array): Content {
    return new Content(nobody, bytes.length, Math.ceil(bytes.length / pageBytes), bytes, null);
  }

  /** A file of zeros that takes no room. */
  static hole(size: number): Content {
    return new Content(nobody, size, 0, nothing, null);
  }

  /** Up to `length` bytes from `offset`; fewer at the end, none behind it. Not to be written to: it may be a view. */
  read(offset: number, length: number): Uint8Array {
    const end = Math.min(this.size, offset + length);
    if (offset >= end) return nothing;
    return this.#view(offset, end) ?? this.#copied(offset, end);
  }

  /** Fills `target` from `offset` on; how many bytes there were. */
  readInto(offset: number, target: Uint8Array): number {
    const end = Math.min(this.size, offset + target.length);
    for (let at = offset; at < end; ) {
      const stop = Math.min(end, chunkEnd(at));
      this.#copyPart(at, stop, target, at - offset);
      at = stop;
    }
    return Math.max(0, end - offset);
  }

  /** The content with `bytes` written at `offset`: this one, changed, if it is the owner's. Throws Errno EFBIG. */
  write(owner: Owner, offset: number, bytes: Uint8Array): Content {
    const end = offset + bytes.length;
    if (end > sizeMax) throw new Errno("EFBIG");
    const own = this.#own(owner);
    for (let at = offset; at < end; ) {
      const stop = Math.min(end, chunkEnd(at));
      own.#writePart(owner, at, bytes.subarray(at - offset, stop - offset));
      at = stop;
    }
    own.size = Math.max(own.size, end);
    return own;
  }

  /** The content cut, or extended by a hole, to `size`. Throws Errno EFBIG. */
  resize(owner: Owner, size: number): Content {
    if (size > sizeMax) throw new Errno("EFBIG");
    if (size === 0) return Content.empty;
    const own = this.#own(owner);
    if (size < own.size) own.#cut(owner, size);
    own.size = size;
    return own;
  }

  /** How many pages a write would take that are holes now. */
  missingPages(offset: number, length: number): number {
    let missing = 0;
    for (let at = offset; at < offset + length; ) {
      const stop = Math.min(offset + length, chunkEnd(at));
      const wanted = pagesOf(at, stop);
      missing += ones(wanted & ~this.#pagesAt(Math.floor(at / chunkBytes)));
      at = stop;
    }
    return missing;
  }

  /** lseek(2)'s SEEK_DATA and SEEK_HOLE; the end of the file is a hole. Throws Errno ENXIO. */
  seek(offset: number, wanted: "data" | "hole"): number {
    if (offset < 0 || offset >= this.size) throw new Errno("ENXIO");
    for (let at = offset; at < this.size; at = Math.floor(at / pageBytes + 1) * pageBytes) {
      const pages = this.#pagesAt(Math.floor(at / chunkBytes));
      const isData = ((pages >>> (Math.floor(at / pageBytes) % 16)) & 1) === 1;
      if (isData === (wanted === "data")) return at;
      if (pages === 0 && wanted === "data") at = chunkEnd(at) - pageBytes;
    }
    if (wanted === "data") throw new Errno("ENXIO");
    return this.size;
  }

  #own(owner: Owner): Content {
    if (this.owner === owner) return this;
    return new Content(owner, this.size, this.pages, this.#base, this.#chunks?.copy() ?? null);
  }

  #view(from: number, end: number): Uint8Array | null {
    const chunk = this.#chunks?.get(Math.floor(from / chunkBytes));
    if (chunk === undefined) {
      const isBase = end <= this.#base.length && (this.#chunks === null || end <= chunkEnd(from));
      return isBase ? this.#base.subarray(from, end) : null;
    }
    const start = from % chunkBytes;
    if (end - from < viewMin || start + end - from > chunk.bytes.length) return null;
    chunk.owner = nobody;
    return chunk.bytes.subarray(start, start + end - from);
  }

  #copied(from: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - from);
    this.readInto(from, bytes);
    return bytes;
  }

  #copyPart(from: number, end: number, target: Uint8Array, to: number): void {
    const chunk = this.#chunks?.get(Math.floor(from / chunkBytes));
    const start = chunk === undefined ? from : from % chunkBytes;
    const part = (chunk === undefined ? this.#base : chunk.bytes).subarray(start, start + end - from);
    target.set(part, to);
    if (part.length < end - from) target.fill(0, to + part.length, to + end - from);
  }

  #writePart(owner: Owner, at: number, part: Uint8Array): void {
    const number = Math.floor(at / chunkBytes);
    const start = at % chunkBytes;
    const chunk = this.#chunkFor(owner, number, start + part.length, part.length === chunkBytes);
    chunk.bytes.set(part, start);
    const pages = chunk.pages | pagesOf(at, at + part.length);
    this.pages += ones(pages) - ones(chunk.pages);
    chunk.pages = pages;
  }

  /** A chunk of the owner's with room for so many bytes; `whole`: all of it will be overwritten. */
  #chunkFor(owner: Owner, number: number, room: number, whole: boolean): Chunk {
    this.#chunks ??= SparseArray.empty<Chunk>();
    const known = this.#chunks.get(number);
    if (known?.owner === owner && known.bytes.length >= room) return known;
    const old = known?.bytes ?? this.#base.subarray(number * chunkBytes, (number + 1) * chunkBytes);
    const bytes = whole ? new Uint8Array(chunkBytes) : grown(old, room);
    const chunk = { owner, bytes, pages: this.#pagesAt(number) };
    this.#chunks.set(owner, number, chunk);
    return chunk;
  }

  #pagesAt(number: number): number {
    const chunk = this.#chunks?.get(number);
    if (chunk !== undefined) return chunk.pages;
    const from = number * chunkBytes;
    return from >= this.#base.length ? 0 : pagesOf(from, Math.min(from + chunkBytes, this.#base.length));
  }

  #cut(owner: Owner, size: number): void {
    const edge = Math.floor(size / chunkBytes);
    const cut = this.#chunks?.get(edge);
    if (cut !== undefined) {
      const kept = size % chunkBytes === 0 ? 0 : pagesOf(edge * chunkBytes, size);
      const bytes = cut.bytes.slice(0, size % chunkBytes);
      this.#chunks?.set(owner, edge, { owner, bytes, pages: cut.pages & kept });
    }
    this.#base = this.#base.subarray(0, size);
    for (const [number] of [...(this.#chunks?.entries(edge + 1) ?? [])]) this.#chunks?.set(owner, number, undefined);
    this.pages = this.#countPages();
  }

  #countPages(): number {
    let count = Math.ceil(this.#base.length / pageBytes);
    for (const [number, chunk] of this.#chunks?.entries() ?? []) {
      const from = number * chunkBytes;
      const below = from >= this.#base.length ? 0 : pagesOf(from, Math.min(from + chunkBytes, this.#base.length));
      count += ones(chunk.pages) - ones(below);
    }
    return count;
  }
}

function grown(bytes: Uint8Array, room: number): Uint8Array {
  if (bytes.length >= room) return bytes.slice();
  const larger = new Uint8Array(Math.min(chunkBytes, Math.max(room, 2 * bytes.length)));
  larger.set(bytes);
  return larger;
}

function chunkEnd(at: number): number {
  return (Math.floor(at / chunkBytes) + 1) * chunkBytes;
}

/** The pages of one chunk that a range of the file touches, as bits. */
function pagesOf(from: number, end: number): number {
  if (from >= end) return 0;
  const first = Math.floor((from % chunkBytes) / pageBytes);
  const last = Math.floor(((end - 1) % chunkBytes) / pageBytes);
  return (2 << last) - (1 << first);
}

function ones(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}
