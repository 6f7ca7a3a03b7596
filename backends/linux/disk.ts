/**
 * The files under the data root and the run directory, by node:fs.
 *
 * Small things are done synchronously: a record's open, write, close and rename take about 60 µs in
 * a row, and ten times that when each goes through libuv's thread pool. Whatever may be long (a
 * blob, a tree) is not.
 *
 * Crash safety: a replacing file is complete before it gets its name, so the end of the engine or a
 * full disk never leaves half of one. It is not fsync'ed, as that would cost each start milliseconds
 * for a state that a power failure ends anyway; streams (blobs) are.
 */
import * as fs from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { HostPath } from "../../core/base/brand.ts";
import type { ByteStream } from "../../core/base/bytes.ts";
import type { Disk, FileStat } from "../../core/engine/machine.ts";
import { asErrno, failedWith } from "./errors.ts";

/** Files above this are read without blocking the loop. */
const blockingRead = 1 << 20;
const chunkSize = 256 * 1024;

export class LinuxDisk implements Disk {
  readonly dataRoot: HostPath;
  readonly runRoot: HostPath;
  #temporaries = 0;

  constructor(dataRoot: HostPath, runRoot: HostPath) {
    this.dataRoot = dataRoot;
    this.runRoot = runRoot;
  }

  async read(path: HostPath): Promise<Uint8Array> {
    try {
      const { size } = fs.statSync(path);
      return size > blockingRead ? await fs.promises.readFile(path) : fs.readFileSync(path);
    } catch (thrown) {
      throw asErrno(thrown, path);
    }
  }

  async *stream(path: HostPath, offset = 0, length = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array, void> {
    if (length <= 0) return;
    try {
      yield* chunksOf(path, offset, length);
    } catch (thrown) {
      throw asErrno(thrown, path);
    }
  }

  async writeAtomically(path: HostPath, bytes: Uint8Array, mode = 0o600): Promise<void> {
    const temporary = this.#temporary(path);
    try {
      fs.writeFileSync(temporary, bytes, { mode });
      fs.renameSync(temporary, path);
    } catch (thrown) {
      fs.rmSync(temporary, { force: true });
      throw asErrno(thrown, path);
    }
  }

  async writeStream(path: HostPath, bytes: ByteStream): Promise<void> {
    const temporary = this.#temporary(path);
    try {
      await writeAll(temporary, bytes);
      fs.renameSync(temporary, path);
    } catch (thrown) {
      await rm(temporary, { force: true });
      throw asErrno(thrown, path);
    }
  }

  async *append(path: HostPath, bytes: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* writtenTo(path, bytes, "a");
    } catch (thrown) {
      throw asErrno(thrown, path);
    }
  }

  /** Beside the file, so that the rename stays in one file system; the name says to the next start that it is rubbish. */
  #temporary(path: HostPath): string {
    return `${path}.${process.pid}-${++this.#temporaries}.tmp`;
  }

  async rename(from: HostPath, to: HostPath): Promise<void> {
    try {
      fs.renameSync(from, to);
    } catch (thrown) {
      throw asErrno(thrown, from);
    }
  }

  /** With missing parents; one that is there already stays as it is. */
  async makeDirectory(path: HostPath, mode = 0o755): Promise<void> {
    try {
      makeDirectory(path, mode);
    } catch (thrown) {
      throw asErrno(thrown, path);
    }
  }

  async list(path: HostPath): Promise<string[]> {
    try {
      return fs.readdirSync(path);
    } catch (thrown) {
      if (failedWith(thrown, "ENOENT")) return [];
      throw asErrno(thrown, path);
    }
  }

  async stat(path: HostPath): Promise<FileStat | null> {
    try {
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      return stats === undefined ? null : fileStat(stats);
    } catch (thrown) {
      if (failedWith(thrown, "ENOTDIR")) return null;
      throw asErrno(thrown, path);
    }
  }

  async remove(path: HostPath): Promise<void> {
    try {
      if (!removedAtOnce(path)) await rm(path, { recursive: true, force: true });
    } catch (thrown) {
      throw asErrno(thrown, path);
    }
  }
}

/** Unlike mkdir(2)'s, the mode does not depend on the umask. Throws node's own errors. */
export function makeDirectory(path: string, mode: number): void {
  try {
    fs.mkdirSync(path, mode);
    fs.chmodSync(path, mode);
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT") && !fs.existsSync(dirname(path))) {
      makeDirectory(dirname(path), 0o755);
      makeDirectory(path, mode);
    } else if (!failedWith(thrown, "EEXIST") || !fs.statSync(path).isDirectory()) throw thrown;
  }
}

/** So many files in a directory are removed without leaving the loop to others: a container has fewer. */
const fewFiles = 16;

/** A file goes with one system call, a directory of a few files with a few; false: it is more than that. */
function removedAtOnce(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (thrown) {
    return failedWith(thrown, "ENOENT", "ENOTDIR") || (failedWith(thrown, "EISDIR", "EPERM") && removedFewFiles(path));
  }
}

function removedFewFiles(directory: string): boolean {
  try {
    const names = fs.readdirSync(directory);
    if (names.length > fewFiles) return false;
    for (const name of names) fs.unlinkSync(`${directory}/${name}`);
    fs.rmdirSync(directory);
    return true;
  } catch (thrown) {
    if (failedWith(thrown, "EISDIR", "EPERM", "ENOTEMPTY", "ENOENT", "ENOTDIR")) return false;
    throw thrown;
  }
}

/** The next chunk is read while its reader is busy with this one. */
async function* chunksOf(path: string, offset: number, length: number): AsyncGenerator<Uint8Array, void> {
  const file = await open(path, "r");
  let coming: Promise<Uint8Array> | null = null;
  try {
    const end = Math.min((await file.stat()).size, offset + length);
    coming = readChunk(file, offset, end);
    for (let at = offset; at < end; ) {
      const chunk = await coming;
      if (chunk.length === 0) return; // it was cut meanwhile
      at += chunk.length;
      coming = readChunk(file, at, end);
      coming.catch(() => {}); // it is thrown when it is its turn
      yield chunk;
    }
  } finally {
    await Promise.allSettled([coming]);
    await file.close();
  }
}

async function readChunk(file: FileHandle, from: number, end: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(chunkSize, end - from)));
  const { bytesRead } = buffer.length === 0 ? { bytesRead: 0 } : await file.read(buffer, 0, buffer.length, from);
  return buffer.subarray(0, bytesRead);
}

async function writeAll(path: string, bytes: ByteStream): Promise<void> {
  for await (const _ of writtenTo(path, bytes, "wx"));
}

/** So many bytes are written by one system call: many small writes would each wait for a thread. */
const pieceBytes = 1024 * 1024;
/** So many pieces are collected, on their way to the disk, or wait for their reader: whoever is slowest is not kept waiting. */
const piecesAhead = 4;

/**
 * The bytes, each once it is in the file; piece after piece, so that the file is whole up to its end at any moment. The
 * pieces' memory is used in turn: what streams through leaves nothing to be collected.
 */
async function* writtenTo(
  path: string,
  bytes: ByteStream,
  flags: "wx" | "a",
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, flags, 0o600);
  const source = new PieceSource(bytes);
  const ahead: Promise<Uint8Array>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const launch = (): void => {
    const piece = source.next();
    const writing = last.then(async () => written(file, await piece));
    writing.catch(() => {}); // it is thrown when it is its turn
    ahead.push(writing);
    last = writing;
  };
  try {
    while (ahead.length < piecesAhead) launch();
    for (let piece = await ahead.shift(); piece !== undefined && piece.length > 0; piece = await ahead.shift()) {
      yield piece;
      source.reuse(piece);
      launch();
    }
    await file.datasync();
  } finally {
    source.stop();
    await Promise.allSettled(ahead);
    await file.close();
    await source.close();
  }
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly failure: { readonly thrown: unknown } | null;
}

const nothing: Uint8Array = new Uint8Array(0);

/** Collects chunks to pieces, one at a time; they are empty at the end. */
class PieceSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Of the last chunk, what did not go into its piece. */
  #rest = nothing;
  readonly #spare: ArrayBufferLike[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(bytes: ByteStream) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  next(): Promise<Piece> {
    const piece = this.#last.then(() => this.#collect());
    this.#last = piece;
    return piece;
  }

  async #collect(): Promise<Piece> {
    let memory: Uint8Array = nothing;
    let size = 0;
    try {
      while (size < pieceBytes && (await this.#fetched())) {
        if (memory === nothing) memory = this.#memory();
        size += this.#moveTo(memory, size);
      }
      return { bytes: memory.subarray(0, size), failure: null };
    } catch (thrown) {
      return { bytes: memory.subarray(0, size), failure: { thrown } };
    }
  }

  /** Whether there is more. */
  async #fetched(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = this.#stopped ? null : await this.#chunks.next();
      if (next === null || next.done === true) return false;
      this.#rest = next.value;
    }
    return !this.#stopped;
  }

  /** Not a Buffer, whose slice() is no copy. */
  #memory(): Uint8Array {
    return new Uint8Array(this.#spare.pop() ?? Buffer.allocUnsafeSlow(pieceBytes).buffer);
  }

  #moveTo(memory: Uint8Array, at: number): number {
    const moved = this.#rest.subarray(0, memory.length - at);
    memory.set(moved, at);
    this.#rest = this.#rest.subarray(moved.length);
    return moved.length;
  }

  /** The piece has been read. */
  reuse({ buffer }: Uint8Array): void {
    this.#spare.push(buffer);
  }

  /** Begins no further chunk. */
  stop(): void {
    this.#stopped = true;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** What came before the source failed is written as well. A full disk may take a part of what it is given. */
async function written(file: FileHandle, { bytes, failure }: Piece): Promise<Uint8Array> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  if (failure !== null) throw failure.thrown;
  return bytes;
}

function fileStat(stats: fs.Stats): FileStat {
  const { size, uid, gid } = stats;
  const stat = { inode: stats.ino, kind: kindOf(stats), size, mode: stats.mode & 0o7777, uid, gid };
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return stat;
  return { ...stat, device: { type: stats.isBlockDevice() ? "b" : "c", ...deviceNumbers(stats.rdev) } };
}

/** glibc's major() and minor() of a dev_t, whose 64 bits are within what a double holds. */
function deviceNumbers(device: number): { major: number; minor: number } {
  const high = Math.floor(device / 2 ** 32);
  const low = device >>> 0;
  return { major: ((low >>> 8) & 0xfff) | (high & 0xfffff000), minor: (low & 0xff) | ((low >>> 12) & 0xfff00) };
}

function kindOf(stats: fs.Stats): FileStat["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "symlink" : "other";
}
