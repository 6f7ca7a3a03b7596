/**
 * File systems whose files are answers of the kernel (/proc, /sys, cgroups): nodes are asked for
 * when they are looked at, and a file's text is made when it is read. Nothing in them can be made
 * or removed except where a node says so.
 */
import { decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import type {
  Attributes,
  DirectoryEntry,
  FileSystem,
  Inode,
  NewNode,
  Stat,
} from "../../../core/unionfs/file-system.ts";
import type { Location } from "./mounts.ts";
import type { OpenFile } from "./open-file.ts";

/** What chmod and chown change, where they change anything. */
export interface NodeAttributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

interface Changeable {
  get(): NodeAttributes;
  set(change: NodeAttributes): void;
}

export interface SyntheticDirectory {
  readonly kind: "directory";
  readonly mode?: number;
  readonly attributes?: Changeable;
  /** Whose it is, with all in it: root's by default. */
  owner?(): { readonly uid: number; readonly gid: number };
  names(): string[];
  child(name: string): SyntheticNode | null;
  /** mkdir and rmdir, where making a directory means something (cgroups). */
  make?(name: string, owner: { readonly uid: number; readonly gid: number; readonly mode: number }): void;
  remove?(name: string): void;
  rename?(from: string, to: string): void;
  /** The same of files, where they mean something (message queues). */
  makeFile?(name: string, owner: { readonly uid: number; readonly gid: number; readonly mode: number }): void;
  removeFile?(name: string): void;
}

export interface SyntheticFile {
  readonly kind: "file";
  readonly mode?: number;
  readonly attributes?: Changeable;
  read(): string;
  write?(text: string): void;
}

export interface SyntheticSymlink {
  readonly kind: "symlink";
  target(): string;
  /** Where it leads by itself, whatever its text says (a "magic link", proc(5)). */
  goal?(): Location | OpenFile | null;
}

export type SyntheticNode = SyntheticDirectory | SyntheticFile | SyntheticSymlink;

/** Each has errors of its own for what cannot be done (fs/proc, fs/kernfs, kernel/cgroup in the kernel). */
type Style = "proc" | "sysfs" | "cgroup" | "mqueue";

const rootInode = 1 as Inode;
const byRoot: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 };

export class Synthetic implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #now: () => bigint;
  /** Inodes stand for paths: what a path means is asked anew each time. */
  readonly #paths = new Map<Inode, readonly string[]>([[rootInode, []]]);
  readonly #inodes = new Map<Inode, Map<string, Inode>>();
  readonly #top: SyntheticDirectory;
  /** The text that was read last, until it was read to its end. */
  #told: { readonly file: Inode; readonly bytes: Uint8Array } | null = null;
  readonly #style: Style;
  #next = 2;

  constructor(top: SyntheticDirectory, now: () => bigint, style: Style = "sysfs") {
    this.#top = top;
    this.#now = now;
    this.#style = style;
  }

  stat(inode: Inode): Stat {
    const { node, uid, gid } = this.#owned(inode);
    const now = this.#now();
    const changed = node.kind === "symlink" ? undefined : node.attributes?.get();
    return {
      inode,
      kind: node.kind,
      mode: changed?.mode ?? modeOf(node),
      uid: changed?.uid ?? uid,
      gid: changed?.gid ?? gid,
      links: 1,
      size: 0,
      blocks: 0,
      major: 0,
      minor: 0,
      atime: now,
      mtime: now,
      ctime: now,
    };
  }

  peek(inode: Inode): Stat {
    return this.stat(inode);
  }

  /** In /proc looking up what is not there is itself an error: nothing could be made there. */
  find(directory: Inode, name: string): Inode | 0 {
    if (this.#directory(directory).child(name) !== null) return this.#inodeOf(directory, name);
    if (this.#style === "proc") throw new Errno("ENOENT", name);
    return 0;
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.find(directory, name);
    if (found === 0) throw new Errno("ENOENT", name);
    return found;
  }

  parent(directory: Inode): Inode {
    return this.#path(directory)
      .slice(0, -1)
      .reduce((at, name) => this.#inodeOf(at, name), rootInode);
  }

  list(directory: Inode): DirectoryEntry[] {
    const node = this.#directory(directory);
    return node.names().flatMap((name) => {
      const child = node.child(name);
      return child === null ? [] : [{ name, inode: this.#inodeOf(directory, name), kind: child.kind }];
    });
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    const isFile = node.kind === "file";
    const { make, makeFile } = this.#directory(directory);
    const maker = isFile ? makeFile : node.kind === "directory" ? make : undefined;
    if (maker === undefined) throw new Errno(this.#style === "proc" ? "ENOENT" : isFile ? "EACCES" : "EPERM", name);
    maker(name, node);
    return this.lookup(directory, name);
  }

  createUnnamed(): never {
    throw new Errno("EOPNOTSUPP");
  }

  removeDirectory(directory: Inode, name: string): Inode {
    const { remove } = this.#directory(directory);
    if (remove === undefined) throw new Errno("EPERM", name);
    const inode = this.lookup(directory, name);
    if (this.#node(inode).kind !== "directory") throw new Errno("ENOTDIR", name);
    remove(name);
    return inode;
  }

  link(): never {
    throw new Errno("EPERM");
  }

  unlink(directory: Inode, name: string): Inode {
    const { removeFile } = this.#directory(directory);
    if (removeFile === undefined) throw new Errno("EPERM", name);
    const inode = this.lookup(directory, name);
    removeFile(name);
    return inode;
  }

  rename(from: Inode, name: string, to: Inode, newName: string): null {
    const { rename } = this.#directory(from);
    if (rename === undefined) throw new Errno("EPERM");
    if (from !== to) throw new Errno("EIO");
    const inode = this.lookup(from, name);
    rename(name, newName);
    this.#moved(inode, from, newName);
    return null;
  }

  /** What is open under the old name, and beneath it, is found under the new one. */
  #moved(inode: Inode, directory: Inode, newName: string): void {
    const [old, now] = [this.#path(inode), [...this.#path(directory), newName]];
    const siblings = this.#inodes.get(directory);
    siblings?.delete(old.at(-1) ?? "");
    siblings?.set(newName, inode);
    for (const [each, path] of this.#paths)
      if (old.every((part, at) => path[at] === part)) this.#paths.set(each, [...now, ...path.slice(old.length)]);
  }

  /** Who reads on hears the end of what he heard the beginning of (fs/seq_file.c). */
  read(file: Inode, offset: number, length: number): Uint8Array {
    const told = offset > 0 && this.#told?.file === file ? this.#told.bytes : encodeText(this.#file(file).read());
    this.#told = offset < told.length ? { file, bytes: told } : null;
    return told.subarray(offset, offset + length);
  }

  /** sysfs refuses at once to open what cannot be written, whoever asks. */
  prepareWrite(file: Inode): void {
    const node = this.#node(file);
    if (this.#style === "sysfs" && node.kind === "file" && node.write === undefined) throw new Errno("EACCES");
  }

  readInto(file: Inode, offset: number, target: Uint8Array): number {
    const bytes = this.read(file, offset, target.length);
    target.set(bytes);
    return bytes.length;
  }

  seek(): never {
    throw new Errno("ESPIPE");
  }

  write(file: Inode, _offset: number, bytes: Uint8Array): void {
    const { write } = this.#file(file);
    if (write === undefined) throw new Errno(this.#style === "cgroup" ? "EINVAL" : "EACCES");
    write(decodeBytes(bytes));
  }

  /** Opening with O_TRUNC is how a shell writes a setting; there is nothing to cut. */
  truncate(): void {}

  readlink(symlink: Inode): string {
    const node = this.#node(symlink);
    if (node.kind !== "symlink") throw new Errno("EINVAL");
    return node.target();
  }

  /** What a magic link leads to; null for any other node. */
  goal(inode: Inode): Location | OpenFile | null {
    const node = this.#node(inode);
    return node.kind === "symlink" ? (node.goal?.() ?? null) : null;
  }

  setAttributes(inode: Inode, { mode, uid, gid }: Attributes): void {
    if (mode === undefined && uid === undefined && gid === undefined) return;
    const node = this.#node(inode);
    if (node.kind === "symlink" || node.attributes === undefined) throw new Errno("EPERM");
    const change = { ...(mode === undefined ? {} : { mode }), ...(uid === undefined ? {} : { uid }) };
    node.attributes.set({ ...change, ...(gid === undefined ? {} : { gid }) });
  }

  listXattrs(): string[] {
    return [];
  }

  getXattr(_inode: Inode, name: string): never {
    throw new Errno("ENODATA", name);
  }

  setXattr(): never {
    throw new Errno("EOPNOTSUPP");
  }

  removeXattr(): never {
    throw new Errno("EOPNOTSUPP");
  }

  forget(): void {}

  #path(inode: Inode): readonly string[] {
    const path = this.#paths.get(inode);
    if (path === undefined) throw new Errno("ENOENT");
    return path;
  }

  #inodeOf(directory: Inode, name: string): Inode {
    const inodes = this.#inodes.get(directory) ?? new Map<string, Inode>();
    this.#inodes.set(directory, inodes);
    const known = inodes.get(name);
    if (known !== undefined) return known;
    const inode = this.#next++ as Inode;
    inodes.set(name, inode);
    this.#paths.set(inode, [...this.#path(directory), name]);
    return inode;
  }

  #node(inode: Inode): SyntheticNode {
    return this.#owned(inode).node;
  }

  #owned(inode: Inode): { node: SyntheticNode; uid: number; gid: number } {
    const path = this.#path(inode);
    let node: SyntheticNode = this.#top;
    let owner = byRoot;
    for (const name of path) {
      const child: SyntheticNode | null = node.kind === "directory" ? node.child(name) : null;
      if (child === null) throw new Errno("ENOENT", path.join("/"));
      node = child;
      if (node.kind === "directory" && node.owner !== undefined) owner = node.owner();
    }
    return { node, uid: owner.uid, gid: owner.gid };
  }

  #directory(inode: Inode): SyntheticDirectory {
    const node = this.#node(inode);
    if (node.kind !== "directory") throw new Errno("ENOTDIR");
    return node;
  }

  #file(inode: Inode): SyntheticFile {
    const node = this.#node(inode);
    if (node.kind !== "file") throw new Errno(node.kind === "directory" ? "EISDIR" : "EINVAL");
    return node;
  }
}

/** A directory of fixed content. */
export function directory(children: Readonly<Record<string, SyntheticNode>>): SyntheticDirectory {
  return {
    kind: "directory",
    names: () => Object.keys(children).sort(),
    child: (name) => (Object.hasOwn(children, name) ? (children[name] ?? null) : null),
  };
}

/** A file that is read. */
export function text(read: () => string): SyntheticFile {
  return { kind: "file", read };
}

/** A file that is read and written. */
export function setting(read: () => string, write: (text: string) => void): SyntheticFile {
  return { kind: "file", mode: 0o644, read, write };
}

export function symlink(target: () => string, goal?: SyntheticSymlink["goal"]): SyntheticSymlink {
  return goal === undefined ? { kind: "symlink", target } : { kind: "symlink", target, goal };
}

function modeOf(node: SyntheticNode): number {
  if (node.kind === "symlink") return 0o777;
  return node.mode ?? (node.kind === "directory" ? 0o555 : 0o444);
}

/** A directory of what may be another at any time. */
export function later(now: () => SyntheticDirectory): SyntheticDirectory {
  return { kind: "directory", names: () => now().names(), child: (name) => now().child(name) };
}
