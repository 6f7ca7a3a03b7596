/**
 * The union of trees, as Linux's overlayfs makes it (Documentation/filesystems/overlayfs.rst):
 * read-only *lower* trees, top one first, and one *upper* tree that takes every write.
 *
 *   lookup     the upper entry wins; directories of the same name merge, until an opaque one ends
 *              the merge or a file hides what is below
 *   copy-up    the first write to a lower file copies it, and its parents, to the upper tree
 *   whiteout   a removed lower name is a character device 0:0 in the upper tree
 *   opaque     a directory with xattr trusted.overlay.opaque=y shows nothing from below
 *
 * Invariant: no method changes a lower tree. An inode of the union keeps its number through
 * copy-up, so a descriptor that was opened before sees what is written after.
 *
 * As with the kernel's defaults (index=off, redirect_dir=off): copying up one name of a lower hard
 * link breaks the link, and renaming a directory that has a lower part is EXDEV.
 */
import { assert } from "../base/assert.ts";
import { Errno } from "../base/errno.ts";
import type { Attributes, DirectoryEntry, FileSystem, Inode, NewNode, Stat } from "./file-system.ts";
import type { Node, Tree } from "./tree.ts";

export const opaqueXattr = "trusted.overlay.opaque";
const privateXattrs = "trusted.overlay.";
const yes = Uint8Array.of(0x79);

/** Where one inode of the union really is. */
interface Entry {
  readonly parent: Inode;
  readonly name: string;
  readonly upper: Inode | null;
  /** The same file, or the directories merged beneath, top first. */
  readonly lowers: readonly Lower[];
}

interface Lower {
  readonly layer: number;
  readonly inode: Inode;
}

/** A directory of a tree that takes part in a union. */
export interface Branch {
  readonly tree: Tree;
  readonly root: Inode;
}

const rootInode = 1 as Inode;

export class Overlay implements FileSystem {
  readonly root: Inode = rootInode;
  readonly #upper: Tree;
  readonly #lowers: readonly Tree[];
  readonly #entries = new Map<Inode, Entry>();
  /** Inodes by what they really are, so that one file has one number. */
  readonly #known = new Map<string, Inode>();
  #next = rootInode + 1;

  /** `lowers` top first, as in the mount option. */
  constructor(upper: Branch, lowers: readonly Branch[]) {
    this.#upper = upper.tree;
    this.#lowers = lowers.map(({ tree }) => tree);
    this.#entries.set(rootInode, { parent: rootInode, name: "", upper: upper.root, lowers: untilOpaque(lowers) });
  }

  stat(inode: Inode): Stat {
    const { tree, real } = this.#real(inode);
    const stat = tree.stat(real);
    return { ...stat, inode, links: stat.kind === "directory" ? 1 : stat.links };
  }

  lookup(directory: Inode, name: string): Inode {
    const found = this.#find(directory, name);
    if (found === null) throw new Errno("ENOENT", name);
    return this.#remember(directory, name, found);
  }

  parent(directory: Inode): Inode {
    return this.#directory(directory).parent;
  }

  list(directory: Inode): DirectoryEntry[] {
    const names = new Set<string>();
    for (const { tree, inode } of this.#parts(this.#directory(directory))) {
      for (const entry of tree.list(inode)) names.add(entry.name);
    }
    return [...names].sort().flatMap((name) => this.#listed(directory, name));
  }

  create(directory: Inode, name: string, node: NewNode): Inode {
    if (this.#find(directory, name) !== null) throw new Errno("EEXIST", name);
    const parent = this.#copyUp(directory);
    const hidden = this.#clearWhiteout(parent, name);
    const upper = this.#upper.create(parent, name, node);
    if (node.kind === "directory" && hidden) this.#upper.setXattr(upper, opaqueXattr, yes);
    return this.#remember(directory, name, { upper, lowers: [] });
  }

  link(directory: Inode, name: string, target: Inode): void {
    if (this.#find(directory, name) !== null) throw new Errno("EEXIST", name);
    if (this.stat(target).kind === "directory") throw new Errno("EPERM", name);
    const upper = this.#copyUp(target);
    const parent = this.#copyUp(directory);
    this.#clearWhiteout(parent, name);
    this.#upper.link(parent, name, upper);
  }

  unlink(directory: Inode, name: string): Inode {
    const inode = this.lookup(directory, name);
    if (this.stat(inode).kind === "directory") throw new Errno("EISDIR", name);
    this.#hide(directory, name, inode, (parent) => this.#upper.unlink(parent, name));
    return inode;
  }

  removeDirectory(directory: Inode, name: string): void {
    const inode = this.lookup(directory, name);
    if (this.stat(inode).kind !== "directory") throw new Errno("ENOTDIR", name);
    if (this.list(inode).length > 0) throw new Errno("ENOTEMPTY", name);
    this.#hide(directory, name, inode, (parent) => this.#removeUpperDirectory(parent, name));
    this.forget(inode);
  }

  rename(from: Inode, name: string, to: Inode, newName: string): void {
    const inode = this.lookup(from, name);
    const replaced = this.#find(to, newName);
    if (replaced !== null && this.#remember(to, newName, replaced) === inode) return;
    this.#checkRename(inode, to, newName, replaced);
    const source = this.#copyUp(from);
    const upper = this.#copyUp(inode);
    const target = this.#copyUp(to);
    if (replaced !== null) this.#removeReplaced(to, newName);
    const hidden = this.#clearWhiteout(target, newName);
    this.#upper.rename(source, name, target, newName);
    if (hidden && this.#upper.stat(upper).kind === "directory") this.#upper.setXattr(upper, opaqueXattr, yes);
    if (this.#isBelow(from, name)) this.#whiteout(source, name);
    this.#entries.set(inode, { parent: to, name: newName, upper, lowers: [] });
  }

  read(file: Inode, offset: number, length: number): Uint8Array {
    const { tree, real } = this.#real(file);
    return tree.read(real, offset, length);
  }

  write(file: Inode, offset: number, bytes: Uint8Array): void {
    this.#checkFile(file);
    this.#upper.write(this.#copyUp(file), offset, bytes);
  }

  truncate(file: Inode, size: number): void {
    this.#checkFile(file);
    this.#upper.truncate(this.#copyUp(file), size);
  }

  readlink(symlink: Inode): string {
    const { tree, real } = this.#real(symlink);
    return tree.readlink(real);
  }

  setAttributes(inode: Inode, attributes: Attributes): void {
    this.#upper.setAttributes(this.#copyUp(inode), attributes);
  }

  listXattrs(inode: Inode): string[] {
    const { tree, real } = this.#real(inode);
    return tree.listXattrs(real).filter((name) => !name.startsWith(privateXattrs));
  }

  getXattr(inode: Inode, name: string): Uint8Array {
    if (name.startsWith(privateXattrs)) throw new Errno("EOPNOTSUPP", name);
    const { tree, real } = this.#real(inode);
    return tree.getXattr(real, name);
  }

  setXattr(inode: Inode, name: string, value: Uint8Array): void {
    if (name.startsWith(privateXattrs)) throw new Errno("EOPNOTSUPP", name);
    this.#upper.setXattr(this.#copyUp(inode), name, value);
  }

  removeXattr(inode: Inode, name: string): void {
    this.getXattr(inode, name);
    this.#upper.removeXattr(this.#copyUp(inode), name);
  }

  forget(inode: Inode): void {
    const { upper } = this.#entry(inode);
    if (upper !== null) this.#upper.forget(upper);
  }

  #entry(inode: Inode): Entry {
    const entry = this.#entries.get(inode);
    assert(entry !== undefined, `inode ${inode} of the union is known`);
    return entry;
  }

  /** The tree and inode that answer for an inode of the union: the topmost part. */
  #real(inode: Inode): { tree: Tree; real: Inode } {
    const top = this.#parts(this.#entry(inode))[0];
    assert(top !== undefined, `inode ${inode} of the union exists somewhere`);
    return { tree: top.tree, real: top.inode };
  }

  #parts(entry: Pick<Entry, "upper" | "lowers">): { tree: Tree; inode: Inode }[] {
    const lowers = entry.lowers.map(({ layer, inode }) => ({ tree: this.#lower(layer), inode }));
    return entry.upper === null ? lowers : [{ tree: this.#upper, inode: entry.upper }, ...lowers];
  }

  #lower(layer: number): Tree {
    const tree = this.#lowers[layer];
    assert(tree !== undefined, `layer ${layer} exists`);
    return tree;
  }

  #directory(inode: Inode): Entry {
    if (this.stat(inode).kind !== "directory") throw new Errno("ENOTDIR");
    return this.#entry(inode);
  }

  /** Before a copy-up: what cannot be written is not copied. */
  #checkFile(inode: Inode): void {
    const { kind } = this.stat(inode);
    if (kind !== "file") throw new Errno(kind === "directory" ? "EISDIR" : "EINVAL");
  }

  #listed(directory: Inode, name: string): DirectoryEntry[] {
    const found = this.#find(directory, name);
    if (found === null) return [];
    const inode = this.#remember(directory, name, found);
    return [{ name, inode, kind: this.stat(inode).kind }];
  }

  /** What a name in a directory of the union really is, null if nothing (or a whiteout). */
  #find(directory: Inode, name: string): Pick<Entry, "upper" | "lowers"> | null {
    const entry = this.#directory(directory);
    const upper = entry.upper === null ? null : entryOf(this.#upper, entry.upper, name);
    if (upper === null) return this.#findBelow(entry.lowers, name);
    if (isWhiteout(this.#upper, upper)) return null;
    if (!mergesDown(this.#upper, upper)) return { upper, lowers: [] };
    const below = this.#findBelow(entry.lowers, name);
    const merged = below !== null && this.#isDirectory(below.lowers) ? below.lowers : [];
    return { upper, lowers: merged };
  }

  #findBelow(parents: readonly Lower[], name: string): { upper: null; lowers: Lower[] } | null {
    const found: Lower[] = [];
    for (const { layer, inode: parent } of parents) {
      const tree = this.#lower(layer);
      const inode = entryOf(tree, parent, name);
      if (inode === null) continue;
      const isDirectory = tree.stat(inode).kind === "directory";
      if (isWhiteout(tree, inode) || (found.length > 0 && !isDirectory)) break;
      found.push({ layer, inode });
      if (!mergesDown(tree, inode)) break;
    }
    return found.length === 0 ? null : { upper: null, lowers: found };
  }

  #isDirectory(lowers: readonly Lower[]): boolean {
    const top = lowers[0];
    return top !== undefined && this.#lower(top.layer).stat(top.inode).kind === "directory";
  }

  /** Whether the name would show from below if the upper tree did not have it. */
  #isBelow(directory: Inode, name: string): boolean {
    return this.#findBelow(this.#entry(directory).lowers, name) !== null;
  }

  #remember(parent: Inode, name: string, found: Pick<Entry, "upper" | "lowers">): Inode {
    const key = found.upper === null ? `${parent}/${name}` : `upper ${found.upper}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const inode = this.#next++ as Inode;
    this.#entries.set(inode, { parent, name, ...found });
    this.#known.set(key, inode);
    return inode;
  }

  /** The inode in the upper tree, copied there with its parents when it was only below. */
  #copyUp(inode: Inode): Inode {
    const entry = this.#entry(inode);
    if (entry.upper !== null) return entry.upper;
    const parent = this.#copyUp(entry.parent);
    const { tree, real } = this.#real(inode);
    const upper = this.#copyNode(parent, entry.name, tree.node(real));
    const isDirectory = tree.stat(real).kind === "directory";
    this.#entries.set(inode, { ...entry, upper, lowers: isDirectory ? entry.lowers : [] });
    this.#known.delete(`${entry.parent}/${entry.name}`);
    this.#known.set(`upper ${upper}`, inode);
    return upper;
  }

  #copyNode(parent: Inode, name: string, node: Node): Inode {
    const stamp = this.#upper.stat(parent).mtime;
    const upper = this.#upper.create(parent, name, asNew(node));
    if (node.kind === "file") this.#upper.shareContent(upper, node.content);
    for (const [xattr, value] of node.xattrs) {
      if (!xattr.startsWith(privateXattrs)) this.#upper.setXattr(upper, xattr, value);
    }
    this.#upper.setAttributes(upper, { mtime: node.mtime });
    this.#upper.setAttributes(parent, { mtime: stamp });
    return upper;
  }

  /** Takes a name away: from the upper tree if it is there, by a whiteout if it shows from below. */
  #hide(directory: Inode, name: string, inode: Inode, remove: (parent: Inode) => void): void {
    const parent = this.#copyUp(directory);
    if (this.#entry(inode).upper !== null) remove(parent);
    this.#known.delete(`${directory}/${name}`);
    if (this.#isBelow(directory, name)) this.#whiteout(parent, name);
  }

  #whiteout(parent: Inode, name: string): void {
    this.#upper.create(parent, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid: 0 });
  }

  /** Whether there was one: then something below is hidden. */
  #clearWhiteout(parent: Inode, name: string): boolean {
    const inode = entryOf(this.#upper, parent, name);
    if (inode === null) return false;
    assert(isWhiteout(this.#upper, inode), `${name} in the upper tree is a whiteout`);
    this.#upper.forget(this.#upper.unlink(parent, name));
    return true;
  }

  /** A directory that looks empty may hold whiteouts. */
  #removeUpperDirectory(parent: Inode, name: string): void {
    const directory = this.#upper.lookup(parent, name);
    for (const entry of this.#upper.list(directory)) this.#clearWhiteout(directory, entry.name);
    this.#upper.removeDirectory(parent, name);
  }

  #checkRename(inode: Inode, to: Inode, newName: string, replaced: Pick<Entry, "upper" | "lowers"> | null): void {
    const isDirectory = this.stat(inode).kind === "directory";
    if (isDirectory && this.#isWithin(to, inode)) throw new Errno("EINVAL", newName);
    if (replaced !== null) this.#checkReplace(isDirectory, this.#remember(to, newName, replaced), newName);
    if (isDirectory && this.#entry(inode).lowers.length > 0) throw new Errno("EXDEV", newName);
  }

  #checkReplace(isDirectory: boolean, replaced: Inode, newName: string): void {
    const replacesDirectory = this.stat(replaced).kind === "directory";
    if (isDirectory && !replacesDirectory) throw new Errno("ENOTDIR", newName);
    if (!isDirectory && replacesDirectory) throw new Errno("EISDIR", newName);
    if (replacesDirectory && this.list(replaced).length > 0) throw new Errno("ENOTEMPTY", newName);
  }

  #removeReplaced(to: Inode, newName: string): void {
    const replaced = this.lookup(to, newName);
    if (this.stat(replaced).kind === "directory") this.removeDirectory(to, newName);
    else this.forget(this.unlink(to, newName));
  }

  #isWithin(directory: Inode, ancestor: Inode): boolean {
    for (let at = directory; ; at = this.#entry(at).parent) {
      if (at === ancestor) return true;
      if (at === this.root) return false;
    }
  }
}

function entryOf(tree: Tree, directory: Inode, name: string): Inode | null {
  const node = tree.node(directory);
  return node.kind === "directory" ? (node.entries.get(name) ?? null) : null;
}

export function isWhiteout(tree: Tree, inode: Inode): boolean {
  const node = tree.node(inode);
  return node.kind === "character" && node.major === 0 && node.minor === 0;
}

export function isOpaque(tree: Tree, directory: Inode): boolean {
  return tree.node(directory).xattrs.get(opaqueXattr)?.[0] === yes[0];
}

/** Whether what lies below under the same name shows through: only for directories that are not opaque. */
function mergesDown(tree: Tree, inode: Inode): boolean {
  return tree.stat(inode).kind === "directory" && !isOpaque(tree, inode);
}

function untilOpaque(lowers: readonly Branch[]): Lower[] {
  const roots = lowers.map(({ root }, layer) => ({ layer, inode: root }));
  const last = lowers.findIndex(({ tree, root }) => isOpaque(tree, root));
  return last === -1 ? roots : roots.slice(0, last + 1);
}

function asNew(node: Node): NewNode {
  const { mode, uid, gid } = node;
  switch (node.kind) {
    case "symlink":
      return { kind: "symlink", target: node.target, mode, uid, gid };
    case "character":
    case "block":
      return { kind: node.kind, major: node.major, minor: node.minor, mode, uid, gid };
    case "file":
    case "directory":
    case "fifo":
    case "socket":
      return { kind: node.kind, mode, uid, gid };
  }
}
