/** What rename(2) refuses on every file system, in the order in which Linux does (fs/namei.c, do_renameat2 and vfs_rename). */
import { Errno } from "../base/errno.ts";
import type { FileSystem, Inode, NodeKind, RenameFlag } from "./file-system.ts";

export interface Move {
  readonly from: Inode;
  readonly inode: Inode;
  readonly to: Inode;
  /** What has the new name; 0: nothing. */
  readonly taken: Inode | 0;
  readonly newName: string;
}

/** EEXIST, ENOENT, EINVAL, ENOTEMPTY, ENOTDIR, EISDIR. Whether a replaced directory is empty is left to ask. */
export function checkRename(fileSystem: FileSystem, move: Move, flag: RenameFlag): void {
  checkMove(fileSystem, move, flag);
  const { inode, taken, newName } = move;
  if (taken === 0 || taken === inode || flag === "exchange") return;
  const isDirectory = kindOf(fileSystem, inode) === "directory";
  const replacesDirectory = kindOf(fileSystem, taken) === "directory";
  if (isDirectory && !replacesDirectory) throw new Errno("ENOTDIR", newName);
  if (!isDirectory && replacesDirectory) throw new Errno("EISDIR", newName);
}

/** What is refused before permissions are looked at: EEXIST, ENOENT, EINVAL, ENOTEMPTY. */
export function checkMove(fileSystem: FileSystem, move: Move, flag: RenameFlag): void {
  const { from, inode, to, taken, newName } = move;
  if (flag === "no-replace" && taken !== 0) throw new Errno("EEXIST", newName);
  if (flag === "exchange" && taken === 0) throw new Errno("ENOENT", newName);
  const isDirectory = kindOf(fileSystem, inode) === "directory";
  if (isDirectory && isWithin(fileSystem, to, inode)) throw new Errno("EINVAL", newName);
  if (taken === 0 || taken === inode) return;
  const replacesDirectory = kindOf(fileSystem, taken) === "directory";
  if (replacesDirectory && isWithin(fileSystem, from, taken))
    throw new Errno(flag === "exchange" ? "EINVAL" : "ENOTEMPTY", newName);
}

function kindOf(fileSystem: FileSystem, inode: Inode): NodeKind {
  return fileSystem.peek(inode).kind;
}

/** Whether a directory is an ancestor of another, or the same. */
function isWithin(fileSystem: FileSystem, directory: Inode, ancestor: Inode): boolean {
  for (let at = directory; ; at = fileSystem.parent(at)) {
    if (at === ancestor) return true;
    if (at === fileSystem.root) return false;
  }
}
