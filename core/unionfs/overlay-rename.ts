/**
 * Renaming in a union (fs/overlayfs/dir.c, ovl_rename). What moves is copied up; a directory with
 * parts below gets a redirect, without which moving it is EXDEV; another one is made opaque where it
 * would merge with what is below its new name; the old name is whited out.
 */
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import type { Inode } from "./file-system.ts";
import { isOpaque, type MarkPrefix, yes } from "./marks.ts";
import type { CopyUp } from "./overlay-copy-up.ts";
import { type Entry, type Inodes, isMerge, rootInode } from "./overlay-inodes.ts";
import type { Lists } from "./overlay-list.ts";
import type { Lower } from "./overlay-lookup.ts";
import type { Whiteouts } from "./overlay-whiteouts.ts";

/** An inode, and the name that it is to lose. */
export interface Moved {
  readonly from: Inode;
  readonly name: string;
  readonly inode: Inode;
}

/** Longer redirects are not made (the kernel's redirect_max). */
const redirectBytesMax = 256;

export class Renames {
  readonly #inodes: Inodes;
  readonly #copies: CopyUp;
  readonly #whiteouts: Whiteouts;
  readonly #lists: Lists;
  readonly #prefix: MarkPrefix;
  readonly #makesRedirects: boolean;

  constructor(
    parts: { inodes: Inodes; copies: CopyUp; whiteouts: Whiteouts; lists: Lists },
    prefix: MarkPrefix,
    makesRedirects: boolean,
  ) {
    this.#inodes = parts.inodes;
    this.#copies = parts.copies;
    this.#whiteouts = parts.whiteouts;
    this.#lists = parts.lists;
    this.#prefix = prefix;
    this.#makesRedirects = makesRedirects;
  }

  /** Gives what moves another name; `taken` has that name, 0: nothing has. */
  rename(moved: Moved, to: Inode, newName: string, taken: Inode | 0): void {
    const { from, name, inode } = moved;
    this.#checkMovable(inode, newName);
    if (taken !== 0 && this.#showsBelow(taken)) this.#checkEmpty(taken, newName);
    const whitesOut = this.#inodes.isBelow(from, name);
    const source = this.#copies.copyUp(from);
    this.#copies.copyUp(inode);
    const target = this.#copies.copyUp(this.#inodes.alive(to));
    const overWhiteout = taken === 0 && this.#whiteouts.isThere(target, newName);
    this.#markMoved(moved, to, overWhiteout);
    if (overWhiteout) this.#whiteouts.clear(target, newName);
    if (taken !== 0) this.#checkEmpty(taken, newName);
    if (taken !== 0) this.#whiteouts.empty(target, newName);
    const { upper } = this.#inodes;
    const lost = upper.rename(source, name, target, newName);
    if (lost !== null && taken === 0) upper.forget(lost);
    if (whitesOut) this.#whiteouts.make(source, name, upper.node(source));
    if (taken !== 0) this.#inodes.lose(taken);
  }

  exchange(one: Moved, other: Moved): void {
    this.#checkMovable(one.inode, other.name);
    this.#checkMovable(other.inode, other.name);
    for (const { from, inode } of [one, other]) {
      this.#copies.copyUp(from);
      this.#copies.copyUp(inode);
    }
    this.#markMoved(one, other.from, false);
    this.#markMoved(other, one.from, false);
    const [source, target] = [this.#inodes.upperOf(one.from) as Inode, this.#inodes.upperOf(other.from) as Inode];
    this.#inodes.upper.rename(source, one.name, target, other.name, "exchange");
  }

  #checkMovable(inode: Inode, newName: string): void {
    if (this.#makesRedirects || this.#inodes.node(inode).kind !== "directory") return;
    if (this.#showsBelow(inode)) throw new Errno("EXDEV", newName);
  }

  #showsBelow(inode: Inode): boolean {
    return this.#inodes.upperOf(inode) === 0 || isMerge(this.#inodes.kept(inode));
  }

  /** Of a directory that is only in the upper tree the kernel learns that late, when the rest is copied up and marked. */
  #checkEmpty(inode: Inode, newName: string): void {
    const isDirectory = this.#inodes.node(inode).kind === "directory";
    if (isDirectory && !this.#lists.isEmpty(inode)) throw new Errno("ENOTEMPTY", newName);
  }

  /** Where it goes, a directory must not merge with what is below there, and must find what is below here. */
  #markMoved({ from, inode }: Moved, to: Inode, overWhiteout: boolean): void {
    const entry = this.#inodes.kept(inode);
    if (entry !== null && (isMerge(entry) || entry.metacopy)) return this.redirect(inode, entry, from !== to);
    const upper = this.#inodes.upperOf(inode) as Inode;
    const node = this.#inodes.upper.node(upper);
    if (node.kind !== "directory" || isOpaque(node, this.#prefix)) return;
    if (overWhiteout || isMerge(this.#inodes.kept(to))) this.#copies.mark(upper, "opaque", yes);
  }

  /** Notes where the layers below know it; from another directory, or for a file of several names, as a path from the root. */
  redirect(inode: Inode, entry: Entry, toOtherDirectory: boolean): void {
    const lower = entry.lowers[0] as Lower;
    const { kind, links } = this.#inodes.lower(lower).node(lower.inode);
    const isAbsolute = toOtherDirectory || (kind !== "directory" && links > 1);
    if (entry.redirect !== null && (!isAbsolute || entry.redirect.startsWith("/"))) return;
    const name = this.#inodes.name(inode);
    const redirect = isAbsolute ? this.#pathBelow(inode) : name;
    const bytes = encodeText(redirect);
    if (bytes.length > redirectBytesMax) throw new Errno("EXDEV", name);
    this.#copies.mark(entry.upper as Inode, "redirect", bytes);
    this.#inodes.change(entry, { redirect });
  }

  #pathBelow(inode: Inode): string {
    let path = "";
    for (let at = inode; at !== rootInode && !path.startsWith("//"); at = this.#inodes.parent(at)) {
      const part = this.#inodes.kept(at)?.redirect ?? this.#inodes.name(at);
      if (part.startsWith("/")) return `${part}${path}`;
      path = `/${part}${path}`;
    }
    return path;
  }
}
