/**
 * How overlayfs writes into a layer what is not a file (Documentation/filesystems/overlayfs.rst):
 *
 *   whiteout   a character device 0:0, or an empty file with xattr …whiteout in a directory whose
 *              xattr …opaque is "x": the name is gone from below
 *   opaque     a directory whose xattr …opaque is "y": nothing of it shows from below
 *   redirect   a directory's (or a file's without data) xattr …redirect: where it is called below
 *   metacopy   a file with xattr …metacopy has attributes only; its data is below
 *
 * The xattrs begin with "trusted.overlay.", or with "user.overlay." in a mount with userxattr.
 */
import type { Inode } from "./file-system.ts";
import type { Node } from "./node.ts";
import type { Tree } from "./tree.ts";

export type MarkPrefix = "trusted.overlay." | "user.overlay.";

export const yes: Uint8Array = Uint8Array.of(0x79);
const x = 0x78;

/** A directory of a tree that takes part in a union, or is a layer. */
export interface Branch {
  readonly tree: Tree;
  readonly root: Inode;
}

export function isWhiteoutDevice({ kind, body }: Readonly<Node>): boolean {
  return (
    kind === "character" &&
    body !== null &&
    typeof body === "object" &&
    "major" in body &&
    body.major === 0 &&
    body.minor === 0
  );
}

/** `directory` is the whiteout's parent. */
export function isWhiteout(node: Readonly<Node>, directory: Readonly<Node>, prefix: MarkPrefix): boolean {
  if (isWhiteoutDevice(node)) return true;
  return (
    node.kind === "file" &&
    node.xattrs.size > 0 &&
    node.xattrs.has(`${prefix}whiteout`) &&
    hasXattrWhiteouts(directory, prefix)
  );
}

function hasXattrWhiteouts(directory: Readonly<Node>, prefix: MarkPrefix): boolean {
  return directory.xattrs.get(`${prefix}opaque`)?.[0] === x;
}

export function isOpaque({ xattrs }: Readonly<Node>, prefix: MarkPrefix): boolean {
  return xattrs.size > 0 && xattrs.get(`${prefix}opaque`)?.[0] === yes[0];
}
