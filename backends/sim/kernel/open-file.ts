/**
 * An open file description (open(2)): what a descriptor points to. Duplicated descriptors share it,
 * with its offset. Reading and writing either give a result or `wouldBlock`; waiting is the
 * scheduler's business (turns.ts asks again when something has changed).
 */
import { Errno } from "../../../core/base/errno.ts";
import type { FileSystem, Stat } from "../../../core/unionfs/file-system.ts";
import type { Location } from "./mounts.ts";
import { Synthetic } from "./synthetic.ts";

export const wouldBlock: unique symbol = Symbol("would block");
export type WouldBlock = typeof wouldBlock;

/** What kinds of file do differently. */
export interface Channel {
  /** Whether it tells of its changes (changes.ts); who waits for another kind is asked before every turn. */
  readonly isWatched?: boolean;
  /** An empty array is the end. */
  read(length: number): Uint8Array | WouldBlock;
  write(bytes: Uint8Array): number | WouldBlock;
  readable(): boolean;
  writable(): boolean;
  stat(): Stat;
  /** The last descriptor is gone. */
  close(): void;
}

export interface Access {
  readonly read: boolean;
  readonly write: boolean;
}

export class OpenFile {
  readonly channel: Channel;
  readonly access: Access;
  /** Where it was opened, null for pipes and the like. */
  readonly location: Location | null;
  readonly path: string;
  nonBlocking: boolean;
  #references = 0;

  constructor(
    channel: Channel,
    access: Access,
    place: { location: Location | null; path: string },
    nonBlocking = false,
  ) {
    this.channel = channel;
    this.access = access;
    this.location = place.location;
    this.path = place.path;
    this.nonBlocking = nonBlocking;
  }

  inspect(): number {
    return this.#references;
  }

  /** One descriptor more. */
  hold(): this {
    this.#references++;
    return this;
  }

  /** One descriptor fewer; the last one closes. */
  release(): void {
    if (--this.#references === 0) this.channel.close();
  }

  read(length: number): Uint8Array | WouldBlock {
    if (!this.access.read) throw new Errno("EBADF", this.path);
    return this.channel.read(length);
  }

  write(bytes: Uint8Array): number | WouldBlock {
    if (!this.access.write) throw new Errno("EBADF", this.path);
    return this.channel.write(bytes);
  }
}

/** A regular file: bytes at an offset that reading and writing move on. */
export class FileChannel implements Channel {
  readonly isWatched = true;
  readonly #fileSystem: FileSystem;
  readonly #location: Location;
  readonly #append: boolean;
  readonly #closed: () => void;
  #offset = 0;

  constructor(fileSystem: FileSystem, location: Location, options: { append: boolean; closed: () => void }) {
    this.#fileSystem = fileSystem;
    this.#location = location;
    this.#append = options.append;
    this.#closed = options.closed;
  }

  read(length: number): Uint8Array {
    const bytes = this.#fileSystem.read(this.#location.inode, this.#offset, length);
    this.#offset += bytes.length;
    return bytes;
  }

  write(bytes: Uint8Array): number {
    if (this.#append) this.#offset = this.stat().size;
    this.#fileSystem.write(this.#location.inode, this.#offset, bytes);
    this.#offset += bytes.length;
    return bytes.length;
  }

  /** How many bytes fit before a file has the size of RLIMIT_FSIZE; what the kernel makes of its state has none. */
  roomWithin(limit: number): number {
    if (limit === -1 || this.#fileSystem instanceof Synthetic) return Number.POSITIVE_INFINITY;
    return limit - (this.#append ? this.stat().size : this.#offset);
  }

  seek(offset: number, whence: "set" | "current" | "end"): number {
    const from = { set: 0, current: this.#offset, end: this.stat().size }[whence];
    if (from + offset < 0) throw new Errno("EINVAL");
    this.#offset = from + offset;
    return this.#offset;
  }

  readable(): boolean {
    return true;
  }

  writable(): boolean {
    return true;
  }

  stat(): Stat {
    return this.#fileSystem.stat(this.#location.inode);
  }

  inspect(): unknown {
    return [this.#offset, this.#append, this.#location];
  }

  close(): void {
    this.#closed();
  }
}
