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
 * copy-up, so a descriptor that was opened before sees what is written after (overlay-inodes.ts).
 */
import { Errno } from "../base/errno.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, RenameFlag, Stat } from "./file-system.ts";
import { type Branch, type MarkPrefix, yes } from "./marks.ts";
import { contentOf, targetOf } from "./node.ts";
import { CopyUp } from "./overlay-copy-up.ts";
import { Inodes, type InodesSnapshot, isMerge, rootInode } from "./overlay-inodes.ts";
import { Lists } from "./overlay-list.ts";
import type { Layers } from "./overlay-lookup.ts";
import { Renames } from "./overlay-rename.ts";
import { Whiteouts } from "./overlay-whiteouts.ts";
import { blocksAPage, type Guarded } from "./records.ts";
import { checkRename } from "./rename.ts";
import type { Tree, TreeSnapshot } from "./tree.ts";
import { isNoRoom } from "./usage.ts";

/** What whiteouts, marks and parents take beside what is copied. */
const roomBytes = 1 << 22;

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

export interface OverlaySnapshot {
  readonly upper: TreeSnapshot;
  readonly inodes: InodesSnapshot;
}

export class Overlay implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #upper: Tree;
  readonly #layers: Layers;
  readonly #options: OverlayOptions;
  readonly #prefix: MarkPrefix;
  readonly #inodes: Inodes;
  readonly #lists: Lists;
  readonly #copies: CopyUp;
  readonly #whiteouts: Whiteouts;
  readonly #renames: Renames;

  /** `lowers` top first, as in the mount option. */
  constructor(upper: Branch, lowers: readonly Branch[], options: OverlayOptions = {}) {
    const prefix = options.userXattrs === true ? "user.overlay." : "trusted.overlay.";
    this.#upper = upper.tree;
    this.#options = options;
    this.#prefix = prefix;
    this.#layers = layersOf(upper, lowers, options, prefix);
    const inodes = new Inodes(upper, this.#layers);
    this.#inodes = inodes;
    this.#lists = new Lists(inodes, prefix, lowers.length);
    this.#copies = new CopyUp(inodes, prefix, options.metacopy === true, (act, bytes) => this.#whole(act, bytes));
    this.#whiteouts = new Whiteouts(upper.tree, prefix);
    const parts = { inodes, copies: this.#copies, whiteouts: this.#whiteouts, lists: this.#lists };
    this.#renames = new Renames(parts, prefix, options.redirects === "on");
  }

  /** What is written goes there. */
  get upper(): Tree {
    return this.#upper;
  }

  /** The union, its upper tree included, as it is now. Costs nothing. */
  snapshot(): OverlaySnapshot {
    return { upper: this.#upper.snapshot(), inodes: this.#inodes.snapshot() };
  }

  restore(snapshot: OverlaySnapshot): void {
    this.#upper.restore(snapshot.upper);
    this.#inodes.restore(snapshot.inodes);
    this.#lists.clear();
  }

  /**
   * Where there is no room to do all of it, nothing is done. `bytes` of content and attributes are copied. It takes a
   * snapshot where room is short only: after one each page is copied before it is changed.
   */
  #whole<Result>(act: () => Result, bytes = 0): Result {
    const room = bytes + roomBytes;
    if (this.#upper.hasRoom(room, room / 1024)) return act();
    const before = this.snapshot();
    try {
      return act();
    } catch (refused) {
      if (isNoRoom(refused)) this.restore(before);
      throw refused;
    }
  }

  stat(inode: Inode): Stat {
    const stat = this.#inodes.stat(inode);
    if (stat.kind === "directory") return isMerge(this.#inodes.kept(inode)) ? { ...stat, links: 1 } : stat;
    if (!this.#inodes.isMetacopy(inode)) return stat;
    return { ...stat, blocks: this.#inodes.dataNode(inode).pages * blocksAPage };
  }

  /** Where stat(2) says a file is (overlayfs.rst, "Inode properties"). */
  identity(inode: Inode): Identity {
    const { tree, inode: real, layer } = this.#identified(inode);
    const group = this.#groupOf(tree);
    const isSame = this.#layers.lowers.every((lower) => lower.tree === this.#upper);
    if (isSame) return { device: 0, number: real };
    if (this.#options.xino === true) return { device: 0, number: real + group * 2 ** 48 };
    if (tree.node(real).kind === "directory") return { device: 0, number: inode };
    return { device: layer === null ? 1 : group + 1, number: real };
  }

  /** The part that a file has its number from: what it was copied from, as long as that has one name, or a directory's first lower part. */
  #identified(inode: Inode): { tree: Tree; inode: Inode; layer: number | null } {
    const { origin, upper, lowers } = this.#inodes.entry(inode);
    const keeps = upper === 0 || this.#upper.node(upper).kind === "directory";
    const lower = origin ?? (keeps ? lowers[0] : undefined);
    if (lower === undefined) return { tree: this.#upper, inode: upper as Inode, layer: null };
    return { tree: this.#inodes.lower(lower), inode: lower.inode, layer: lower.layer };
  }

  /** 0 for layers that lie in the upper tree, else in the order in which the trees come. */
  #groupOf(tree: Tree): number {
    const trees = new Set([this.#upper, ...this.#layers.lowers.map((lower) => lower.tree)]);
    return [...trees].indexOf(tree);
  }

  peek(inode: Inode): Guarded {
    return this.#inodes.peek(inode);
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.#inodes.find(directory, name);
    if (found === 0) throw new Errno("ENOENT", name);
    return found;
  }

  find(directory: Inode, name: string): Inode | 0 {
    return this.#inodes.find(directory, name);
  }

  parent(directory: Inode): Inode {
    return this.#inodes.parent(this.#directory(directory));
  }

  #directory(inode: Inode): Inode {
    if (this.peek(inode).kind !== "directory") throw new Errno("ENOTDIR");
    return inode;
  }

  list(directory: Inode): readonly DirectoryEntry[] {
    return this.#lists.list(this.#directory(directory));
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    if (this.find(directory, name) !== 0) throw new Errno("EEXIST", name);
    if (node.kind === "character" && node.major === 0 && node.minor === 0) throw new Errno("EPERM", name);
    const parent = this.#copies.copyUp(this.#inodes.alive(directory));
    const merges = this.#ownsLowers && isMerge(this.#inodes.kept(directory));
    return this.#whole(() => {
      const hidden = this.#whiteouts.clear(parent, name);
      const upper = this.#upper.create(parent, name, node);
      if (node.kind === "directory" && (hidden || merges)) this.#copies.mark(upper, "opaque", yes);
      return this.#inodes.ofUpper(upper);
    });
  }

  /** With none of the newer features, a lower layer may change while it is not mounted: then a new directory would merge. */
  get #ownsLowers(): boolean {
    const { redirects, metacopy, xino } = this.#options;
    return redirects === "on" || metacopy === true || xino === true;
  }

  createUnnamed(directory: Inode, node: NewNode): Inode {
    const parent = this.#copies.copyUp(this.#inodes.alive(directory));
    return this.#inodes.ofUpper(this.#upper.createUnnamed(parent, node));
  }

  link(directory: Inode, name: string, target: Inode): void {
    if (this.peek(target).kind === "directory") throw new Errno("EPERM", name);
    if (this.find(directory, name) !== 0) throw new Errno("EEXIST", name);
    if (this.#inodes.upperOf(target) === 0 && this.#inodes.isGone(target)) throw new Errno("ENOENT", name);
    const upper = this.#copies.copyUp(target);
    const parent = this.#copies.copyUp(this.#inodes.alive(directory));
    const entry = this.#inodes.kept(target);
    if (entry?.metacopy === true) this.#renames.redirect(target, entry, true);
    this.#whole(() => {
      this.#whiteouts.clear(parent, name);
      this.#upper.link(parent, name, upper);
    });
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.peek(inode).kind === "directory") throw new Errno("EISDIR", name);
    const isBelow = this.#inodes.isBelow(directory, name);
    const parent = this.#copies.copyUp(directory);
    this.#whole(() => {
      if (this.#inodes.upperOf(inode) !== 0) this.#upper.unlink(parent, name);
      this.#hide(parent, name, inode, isBelow);
    });
    return inode;
  }

  removeDirectory(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.peek(inode).kind !== "directory") throw new Errno("ENOTDIR", name);
    if (!this.#lists.isEmpty(inode)) throw new Errno("ENOTEMPTY", name);
    const isBelow = this.#inodes.isBelow(directory, name);
    const parent = this.#copies.copyUp(directory);
    this.#whole(() => {
      if (this.#inodes.upperOf(inode) !== 0) this.#removeUpperDirectory(parent, name);
      this.#hide(parent, name, inode, isBelow);
    });
    return inode;
  }

  #removeUpperDirectory(parent: Inode, name: string): void {
    this.#whiteouts.empty(parent, name);
    this.#upper.removeDirectory(parent, name);
  }

  /** The name has gone from the upper tree; if it shows from below, there must be a whiteout. */
  #hide(parent: Inode, name: string, inode: Inode, isBelow: boolean): void {
    this.#inodes.lose(inode);
    if (isBelow) this.#whiteouts.make(parent, name);
  }

  rename(from: Inode, name: string, to: Inode, newName: string, flag: RenameFlag = "replace"): Inode | null {
    const inode = this.lookup(from, name);
    const taken = this.find(to, newName);
    checkRename(this, { from, inode, to, taken, newName }, flag);
    if (taken === inode) return null;
    if (flag === "exchange") {
      this.#whole(() =>
        this.#renames.exchange({ from, name, inode }, { from: to, name: newName, inode: taken as Inode }),
      );
      return null;
    }
    this.#whole(() => this.#renames.rename({ from, name, inode }, to, newName, taken));
    return taken === 0 ? null : taken;
  }

  prepareWrite(inode: Inode, isCut = false): void {
    if (this.peek(inode).kind === "file") this.#copies.copyUp(inode, isCut ? "cut" : "whole");
  }

  read(file: Inode, offset: number, length: number): Uint8Array {
    return contentOf(this.#inodes.dataNode(file)).read(offset, length);
  }

  readInto(file: Inode, offset: number, target: Uint8Array): number {
    return contentOf(this.#inodes.dataNode(file)).readInto(offset, target);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    contentOf(this.#inodes.dataNode(file));
    this.#upper.write(this.#copies.copyUp(file, "whole"), offset, bytes);
  }

  truncate(file: Inode, size: number): void {
    contentOf(this.#inodes.dataNode(file));
    this.#upper.truncate(this.#copies.copyUp(file, "whole"), size);
  }

  seek(file: Inode, offset: number, wanted: "data" | "hole"): number {
    return contentOf(this.#inodes.dataNode(file)).seek(offset, wanted);
  }

  readlink(symlink: Inode): string {
    return targetOf(this.#inodes.node(symlink));
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    this.#upper.setAttributes(this.#copies.copyUp(inode), attributes);
  }

  listXattrs(inode: Inode): string[] {
    const { xattrs } = this.#inodes.node(inode);
    return xattrs.size === 0 ? [] : [...xattrs.keys()].sort().flatMap((name) => this.#shown(name));
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    const { tree, inode: real } = this.#inodes.top(inode);
    return tree.getXattr(real, this.#stored(name));
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    this.#upper.setXattr(this.#copies.copyUp(inode), this.#stored(name), value);
  }

  removeXattr(inode: Inode, name: string): void {
    this.getXattr(inode, name);
    this.#upper.removeXattr(this.#copies.copyUp(inode), this.#stored(name));
  }

  forget(inode: Inode): void {
    this.#inodes.forget(inode);
    this.#lists.forget(inode);
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

function layersOf(upper: Branch, lowers: readonly Branch[], options: OverlayOptions, prefix: MarkPrefix): Layers {
  const { redirects = "follow", metacopy = false, userXattrs = false } = options;
  const followsRedirects = redirects !== "nofollow" && !userXattrs;
  return { upper: upper.tree, lowers, prefix, followsRedirects, metacopy: metacopy && !userXattrs };
}
