/**
 * FileSystem: what a mounted file system does, seen from the kernel above it. It speaks of inodes,
 * not of paths: walking a path (walk.ts), permissions (access.ts) and crossing mounts are the
 * business of whoever is above. Every method is synchronous and throws Errno.
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
  /** Units of 512 bytes that a file's content takes; holes take none. */
  readonly blocks: number;
  /** Nanoseconds since the epoch. */
  readonly atime: bigint;
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
  readonly atime?: bigint | undefined;
  readonly mtime?: bigint | undefined;
}

export interface DirectoryEntry {
  readonly name: string;
  /** 0 where looking it up is an error: a union's layer may have marks that lead nowhere. */
  readonly inode: Inode;
  readonly kind: NodeKind;
}

/** What renameat2(2) does when the new name is taken. */
export type RenameFlag = "replace" | "no-replace" | "exchange";

export interface FileSystem {
  readonly root: Inode;
  stat(inode: Inode): Stat;
  /** What decides who may do what; not to be kept, it changes with the file. */
  peek(inode: Inode): Readonly<Pick<Stat, "kind" | "mode" | "uid" | "gid">>;
  /** 0 when the directory has no such entry, ENOTDIR when it is none. */
  find(directory: Inode, name: string): Inode | 0;
  /** ENOENT when the directory has no such entry, ENOTDIR when it is none. */
  lookup(directory: Inode, name: string): Inode;
  /** The directory that holds a directory; the root's is the root. */
  parent(directory: Inode): Inode;
  /** Sorted by name, without "." and "..". */
  list(directory: Inode): readonly DirectoryEntry[];
  /** EEXIST when the name is taken; ENOENT in a directory that was removed; ENOSPC, EDQUOT. */
  create(directory: Inode, name: string, node: NewNode): Inode;
  /** A file without a name (O_TMPFILE), which `link` may give it one. */
  createUnnamed(directory: Inode, node: NewNode): Inode;
  /** EPERM for a directory. */
  link(directory: Inode, name: string, target: Inode): void;
  /** EISDIR for a directory. The inode stays until `forget`. */
  unlink(directory: Inode, name: string): Inode;
  /** ENOTEMPTY, ENOTDIR. The inode stays until `forget`. */
  removeDirectory(directory: Inode, name: string): Inode;
  /** rename(2), renameat2(2). What it replaced stays until `forget`; null: nothing was. */
  rename(from: Inode, name: string, to: Inode, newName: string, flag?: RenameFlag): Inode | null;
  /** It is being opened for writing: a union copies it up now, without its data when it will be cut to nothing. */
  prepareWrite(inode: Inode, isCut?: boolean): void;
  /** Not to be written to: it may be a view of the file's bytes. */
  read(file: Inode, offset: number, length: number): Uint8Array;
  /** Fills `target`; how many bytes there were. */
  readInto(file: Inode, offset: number, target: Uint8Array): number;
  write(file: Inode, offset: number, bytes: Uint8Array): void;
  truncate(file: Inode, size: number): void;
  /** lseek(2)'s SEEK_DATA and SEEK_HOLE; ENXIO behind the end. */
  seek(file: Inode, offset: number, wanted: "data" | "hole"): number;
  readlink(symlink: Inode): string;
  setAttributes(inode: Inode, attributes: Attributes): void;
  listXattrs(inode: Inode): string[];
  /** ENODATA when it is not set. */
  getXattr(inode: Inode, name: string): Uint8Array;
  setXattr(inode: Inode, name: string, value: Uint8Array): void;
  removeXattr(inode: Inode, name: string): void;
  /** The last descriptor is gone: an inode that has no name any more goes. */
  forget(inode: Inode): void;
}
