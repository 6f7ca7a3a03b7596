/**
 * What a name in a directory of a union really is: found layer by layer from the top, as
 * fs/overlayfs/namei.c does.
 *
 *   a whiteout, or a file below something that was found already, ends the search
 *   directories of one name merge, until an opaque one ends the merge
 *   a redirect changes the name for the layers below; one that begins with "/" starts at their roots
 *   a file without data (metacopy) goes on to the layer that has it
 */
import { Errno } from "../base/errno.ts";
import type { Inode } from "./file-system.ts";
import { type Branch, isMetacopy, isOpaque, isWhiteout, type MarkPrefix, redirectOf } from "./marks.ts";
import type { Node } from "./node.ts";
import type { Tree } from "./tree.ts";

export interface Lower {
  readonly layer: number;
  readonly inode: Inode;
}

export interface Found {
  /** 0: not in the upper tree. */
  readonly upper: Inode | 0;
  /** The directories merged beneath, or the file that is seen or has the data, top first. */
  readonly lowers: readonly Lower[];
  /** The topmost part has no data of its own. */
  readonly metacopy: boolean;
  readonly redirect: string | null;
}

export interface Layers {
  readonly upper: Tree | null;
  /** Top first. */
  readonly lowers: readonly Branch[];
  readonly prefix: MarkPrefix;
  readonly followsRedirects: boolean;
  readonly metacopy: boolean;
}

/** Where to look: a directory's parts. */
export interface Parts {
  readonly upper: Inode | 0;
  readonly lowers: readonly Lower[];
}

const nothing: readonly Lower[] = [];

/** Null when the union shows nothing of that name. Throws Errno EPERM for a redirect or metacopy that may not be followed, EIO for one that leads nowhere, EINVAL and EACCES for what is no way. */
export function lookUp(layers: Layers, parts: Parts, name: string): Found | null {
  return new Search(layers, name).run(parts);
}

class Search {
  readonly #layers: Layers;
  /** As it is called in the next layer: a name, or a path from the layer's root. */
  #name: string;
  #redirect: string | null = null;
  #isDirectory = false;
  #metacopy = false;
  #stop = false;
  #isLastLayer = false;

  constructor(layers: Layers, name: string) {
    this.#layers = layers;
    this.#name = name;
  }

  run(parts: Parts): Found | null {
    const { upper: tree, followsRedirects } = this.#layers;
    this.#isLastLayer = !followsRedirects && parts.lowers.length === 0;
    const upper = parts.upper === 0 || tree === null ? 0 : this.#single(tree, parts.upper, this.#name, true);
    const needsData = this.#metacopy;
    const redirect = this.#redirect;
    const lowers = this.#stop ? nothing : this.#below(parts, needsData);
    if (upper === 0 && lowers.length === 0) return null;
    if (this.#metacopy || (needsData && lowers.length === 0)) throw new Errno("EIO", this.#name);
    const metacopy = needsData || (upper === 0 && lowers.length > 1 && !this.#isDirectory);
    return { upper, lowers, metacopy, redirect: upper === 0 ? null : redirect };
  }

  #below(parts: Parts, needsData: boolean): readonly Lower[] {
    const found: Lower[] = [];
    let places = this.#redirect?.startsWith("/") === true ? this.#roots(-1) : parts.lowers;
    for (let at = 0; at < places.length && !this.#stop; at++) {
      const { layer, inode: directory } = places[at] as Lower;
      const name = this.#name;
      this.#isLastLayer = this.#isLast(layer, parts);
      const inode = this.#inLayer((this.#layers.lowers[layer] as Branch).tree, directory);
      if (inode === 0) continue;
      if ((needsData || this.#metacopy) && !this.#layers.metacopy) throw new Errno("EPERM", this.#name);
      if (!this.#metacopy || found.length === 0) found.push({ layer, inode });
      if (this.#redirect !== null && !this.#layers.followsRedirects) throw new Errno("EPERM", this.#name);
      if (this.#name === name) continue;
      places = this.#name.startsWith("/") ? this.#roots(layer) : parts.lowers.filter((part) => part.layer > layer);
      at = -1;
    }
    return found;
  }

  /** What the last layer to be searched says of those below it does not matter. */
  #isLast(layer: number, { lowers }: Parts): boolean {
    return layer === (this.#layers.followsRedirects ? this.#layers.lowers.length - 1 : lowers.at(-1)?.layer);
  }

  /** The roots of the layers below one. */
  #roots(above: number): Lower[] {
    return this.#layers.lowers.map(({ root }, layer) => ({ layer, inode: root })).slice(above + 1);
  }

  #inLayer(tree: Tree, directory: Inode): Inode | 0 {
    if (!this.#name.startsWith("/")) return this.#single(tree, directory, this.#name, true);
    let at: Inode | 0 = directory;
    for (let from = 1; at !== 0 && tree.node(at).kind === "directory"; ) {
      const slash = this.#name.indexOf("/", from);
      const end = slash < 0 ? this.#name.length : slash;
      const rest = this.#name.length - end;
      at = this.#single(tree, at, this.#name.slice(from, end), rest === 0, from, end);
      if (rest === 0) return at;
      from = this.#name.length - rest + 1; // a redirect on the way has changed what comes before
    }
    return 0;
  }

  /** One name in one directory of one layer; `from` and `end` say where it stands in a longer path. */
  #single(tree: Tree, directory: Inode, name: string, isLast: boolean, from = 0, end = this.#name.length): Inode | 0 {
    if (name === "." || name === "..") throw new Errno("EACCES", name);
    const inode = tree.find(directory, name);
    if (inode === 0) return 0;
    const node = tree.node(inode);
    const { prefix } = this.#layers;
    if (isWhiteout(node, prefix)) return this.#end(0);
    if (isLast && this.#metacopy && node.kind !== "file") return this.#end(0);
    if (node.kind !== "directory") return this.#file(node, inode, isLast, from, end);
    if (isLast) this.#isDirectory = true;
    if (this.#isLastLayer) return inode;
    if (isOpaque(node, prefix)) return this.#end(inode);
    this.#readRedirect(node, from, end);
    return inode;
  }

  #end(result: Inode | 0): Inode | 0 {
    this.#stop = true;
    return result;
  }

  #file(node: Node, inode: Inode, isLast: boolean, from: number, end: number): Inode | 0 {
    if (this.#isDirectory || !isLast) return this.#end(0);
    this.#metacopy = isMetacopy(node, this.#layers.prefix);
    this.#stop = !this.#metacopy;
    if (this.#metacopy && !this.#isLastLayer) this.#readRedirect(node, from, end);
    return inode;
  }

  #readRedirect(node: Node, from: number, end: number): void {
    const redirect = redirectOf(node, this.#layers.prefix);
    if (redirect === null) return;
    const isAbsolute = redirect.startsWith("/");
    if (isAbsolute) this.#stop = false;
    this.#name = `${isAbsolute ? "" : this.#name.slice(0, from)}${redirect}${this.#name.slice(end)}`;
    this.#redirect = this.#name;
  }
}
