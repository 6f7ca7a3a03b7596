/**
 * How overlayfs writes into a layer what is not a file (Documentation/filesystems/overlayfs.rst):
 *
 *   whiteout   a character device 0:0, or an empty file with xattr …whiteout (in a directory whose
 *              xattr …opaque is "x", else reading the directory shows the name): it is gone from below
 *   opaque     a directory whose xattr …opaque is "y": nothing of it shows from below
 *   redirect   a directory's (or a file's without data) xattr …redirect: where it is called below
 *   metacopy   a file with xattr …metacopy has attributes only; its data is below
 *   origin     a directory with xattr …origin was copied up, so that it may have whiteouts
 *
 * The xattrs begin with "trusted.overlay.", or with "user.overlay." in a mount with userxattr.
 */
import { decodeBytes } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
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

export function isWhiteoutDevice({ kind, device }: Node): boolean {
  return kind === "character" && device.major === 0 && device.minor === 0;
}

/** A name that is looked up is gone, whether or not the directory says that files of it are whiteouts. */
export function isWhiteout(node: Node, prefix: MarkPrefix): boolean {
  return isWhiteoutDevice(node) || isWhiteoutFile(node, prefix);
}

function isWhiteoutFile({ kind, size, xattrs }: Node, prefix: MarkPrefix): boolean {
  return xattrs.size > 0 && kind === "file" && size === 0 && xattrs.has(`${prefix}whiteout`);
}

/** Who reads a directory looks at its files, whether they are whiteouts, only where it says so. */
export function hasWhiteoutFiles({ xattrs }: Node, prefix: MarkPrefix): boolean {
  return xattrs.size > 0 && isByte(xattrs.get(`${prefix}opaque`), x);
}

export function isOpaque({ xattrs }: Node, prefix: MarkPrefix): boolean {
  return xattrs.size > 0 && isByte(xattrs.get(`${prefix}opaque`), yes[0]);
}

function isByte(value: Uint8Array | undefined, byte: number | undefined): boolean {
  return value?.length === 1 && value[0] === byte;
}

/** Whether it was copied from a layer below. */
export function isCopy({ xattrs }: Node, prefix: MarkPrefix): boolean {
  return xattrs.size > 0 && xattrs.has(`${prefix}origin`);
}

/** Throws Errno EIO for a mark that says nothing: it is empty, or a version 0, its own length and more (struct ovl_metacopy). */
export function isMetacopy({ kind, xattrs }: Node, prefix: MarkPrefix): boolean {
  const value = kind === "file" && xattrs.size > 0 ? xattrs.get(`${prefix}metacopy`) : undefined;
  if (value === undefined) return false;
  if (value.length > 0 && (value.length < 4 || value[0] !== 0 || value[1] !== value.length)) throw new Errno("EIO");
  return true;
}

/** A name, or an absolute path without empty parts. Throws Errno EINVAL for anything else. */
export function redirectOf({ xattrs }: Node, prefix: MarkPrefix): string | null {
  const value = xattrs.size > 0 ? xattrs.get(`${prefix}redirect`) : undefined;
  if (value === undefined) return null;
  const redirect = decodeBytes(value);
  if (!/^(?:[^/]+|(?:\/[^/]+)+)$/.test(redirect)) throw new Errno("EINVAL", redirect);
  return redirect;
}
