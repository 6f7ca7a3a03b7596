/** What open(2) gives: a file, or a directory, with an offset. It lives on when its name is gone. */
import { Errno } from "../base/errno.ts";
import type { Actor } from "./access.ts";
import type { FileSystem, Inode, Stat } from "./file-system.ts";
import type { OpenInodes } from "./open-inodes.ts";
import { isNoRoom } from "./usage.ts";
import type { Guarded } from "./walk.ts";

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
  /** O_PATH: a place to start from, not a file to read. */
  readonly path?: boolean;
}

/** A file wherever it is. */
export interface Found {
  readonly fileSystem: FileSystem;
  readonly inode: Inode;
  /** The number of the mount that it is seen through. */
  readonly mount: number;
  /** What decides who may do what, as the mount shows it that it was opened through. */
  readonly look: () => Guarded;
}

/** Whose call it is (posix.ts). */
export interface Caller {
  readonly view: {
    readonly actor: Actor;
    readonly open: OpenInodes;
    readonly fileSizeMax: number;
    forget(fileSystem: FileSystem, inode: Inode): void;
  };
  /** This process has written to it: what it may not keep goes. */
  written(file: Found): void;
}

/** An open file description on a regular file or directory. */
export class OpenedFile implements Found {
  readonly fileSystem: FileSystem;
  readonly inode: Inode;
  readonly mount: number;
  readonly look: () => Guarded;
  readonly flags: OpenFlags;
  /** By identity: one who has changed who they are, even back again, is another. */
  readonly opener: Actor;
  /** It was made without a name and has never had one. */
  mayBeNamed: boolean;
  readonly #caller: Caller;
  #offset = 0;

  constructor({ fileSystem, inode, mount, look }: Found, flags: OpenFlags, caller: Caller) {
    this.fileSystem = fileSystem;
    this.inode = inode;
    this.mount = mount;
    this.look = look;
    this.flags = flags;
    this.opener = caller.view.actor;
    this.mayBeNamed = flags.unnamed === true;
    this.#caller = caller;
    caller.view.open.hold(fileSystem, inode, flags.write === true);
  }

  get offset(): number {
    return this.#offset;
  }

  read(length: number): Uint8Array {
    if (this.flags.read !== true) throw new Errno("EBADF");
    const bytes = this.fileSystem.read(this.inode, this.#offset, length);
    this.#offset += bytes.length;
    return bytes;
  }

  /** Fills `target`; how many bytes there were. */
  readInto(target: Uint8Array): number {
    if (this.flags.read !== true) throw new Errno("EBADF");
    const count = this.fileSystem.readInto(this.inode, this.#offset, target);
    this.#offset += count;
    return count;
  }

  /** How much was written: less than asked for when there is no room for more. `by`: who writes, if not the opener. */
  write(bytes: Uint8Array, by: Caller = this.#caller): number {
    if (this.flags.write !== true) throw new Errno("EBADF");
    if (bytes.length === 0) return 0;
    if (this.flags.append === true) this.#offset = this.stat().size;
    try {
      const written = this.#writeFitting(bytes);
      this.#offset += written;
      by.written(this);
      return written;
    } catch (thrown) {
      if (isNoRoom(thrown)) by.written(this); // the set-id bits are gone by then
      throw thrown;
    }
  }

  #writeFitting(bytes: Uint8Array): number {
    try {
      this.fileSystem.write(this.inode, this.#offset, bytes);
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
    if (this.flags.path === true) throw new Errno("EBADF");
    if (whence === "data" || whence === "hole") this.#offset = this.fileSystem.seek(this.inode, offset, whence);
    else {
      const from = { set: 0, current: this.#offset, end: this.stat().size }[whence];
      if (from + offset < 0) throw new Errno("EINVAL");
      this.#offset = from + offset;
    }
    return this.#offset;
  }

  /** EFBIG beyond RLIMIT_FSIZE. */
  truncate(size: number, by: Caller = this.#caller): void {
    if (this.flags.path === true) throw new Errno("EBADF");
    if (this.flags.write !== true) throw new Errno("EINVAL");
    if (size > by.view.fileSizeMax && size > this.stat().size) throw new Errno("EFBIG");
    this.fileSystem.truncate(this.inode, size);
    by.written(this);
  }

  stat(): Stat {
    const stat = this.fileSystem.stat(this.inode);
    const { uid, gid } = this.look();
    return uid === stat.uid && gid === stat.gid ? stat : { ...stat, uid, gid };
  }

  /** The last one to close an unlinked file ends it. */
  close(): void {
    const { view } = this.#caller;
    if (view.open.release(this.fileSystem, this.inode, this.flags.write === true))
      view.forget(this.fileSystem, this.inode);
  }
}
