/** Which files are open, however often: an unlinked one is forgotten when nobody holds it any more. */
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";

export class OpenInodes {
  readonly #counts = new WeakMap<FileSystem, Map<Inode, number>>();

  hold(fileSystem: FileSystem, inode: Inode): void {
    const counts = this.#counts.get(fileSystem) ?? new Map<Inode, number>();
    this.#counts.set(fileSystem, counts);
    counts.set(inode, (counts.get(inode) ?? 0) + 1);
  }

  /** One holder fewer; true when it was the last. */
  release(fileSystem: FileSystem, inode: Inode): boolean {
    const counts = this.#counts.get(fileSystem);
    const left = (counts?.get(inode) ?? 1) - 1;
    if (left === 0) counts?.delete(inode);
    else counts?.set(inode, left);
    return left === 0;
  }

  isHeld(fileSystem: FileSystem, inode: Inode): boolean {
    return this.#counts.get(fileSystem)?.has(inode) ?? false;
  }
}
