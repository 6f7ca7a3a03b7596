/**
 * Which files are open, however often: an unlinked one is forgotten when nobody holds it any more, and
 * one that is being written to is not executed.
 */
import type { FileSystem, Inode } from "./file-system.ts";

interface Holders {
  all: number;
  writing: number;
}

export class OpenInodes {
  readonly #holders = new WeakMap<FileSystem, Map<Inode, Holders>>();

  hold(fileSystem: FileSystem, inode: Inode, writes: boolean): void {
    const known = this.#heldOn(fileSystem);
    const holders = known.get(inode);
    if (holders === undefined) return void known.set(inode, { all: 1, writing: writes ? 1 : 0 });
    holders.all++;
    if (writes) holders.writing++;
  }

  #heldOn(fileSystem: FileSystem): Map<Inode, Holders> {
    const known = this.#holders.get(fileSystem);
    if (known !== undefined) return known;
    const held = new Map<Inode, Holders>();
    this.#holders.set(fileSystem, held);
    return held;
  }

  /** One holder fewer; true when it was the last. */
  release(fileSystem: FileSystem, inode: Inode, writes: boolean): boolean {
    const known = this.#holders.get(fileSystem);
    const holders = known?.get(inode);
    if (holders === undefined) return true;
    if (writes) holders.writing--;
    if (--holders.all > 0) return false;
    known?.delete(inode);
    return true;
  }

  isHeld(fileSystem: FileSystem, inode: Inode): boolean {
    return this.#holders.get(fileSystem)?.has(inode) ?? false;
  }

  isWritten(fileSystem: FileSystem, inode: Inode): boolean {
    return (this.#holders.get(fileSystem)?.get(inode)?.writing ?? 0) > 0;
  }
}
