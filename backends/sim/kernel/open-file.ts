/**
 * An open file description (open(2)): what a descriptor points to. Duplicated descriptors share it,
 * with its offset. Reading and writing either give a result or `wouldBlock`; waiting is the
 * scheduler's business (turns.ts asks again when something has changed).
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import type { Caller, OpenedFile } from "../../../core/unionfs/opened-file.ts";
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
  write(bytes: Uint8Array, by?: Caller): number | WouldBlock;
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
  nonBlocking: boolean;
  readonly #path: string | (() => string);
  #references = 0;

  constructor(
    channel: Channel,
    access: Access,
    place: { location: Location | null; path: string | (() => string) },
    nonBlocking = false,
  ) {
    this.channel = channel;
    this.access = access;
    this.location = place.location;
    this.#path = place.path;
    this.nonBlocking = nonBlocking;
  }

  /** As it was opened; what it is called now, /proc tells. */
  get path(): string {
    return typeof this.#path === "string" ? this.#path : this.#path();
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
    if (!this.access.read) throw new Errno("EBADF");
    return this.channel.read(length);
  }

  /** `by`: who writes, if not the opener; it may lose a file its set-id bits. */
  write(bytes: Uint8Array, by?: Caller): number | WouldBlock {
    if (!this.access.write) throw new Errno("EBADF");
    return this.channel.write(bytes, by);
  }
}

/** A file of a file system: bytes at an offset that reading and writing move on. */
export class FileChannel implements Channel {
  readonly isWatched = true;
  readonly opened: OpenedFile;
  readonly #location: Location;

  constructor(opened: OpenedFile, location: Location) {
    this.opened = opened;
    this.#location = location;
  }

  read(length: number): Uint8Array {
    return this.opened.read(length);
  }

  write(bytes: Uint8Array, by?: Caller): number {
    return this.opened.write(bytes, by);
  }

  /** How many bytes fit before a file has the size of RLIMIT_FSIZE; what the kernel makes of its state has none. */
  roomWithin(limit: number): number {
    if (limit === -1 || this.opened.fileSystem instanceof Synthetic) return Number.POSITIVE_INFINITY;
    return limit - (this.opened.flags.append === true ? this.stat().size : this.opened.offset);
  }

  readable(): boolean {
    return true;
  }

  writable(): boolean {
    return true;
  }

  stat(): Stat {
    return this.opened.stat();
  }

  inspect(): unknown {
    return [this.opened.offset, this.opened.flags.append === true, this.#location];
  }

  close(): void {
    this.opened.close();
  }
}
