/** What open(2) gives: a file, or a directory, with an offset. It lives on when its name is gone. */
import { Errno } from "../base/errno.ts";
import type { Actor } from "./access.ts";
import type { FileSystem, Inode, Stat } from "./file-system.ts";
import { isNoRoom } from "./usage.ts";

export interface OpenFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  readonly append?: boolean;
  readonly noFollow?: boolean;
  readonly directory?: boolean;
  /** O_TMPFILE: a file without a name in the directory that the path names. */
  readonly unnamed?: boolean;
}

/** Whose call it is (posix.ts). */
interface Opener {
  readonly fileSystem: FileSystem;
  readonly view: { readonly actor: Actor };
  /** Somebody has written to it: what they may not keep goes. */
  written(inode: Inode): void;
  close(inode: Inode): void;
}

/** An open file description on a regular file or directory. */
export class OpenedFile {
  readonly inode: Inode;
  readonly flags: OpenFlags;
  /** By identity: one who has changed who they are, even back again, is another. */
  readonly opener: Actor;
  /** It was made without a name and has never had one. */
  mayBeNamed: boolean;
  readonly #posix: Opener;
  #offset = 0;

  constructor(posix: Opener, inode: Inode, flags: OpenFlags) {
    this.mayBeNamed = flags.unnamed === true;
    this.#posix = posix;
    this.opener = posix.view.actor;
    this.inode = inode;
    this.flags = flags;
  }

  read(length: number): Uint8Array {
    if (this.flags.read !== true) throw new Errno("EBADF");
    const bytes = this.#posix.fileSystem.read(this.inode, this.#offset, length);
    this.#offset += bytes.length;
    return bytes;
  }

  /** Fills `target`; how many bytes there were. */
  readInto(target: Uint8Array): number {
    if (this.flags.read !== true) throw new Errno("EBADF");
    const count = this.#posix.fileSystem.readInto(this.inode, this.#offset, target);
    this.#offset += count;
    return count;
  }

  /** How much was written: less than asked for when there is no room for more. `by`: who writes, if not the opener. */
  write(bytes: Uint8Array, by: Opener = this.#posix): number {
    if (this.flags.write !== true) throw new Errno("EBADF");
    if (bytes.length === 0) return 0;
    if (this.flags.append === true) this.#offset = this.stat().size;
    try {
      const written = this.#writeFitting(bytes);
      this.#offset += written;
      by.written(this.inode);
      return written;
    } catch (thrown) {
      if (isNoRoom(thrown)) by.written(this.inode); // the set-id bits are gone by then
      throw thrown;
    }
  }

  #writeFitting(bytes: Uint8Array): number {
    const { fileSystem } = this.#posix;
    try {
      fileSystem.write(this.inode, this.#offset, bytes);
      return bytes.length;
    } catch (thrown) {
      if (!isNoRoom(thrown)) throw thrown;
      const pageEnd = 4096 - (this.#offset % 4096);
      if (bytes.length <= pageEnd) throw thrown;
      const half = pageEnd + 4096 * Math.floor((bytes.length - pageEnd - 1) / 8192);
      const first = this.#writeFitting(bytes.subarray(0, half));
      if (first < half) return first;
      return first + this.#restFitting(bytes.subarray(half), first);
    }
  }

  #restFitting(bytes: Uint8Array, written: number): number {
    this.#offset += written;
    try {
      return this.#writeFitting(bytes);
    } catch (thrown) {
      if (thrown instanceof Errno) return 0;
      throw thrown;
    } finally {
      this.#offset -= written;
    }
  }

  seek(offset: number, whence: "set" | "current" | "end" | "data" | "hole"): number {
    const { fileSystem } = this.#posix;
    if (whence === "data" || whence === "hole") this.#offset = fileSystem.seek(this.inode, offset, whence);
    else {
      const from = { set: 0, current: this.#offset, end: this.stat().size }[whence];
      if (from + offset < 0) throw new Errno("EINVAL");
      this.#offset = from + offset;
    }
    return this.#offset;
  }

  truncate(size: number, by: Opener = this.#posix): void {
    if (this.flags.write !== true) throw new Errno("EINVAL");
    this.#posix.fileSystem.truncate(this.inode, size);
    by.written(this.inode);
  }

  stat(): Stat {
    return this.#posix.fileSystem.stat(this.inode);
  }

  close(): void {
    this.#posix.close(this.inode);
  }
}
