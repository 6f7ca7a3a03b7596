/**
 * The union of trees, as Linux's overlayfs makes it (Documentation/filesystems/overlayfs.rst):
 * read-only *lower* trees, top one first, and one *upper* tree that takes every write.
 *
 *   lookup     the upper entry wins; directories of the same name merge (overlay-lookup.ts)
 *   copy-up    the first write to a lower file copies it, and its parents, to the upper tree
 *   whiteout   a removed lower name is a character device 0:0 in the upper tree
 *   opaque, redirect, metacopy   as marks.ts tells
 *
 * Invariants: no method changes a lower tree. An inode of the union keeps its number through
 * copy-up, so a descriptor that was opened before sees what is written after. What a directory's
 * names were found to be is kept with the directory, so the number of layers costs once a name.
 *
 * As with the kernel's default index=off, copying up one name of a lower hard link breaks the link.
 * Without redirects, renaming a directory that has a lower part is EXDEV.
 */
import { assert } from "../base/assert.ts";
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { Content } from "./content.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, RenameFlag, Stat } from "./file-system.ts";
import { type Branch, isCopy, hasWhiteoutFiles, isOpaque, isWhiteout, type MarkPrefix, yes } from "./marks.ts";
import { getName, type NameMap, noNames, removeName, setName } from "./name-map.ts";
import { contentOf, deviceOf, type Node, statOf } from "./node.ts";
import { type Found, isBelow, type Layers, type Lower, lookUp, namesBelow } from "./overlay-lookup.ts";
import { Owner } from "./owner.ts";
import { checkRename } from "./rename.ts";
import { SparseArray } from "./sparse-array.ts";
import type { Tree, TreeSnapshot } from "./tree.ts";

export interface OverlayOptions {
  /** redirect_dir=on makes redirects, follow and off obey them, nofollow refuses them. */
  readonly redirects?: "on" | "follow" | "nofollow";
  /** Copy attributes up without data. Needs redirects "on" or "follow". */
  readonly metacopy?: boolean;
  /** Marks are user.overlay.*; redirects and metacopy are off. */
  readonly userXattrs?: boolean;
  /** Layer's numbers in the high bits of inode numbers, one device for all. */
  readonly xino?: boolean;
}

/** What stat(2) tells of where a file is. */
export interface Identity {
  /** 0: the union's own device; else that of a group of layers, upper's being 1. */
  readonly device: number;
  readonly number: number;
}

/** Where one inode of the union really is. */
interface Entry {
  readonly owner: Owner;
  readonly parent: Inode;
  readonly name: string;
  readonly upper: Inode | 0;
  readonly lowers: readonly Lower[];
  readonly metacopy: boolean;
  readonly redirect: string | null;
  /** It has no name any more. */
  readonly gone: boolean;
  /** A file's origin below, whose number it keeps. */
  readonly origin: Lower | null;
}

/** What is known of a directory's names: a cache, shared by snapshots. */
interface Known {
  readonly owner: Owner;
  names: NameMap;
  listed: readonly DirectoryEntry[] | null;
  /** In which lower parts a name is; made when there are many. */
  below: ReadonlyMap<string, readonly Lower[]> | null;
}

export interface OverlaySnapshot {
  readonly upper: TreeSnapshot;
  readonly entries: SparseArray<Entry>;
  readonly known: SparseArray<Known>;
  readonly links: SparseArray<Link>;
  readonly next: number;
}

/** The union's inode of an upper file that has several names. */
interface Link {
  readonly inode: Inode;
}

const rootInode = 1 as Inode;
const noBytes = new Uint8Array(0);
/** With more lower parts than this, a directory gets a list of who has which name. */
const partsMax = 4;
/** Longer redirects are not made (the kernel's redirect_max). */
const redirectBytesMax = 256;

export class Overlay implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #upper: Tree;
  readonly #layers: Layers;
  readonly #options: OverlayOptions;
  readonly #prefix: MarkPrefix;
  #owner = new Owner();
  #entries = SparseArray.empty<Entry>();
  #known = SparseArray.empty<Known>();
  #links = SparseArray.empty<Link>();
  #next = rootInode + 1;
  /** What was looked for last and not found: whoever makes it looks twice. */
  #missed = { directory: 0 as Inode | 0, name: "" };

  /** `lowers` top first, as in the mount option. */
  constructor(upper: Branch, lowers: readonly Branch[], options: OverlayOptions = {}) {
    this.#upper = upper.tree;
    this.#options = options;
    this.#prefix = options.userXattrs === true ? "user.overlay." : "trusted.overlay.";
    this.#layers = layersOf(upper, lowers, options, this.#prefix);
    const place = { owner: this.#owner, parent: rootInode, name: "", redirect: null, metacopy: false, gone: false };
    const roots = lowers.map(({ root }, layer) => ({ layer, inode: root })); // whatever marks a root has: it is always merged
    this.#entries.set(this.#owner, rootInode, { ...place, upper: upper.root, lowers: roots, origin: null });
  }

  /** The union, its upper tree included, as it is now. Costs nothing. */
  snapshot(): OverlaySnapshot {
    this.#owner = new Owner();
    const [entries, known, links] = [this.#entries.copy(), this.#known.copy(), this.#links.copy()];
    return { upper: this.#upper.snapshot(), entries, known, links, next: this.#next };
  }

  restore(snapshot: OverlaySnapshot): void {
    this.#owner = new Owner();
    this.#missed.directory = 0;
    this.#upper.restore(snapshot.upper);
    this.#entries = snapshot.entries.copy();
    this.#known = snapshot.known.copy();
    this.#links = snapshot.links.copy();
    this.#next = snapshot.next;
  }

  stat(inode: Inode): Stat {
    const entry = this.#entry(inode);
    const node = this.#node(entry);
    const isMerged = node.kind === "directory" && isMerge(entry);
    return statOf(inode, node, entry.metacopy ? this.#dataNode(entry) : node, isMerged ? 1 : node.links);
  }

  /** Where stat(2) says a file is (overlayfs.rst, "Inode properties"). */
  identity(inode: Inode): Identity {
    const entry = this.#entry(inode);
    const { tree, inode: real, layer } = this.#identified(entry);
    const group = this.#groupOf(tree);
    const isSame = this.#layers.lowers.every((lower) => lower.tree === this.#upper);
    if (isSame) return { device: 0, number: real };
    if (this.#options.xino === true) return { device: 0, number: real + group * 2 ** 48 };
    if (tree.node(real).kind === "directory") return { device: 0, number: inode };
    return { device: layer === null ? 1 : group + 1, number: real };
  }

  peek(inode: Inode): Readonly<Node> {
    return this.#node(this.#entry(inode));
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.find(directory, name);
    if (found === 0) throw new Errno("ENOENT", name);
    return found;
  }

  find(directory: Inode, name: string): Inode | 0 {
    const known = this.#known.get(directory);
    const inode = known === undefined ? 0 : getName(known.names, name);
    if (inode !== 0) return inode as Inode;
    if (this.#missed.directory === directory && this.#missed.name === name) return 0;
    return this.#search(directory, name);
  }

  parent(directory: Inode): Inode {
    return this.#directory(directory).parent;
  }

  list(directory: Inode): readonly DirectoryEntry[] {
    const entry = this.#directory(directory);
    const known = this.#own(directory);
    return (known.listed ??= this.#merged(directory, entry));
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    if (this.find(directory, name) !== 0) throw new Errno("EEXIST", name);
    if (node.kind === "character" && node.major === 0 && node.minor === 0) throw new Errno("EPERM", name);
    const parent = this.#copyUp(this.#alive(directory));
    const hidden = this.#clearWhiteout(parent, name);
    const upper = this.#upper.create(parent, name, node);
    if (node.kind === "directory" && (hidden || (this.#ownsLowers && isMerge(this.#entry(directory)))))
      this.#mark(upper, "opaque", yes);
    return this.#remember(directory, name, pure(upper));
  }

  createUnnamed(directory: Inode, node: NewNode): Inode {
    const upper = this.#upper.createUnnamed(this.#copyUp(this.#alive(directory)), node);
    return this.#add({ parent: directory, name: "", ...pure(upper), gone: true });
  }

  link(directory: Inode, name: string, target: Inode): void {
    if (this.peek(target).kind === "directory") throw new Errno("EPERM", name);
    if (this.find(directory, name) !== 0) throw new Errno("EEXIST", name);
    const { gone, upper: before } = this.#entry(target);
    if (gone && before === 0) throw new Errno("ENOENT", name);
    const upper = this.#copyUp(target);
    const parent = this.#copyUp(this.#alive(directory));
    const entry = this.#entry(target);
    if (entry.metacopy) this.#redirect(target, entry, true);
    this.#clearWhiteout(parent, name);
    this.#upper.link(parent, name, upper);
    if (entry.gone) this.#change(target, { gone: false, parent: directory, name });
    this.#links.set(this.#owner, upper, { inode: target });
    this.#setName(directory, name, target);
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.peek(inode).kind === "directory") throw new Errno("EISDIR", name);
    this.#hide(directory, name, inode, (parent) => void this.#upper.unlink(parent, name));
    return inode;
  }

  removeDirectory(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.peek(inode).kind !== "directory") throw new Errno("ENOTDIR", name);
    if (!this.#isEmpty(inode)) throw new Errno("ENOTEMPTY", name);
    this.#hide(directory, name, inode, (parent) => this.#removeUpperDirectory(parent, name));
    return inode;
  }

  rename(from: Inode, name: string, to: Inode, newName: string, flag: RenameFlag = "replace"): Inode | null {
    const inode = this.lookup(from, name);
    const taken = this.find(to, newName);
    checkRename(this, { from, inode, to, taken, newName }, flag);
    if (taken === inode) return null;
    this.#checkMovable(inode, newName);
    if (flag === "exchange")
      return this.#exchange({ from, name, inode }, { from: to, name: newName, inode: taken as Inode });
    if (taken !== 0 && this.#showsBelow(taken)) this.#checkEmpty(taken, newName);
    const whitesOut = isBelow(this.#layers, this.#parts(from), name);
    const source = this.#copyUp(from);
    const upper = this.#copyUp(inode);
    const target = this.#copyUp(this.#alive(to));
    this.#markMoved({ from, name, inode }, to, taken === 0 && this.#hasWhiteout(target, newName));
    if (taken !== 0) this.#checkEmpty(taken, newName);
    if (taken === 0) this.#clearWhiteout(target, newName);
    else this.#emptyUpper(target, newName);
    const lost = this.#upper.rename(source, name, target, newName);
    if (lost !== null && taken === 0) this.#upper.forget(lost);
    if (whitesOut) this.#whiteout(source, name, this.#upper.node(source));
    if (taken !== 0) this.#loseName(taken);
    this.#moved({ from, name, inode }, to, newName, upper);
    return taken === 0 ? null : taken;
  }

  prepareWrite(inode: Inode): void {
    if (this.peek(inode).kind === "file") this.#copyUp(inode, true);
  }

  read(file: Inode, offset: number, length: number): Uint8Array {
    return this.#data(this.#entry(file)).read(offset, length);
  }

  readInto(file: Inode, offset: number, target: Uint8Array): number {
    return this.#data(this.#entry(file)).readInto(offset, target);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    this.#data(this.#entry(file));
    this.#upper.write(this.#copyUp(file, true), offset, bytes);
  }

  truncate(file: Inode, size: number): void {
    this.#data(this.#entry(file));
    this.#upper.truncate(this.#copyUp(file, true), size);
  }

  seek(file: Inode, offset: number, wanted: "data" | "hole"): number {
    return this.#data(this.#entry(file)).seek(offset, wanted);
  }

  readlink(symlink: Inode): string {
    const { tree, inode } = this.#top(this.#entry(symlink));
    return tree.readlink(inode);
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    this.#upper.setAttributes(this.#copyUp(inode), attributes);
  }

  listXattrs(inode: Inode): string[] {
    const { tree, inode: real } = this.#top(this.#entry(inode));
    return tree.listXattrs(real).flatMap((name) => this.#shown(name));
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    const { tree, inode: real } = this.#top(this.#entry(inode));
    return tree.getXattr(real, this.#stored(name));
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    this.#upper.setXattr(this.#copyUp(inode), this.#stored(name), value);
  }

  removeXattr(inode: Inode, name: string): void {
    this.getXattr(inode, name);
    this.#upper.removeXattr(this.#copyUp(inode), this.#stored(name));
  }

  forget(inode: Inode): void {
    const entry = this.#entries.get(inode);
    if (entry === undefined || !entry.gone) return;
    if (entry.upper !== 0) this.#upper.forget(entry.upper);
    this.#entries.set(this.#owner, inode, undefined);
    this.#known.set(this.#owner, inode, undefined);
  }

  /** With none of the newer features, a lower layer may change while it is not mounted: then a new directory would merge. */
  get #ownsLowers(): boolean {
    const { redirects, metacopy, xino } = this.#options;
    return redirects === "on" || metacopy === true || xino === true;
  }

  // Looking

  #entry(inode: Inode): Entry {
    const entry = this.#entries.get(inode);
    if (entry === undefined) throw new Errno("ENOENT");
    return entry;
  }

  /** The tree and inode that answer for an inode of the union: its topmost part. */
  #top({ upper, lowers }: Pick<Entry, "upper" | "lowers">): { tree: Tree; inode: Inode } {
    if (upper !== 0) return { tree: this.#upper, inode: upper };
    const lower = lowers[0] as Lower;
    return { tree: this.#lower(lower), inode: lower.inode };
  }

  #lower({ layer }: Lower): Tree {
    return (this.#layers.lowers[layer] as Branch).tree;
  }

  #node(entry: Pick<Entry, "upper" | "lowers">): Readonly<Node> {
    const { tree, inode } = this.#top(entry);
    return tree.node(inode);
  }

  /** A file's bytes: those of its last part when the others have none. Throws Errno EISDIR, EINVAL. */
  #data(entry: Entry): Content {
    return contentOf(this.#dataNode(entry));
  }

  #dataNode(entry: Entry): Readonly<Node> {
    const last = entry.lowers.at(-1);
    if (!entry.metacopy || last === undefined) return this.#node(entry);
    return this.#lower(last).node(last.inode);
  }

  /** The part that a file has its number from: what it was copied from, as long as that has one name, or a directory's first lower part. */
  #identified(entry: Entry): { tree: Tree; inode: Inode; layer: number | null } {
    const { origin, upper, lowers } = entry;
    const keeps = upper === 0 || this.#upper.node(upper).kind === "directory";
    const lower = origin ?? (keeps ? lowers[0] : undefined);
    if (lower === undefined) return { tree: this.#upper, inode: upper as Inode, layer: null };
    return { tree: this.#lower(lower), inode: lower.inode, layer: lower.layer };
  }

  /** 0 for layers that lie in the upper tree, else in the order in which the trees come. */
  #groupOf(tree: Tree): number {
    const trees = new Set([this.#upper, ...this.#layers.lowers.map((lower) => lower.tree)]);
    return [...trees].indexOf(tree);
  }

  #directory(inode: Inode): Entry {
    const entry = this.#entry(inode);
    if (this.#node(entry).kind !== "directory") throw new Errno("ENOTDIR");
    return entry;
  }

  /** The directory, if names can still be made in it. */
  #alive(directory: Inode): Inode {
    if (this.#directory(directory).gone) throw new Errno("ENOENT");
    return directory;
  }

  #search(directory: Inode, name: string): Inode | 0 {
    if (this.#directory(directory).gone) return 0;
    const found = lookUp(this.#layers, this.#parts(directory), name);
    if (found !== null) return this.#remember(directory, name, found);
    this.#missed = { directory, name };
    return 0;
  }

  #parts(directory: Inode): { upper: Inode | 0; lowers: readonly Lower[]; below: Known["below"] } {
    const { upper, lowers } = this.#entry(directory);
    if (lowers.length <= partsMax) return { upper, lowers, below: null };
    const known = this.#own(directory);
    known.below ??= namesBelow(this.#layers, lowers);
    return { upper, lowers, below: known.below };
  }

  #merged(directory: Inode, entry: Entry): DirectoryEntry[] {
    if (entry.gone) return [];
    const shown = this.#shownIn(entry, (part, layer) => this.#hidersIn(entry, part, layer));
    return [...shown].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, kind]) => this.#listed(directory, name, kind));
  }

  /** What of a directory's part is looked at when the directory is read, as it may be a whiteout. */
  #hidersIn(entry: Entry, part: Readonly<Node>, layer: number | null): Hiders {
    if (!isMerge(entry) && !isCopy(part, this.#prefix)) return "none";
    const isLowest = layer === this.#layers.lowers.length - 1; // it has nothing below to hide
    return !isLowest && hasWhiteoutFiles(part, this.#prefix) ? "devices and files" : "devices";
  }

  /** The names in all parts of a directory; what hides a name hides it in all parts below. */
  #shownIn(
    entry: Entry,
    hidersIn: (part: Readonly<Node>, layer: number | null) => Hiders,
  ): Map<string, DirectoryEntry["kind"]> {
    const shown = new Map<string, DirectoryEntry["kind"]>();
    const hidden = new Set<string>();
    for (const { tree, inode, layer } of this.#partsOf(entry)) {
      const hiders = hidersIn(tree.node(inode), layer);
      for (const { name, inode: real, kind } of tree.list(inode)) {
        if (shown.has(name) || hidden.has(name)) continue;
        const mayHide = kind === "character" ? hiders !== "none" : kind === "file" && hiders === "devices and files";
        if (mayHide && isWhiteout(tree.node(real), this.#prefix)) hidden.add(name);
        else shown.set(name, kind);
      }
    }
    return shown;
  }

  *#partsOf({ upper, lowers }: Entry): Generator<{ tree: Tree; inode: Inode; layer: number | null }> {
    if (upper !== 0) yield { tree: this.#upper, inode: upper, layer: null };
    for (const lower of lowers) yield { tree: this.#lower(lower), ...lower };
  }

  #listed(directory: Inode, name: string, kind: DirectoryEntry["kind"]): DirectoryEntry {
    try {
      return { name, inode: this.find(directory, name) as Inode, kind };
    } catch (refused) {
      if (!(refused instanceof Errno)) throw refused;
      return { name, inode: 0 as Inode, kind };
    }
  }

  #remember(directory: Inode, name: string, found: Found): Inode {
    const inode = this.#linked(found) ?? this.#add({ parent: directory, name, ...found, gone: false });
    const known = this.#own(directory);
    known.names = setName(known.names, this.#owner, name, inode);
    if (known.listed !== null && !known.listed.some((entry) => entry.name === name)) known.listed = null;
    return inode;
  }

  /** Another name of an upper file that is known already. */
  #linked({ upper, lowers }: Found): Inode | null {
    if (upper === 0) return null;
    const node = this.#upper.node(upper);
    if (node.kind === "directory" || node.links < 2) return null;
    const link = this.#links.get(upper);
    if (link !== undefined) return link.inode;
    assert(lowers.length === 0 || node.kind === "file", "only files without data have a lower part");
    return null;
  }

  #add(entry: Found & Pick<Entry, "parent" | "name" | "gone">): Inode {
    const inode = this.#next++ as Inode;
    const { upper } = entry;
    this.#entries.set(this.#owner, inode, { ...entry, owner: this.#owner, origin: null });
    if (upper !== 0 && this.#upper.node(upper).links > 1) this.#links.set(this.#owner, upper, { inode });
    return inode;
  }

  /** For a change: what was missed may be there now. */
  #own(directory: Inode): Known {
    this.#missed.directory = 0;
    const known = this.#known.get(directory);
    if (known?.owner === this.#owner) return known;
    const { names, listed, below } = known ?? { names: noNames, listed: null, below: null };
    const own = { owner: this.#owner, names, listed, below };
    this.#known.set(this.#owner, directory, own);
    return own;
  }

  // Changing

  #change(inode: Inode, change: Partial<Entry>): void {
    this.#entries.set(this.#owner, inode, { ...this.#entry(inode), ...change });
  }

  #setName(directory: Inode, name: string, inode: Inode | 0): void {
    const known = this.#own(directory);
    known.listed = null;
    known.names =
      inode === 0 ? removeName(known.names, this.#owner, name) : setName(known.names, this.#owner, name, inode);
  }

  /** The inode in the upper tree, copied there with its parents when it was only below. */
  #copyUp(inode: Inode, withData = false): Inode {
    const entry = this.#entry(inode);
    if (entry.upper !== 0) return withData && entry.metacopy ? this.#copyData(inode, entry) : entry.upper;
    const node = this.#node(entry);
    const metacopy = this.#options.metacopy === true && node.kind === "file" && !withData;
    const upper = entry.gone ? this.#copyGone(node) : this.#copyNode(this.#copyUp(entry.parent), entry.name, node);
    this.#copyAttributes(upper, node);
    if (metacopy) this.#mark(upper, "metacopy", noBytes);
    if (node.kind === "directory") this.#mark(upper, "origin", noBytes);
    if (node.kind === "file")
      this.#upper.shareContent(upper, metacopy ? Content.hole(contentOf(node).size) : this.#data(entry));
    this.#upper.setAttributes(upper, { mtime: node.mtime, atime: node.atime });
    const keepsLowers = node.kind === "directory" || metacopy;
    const origin = node.kind === "directory" || node.links > 1 ? null : (entry.lowers[0] ?? null);
    this.#change(inode, { upper, lowers: keepsLowers ? entry.lowers : [], metacopy, origin });
    if (node.kind === "directory") this.#own(inode).listed = null; // a copy is looked through for whiteouts
    return upper;
  }

  /** What is below a file that had only its attributes in the upper tree: written to it, so that its mtime changes unless there is nothing but holes. */
  #copyData(inode: Inode, entry: Entry): Inode {
    const upper = entry.upper as Inode;
    const { mtime } = this.#upper.node(upper);
    const content = this.#data(entry);
    this.#upper.shareContent(upper, content);
    if (content.pages === 0) this.#upper.setAttributes(upper, { mtime });
    this.#upper.removeXattr(upper, `${this.#prefix}metacopy`);
    this.#change(inode, { metacopy: false, lowers: [] });
    return upper;
  }

  /** A copy-up does not touch the parent's times. */
  #copyNode(parent: Inode, name: string, node: Readonly<Node>): Inode {
    const { mtime, atime } = this.#upper.node(parent);
    const upper = this.#upper.create(parent, name, asNew(node));
    this.#upper.setAttributes(parent, { mtime, atime });
    return upper;
  }

  #copyGone(node: Readonly<Node>): Inode {
    return this.#upper.createUnnamed(this.#entry(this.root).upper as Inode, asNew(node));
  }

  #copyAttributes(upper: Inode, { xattrs }: Readonly<Node>): void {
    for (const [name, value] of xattrs) {
      const isOwn = name.startsWith(this.#prefix) && !name.startsWith(`${this.#prefix}overlay.`);
      if (!isOwn) this.#upper.setXattr(upper, name, value);
    }
  }

  #mark(upper: Inode, mark: "opaque" | "redirect" | "metacopy" | "origin", value: Uint8Array): void {
    this.#upper.setXattr(upper, `${this.#prefix}${mark}`, value);
  }

  /** Takes a name away: from the upper tree if it is there, by a whiteout if it shows from below. */
  #hide(directory: Inode, name: string, inode: Inode, remove: (parent: Inode) => void): void {
    const whitesOut = isBelow(this.#layers, this.#parts(directory), name);
    const parent = this.#copyUp(directory);
    if (this.#entry(inode).upper !== 0) remove(parent);
    this.#setName(directory, name, 0);
    this.#loseName(inode);
    if (whitesOut) this.#whiteout(parent, name);
  }

  #loseName(inode: Inode): void {
    const { upper } = this.#entry(inode);
    const left = upper === 0 ? 0 : this.#upper.node(upper).links;
    if (left === 0) this.#change(inode, { gone: true });
  }

  /** What a rename leaves behind is made in its directory, `inheriting` its group where that is set; else a whiteout is made elsewhere and moved. */
  #whiteout(parent: Inode, name: string, inheriting: Readonly<Node> | null = null): void {
    const gid = inheriting !== null && (inheriting.mode & 0o2000) !== 0 ? inheriting.gid : 0;
    this.#upper.create(parent, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid });
  }

  #hasWhiteout(parent: Inode, name: string): boolean {
    const inode = this.#upper.find(parent, name);
    return inode !== 0 && isWhiteout(this.#upper.node(inode), this.#prefix);
  }

  /** Whether there was one: then something below is hidden. */
  #clearWhiteout(parent: Inode, name: string): boolean {
    if (this.#upper.find(parent, name) === 0) return false;
    assert(this.#hasWhiteout(parent, name), `${name} in the upper tree is a whiteout`);
    this.#upper.forget(this.#upper.unlink(parent, name));
    return true;
  }

  /** A directory that looks empty may hold whiteouts. */
  #emptyUpper(parent: Inode, name: string): void {
    const inode = this.#upper.find(parent, name);
    if (inode === 0 || this.#upper.node(inode).kind !== "directory") return;
    for (const entry of this.#upper.list(inode)) this.#clearWhiteout(inode, entry.name);
  }

  #removeUpperDirectory(parent: Inode, name: string): void {
    this.#emptyUpper(parent, name);
    this.#upper.removeDirectory(parent, name);
  }

  // Renaming

  #showsBelow(inode: Inode): boolean {
    const entry = this.#entry(inode);
    return isMerge(entry) || entry.upper === 0;
  }

  /** Of a directory that is only in the upper tree the kernel learns that late, when the rest is copied up and marked. */
  #checkEmpty(inode: Inode, newName: string): void {
    const isDirectory = this.#node(this.#entry(inode)).kind === "directory";
    if (isDirectory && !this.#isEmpty(inode)) throw new Errno("ENOTEMPTY", newName);
  }

  /** Files that are whiteouts count, devices do not. */
  #isEmpty(directory: Inode): boolean {
    return this.#shownIn(this.#entry(directory), () => "devices").size === 0;
  }

  #checkMovable(inode: Inode, newName: string): void {
    const entry = this.#entry(inode);
    if (this.#options.redirects === "on" || this.#node(entry).kind !== "directory") return;
    if (this.#showsBelow(inode)) throw new Errno("EXDEV", newName);
  }

  /** Where it goes, a directory must not merge with what is below there, and must find what is below here. */
  #markMoved({ from, inode }: Moved, to: Inode, overWhiteout: boolean): void {
    const entry = this.#entry(inode);
    const upper = entry.upper as Inode;
    const isDirectory = this.#node(entry).kind === "directory";
    if (isMerge(entry) || entry.metacopy) this.#redirect(inode, entry, from !== to);
    else if (
      isDirectory &&
      !isOpaque(this.#upper.node(upper), this.#prefix) &&
      (overWhiteout || isMerge(this.#entry(to)))
    )
      this.#mark(upper, "opaque", yes);
  }

  #exchange(one: Moved, other: Moved): null {
    this.#checkMovable(other.inode, other.name);
    for (const { from, inode } of [one, other]) {
      this.#copyUp(from);
      this.#copyUp(inode);
    }
    this.#markMoved(one, other.from, false);
    this.#markMoved(other, one.from, false);
    const [source, target] = [this.#entry(one.from).upper as Inode, this.#entry(other.from).upper as Inode];
    this.#upper.rename(source, one.name, target, other.name, "exchange");
    this.#place(one.inode, other.from, other.name);
    this.#place(other.inode, one.from, one.name);
    return null;
  }

  #moved({ from, name, inode }: Moved, to: Inode, newName: string, upper: Inode): void {
    this.#setName(from, name, 0);
    this.#place(inode, to, newName);
    if (this.#upper.node(upper).kind !== "directory" && this.#upper.node(upper).links > 1)
      this.#links.set(this.#owner, upper, { inode });
  }

  #place(inode: Inode, parent: Inode, name: string): void {
    this.#change(inode, { parent, name });
    this.#setName(parent, name, inode);
  }

  /** Notes where the layers below know it; from another directory, or for a file of several names, as a path from the root. */
  #redirect(inode: Inode, entry: Entry, toOtherDirectory: boolean): void {
    const lower = entry.lowers[0] as Lower;
    const { kind, links } = this.#lower(lower).node(lower.inode);
    const isAbsolute = toOtherDirectory || (kind !== "directory" && links > 1);
    if (entry.redirect !== null && (!isAbsolute || entry.redirect.startsWith("/"))) return;
    const redirect = isAbsolute ? this.#pathBelow(inode) : entry.name;
    const bytes = encodeText(redirect);
    if (bytes.length > redirectBytesMax) throw new Errno("EXDEV", entry.name);
    this.#mark(entry.upper as Inode, "redirect", bytes);
    this.#change(inode, { redirect });
  }

  #pathBelow(inode: Inode): string {
    let path = "";
    for (let at = inode; at !== this.root && !path.startsWith("//"); ) {
      const { parent, name, redirect } = this.#entry(at);
      const part = redirect ?? name;
      if (part.startsWith("/")) return `${part}${path}`;
      path = `/${part}${path}`;
      at = parent;
    }
    return path;
  }

  // Attributes that overlayfs keeps for itself: those of a union within the union have "overlay." put in.

  #stored(name: string): string {
    return name.startsWith(this.#prefix) ? `${this.#prefix}overlay.${name.slice(this.#prefix.length)}` : name;
  }

  #shown(name: string): string[] {
    if (!name.startsWith(this.#prefix)) return [name];
    const inner = `${this.#prefix}overlay.`;
    return name.startsWith(inner) ? [`${this.#prefix}${name.slice(inner.length)}`] : [];
  }
}

type Hiders = "none" | "devices" | "devices and files";

interface Moved {
  readonly from: Inode;
  readonly name: string;
  readonly inode: Inode;
}

function pure(upper: Inode): Found {
  return { upper, lowers: [], metacopy: false, redirect: null };
}

/** Whether it shows more than one part. */
function isMerge({ upper, lowers, metacopy }: Entry): boolean {
  return !metacopy && (upper === 0 ? lowers.length > 1 : lowers.length > 0);
}

function layersOf(upper: Branch, lowers: readonly Branch[], options: OverlayOptions, prefix: MarkPrefix): Layers {
  const { redirects = "follow", metacopy = false, userXattrs = false } = options;
  const followsRedirects = redirects !== "nofollow" && !userXattrs;
  return { upper: upper.tree, lowers, prefix, followsRedirects, metacopy: metacopy && !userXattrs };
}

function asNew(node: Readonly<Node>): NewNode {
  const { kind, mode, uid, gid, body } = node;
  if (kind === "symlink") return { kind, target: body as string, mode, uid, gid };
  if (kind === "character" || kind === "block") return { kind, ...deviceOf(node), mode, uid, gid };
  return { kind, mode, uid, gid };
}
