/**
 * A POSIX file system in memory: an inode table, directories mapping names to inodes. The whole
 * state is one immutable value, so a snapshot is keeping it and going back is putting it there.
 *
 * Invariants (check.ts proves them after every step of the tests):
 *   every inode but the root and the orphans is reachable from the root;
 *   a directory has exactly one parent; `links` counts the names (and, for directories, the dots).
 */
import { Map as PersistentMap } from "immutable";
import { assert } from "../base/assert.ts";
import { Errno } from "../base/errno.ts";
import { contentOf, emptyContent, readContent, resizeContent, writeContent, type Content } from "./content.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, NodeKind, Stat } from "./file-system.ts";

interface Common {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly xattrs: PersistentMap<string, Uint8Array>;
}

export type DirectoryNode = Common & {
  readonly kind: "directory";
  readonly parent: Inode;
  readonly entries: PersistentMap<string, Inode>;
};
export type FileNode = Common & { readonly kind: "file"; readonly content: Content };
type SymlinkNode = Common & { readonly kind: "symlink"; readonly target: string };
type DeviceNode = Common & { readonly kind: "character" | "block"; readonly major: number; readonly minor: number };
type OtherNode = Common & { readonly kind: "fifo" | "socket" };

export type Node = DirectoryNode | FileNode | SymlinkNode | DeviceNode | OtherNode;

export interface TreeState {
  readonly nodes: PersistentMap<Inode, Node>;
  readonly next: number;
}

const rootInode = 1 as Inode;
const namesMax = 255;

export class Tree implements FileSystem {
  readonly root: Inode = rootInode;
  #state: TreeState;
  readonly #now: () => bigint;

  /** `now` stamps what changes, nanoseconds since the epoch. */
  constructor(now: () => bigint, state: TreeState = emptyTree(now())) {
    this.#now = now;
    this.#state = state;
  }

  get state(): TreeState {
    return this.#state;
  }

  set state(state: TreeState) {
    this.#state = state;
  }

  node(inode: Inode): Node {
    const node = this.#state.nodes.get(inode);
    if (node === undefined) throw new Errno("ENOENT");
    return node;
  }

  stat(inode: Inode): Stat {
    const node = this.node(inode);
    const { kind, mode, uid, gid, links, mtime, ctime } = node;
    const device = node.kind === "character" || node.kind === "block" ? node : { major: 0, minor: 0 };
    return {
      inode,
      kind,
      mode,
      uid,
      gid,
      links,
      size: sizeOf(node),
      mtime,
      ctime,
      major: device.major,
      minor: device.minor,
    };
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.#directory(directory).entries.get(name);
    if (found === undefined) throw new Errno("ENOENT", name);
    return found;
  }

  parent(directory: Inode): Inode {
    return this.#directory(directory).parent;
  }

  list(directory: Inode): DirectoryEntry[] {
    const entries = [...this.#directory(directory).entries].map(([name, inode]) => ({
      name,
      inode,
      kind: this.node(inode).kind,
    }));
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    checkName(name);
    const parent = this.#directory(directory);
    if (parent.entries.has(name)) throw new Errno("EEXIST", name);
    const inode = this.#state.next as Inode;
    this.#put(inode, newNode(node, directory, this.#now()));
    this.#state = { ...this.#state, next: inode + 1 };
    this.#enter(directory, name, inode, node.kind);
    return inode;
  }

  link(directory: Inode, name: string, target: Inode): void {
    checkName(name);
    const node = this.node(target);
    if (this.#directory(directory).entries.has(name)) throw new Errno("EEXIST", name);
    if (node.kind === "directory") throw new Errno("EPERM", name);
    this.#put(target, { ...node, links: node.links + 1, ctime: this.#now() });
    this.#enter(directory, name, target, node.kind);
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    const node = this.node(inode);
    if (node.kind === "directory") throw new Errno("EISDIR", name);
    this.#leave(directory, name, node.kind);
    this.#put(inode, { ...node, links: node.links - 1, ctime: this.#now() });
    return inode;
  }

  removeDirectory(directory: Inode, name: string): void {
    const inode = this.lookup(directory, name);
    if (this.#directory(inode).entries.size > 0) throw new Errno("ENOTEMPTY", name);
    this.#leave(directory, name, "directory");
    this.#drop(inode);
  }

  rename(from: Inode, name: string, to: Inode, newName: string): void {
    checkName(newName);
    const inode = this.lookup(from, name);
    const node = this.node(inode);
    const replaced = this.#directory(to).entries.get(newName);
    if (replaced === inode) return;
    if (node.kind === "directory" && this.#isWithin(to, inode)) throw new Errno("EINVAL", newName);
    if (replaced !== undefined) this.#replace(node.kind, to, newName, this.node(replaced).kind);
    this.#leave(from, name, node.kind);
    if (node.kind === "directory") this.#put(inode, { ...node, parent: to, ctime: this.#now() });
    else this.#put(inode, { ...this.node(inode), ctime: this.#now() });
    this.#enter(to, newName, inode, node.kind);
  }

  read(file: Inode, offset: number, length: number): Uint8Array {
    return readContent(this.#file(file).content, offset, length);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    const node = this.#file(file);
    this.#modify(file, { ...node, content: writeContent(node.content, offset, bytes) });
  }

  truncate(file: Inode, size: number): void {
    const node = this.#file(file);
    this.#modify(file, { ...node, content: resizeContent(node.content, size) });
  }

  /** Makes `bytes`, taken over without a copy, a file's whole content. */
  setContent(file: Inode, bytes: Uint8Array): void {
    this.#modify(file, { ...this.#file(file), content: contentOf(bytes) });
  }

  /** Shares another file's content: how a copy-up costs nothing. */
  shareContent(file: Inode, content: Content): void {
    this.#modify(file, { ...this.#file(file), content });
  }

  readlink(symlink: Inode): string {
    const node = this.node(symlink);
    if (node.kind !== "symlink") throw new Errno("EINVAL");
    return node.target;
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    this.#put(inode, { ...this.node(inode), ...attributes, ctime: this.#now() });
  }

  listXattrs(inode: Inode): string[] {
    return [...this.node(inode).xattrs.keys()].sort();
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    const value = this.node(inode).xattrs.get(name);
    if (value === undefined) throw new Errno("ENODATA", name);
    return value;
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    const node = this.node(inode);
    this.#put(inode, { ...node, xattrs: node.xattrs.set(name, value), ctime: this.#now() });
  }

  removeXattr(inode: Inode, name: string): void {
    const node = this.node(inode);
    if (!node.xattrs.has(name)) throw new Errno("ENODATA", name);
    this.#put(inode, { ...node, xattrs: node.xattrs.remove(name), ctime: this.#now() });
  }

  forget(inode: Inode): void {
    const node = this.#state.nodes.get(inode);
    if (node !== undefined && node.links === 0) this.#drop(inode);
  }

  #directory(inode: Inode): DirectoryNode {
    const node = this.node(inode);
    if (node.kind !== "directory") throw new Errno("ENOTDIR");
    return node;
  }

  #file(inode: Inode): FileNode {
    const node = this.node(inode);
    if (node.kind === "directory") throw new Errno("EISDIR");
    if (node.kind !== "file") throw new Errno("EINVAL");
    return node;
  }

  #put(inode: Inode, node: Node): void {
    this.#state = { ...this.#state, nodes: this.#state.nodes.set(inode, node) };
  }

  #drop(inode: Inode): void {
    this.#state = { ...this.#state, nodes: this.#state.nodes.remove(inode) };
  }

  /** Stamps a change of content: mtime and ctime. */
  #modify(inode: Inode, node: Node): void {
    const now = this.#now();
    this.#put(inode, { ...node, mtime: now, ctime: now });
  }

  #enter(directory: Inode, name: string, inode: Inode, kind: NodeKind): void {
    const node = this.#directory(directory);
    const links = node.links + (kind === "directory" ? 1 : 0);
    this.#modify(directory, { ...node, links, entries: node.entries.set(name, inode) });
  }

  #leave(directory: Inode, name: string, kind: NodeKind): void {
    const node = this.#directory(directory);
    const links = node.links - (kind === "directory" ? 1 : 0);
    this.#modify(directory, { ...node, links, entries: node.entries.remove(name) });
  }

  /** rename(2): a directory replaces an empty directory only, anything else replaces no directory. */
  #replace(kind: NodeKind, to: Inode, name: string, replaced: NodeKind): void {
    if (kind === "directory" && replaced !== "directory") throw new Errno("ENOTDIR", name);
    if (kind !== "directory" && replaced === "directory") throw new Errno("EISDIR", name);
    if (kind === "directory") this.removeDirectory(to, name);
    else this.forget(this.unlink(to, name));
  }

  #isWithin(directory: Inode, ancestor: Inode): boolean {
    for (let at = directory; ; at = this.#directory(at).parent) {
      if (at === ancestor) return true;
      if (at === this.root) return false;
    }
  }
}

export function emptyTree(now: bigint): TreeState {
  const root: DirectoryNode = {
    ...stamped({ mode: 0o755, uid: 0, gid: 0 }, now),
    kind: "directory",
    links: 2,
    parent: rootInode,
    entries: PersistentMap(),
  };
  return { nodes: PersistentMap<Inode, Node>([[rootInode, root]]), next: rootInode + 1 };
}

function newNode(node: NewNode, parent: Inode, now: bigint): Node {
  const common = stamped(node, now);
  switch (node.kind) {
    case "directory":
      return { ...common, kind: "directory", links: 2, parent, entries: PersistentMap() };
    case "file":
      return { ...common, kind: "file", content: emptyContent };
    case "symlink":
      return { ...common, mode: 0o777, kind: "symlink", target: node.target };
    case "character":
    case "block":
      return { ...common, kind: node.kind, major: node.major, minor: node.minor };
    case "fifo":
    case "socket":
      return { ...common, kind: node.kind };
  }
}

function stamped(owner: { mode: number; uid: number; gid: number }, now: bigint): Common {
  const { mode, uid, gid } = owner;
  return { mode, uid, gid, links: 1, mtime: now, ctime: now, xattrs: PersistentMap() };
}

function sizeOf(node: Node): number {
  if (node.kind === "file") return node.content.size;
  return node.kind === "symlink" ? node.target.length : 0;
}

function checkName(name: string): void {
  assert(name !== "" && name !== "." && name !== ".." && !name.includes("/"), `${name} is a file name`);
  if (name.length > namesMax) throw new Errno("ENAMETOOLONG", name);
}
