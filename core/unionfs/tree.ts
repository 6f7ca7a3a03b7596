/**
 * A POSIX file system in memory: records of inodes (records.ts) and tables of the names in directories
 * (names.ts). Both are persistent: a snapshot, a fork and the comparison of two cost nothing, and until
 * the next one every change is made in place.
 *
 * Invariants (check.ts proves them after every step of the tests):
 *   every inode but the root and the unlinked is reachable from the root;
 *   a directory has exactly one name; `links` counts the names (and, for directories, the dots).
 */
import { assert, AssertionError } from "../base/assert.ts";
import { Errno } from "../base/errno.ts";
import { Content } from "./content.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, RenameFlag, Stat } from "./file-system.ts";
import { type Named, Names } from "./names.ts";
import { contentOf, encodedLength, Node, targetOf, targetPages } from "./node.ts";
import { Owner } from "./owner.ts";
import {
  accessed,
  changed,
  type Guarded,
  modified,
  noXattrs,
  type RecordPage,
  Records,
  word,
  type Xattrs,
} from "./records.ts";
import { checkRename } from "./rename.ts";
import type { Text } from "./text.ts";
import { Accounts, type Limits, type Usage } from "./usage.ts";

/** A whole tree at one moment. */
export class TreeSnapshot {
  readonly records: Records;
  readonly names: Names;
  readonly accounts: Accounts;

  constructor(records: Records, names: Names, accounts: Accounts) {
    this.records = records.copy();
    this.names = names.copy(this.records);
    this.accounts = accounts.copy();
  }

  /** Greater than every inode there is or ever was. */
  get next(): number {
    return this.records.next;
  }

  node(inode: Inode): Node | null {
    const page = this.records.page(inode);
    return page === undefined ? null : new Node(page, inode, this.names);
  }

  isDirectory(inode: Inode): boolean {
    return this.records.page(inode)?.isDirectory(inode) === true;
  }

  /** In the order of their numbers. */
  *inodes(): Generator<[inode: Inode, node: Node], void, undefined> {
    for (const inode of this.records.inodes() as Iterable<Inode>) yield [inode, this.node(inode) as Node];
  }

  /** All names of an inode. */
  namesOf(inode: Inode): Iterable<Named> {
    return this.node(inode)?.links === 0 ? [] : this.names.of(inode);
  }

  /** What is in both and not the same; what they share is passed over. */
  changedSince(before: TreeSnapshot): Iterable<Inode> {
    return this.records.changedSince(before.records) as Iterable<Inode>;
  }
}

export const rootInode = 1 as Inode;
const nameBytesMax = 255;
const timeMax = 2n ** 63n - 1n;

interface Moved {
  readonly from: Inode;
  readonly name: string;
  readonly inode: Inode;
}

export class Tree implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #now: () => bigint;
  #owner = new Owner();
  /** Of contents: who shares one may not change it in place. */
  #writer = new Owner();
  #records: Records;
  #names: Names;
  #accounts: Accounts;

  /** `now` stamps what changes, nanoseconds since the epoch. */
  constructor(now: () => bigint, from: TreeSnapshot | Limits = {}) {
    this.#now = now;
    const isNew = !(from instanceof TreeSnapshot);
    this.#records = isNew ? Records.empty() : from.records.copy();
    this.#names = isNew ? Names.empty(this.#records) : from.names.copy(this.#records);
    this.#accounts = isNew ? new Accounts(from) : from.accounts.copy();
    if (isNew) this.#makeRoot();
  }

  /** The tree as it is now, whatever changes later. Costs nothing. */
  snapshot(): TreeSnapshot {
    this.#disown();
    return new TreeSnapshot(this.#records, this.#names, this.#accounts);
  }

  /** Makes the tree what it was then. */
  restore(snapshot: TreeSnapshot): void {
    this.#disown();
    this.#records = snapshot.records.copy();
    this.#names = snapshot.names.copy(this.#records);
    this.#accounts = snapshot.accounts.copy();
  }

  /** Nothing that there is now is changed in place any more. */
  #disown(): void {
    this.#owner = new Owner();
    this.#writer = new Owner();
  }

  get usage(): Usage {
    return this.#accounts.usage;
  }

  /** Greater than every inode there is or ever was. */
  get next(): number {
    return this.#records.next;
  }

  has(inode: Inode): boolean {
    return this.#records.page(inode) !== undefined;
  }

  get limits(): Limits {
    return this.#accounts.limits;
  }

  /** Whether so much surely finds room. */
  hasRoom(bytes: number, inodes: number): boolean {
    return this.#accounts.hasRoom(bytes, inodes);
  }

  /** Throws Errno ENOENT. */
  node(inode: Inode): Node {
    return new Node(this.#page(inode), inode, this.#names);
  }

  /** Every inode there is, the unlinked ones too. */
  inodes(): Iterable<Inode> {
    return this.#records.inodes() as Iterable<Inode>;
  }

  stat(inode: Inode): Stat {
    return this.statAs(inode, inode);
  }

  /** For a union, in which the inode has another number. */
  statAs(inode: Inode, shownAs: Inode): Stat {
    return this.#page(inode).stat(inode, shownAs);
  }

  peek(inode: Inode): Guarded {
    return this.#page(inode).guarded(inode);
  }

  links(inode: Inode): number {
    return this.#page(inode).links(inode);
  }

  isDirectory(inode: Inode): boolean {
    return this.#page(inode).isDirectory(inode);
  }

  /** Whether it has that name of its own; `text` is the name as numbers. */
  isCalled(inode: Inode, name: string, text: Text): boolean {
    return this.#page(inode).isCalled(inode, name, text);
  }

  /** It is no device 0:0 and has no extended attributes. */
  isPlain(inode: Inode): boolean {
    return this.#page(inode).isPlain(inode);
  }

  /** It is no directory, and has one name. */
  isPlainFile(inode: Inode): boolean {
    return this.#page(inode).isPlainFile(inode);
  }

  isPlainDirectory(inode: Inode): boolean {
    return this.#page(inode).isPlainDirectory(inode);
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.find(directory, name);
    if (found === 0) throw new Errno("ENOENT", name);
    return found;
  }

  find(directory: Inode, name: string): Inode | 0 {
    this.#directory(directory);
    return this.#names.find(directory, name);
  }

  /** How many names are in a directory. */
  count(directory: Inode): number {
    this.#directory(directory);
    return this.#names.count(directory);
  }

  /** Each name of a directory, in no particular order. */
  each(directory: Inode, visit: (name: string, inode: Inode) => void): void {
    this.#directory(directory);
    this.#names.each(directory, visit);
  }

  /** All names of an inode; of one that has none any more those it was last known by. */
  namesOf(inode: Inode): Iterable<Named> {
    return this.#names.of(inode);
  }

  parent(directory: Inode): Inode {
    return this.#directory(directory).get(directory, word.parent) as Inode;
  }

  list(directory: Inode): readonly DirectoryEntry[] {
    const page = this.#directory(directory);
    const known = page.body(directory);
    if (known !== undefined) return known as readonly DirectoryEntry[];
    const entries = this.#sorted(directory);
    page.setBody(directory, entries); // in a page of somebody else's too: there it is as true
    return entries;
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    this.#checkFree(directory, name);
    const now = this.#now();
    const inode = this.#add(node, now);
    this.#enter(directory, name, inode, now);
    return inode;
  }

  createUnnamed(directory: Inode, node: NewNode): Inode {
    assert(node.kind !== "directory", "a directory has a name");
    this.#checkAlive(directory);
    const inode = this.#add(node, this.#now());
    this.#own(inode).setLinks(inode, 0);
    return inode;
  }

  link(directory: Inode, name: string, target: Inode): void {
    const page = this.#page(target);
    if (page.isDirectory(target)) throw new Errno("EPERM", name);
    this.#checkFree(directory, name);
    const links = page.links(target);
    if (links > 0) this.#accounts.countName(1);
    const now = this.#now();
    this.#enter(directory, name, target, now);
    this.#setLinks(target, links + 1, now);
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    const page = this.#page(inode);
    if (page.isDirectory(inode)) throw new Errno("EISDIR", name);
    const links = page.links(inode);
    if (links > 1) this.#accounts.countName(-1);
    const now = this.#now();
    this.#leave(directory, name, now);
    this.#setLinks(inode, links - 1, now);
    return inode;
  }

  removeDirectory(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.count(inode) > 0) throw new Errno("ENOTEMPTY", name);
    const now = this.#now();
    this.#leave(directory, name, now);
    this.#countDirectories(directory, -1);
    this.#setLinks(inode, 0, now);
    return inode;
  }

  rename(from: Inode, name: string, to: Inode, newName: string, flag: RenameFlag = "replace"): Inode | null {
    const inode = this.lookup(from, name);
    const taken = this.find(to, newName);
    checkRename(this, { from, inode, to, taken, newName }, flag);
    if (taken === inode) return null;
    if (flag === "exchange") return this.#exchange({ from, name, inode }, to, newName, taken as Inode);
    if (taken === 0) this.#checkNew(to, newName);
    else this.#checkReplace(inode, taken, newName);
    const now = this.#now();
    if (taken !== 0) this.#lose(to, newName, taken, now);
    this.#names.move(this.#owner, from, name, to, newName);
    this.#moveDirectory(inode, from, to);
    this.#date(from, now);
    this.#date(to, now);
    this.#own(inode).setTime(inode, changed, now);
    return taken === 0 ? null : taken;
  }

  prepareWrite(): void {}

  read(file: Inode, offset: number, length: number): Uint8Array {
    return this.#content(file).read(offset, length);
  }

  readInto(file: Inode, offset: number, target: Uint8Array): number {
    return this.#content(file).readInto(offset, target);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    const content = this.#content(file);
    if (this.#accounts.isLimited) this.#checkRoom(file, content, offset, bytes.length);
    this.#setContent(file, content.write(this.#writer, offset, bytes));
  }

  truncate(file: Inode, size: number): void {
    this.#setContent(file, this.#content(file).resize(this.#writer, size));
  }

  seek(file: Inode, offset: number, wanted: "data" | "hole"): number {
    return this.#content(file).seek(offset, wanted);
  }

  /** Makes `bytes`, taken over without a copy, a file's whole content. */
  setContent(file: Inode, bytes: Uint8Array): void {
    this.shareContent(file, Content.of(bytes));
  }

  /** Gives a file the content of another one, of this or another tree. */
  shareContent(file: Inode, content: Content): void {
    if (content.owner === this.#writer) this.#writer = new Owner();
    this.#content(file);
    this.#setContent(file, content);
  }

  readlink(symlink: Inode): string {
    return targetOf(this.node(symlink));
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    const { mode, uid, gid, atime, mtime } = attributes;
    const node = this.node(inode);
    if (uid !== undefined && uid !== node.uid) this.#changeOwner(node, uid);
    const page = this.#own(inode);
    if (mode !== undefined) page.setMode(inode, mode);
    if (uid !== undefined) page.set(inode, word.uid, uid);
    if (gid !== undefined) page.set(inode, word.gid, gid);
    if (atime !== undefined) page.setTime(inode, accessed, clamped(atime));
    if (mtime !== undefined) page.setTime(inode, modified, clamped(mtime));
    page.setTime(inode, changed, this.#now());
  }

  listXattrs(inode: Inode): string[] {
    return [...this.node(inode).xattrs.keys()].sort();
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    checkXattr(name);
    const value = this.node(inode).xattrs.get(name);
    if (value === undefined) throw new Errno("ENODATA", name);
    return value;
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    checkXattr(name);
    const { xattrs } = this.node(inode);
    this.#accounts.countXattr(name, xattrs.get(name) ?? null, value);
    this.#setXattrs(inode, new Map(xattrs).set(name, value.slice()));
  }

  removeXattr(inode: Inode, name: string): void {
    checkXattr(name);
    const { xattrs } = this.node(inode);
    const old = xattrs.get(name);
    if (old === undefined) throw new Errno("ENODATA", name);
    this.#accounts.countXattr(name, old, null);
    const left = new Map(xattrs);
    left.delete(name);
    this.#setXattrs(inode, left.size === 0 ? noXattrs : left);
  }

  #setXattrs(inode: Inode, xattrs: Xattrs): void {
    const page = this.#own(inode);
    page.setXattrs(inode, xattrs);
    page.setTime(inode, changed, this.#now());
  }

  forget(inode: Inode): void {
    if (!this.has(inode)) return;
    const { links, uid, pages, xattrs } = this.node(inode);
    if (links > 0) return;
    this.#accounts.count(uid, -pages, -1);
    if (xattrs.size > 0) for (const [name, value] of xattrs) this.#accounts.countXattr(name, value, null);
    this.#records.remove(this.#owner, inode);
  }

  #makeRoot(): void {
    const root = this.#add({ kind: "directory", mode: 0o755, uid: 0, gid: 0 }, this.#now());
    this.#own(root).set(root, word.parent, root);
  }

  /** Throws Errno ENOENT. */
  #page(inode: Inode): RecordPage {
    const page = this.#records.page(inode);
    if (page === undefined) throw new Errno("ENOENT");
    return page;
  }

  /** The page of a directory. Throws Errno ENOENT, ENOTDIR. */
  #directory(inode: Inode): RecordPage {
    const page = this.#page(inode);
    if (!page.isDirectory(inode)) throw new Errno("ENOTDIR");
    return page;
  }

  /** Throws Errno EISDIR, EINVAL. */
  #content(file: Inode): Content {
    return contentOf(this.node(file));
  }

  /** The page of an inode that there is, to be changed in place. */
  #own(inode: Inode): RecordPage {
    return this.#records.own(this.#owner, inode);
  }

  /** An inode without a name yet. A directory counts its own "." and its name. */
  #add(node: NewNode, now: bigint): Inode {
    const size = node.kind === "symlink" ? encodedLength(node.target) : 0;
    this.#accounts.count(node.uid, targetPages(size), 1);
    const inode = this.#records.add(this.#owner, node.kind, node.kind === "symlink" ? 0o777 : node.mode);
    const page = this.#own(inode);
    page.set(inode, word.uid, node.uid);
    page.set(inode, word.gid, node.gid);
    page.setLinks(inode, node.kind === "directory" ? 2 : 1);
    page.setTime(inode, accessed, now);
    page.setTime(inode, modified, now);
    page.setTime(inode, changed, now);
    if (node.kind === "symlink") {
      page.setBody(inode, node.target);
      page.setSize(inode, size);
      page.set(inode, word.pages, targetPages(size));
    } else if (node.kind === "character" || node.kind === "block") {
      page.set(inode, word.major, node.major);
      page.set(inode, word.minor, node.minor);
    }
    return inode;
  }

  #sorted(directory: Inode): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    this.#names.each(directory, (name, inode) => {
      entries.push({ name, inode, kind: this.#page(inode).kind(inode) });
    });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #checkAlive(directory: Inode): void {
    if (this.#directory(directory).links(directory) === 0) throw new Errno("ENOENT");
  }

  #checkFree(directory: Inode, name: string): void {
    this.#checkNew(directory, name);
    if (this.#names.find(directory, name) !== 0) throw new Errno("EEXIST", name);
    this.#names.reserve(this.#owner, directory, name);
  }

  #checkNew(directory: Inode, name: string): void {
    checkName(name);
    this.#checkAlive(directory);
  }

  #setContent(file: Inode, content: Content): void {
    const page = this.#own(file);
    const { size, pages } = content;
    const before = page.get(file, word.pages);
    if (pages !== before) this.#accounts.count(this.node(file).uid, pages - before, 0);
    page.setBody(file, content);
    page.setSize(file, size);
    page.set(file, word.pages, pages);
    this.#date(file, this.#now());
  }

  /** Before a write changes anything: a write for which there is no room writes nothing, and dates the file all the same. */
  #checkRoom(file: Inode, content: Content, offset: number, length: number): void {
    const { uid } = this.node(file);
    const missing = content.missingPages(offset, length);
    try {
      this.#accounts.count(uid, missing, 0);
      this.#accounts.count(uid, -missing, 0);
    } catch (refused) {
      this.#date(file, this.#now());
      throw refused;
    }
  }

  #changeOwner({ uid: old, pages }: Node, uid: number): void {
    this.#accounts.count(old, -pages, -1);
    try {
      this.#accounts.count(uid, pages, 1);
    } catch (refused) {
      this.#accounts.count(old, pages, 1);
      throw refused;
    }
  }

  /** Its content has changed now. */
  #date(inode: Inode, now: bigint): void {
    const page = this.#own(inode);
    page.setTime(inode, modified, now);
    page.setTime(inode, changed, now);
  }

  #setLinks(inode: Inode, links: number, now: bigint): void {
    const page = this.#own(inode);
    page.setLinks(inode, links);
    page.setTime(inode, changed, now);
  }

  #countDirectories(parent: Inode, change: 1 | -1): void {
    const page = this.#own(parent);
    page.setLinks(parent, page.links(parent) + change);
  }

  #enter(directory: Inode, name: string, inode: Inode, now: bigint): void {
    this.#names.add(this.#owner, directory, name, inode);
    if (this.#page(inode).isDirectory(inode)) this.#countDirectories(directory, 1);
    this.#date(directory, now);
  }

  #leave(directory: Inode, name: string, now: bigint): void {
    this.#names.remove(this.#owner, directory, name);
    this.#date(directory, now);
  }

  /** Its name is wanted for another one. */
  #lose(directory: Inode, name: string, inode: Inode, now: bigint): void {
    const page = this.#page(inode);
    const links = page.links(inode);
    const isDirectory = page.isDirectory(inode);
    this.#names.remove(this.#owner, directory, name);
    if (isDirectory) this.#countDirectories(directory, -1);
    else if (links > 1) this.#accounts.countName(-1);
    this.#setLinks(inode, isDirectory ? 0 : links - 1, now);
  }

  /** The directories count it that it leaves and enters, if it is one. */
  #moveDirectory(inode: Inode, from: Inode, to: Inode): void {
    if (from === to || !this.#page(inode).isDirectory(inode)) return;
    this.#countDirectories(from, -1);
    this.#countDirectories(to, 1);
  }

  #exchange({ from, name, inode }: Moved, to: Inode, newName: string, other: Inode): null {
    const now = this.#now();
    this.#names.exchange(this.#owner, from, name, to, newName);
    this.#moveDirectory(inode, from, to);
    this.#moveDirectory(other, to, from);
    this.#date(from, now);
    this.#date(to, now);
    for (const each of [inode, other]) this.#own(each).setTime(each, changed, now);
    return null;
  }

  #checkReplace(inode: Inode, replaced: Inode, newName: string): void {
    if (this.#page(inode).isDirectory(inode) && this.count(replaced) > 0) throw new Errno("ENOTEMPTY", newName);
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

/** As 64 bits have it: a time that is too early or too late is the first or the last (timestamp_truncate in fs/inode.c). */
function clamped(time: bigint): bigint {
  if (time > timeMax) return timeMax;
  return time < -timeMax ? -timeMax : time;
}
