/**
 * A POSIX file system in memory: a table of inodes, directories mapping names to inode numbers. The
 * table and the directories are persistent (sparse-array.ts, name-map.ts): a snapshot, a fork and
 * the comparison of two cost nothing, and until the next one every change is made in place.
 *
 * Invariants (check.ts proves them after every step of the tests):
 *   every inode but the root and the unlinked is reachable from the root;
 *   a directory has exactly one name; `links` counts the names (and, for directories, the dots).
 */
import { assert, AssertionError } from "../base/assert.ts";
import { Errno } from "../base/errno.ts";
import { Content } from "./content.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, RenameFlag, Stat } from "./file-system.ts";
import { eachName, getName, type NameMap, removeName, setName } from "./name-map.ts";
import { contentOf, encodedLength, namesOf, newNode, type Node, noXattrs, statOf, targetOf, pagesOf } from "./node.ts";
import { Owner } from "./owner.ts";
import { checkRename } from "./rename.ts";
import { SparseArray } from "./sparse-array.ts";
import { Accounts, type Limits, type Usage } from "./usage.ts";

/** A whole tree at one moment. */
export interface TreeSnapshot {
  readonly nodes: SparseArray<Node>;
  readonly next: number;
  readonly accounts: Accounts;
}

const rootInode = 1 as Inode;
const nameBytesMax = 255;

export class Tree implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #now: () => bigint;
  #owner = new Owner();
  #nodes: SparseArray<Node>;
  #next: number;
  #accounts: Accounts;

  /** `now` stamps what changes, nanoseconds since the epoch. */
  constructor(now: () => bigint, from: TreeSnapshot | Limits = {}) {
    this.#now = now;
    if ("nodes" in from) {
      this.#nodes = from.nodes.copy();
      this.#next = from.next;
      this.#accounts = from.accounts.copy();
    } else {
      this.#nodes = SparseArray.empty<Node>();
      this.#next = rootInode + 1;
      this.#accounts = new Accounts(from);
      this.#makeRoot();
    }
  }

  /** The tree as it is now, whatever changes later. Costs nothing. */
  snapshot(): TreeSnapshot {
    this.#owner = new Owner();
    return { nodes: this.#nodes.copy(), next: this.#next, accounts: this.#accounts.copy() };
  }

  /** Makes the tree what it was then. */
  restore(snapshot: TreeSnapshot): void {
    this.#owner = new Owner();
    this.#nodes = snapshot.nodes.copy();
    this.#next = snapshot.next;
    this.#accounts = snapshot.accounts.copy();
  }

  get usage(): Usage {
    return this.#accounts.usage;
  }

  /** Greater than every inode there is or ever was. */
  get next(): number {
    return this.#next;
  }

  has(inode: Inode): boolean {
    return this.#nodes.get(inode) !== undefined;
  }

  get limits(): Limits {
    return this.#accounts.limits;
  }

  /** Whether there may be no room for a change. */
  get isLimited(): boolean {
    return this.#accounts.isLimited;
  }

  /** To be read only; it changes with the tree. */
  node(inode: Inode): Readonly<Node> {
    return this.#node(inode);
  }

  /** Every inode there is, the unlinked ones too. */
  inodes(): Iterable<[inode: number, node: Readonly<Node>]> {
    return this.#nodes.entries();
  }

  stat(inode: Inode): Stat {
    const node = this.#node(inode);
    return statOf(inode, node, node);
  }

  peek(inode: Inode): Readonly<Node> {
    return this.#node(inode);
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.find(directory, name);
    if (found === 0) throw new Errno("ENOENT", name);
    return found;
  }

  find(directory: Inode, name: string): Inode | 0 {
    return getName(namesOf(this.#node(directory)), name) as Inode | 0;
  }

  parent(directory: Inode): Inode {
    const node = this.#node(directory);
    namesOf(node);
    return node.parent;
  }

  list(directory: Inode): readonly DirectoryEntry[] {
    const names = namesOf(this.#node(directory));
    return (names.listed ??= this.#sorted(names));
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    this.#checkFree(directory, name);
    const now = this.#now();
    const inode = this.#add(node, now);
    this.#enter(directory, name, inode, this.#node(inode), now);
    return inode;
  }

  createUnnamed(directory: Inode, node: NewNode): Inode {
    assert(node.kind !== "directory", "a directory has a name");
    this.#checkAlive(directory);
    const inode = this.#add(node, this.#now());
    this.#own(inode).links = 0;
    return inode;
  }

  link(directory: Inode, name: string, target: Inode): void {
    if (this.#node(target).kind === "directory") throw new Errno("EPERM", name);
    this.#checkFree(directory, name);
    if (this.#node(target).links > 0) this.#accounts.countName(1);
    const node = this.#own(target);
    node.links++;
    node.ctime = this.#now();
    this.#enter(directory, name, target, node, node.ctime);
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.#node(inode).kind === "directory") throw new Errno("EISDIR", name);
    const node = this.#own(inode);
    if (node.links > 1) this.#accounts.countName(-1);
    node.links--;
    node.ctime = this.#now();
    this.#leave(directory, name, node, node.ctime);
    return inode;
  }

  removeDirectory(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (namesOf(this.#node(inode)).size > 0) throw new Errno("ENOTEMPTY", name);
    const node = this.#own(inode);
    node.links = 0;
    node.ctime = this.#now();
    this.#leave(directory, name, node, node.ctime);
    return inode;
  }

  rename(from: Inode, name: string, to: Inode, newName: string, flag: RenameFlag = "replace"): Inode | null {
    const inode = this.lookup(from, name);
    const taken = this.find(to, newName);
    checkRename(this, { from, inode, to, taken, newName }, flag);
    if (taken === inode) return null;
    if (flag === "exchange") return this.#exchange(from, name, inode, to, newName, taken as Inode);
    if (taken === 0) this.#checkNew(to, newName);
    else this.#checkReplace(inode, taken, newName);
    const node = this.#own(inode);
    node.ctime = this.#now();
    this.#enter(to, newName, inode, node, node.ctime);
    this.#leave(from, name, node, node.ctime);
    if (taken !== 0) this.#lose(to, taken, node.ctime);
    return taken === 0 ? null : taken;
  }

  prepareWrite(): void {}

  read(file: Inode, offset: number, length: number): Uint8Array {
    return contentOf(this.#node(file)).read(offset, length);
  }

  readInto(file: Inode, offset: number, target: Uint8Array): number {
    return contentOf(this.#node(file)).readInto(offset, target);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    const content = contentOf(this.#node(file));
    if (this.#accounts.isLimited) this.#checkRoom(file, content, offset, bytes.length);
    this.#setContent(file, content, content.pages, content.write(this.#owner, offset, bytes));
  }

  truncate(file: Inode, size: number): void {
    const content = contentOf(this.#node(file));
    const { pages } = content;
    this.#setContent(file, content, pages, content.resize(this.#owner, size));
  }

  seek(file: Inode, offset: number, wanted: "data" | "hole"): number {
    return contentOf(this.#node(file)).seek(offset, wanted);
  }

  /** Makes `bytes`, taken over without a copy, a file's whole content. */
  setContent(file: Inode, bytes: Uint8Array): void {
    this.shareContent(file, Content.of(bytes));
  }

  /** Gives a file the content of another one, of this or another tree. */
  shareContent(file: Inode, content: Content): void {
    if (content.owner === this.#owner) this.#owner = new Owner(); // two files share it now: neither changes it in place
    const old = contentOf(this.#node(file));
    this.#setContent(file, old, old.pages, content);
  }

  readlink(symlink: Inode): string {
    return targetOf(this.#node(symlink));
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    const { uid } = attributes;
    const old = this.#node(inode);
    if (uid !== undefined && uid !== old.uid) this.#changeOwner(old, uid);
    const node = this.#own(inode);
    node.mode = attributes.mode ?? node.mode;
    node.uid = uid ?? node.uid;
    node.gid = attributes.gid ?? node.gid;
    node.atime = attributes.atime ?? node.atime;
    node.mtime = attributes.mtime ?? node.mtime;
    node.ctime = this.#now();
  }

  listXattrs(inode: Inode): string[] {
    return [...this.#node(inode).xattrs.keys()].sort();
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    checkXattr(name);
    const value = this.#node(inode).xattrs.get(name);
    if (value === undefined) throw new Errno("ENODATA", name);
    return value;
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    checkXattr(name);
    this.#accounts.countXattr(name, this.#node(inode).xattrs.get(name) ?? null, value);
    const node = this.#own(inode);
    node.xattrs = new Map(node.xattrs).set(name, value.slice());
    node.ctime = this.#now();
  }

  removeXattr(inode: Inode, name: string): void {
    checkXattr(name);
    const old = this.#node(inode).xattrs.get(name);
    if (old === undefined) throw new Errno("ENODATA", name);
    this.#accounts.countXattr(name, old, null);
    const node = this.#own(inode);
    const left = new Map(node.xattrs);
    left.delete(name);
    node.xattrs = left.size === 0 ? noXattrs : left;
    node.ctime = this.#now();
  }

  forget(inode: Inode): void {
    const node = this.#nodes.get(inode);
    if (node === undefined || node.links > 0) return;
    this.#accounts.count(node.uid, -pagesOf(node), -1);
    if (node.xattrs.size > 0) for (const [name, value] of node.xattrs) this.#accounts.countXattr(name, value, null);
    this.#nodes.set(this.#owner, inode, undefined);
  }

  #makeRoot(): void {
    const root = newNode(this.#owner, { kind: "directory", mode: 0o755, uid: 0, gid: 0 }, this.#now());
    root.parent = rootInode;
    this.#nodes.set(this.#owner, rootInode, root);
    this.#accounts.count(0, 0, 1);
  }

  #node(inode: Inode): Node {
    const node = this.#nodes.get(inode);
    if (node === undefined) throw new Errno("ENOENT");
    return node;
  }

  /** The node to be changed in place. */
  #own(inode: Inode): Node {
    const node = this.#node(inode);
    if (node.owner === this.#owner) return node;
    const copy = node.copyFor(this.#owner);
    this.#nodes.set(this.#owner, inode, copy);
    return copy;
  }

  #add(node: NewNode, now: bigint): Inode {
    const made = newNode(this.#owner, node, now);
    this.#accounts.count(node.uid, pagesOf(made), 1);
    const inode = this.#next++ as Inode;
    this.#nodes.set(this.#owner, inode, made);
    return inode;
  }

  #sorted(names: NameMap): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    eachName(names, (name, inode) => {
      entries.push({ name, inode: inode as Inode, kind: this.#node(inode as Inode).kind });
    });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #checkAlive(directory: Inode): Node {
    const node = this.#node(directory);
    namesOf(node);
    if (node.links === 0) throw new Errno("ENOENT");
    return node;
  }

  #checkFree(directory: Inode, name: string): void {
    const node = this.#checkNew(directory, name);
    if (getName(namesOf(node), name) !== 0) throw new Errno("EEXIST", name);
  }

  #checkNew(directory: Inode, name: string): Node {
    checkName(name);
    return this.#checkAlive(directory);
  }

  #setContent(file: Inode, old: Content, pagesBefore: number, content: Content): void {
    const node = this.#own(file);
    if (content.pages !== pagesBefore) this.#accounts.count(node.uid, content.pages - pagesBefore, 0);
    if (content !== old) node.body = content;
    date(node, this.#now());
  }

  /** Before a write changes anything: a write for which there is no room writes nothing, and dates the file all the same. */
  #checkRoom(file: Inode, content: Content, offset: number, length: number): void {
    const node = this.#node(file);
    const missing = content.missingPages(offset, length);
    try {
      this.#accounts.count(node.uid, missing, 0);
      this.#accounts.count(node.uid, -missing, 0);
    } catch (refused) {
      date(this.#own(file), this.#now());
      throw refused;
    }
  }

  #changeOwner(node: Node, uid: number): void {
    const pages = pagesOf(node);
    this.#accounts.count(node.uid, -pages, -1);
    try {
      this.#accounts.count(uid, pages, 1);
    } catch (refused) {
      this.#accounts.count(node.uid, pages, 1);
      throw refused;
    }
  }

  #enter(directory: Inode, name: string, inode: Inode, node: Node, now: bigint): void {
    const parent = this.#own(directory);
    parent.body = setName(namesOf(parent), this.#owner, name, inode);
    if (node.kind === "directory") parent.links++;
    date(parent, now);
    node.parent = directory;
    node.name = name;
  }

  #leave(directory: Inode, name: string, node: Node, now: bigint): void {
    const parent = this.#own(directory);
    parent.body = removeName(namesOf(parent), this.#owner, name);
    if (node.kind === "directory") parent.links--;
    date(parent, now);
  }

  /** An inode whose name in a directory now stands for another one. */
  #lose(directory: Inode, inode: Inode, now: bigint): void {
    const node = this.#own(inode);
    const isDirectory = node.kind === "directory";
    if (isDirectory) this.#own(directory).links--;
    else if (node.links > 1) this.#accounts.countName(-1);
    node.links = isDirectory ? 0 : node.links - 1;
    node.ctime = now;
  }

  #exchange(from: Inode, name: string, inode: Inode, to: Inode, newName: string, other: Inode): null {
    const now = this.#now();
    const [mine, its] = [this.#own(inode), this.#own(other)];
    this.#leave(from, name, mine, now);
    this.#leave(to, newName, its, now);
    this.#enter(to, newName, inode, mine, now);
    this.#enter(from, name, other, its, now);
    mine.ctime = now;
    its.ctime = now;
    return null;
  }

  #checkReplace(inode: Inode, replaced: Inode, newName: string): void {
    const { body } = this.#node(replaced);
    if (this.#node(inode).kind === "directory" && namesOf({ body }).size > 0) throw new Errno("ENOTEMPTY", newName);
  }
}

/** The namespaces of xattr(7) that a tree keeps. */
function checkXattr(name: string): void {
  if (!/^(?:user|trusted|security|system)\../.test(name)) throw new Errno("EOPNOTSUPP", name);
}

function checkName(name: string): void {
  if (name === "" || name === "." || name === ".." || name.includes("/"))
    throw new AssertionError(`${name} is no file name`);
  if (name.length * 3 > nameBytesMax && encodedLength(name) > nameBytesMax) throw new Errno("ENAMETOOLONG", name);
}

/** Its content has changed now. */
function date(node: Node, now: bigint): void {
  node.mtime = now;
  node.ctime = now;
}
