/**
 * Tar, read as a stream. An archive is a row of 512-byte blocks: a header, the entry's content padded
 * to whole blocks, the next header, …, two blocks of zeros. Four dialects share this frame: V7, ustar
 * (POSIX 1988), GNU (long names as entries of their own, numbers in base 256) and pax (POSIX 2001:
 * records before an entry that override its header). All are read, whichever the writer mixed.
 *
 * Read leniently as Go's archive/tar does, because that is what accepted the images people have: the
 * two blocks of zeros and the last padding may be missing, what follows the zeros is not looked at.
 *
 * References: POSIX pax(1), tar(5) of libarchive, the GNU tar manual's "Basic Tar Format".
 */
import { type ByteStream, decodeBytes } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import { ByteSource } from "./byte-source.ts";
import { applyPax, type PaxRecords, parsePax } from "./pax.ts";

export type TarKind = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface TarHeader {
  readonly kind: TarKind;
  /** As it stands in the archive; a directory's may end in "/". */
  readonly name: string;
  /** Permission bits with setuid, setgid and sticky: 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 unless it is a file. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** What a symlink or hard link points at, "" for others. */
  readonly linkName: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface TarEntry extends TarHeader {
  /** Where its header begins in the archive, in bytes. */
  readonly offset: number;
  /** Where its content begins. */
  readonly contentOffset: number;
  /** To be read before the next entry is asked for; what is left unread is skipped. Its chunks are valid until the next. */
  readonly content: ByteStream;
}

export const blockBytes = 512;
/** Long names and pax records: more than this is an attack, not a name (Go: maxSpecialFileSize). */
const specialBytesMax = 1024 * 1024;
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();
const zeroBlock = new Uint8Array(blockBytes);
const space = 0x20;

const kinds: Readonly<Record<string, TarKind>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/**
 * The entries of an archive. `what` names it in errors. Throws TsboxError "corrupt" naming the entry
 * and where it stands, "unsupported" for sparse files and archives in several volumes.
 */
export function readTar(stream: ByteStream, what: string): AsyncGenerator<TarEntry, void, undefined> {
  return new TarReader(stream, what).entries();
}

/** What precedes an entry and overrides its header. */
interface Overrides {
  readonly name: string | null;
  readonly linkName: string | null;
  readonly pax: PaxRecords | null;
}

const nothingOverridden: Overrides = { name: null, linkName: null, pax: null };

/** The types of entries that only describe the next one, or all that follow. */
const describing = "LKxXg";

class TarReader {
  readonly #source: ByteSource;
  readonly #what: string;
  #global: PaxRecords | null = null;

  constructor(stream: ByteStream, what: string) {
    this.#source = new ByteSource(stream);
    this.#what = what;
  }

  /** A layer has ten thousands of entries: nothing is waited for where the bytes are at hand. */
  async *entries(): AsyncGenerator<TarEntry, void, undefined> {
    const source = this.#source;
    let overrides = nothingOverridden;
    try {
      for (;;) {
        const { offset } = source;
        const block = source.ready(blockBytes) ?? (await source.take(blockBytes));
        if (block.length < blockBytes || isZero(block)) return await this.#end(block, offset);
        const raw = parseHeader(block, (message) => this.#corrupt(offset, message));
        if (describing.includes(raw.type)) overrides = await this.#described(raw, overrides, offset);
        else {
          const entry = this.#entry(raw, overrides, offset);
          yield entry;
          const rest = entry.contentOffset + entry.size + paddingOf(entry.size) - source.offset;
          if (source.ready(rest) === null) await this.#leave(entry);
          overrides = nothingOverridden;
        }
      }
    } finally {
      await source.close();
    }
  }

  /** Throws unless the archive may end with this. */
  async #end(block: Uint8Array, offset: number): Promise<void> {
    if (block.length === 0) return;
    if (block.length < blockBytes) throw this.#corrupt(offset, "truncated in the middle of a header");
    const second = await this.#source.take(blockBytes);
    if (second.length === blockBytes && !isZero(second))
      throw this.#corrupt(offset, "one block of zeros, where the end of the archive has two");
    await this.#source.skip(Infinity);
  }

  /** What an entry that describes the next one adds. */
  async #described(raw: RawHeader, overrides: Overrides, offset: number): Promise<Overrides> {
    const bytes = await this.#specialContent(raw, offset);
    switch (raw.type) {
      case "L":
        return { ...overrides, name: untilNul(bytes) };
      case "K":
        return { ...overrides, linkName: untilNul(bytes) };
      case "g":
        this.#global = this.#parsePax(bytes, offset, this.#global);
        return overrides;
      default:
        return { ...overrides, pax: this.#parsePax(bytes, offset, null) };
    }
  }

  #parsePax(bytes: Uint8Array, offset: number, base: PaxRecords | null): PaxRecords {
    return parsePax(bytes, base, (message) => this.#corrupt(offset, message));
  }

  async #specialContent(header: RawHeader, offset: number): Promise<Uint8Array> {
    if (header.size > specialBytesMax)
      throw this.#corrupt(offset, `an extended header of ${header.size} bytes; at most ${specialBytesMax} are read`);
    const bytes = await this.#source.take(header.size);
    if (bytes.length < header.size) throw this.#corrupt(offset, "truncated in the middle of an extended header");
    const copy = bytes.slice();
    await this.#source.skip(paddingOf(header.size));
    return copy;
  }

  #entry(raw: RawHeader, overrides: Overrides, offset: number): TarEntry {
    const kind = this.#kindOf(raw, overrides, offset);
    const header = this.#header(raw, kind, overrides, offset);
    const fail = (message: string): TsboxError => this.#corrupt(offset, message, header.name);
    if (header.name === "") throw fail("it has no name");
    if (header.name.includes("\0") || header.linkName.includes("\0")) throw fail("its name has a zero byte");
    const size = kind === "file" ? header.size : 0;
    const begin = this.#source.offset;
    return { ...header, size, offset, contentOffset: begin, content: this.#content(begin, size, fail) };
  }

  #header(raw: RawHeader, kind: TarKind, overrides: Overrides, offset: number): TarHeader {
    const { mode, uid, gid, size, mtime, major, minor } = raw;
    const name = overrides.name ?? raw.name;
    const linkName = overrides.linkName ?? raw.linkName;
    const header = { kind, name, mode, uid, gid, size, mtime, linkName, major, minor, xattrs: noXattrs };
    const fail = (message: string): TsboxError => this.#corrupt(offset, message);
    return applyPax(applyPax(header, this.#global, fail), overrides.pax, fail);
  }

  async *#content(begin: number, size: number, fail: Fail): AsyncGenerator<Uint8Array, void, undefined> {
    const source = this.#source;
    for (let left = size; left > 0; left = begin + size - source.offset) {
      const part = await source.some(left);
      if (part === null) throw fail(truncated(size, source.offset - begin));
      yield part;
    }
  }

  /** What was left unread of an entry, and its padding. */
  async #leave({ name, size, offset, contentOffset }: TarEntry): Promise<void> {
    const end = contentOffset + size;
    const source = this.#source;
    if (source.offset < end) await source.skip(end - source.offset);
    if (source.offset < end) throw this.#corrupt(offset, truncated(size, source.offset - contentOffset), name);
    await source.skip(paddingOf(size));
  }

  #kindOf(raw: RawHeader, overrides: Overrides, offset: number): TarKind {
    const name = overrides.name ?? raw.name;
    const sparse = raw.type === "S" || (overrides.pax?.sparse ?? false);
    if (sparse) throw this.#unsupported(offset, name, "a sparse file; pack it without --sparse");
    const kind = kinds[raw.type];
    if (kind === undefined)
      throw this.#unsupported(offset, name, `of type ${JSON.stringify(raw.type)}, which is not known`);
    // V7 had no type for directories.
    return kind === "file" && raw.type !== "7" && (overrides.pax?.path ?? name).endsWith("/") ? "directory" : kind;
  }

  #corrupt(offset: number, message: string, name?: string): TsboxError {
    const entry = name === undefined ? "" : `entry ${JSON.stringify(name)} `;
    return new TsboxError("corrupt", `${this.#what}: ${entry}at byte ${offset}: ${message}`, { offset });
  }

  #unsupported(offset: number, name: string, message: string): TsboxError {
    return new TsboxError(
      "unsupported",
      `${this.#what}: entry ${JSON.stringify(name)} at byte ${offset} is ${message}`,
      { offset },
    );
  }
}

interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly major: number;
  readonly minor: number;
}

type Fail = (message: string) => TsboxError;

function parseHeader(block: Uint8Array, fail: Fail): RawHeader {
  checkSum(block, fail);
  const number = (field: string, from: number, length: number): number => {
    const value = parseNumber(block, from, from + length);
    if (value === null) throw fail(`its ${field} is not a number`);
    return value;
  };
  const size = number("size", 124, 12);
  if (size < 0 || !Number.isSafeInteger(size)) throw fail(`its size is ${size}`);
  const isUstar = textAt(block, 257, 5) === "ustar";
  const isPosix = isUstar && block[262] === 0;
  const prefix = isPosix ? textAt(block, 345, 155) : "";
  const name = textAt(block, 0, 100);
  return {
    type: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: textAt(block, 157, 100),
    mode: number("mode", 100, 8) & 0o7777,
    uid: number("uid", 108, 8),
    gid: number("gid", 116, 8),
    size,
    mtime: BigInt(number("time", 136, 12)) * 1_000_000_000n,
    major: isUstar ? number("major number", 329, 8) : 0,
    minor: isUstar ? number("minor number", 337, 8) : 0,
  };
}

const sumAt = 148;
const sumEnd = 156;

/** The sum of all bytes, the sum's own field taken as spaces; some old writers summed signed bytes. */
function checkSum(block: Uint8Array, fail: Fail): void {
  const stored = parseNumber(block, sumAt, sumEnd);
  if (stored !== sumOf(block) && stored !== sumOf(new Int8Array(block)))
    throw fail("not a tar header: its checksum is wrong");
}

function sumOf(block: Uint8Array | Int8Array): number {
  let sum = (sumEnd - sumAt) * space;
  for (let at = 0; at < blockBytes; at++) sum += block[at] ?? 0;
  for (let at = sumAt; at < sumEnd; at++) sum -= block[at] ?? 0;
  return sum;
}

/** Octal text between spaces and zeros, or base 256 when the first bit is set; null for neither. */
function parseNumber(block: Uint8Array, from: number, end: number): number | null {
  if ((block[from] ?? 0) >= 0x80) return parseBase256(block.subarray(from, end));
  let at = afterBlanks(block, from, end);
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  return afterBlanks(block, at, end) === end ? value : null;
}

function afterBlanks(block: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (block[at] === space || block[at] === 0)) at++;
  return at;
}

/** Two's complement, most significant byte first, the first bit being the mark. */
function parseBase256(field: Uint8Array): number {
  const first = field[0] ?? 0;
  const negative = (first & 0x40) !== 0;
  let value = negative ? (first | 0x80) - 256 : first & 0x3f;
  for (let at = 1; at < field.length; at++) value = value * 256 + (field[at] ?? 0);
  return value;
}

function textAt(block: Uint8Array, from: number, length: number): string {
  return untilNul(block.subarray(from, from + length));
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end === 0) return "";
  return decodeBytes(end < 0 ? bytes : bytes.subarray(0, end));
}

function isZero(block: Uint8Array): boolean {
  if (block[0] !== 0) return false;
  return block.every((byte, at) => byte === zeroBlock[at]);
}

export function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function truncated(size: number, there: number): string {
  return `truncated: it promises ${size} bytes, ${there} are there`;
}
