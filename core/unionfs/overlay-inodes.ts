/**
 * What each inode of a union is, and what the names in its directories lead to.
 *
 * Most inodes are one inode of one tree, which their number tells (overlay-numbers.ts). An Entry is
 * kept for the others: those with several parts, those that were copied up, which keep the number
 * they had below, and those that are not where their tree has them: with a redirect on the way to
 * them, or one of several names.
 *
 * Invariants: an upper inode whose number in the union is not its own has an alias, and so has every
 * part below a directory. What a name leads to below never changes, so it may be remembered for ever.
 */
import { Errno } from "../base/errno.ts";
import type { Inode, Stat } from "./file-system.ts";
import { type Branch, isWhiteout, isWhiteoutDevice } from "./marks.ts";
import type { Node } from "./node.ts";
import { type Found, type Layers, type Lower, lookUp, type Parts } from "./overlay-lookup.ts";
import { Numbers } from "./overlay-numbers.ts";
import { Owner } from "./owner.ts";
import type { Guarded } from "./records.ts";
import { type IsCalled, MergedNames } from "./merged-names.ts";
import { NumberMap } from "./number-map.ts";
import { SparseArray } from "./sparse-array.ts";
import type { Tree } from "./tree.ts";

/** Where one inode of the union really is. */
export interface Entry extends Found, Alias {
  /** A file's origin below, whose number it keeps. */
  readonly origin: Lower | null;
  /** The rest is of what is only below. */
  readonly parent: Inode;
  readonly name: string;
  /** It has no name any more. */
  readonly gone: boolean;
  /** A directory whose lower parts are seen nowhere else: what is in them has its own number. */
  readonly isHome: boolean;
  /** What the names in a directory's several lower parts are in the union, undefined until somebody asks. */
  below: MergedNames | undefined;
}

/** What names in a directory lead to; its owner changes it in place. */
interface Known {
  readonly owner: Owner;
  readonly names: Map<string, Inode>;
}

/** The number in the union of an inode of one of its trees. */
interface Alias {
  readonly inode: Inode;
}

export interface InodesSnapshot {
  readonly entries: SparseArray<Entry>;
  readonly states: NumberMap;
  readonly upperAliases: NumberMap;
  readonly lowerAliases: NumberMap;
  readonly known: SparseArray<Known>;
  readonly others: number;
}

export const rootInode = 1 as Inode;
/** In a list of names below: its number does not tell what it is. */
const unknown = rootInode;
const noParts: readonly Lower[] = [];

export class Inodes {
  readonly upper: Tree;
  readonly #layers: Layers;
  readonly #numbers: Numbers;
  #owner = new Owner();
  #entries = SparseArray.empty<Entry>();
  /** What most want to know of an entry: twice its upper inode, and one more if that and its number are not all there is to it. */
  #states = NumberMap.empty();
  #upperAliases = NumberMap.empty();
  /** By the number that the part would have. */
  #lowerAliases = NumberMap.empty();
  /** By directory: what names below lead to, where that has been looked for. */
  #known = SparseArray.empty<Known>();
  #others = 0;

  constructor(upper: Branch, layers: Layers) {
    this.upper = upper.tree;
    this.#layers = layers;
    this.#numbers = new Numbers(upper.tree, layers.lowers);
    const lowers = layers.lowers.map(({ root }, layer) => ({ layer, inode: root })); // whatever marks a root has: it is always merged
    this.#keep(newEntry(rootInode, rootInode, "", { ...pure(upper.root), lowers }, true));
    this.#nameParts(rootInode, lowers);
  }

  snapshot(): InodesSnapshot {
    this.#owner = new Owner();
    return {
      entries: this.#entries.copy(),
      states: this.#states.copy(),
      upperAliases: this.#upperAliases.copy(),
      lowerAliases: this.#lowerAliases.copy(),
      known: this.#known.copy(),
      others: this.#others,
    };
  }

  restore(snapshot: InodesSnapshot): void {
    this.#owner = new Owner();
    this.#entries = snapshot.entries.copy();
    this.#states = snapshot.states.copy();
    this.#upperAliases = snapshot.upperAliases.copy();
    this.#lowerAliases = snapshot.lowerAliases.copy();
    this.#known = snapshot.known.copy();
    this.#others = snapshot.others;
  }

  // What an inode is

  /** What is shown of it: its topmost part. Throws Errno ENOENT. */
  node(inode: Inode): Node {
    const entry = this.#keptOf(inode);
    if (entry === undefined) return this.#numbers.node(inode);
    return entry.upper === 0 ? this.#lowerNode(entry.lowers[0] as Lower) : this.upper.node(entry.upper);
  }

  peek(inode: Inode): Guarded {
    const upper = this.upperOf(inode);
    if (upper !== 0) return this.upper.peek(upper);
    if (!this.#numbers.isOther(inode)) return this.#numbers.tree(inode).peek(this.#numbers.inode(inode));
    const lower = this.entry(inode).lowers[0] as Lower;
    return this.lower(lower).peek(lower.inode);
  }

  stat(inode: Inode): Stat {
    const upper = this.upperOf(inode);
    if (upper !== 0) return this.upper.statAs(upper, inode);
    if (!this.#numbers.isOther(inode)) return this.#numbers.tree(inode).statAs(this.#numbers.inode(inode), inode);
    const lower = this.entry(inode).lowers[0] as Lower;
    return this.lower(lower).statAs(lower.inode, inode);
  }

  /** The tree and the inode in it that are shown. */
  top(inode: Inode): { tree: Tree; inode: Inode } {
    const { upper, lowers } = this.entry(inode);
    const lower = lowers[0] as Lower;
    return upper === 0 ? { tree: this.lower(lower), inode: lower.inode } : { tree: this.upper, inode: upper };
  }

  /** A file that has its bytes below. */
  isMetacopy(inode: Inode): boolean {
    return this.#odd(inode)?.metacopy === true;
  }

  /** What has a file's bytes: its last part when those above have none. */
  dataNode(inode: Inode): Node {
    const entry = this.#odd(inode);
    return entry?.metacopy === true ? this.#lowerNode(entry.lowers.at(-1) as Lower) : this.node(inode);
  }

  /** Null: it is one inode of one tree and has its name there. */
  kept(inode: Inode): Entry | null {
    return this.#keptOf(inode) ?? null;
  }

  #keptOf(inode: Inode): Entry | undefined {
    return this.#states.get(inode) === 0 ? undefined : this.#entries.get(inode);
  }

  /** The entry of what is more than its number and its upper inode tell. */
  #odd(inode: Inode): Entry | undefined {
    return (this.#states.get(inode) & 1) === 0 ? undefined : this.#entries.get(inode);
  }

  entry(inode: Inode): Entry {
    return this.#keptOf(inode) ?? this.#told(inode);
  }

  /** The inode of the upper tree, 0 when it is only below. */
  upperOf(inode: Inode): Inode | 0 {
    return this.#numbers.upperOf(inode) || ((this.#states.get(inode) >> 1) as Inode | 0);
  }

  /** The directory, if names can still be made in it. Throws Errno ENOTDIR, ENOENT. */
  alive(directory: Inode): Inode {
    if (this.peek(directory).kind !== "directory") throw new Errno("ENOTDIR");
    if (this.isGone(directory)) throw new Errno("ENOENT");
    return directory;
  }

  /** It has no name any more. */
  isGone(inode: Inode): boolean {
    const upper = this.upperOf(inode);
    return upper === 0 ? this.#odd(inode)?.gone === true : this.upper.links(upper) === 0;
  }

  /** The directory that it is in. */
  parent(inode: Inode): Inode {
    const upper = this.upperOf(inode);
    if (inode === rootInode || upper === 0) return this.entry(inode).parent;
    return this.ofUpper(this.upper.node(upper).parent);
  }

  name(inode: Inode): string {
    const upper = this.upperOf(inode);
    return upper === 0 ? this.entry(inode).name : this.upper.node(upper).name;
  }

  lower({ layer }: Lower): Tree {
    return (this.#layers.lowers[layer] as Branch).tree;
  }

  #lowerNode(lower: Lower): Node {
    return this.lower(lower).node(lower.inode);
  }

  /** The directory of each tree that is shown as this one, the topmost first. */
  *partsOf(directory: Inode): Generator<{ tree: Tree; inode: Inode; layer: number | null }> {
    const { upper, lowers } = this.entry(directory);
    if (upper !== 0) yield { tree: this.upper, inode: upper, layer: null };
    for (const lower of lowers) yield { tree: this.lower(lower), ...lower };
  }

  /** The entry of an inode whose number tells what it is. */
  #told(inode: Inode): Entry {
    const upper = this.#numbers.upperOf(inode);
    const { parent, name } = this.#numbers.node(inode);
    if (upper !== 0) return newEntry(inode, this.ofUpper(parent), name, pure(upper), true);
    const lowers = [this.#lowerOf(inode)];
    return newEntry(inode, this.#parentBelow(inode, parent), name, { ...pure(0), lowers }, true);
  }

  #lowerOf(inode: Inode): Lower {
    const [tree, own] = [this.#numbers.tree(inode), this.#numbers.inode(inode)];
    const layers = this.#layers.lowers;
    for (let at = own; ; at = tree.node(at).parent) {
      const layer = layers.findIndex((branch) => branch.tree === tree && branch.root === at);
      if (layer >= 0) return { layer, inode: own };
      if (at === tree.root) throw new Errno("ENOENT");
    }
  }

  #parentBelow(inode: Inode, parent: Inode): Inode {
    const number = this.#numbers.beside(inode, parent) as Inode;
    return (this.#lowerAliases.get(number) as Inode | 0) || number;
  }

  /** The union's number of an inode of the upper tree. */
  ofUpper(upper: Inode): Inode {
    return (this.#upperAliases.get(upper) as Inode | 0) || this.#numbers.ofUpper(upper);
  }

  // What a name leads to

  /** 0 when the directory shows no such name. Throws Errno ENOTDIR, and what `lookUp` throws. */
  find(directory: Inode, name: string): Inode | 0 {
    const upper = this.upperOf(directory);
    if (upper !== 0) {
      const found = this.upper.find(upper, name);
      if (found !== 0) return this.#shown(directory, name, found);
      if (this.#numbers.upperOf(directory) !== 0) return 0;
    }
    const found = this.#known.get(directory)?.names.get(name) ?? this.#findBelow(directory, name);
    return found === 0 || (this.#states.get(directory) !== 0 && this.isGone(directory)) ? 0 : found;
  }

  /** What an inode of the upper layer is in the union: a whiteout is nothing, a directory may have more parts. */
  #shown(directory: Inode, name: string, upper: Inode): Inode | 0 {
    const alias = this.#upperAliases.get(upper) as Inode | 0;
    if (alias !== 0) return alias;
    const isWhole = !this.upper.isDirectory(upper) || !this.#hasLowers(directory);
    if (isWhole && this.upper.isPlain(upper)) return this.#numbers.ofUpper(upper);
    return isWhiteoutDevice(this.upper.node(upper)) ? 0 : this.#search(directory, name);
  }

  /** Of a directory that is in the upper tree. */
  #hasLowers(directory: Inode): boolean {
    if (this.#numbers.upperOf(directory) !== 0) return false;
    const entry = this.#odd(directory);
    return entry === undefined || entry.lowers.length > 0;
  }

  #findBelow(directory: Inode, name: string): Inode | 0 {
    const entry = this.#odd(directory);
    if (entry === undefined) return this.#findInOne(directory, name);
    const number = entry.lowers.length === 1 ? this.#numberIn(entry, name) : this.#below(entry).get(name);
    return number === unknown ? this.#search(directory, name) : number;
  }

  /** In the only part below. */
  #numberIn(entry: Entry, name: string): Inode | 0 {
    const lower = entry.lowers[0] as Lower;
    const tree = this.lower(lower);
    const found = tree.find(lower.inode, name);
    if (found === 0) return 0;
    if (!entry.isHome || !tree.isPlainDirectory(found)) return this.#numberBelow(entry, lower, found);
    const number = this.#numbers.ofLower(lower.layer, found);
    return number === 0 || this.#lowerAliases.get(number) !== 0 ? unknown : number;
  }

  /** Of a number that tells what it is. */
  readonly #isCalled: IsCalled = (inode, name, text) =>
    this.#numbers.tree(inode).isCalled(this.#numbers.inode(inode), name, text);

  #below(entry: Entry): MergedNames {
    return (entry.below ??= this.#merged(entry));
  }

  /** What the names in several lower parts are, as far as their numbers tell. */
  #merged(entry: Entry): MergedNames {
    const names = new Map<string, Inode>();
    for (const lower of entry.lowers)
      this.lower(lower).each(lower.inode, (name, found) => {
        if (!names.has(name)) names.set(name, this.#numberBelow(entry, lower, found));
      });
    return new MergedNames(names, unknown, this.#isCalled);
  }

  #numberBelow({ isHome }: Entry, { layer }: Lower, found: Inode): Inode {
    const { tree } = this.#layers.lowers[layer] as Branch;
    const isItself = isHome && tree.isPlainFile(found);
    return (isItself && this.#numbers.ofLower(layer, found)) || unknown;
  }

  /** In a directory that is one directory of a lower tree. */
  #findInOne(directory: Inode, name: string): Inode | 0 {
    const tree = this.#numbers.tree(directory);
    const inode = this.#numbers.inode(directory);
    const found = tree.find(inode, name);
    if (found === 0) return 0;
    const isOne = tree.isPlainFile(found) || tree.isPlainDirectory(found);
    const number = isOne ? this.#numbers.beside(directory, found) : 0;
    return number === 0 || this.#lowerAliases.get(number) !== 0 ? this.#search(directory, name) : number;
  }

  #search(directory: Inode, name: string): Inode | 0 {
    const found = lookUp(this.#layers, this.parts(directory), name);
    if (found === null) return 0;
    return found.upper === 0
      ? this.#rememberBelow(directory, name, found)
      : this.#rememberUpper(directory, name, found);
  }

  /** A directory's parts, to be searched. */
  parts(directory: Inode): Parts {
    const { upper, lowers } = this.entry(directory);
    return { upper, lowers };
  }

  #rememberUpper(directory: Inode, name: string, found: Found): Inode {
    const upper = found.upper as Inode;
    const inode = found.lowers.length > 0 ? this.#numbers.ofMerged(upper) : this.#numbers.ofUpper(upper);
    if (found.lowers.length > 0) this.#keepFound(inode, directory, name, found);
    else this.#upperAliases.set(this.#owner, upper, inode);
    return inode;
  }

  #rememberBelow(directory: Inode, name: string, found: Found): Inode {
    const own = this.#ownNumber(directory, name, found);
    const inode = own === 0 ? this.#numbers.other(this.#others++) : own;
    if (own === 0 || found.lowers.length > 1) this.#keepFound(inode, directory, name, found);
    this.#remember(directory, name, inode);
    return inode;
  }

  #remember(directory: Inode, name: string, inode: Inode): void {
    const known = this.#known.get(directory);
    if (known?.owner === this.#owner) return void known.names.set(name, inode);
    const names = new Map(known?.names).set(name, inode);
    this.#known.set(this.#owner, directory, { owner: this.#owner, names });
  }

  /** The number of its topmost part, if it has that and the part is here only; else 0. */
  #ownNumber(directory: Inode, name: string, { lowers, metacopy }: Found): Inode | 0 {
    const [first] = lowers as [Lower];
    const { kind, links } = this.#lowerNode(first);
    const isOwn = kind === "directory" || (links === 1 && !metacopy);
    return isOwn && this.#isHome(directory, name, lowers) ? this.#numbers.ofLower(first.layer, first.inode) : 0;
  }

  /** Whether the parts are in those of the directory above, and nowhere else. */
  #isHome(directory: Inode, name: string, lowers: readonly Lower[]): boolean {
    const above = this.entry(directory);
    return above.isHome && lowers.every((lower) => this.#isHere(above, name, lower));
  }

  #isHere(above: Entry, name: string, { layer, inode }: Lower): boolean {
    const node = this.#lowerNode({ layer, inode });
    const number = this.#numbers.ofLower(layer, inode);
    const isTaken = number === 0 || this.#lowerAliases.get(number) !== 0;
    const isIn = (part: Lower): boolean => part.layer === layer && part.inode === node.parent;
    return !isTaken && node.name === name && above.lowers.some(isIn);
  }

  #keepFound(inode: Inode, directory: Inode, name: string, found: Found): void {
    const isHome = this.#kindOf(found) === "directory" && this.#isHome(directory, name, found.lowers);
    this.#keep(newEntry(inode, directory, name, found, isHome));
    if (isHome) this.#nameParts(inode, found.lowers);
  }

  #kindOf({ upper, lowers }: Found): Node["kind"] {
    return upper === 0 ? this.#lowerNode(lowers[0] as Lower).kind : this.upper.node(upper).kind;
  }

  #keep(entry: Entry): void {
    this.#entries.set(this.#owner, entry.inode, entry);
    this.#states.set(this.#owner, entry.inode, 2 * entry.upper + (this.#isOdd(entry) ? 1 : 0));
    if (entry.upper !== 0) this.#upperAliases.set(this.#owner, entry.upper, entry.inode);
  }

  /** It is neither a file in the upper tree, nor a directory whose only lower part has its number and is seen here only. */
  #isOdd({ inode, upper, lowers, metacopy, gone, isHome }: Entry): boolean {
    const [lower] = lowers;
    if (gone || metacopy || inode === rootInode) return true;
    if (lower === undefined) return upper === 0 || this.upper.isDirectory(upper);
    const isOwn = lowers.length === 1 && this.#numbers.ofLower(lower.layer, lower.inode) === inode;
    return !(isHome && isOwn && this.lower(lower).isDirectory(lower.inode));
  }

  #nameParts(inode: Inode, lowers: readonly Lower[]): void {
    for (const { layer, inode: part } of lowers) {
      const number = this.#numbers.ofLower(layer, part);
      if (number !== 0) this.#lowerAliases.set(this.#owner, number, inode);
    }
  }

  /** Whether the name would show from below if the upper tree did not have it. */
  isBelow(directory: Inode, name: string): boolean {
    if (this.#numbers.upperOf(directory) !== 0) return false;
    const entry = this.#odd(directory);
    if (entry === undefined)
      return this.#isIn(this.#numbers.tree(directory), this.#numbers.inode(directory), name) ?? false;
    if (entry.below?.get(name) === 0) return false;
    for (const lower of entry.lowers) {
      const isIn = this.#isIn(this.lower(lower), lower.inode, name);
      if (isIn !== null) return isIn;
    }
    return false;
  }

  /** Whether a directory shows a name; null: it has none like it. */
  #isIn(tree: Tree, directory: Inode, name: string): boolean | null {
    const found = tree.find(directory, name);
    return found === 0 ? null : !isWhiteout(tree.node(found), this.#layers.prefix);
  }

  // Changing

  /** Says something else of an inode: it was copied up, marked, or lost its name. */
  change(entry: Entry, change: Partial<Entry>): void {
    this.#keep({ ...entry, ...change });
  }

  /** It has lost a name: if that is all it had, it is gone. What is in the upper tree counts its names there. */
  lose(inode: Inode): void {
    if (this.upperOf(inode) === 0) this.change(this.entry(inode), { gone: true });
  }

  /** An inode without a name of which nobody knows any more. */
  forget(inode: Inode): void {
    const upper = this.upperOf(inode);
    const isLost = upper === 0 ? this.isGone(inode) : this.upper.has(upper) && this.upper.links(upper) === 0;
    if (!isLost) return;
    if (upper !== 0) {
      this.upper.forget(upper);
      this.#upperAliases.set(this.#owner, upper, 0);
    }
    if (this.#keptOf(inode) === undefined) return;
    this.#entries.set(this.#owner, inode, undefined);
    this.#states.set(this.#owner, inode, 0);
    this.#known.set(this.#owner, inode, undefined);
  }
}

/** One inode of the upper tree. */
function pure(upper: Inode | 0): Found {
  return { upper, lowers: noParts, metacopy: false, redirect: null };
}

function newEntry(inode: Inode, parent: Inode, name: string, found: Found, isHome: boolean): Entry {
  const { upper, lowers, metacopy, redirect } = found;
  const place = { parent, name, gone: false, isHome };
  return { inode, upper, lowers, metacopy, redirect, origin: null, ...place, below: undefined };
}

/** Whether it shows more than one part. */
export function isMerge(entry: Entry | null): boolean {
  if (entry === null || entry.metacopy) return false;
  return entry.upper === 0 ? entry.lowers.length > 1 : entry.lowers.length > 0;
}
