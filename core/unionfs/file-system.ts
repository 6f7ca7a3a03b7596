/**
 * FileSystem: what a mounted file system does, seen from the kernel above it. It speaks of inodes,
 * not of paths: walking a path, following symlinks, checking permissions and crossing mounts is the
 * kernel's business. Every method is synchronous and throws Errno.
 *
 * A tree in memory (tree.ts) and a union of trees (overlay.ts) implement it.
 */
import type { Brand } from "../base/brand.ts";

/** A number that names one file of one file system for as long as it exists or is held open. */
export type Inode = Brand<number, "Inode">;

export type NodeKind = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";

export interface Stat {
  readonly inode: Inode;
  readonly kind: NodeKind;
  /** Permission bits including setuid, setgid and sticky: 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Bytes of a file, length of a symlink's target, 0 for the rest. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** Of a character or block device, 0 otherwise. */
  readonly major: number;
  readonly minor: number;
}

/** What a new file is to be. */
export type NewNode = { readonly mode: number; readonly uid: number; readonly gid: number } & (
  | { readonly kind: "file" | "directory" | "fifo" | "socket" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "character" | "block"; readonly major: number; readonly minor: number }
);

/** Only what is given changes. */
export interface Attributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: bigint;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly inode: Inode;
  readonly kind: NodeKind;
}

export interface FileSystem {
  readonly root: Inode;
  stat(inode: Inode): Stat;
  /** ENOENT when the directory has no such entry, ENOTDIR when it is none. */
  lookup(directory: Inode, name: string): Inode;
  /** The directory that holds a directory; the root's is the root. */
  parent(directory: Inode): Inode;
  /** Sorted by name, without "." and "..". */
  list(directory: Inode): DirectoryEntry[];
  /** EEXIST when the name is taken. */
  create(directory: Inode, name: string, node: NewNode): Inode;
  /** EPERM for a directory. */
  link(directory: Inode, name: string, target: Inode): void;
  /** EISDIR for a directory. The inode stays until `forget`. */
  unlink(directory: Inode, name: string): Inode;
  /** ENOTEMPTY, ENOTDIR. */
  removeDirectory(directory: Inode, name: string): void;
  /** Replaces what is at the new name as rename(2) does. */
  rename(from: Inode, name: string, to: Inode, newName: string): void;
  read(file: Inode, offset: number, length: number): Uint8Array;
  write(file: Inode, offset: number, bytes: Uint8Array): void;
  truncate(file: Inode, size: number): void;
  readlink(symlink: Inode): string;
  setAttributes(inode: Inode, attributes: Attributes): void;
  listXattrs(inode: Inode): string[];
  /** ENODATA when it is not set. */
  getXattr(inode: Inode, name: string): Uint8Array;
  setXattr(inode: Inode, name: string, value: Uint8Array): void;
  removeXattr(inode: Inode, name: string): void;
  /** The last descriptor of an unlinked inode is gone. */
  forget(inode: Inode): void;
}
