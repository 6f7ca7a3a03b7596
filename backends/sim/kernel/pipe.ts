/**
 * A pipe (pipe(7)): bytes in order, at most 64 KiB at a time. Reading an empty pipe waits while
 * somebody can write and is at the end when nobody can; writing one that nobody reads is EPIPE
 * (and SIGPIPE, which the call that writes sees to). Writes of up to 4096 bytes are not torn.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Inode, Stat } from "../../../core/unionfs/file-system.ts";
import { Changes } from "./changes.ts";
import { type Channel, type WouldBlock, wouldBlock } from "./open-file.ts";

export const pipeBytes = 65536;
const atomicBytes = 4096;

export class Pipe {
  readonly changes = new Changes();
  #chunks: Uint8Array[] = [];
  #size = 0;
  readers = 0;
  writers = 0;
  /** How many ever were: a fifo's opener must not miss one that came and went. */
  readersEver = 0;
  writersEver = 0;

  get size(): number {
    return this.#size;
  }

  /** For a snapshot: what is in it. */
  inspect(): readonly Uint8Array[] {
    return this.#chunks;
  }

  take(length: number): Uint8Array {
    const first = this.#chunks[0];
    if (first === undefined || length === 0) return new Uint8Array(0);
    const taken = first.subarray(0, length);
    if (taken.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(taken.length);
    this.#size -= taken.length;
    this.changes.tell();
    return taken;
  }

  put(bytes: Uint8Array): number {
    const room = pipeBytes - this.#size;
    const taken = bytes.slice(0, room);
    if (taken.length > 0) this.#chunks.push(taken);
    this.#size += taken.length;
    this.changes.tell();
    return taken.length;
  }

  /** Whether a write of so many bytes can go on. */
  hasRoom(length: number): boolean {
    this.changes.watch();
    return pipeBytes - this.#size >= Math.min(length, atomicBytes);
  }
}

export class ReadEnd implements Channel {
  readonly isWatched = true;
  readonly #pipe: Pipe;
  readonly #stat: Stat;

  constructor(pipe: Pipe, stat: Stat) {
    this.#pipe = pipe;
    this.#stat = stat;
    pipe.readers++;
    pipe.readersEver++;
    pipe.changes.tell();
  }

  read(length: number): Uint8Array | WouldBlock {
    return this.readable() ? this.#pipe.take(length) : wouldBlock;
  }

  write(): never {
    throw new Errno("EBADF");
  }

  readable(): boolean {
    this.#pipe.changes.watch();
    return this.#pipe.size > 0 || this.#pipe.writers === 0;
  }

  writable(): boolean {
    return false;
  }

  stat(): Stat {
    return { ...this.#stat, size: this.#pipe.size };
  }

  inspect(): Pipe {
    return this.#pipe;
  }

  close(): void {
    this.#pipe.readers--;
    this.#pipe.changes.tell();
  }
}

export class WriteEnd implements Channel {
  readonly isWatched = true;
  readonly #pipe: Pipe;
  readonly #stat: Stat;

  constructor(pipe: Pipe, stat: Stat) {
    this.#pipe = pipe;
    this.#stat = stat;
    pipe.writers++;
    pipe.writersEver++;
    pipe.changes.tell();
  }

  read(): never {
    throw new Errno("EBADF");
  }

  write(bytes: Uint8Array): number | WouldBlock {
    if (this.#pipe.readers === 0) throw new Errno("EPIPE");
    return this.#pipe.hasRoom(bytes.length) ? this.#pipe.put(bytes) : wouldBlock;
  }

  readable(): boolean {
    return false;
  }

  writable(): boolean {
    this.#pipe.changes.watch();
    return this.#pipe.readers === 0 || this.#pipe.hasRoom(1);
  }

  stat(): Stat {
    return this.#stat;
  }

  inspect(): Pipe {
    return this.#pipe;
  }

  close(): void {
    this.#pipe.writers--;
    this.#pipe.changes.tell();
  }
}

/** A fifo opened for both (fifo(7)): what is written is there to be read, and there is always somebody for either end. */
export class BothEnds implements Channel {
  readonly isWatched = true;
  readonly #read: ReadEnd;
  readonly #write: WriteEnd;

  constructor(pipe: Pipe, stat: Stat) {
    this.#read = new ReadEnd(pipe, stat);
    this.#write = new WriteEnd(pipe, stat);
  }

  read(length: number): Uint8Array | WouldBlock {
    return this.#read.read(length);
  }

  write(bytes: Uint8Array): number | WouldBlock {
    return this.#write.write(bytes);
  }

  readable(): boolean {
    return this.#read.readable();
  }

  writable(): boolean {
    return this.#write.writable();
  }

  stat(): Stat {
    return this.#read.stat();
  }

  inspect(): Pipe {
    return this.#read.inspect();
  }

  close(): void {
    this.#read.close();
    this.#write.close();
  }
}

/** What fstat(2) says of a pipe. */
export function pipeStat(inode: number, now: bigint): Stat {
  return {
    inode: inode as Inode,
    kind: "fifo",
    mode: 0o600,
    uid: 0,
    gid: 0,
    links: 1,
    size: 0,
    blocks: 0,
    atime: now,
    mtime: now,
    ctime: now,
    major: 0,
    minor: 0,
  };
}
