/**
 * The names of a directory: a map from name to inode number. A trie over 28 bits of the name's hash,
 * 16 ways at each branch, whose leaves are hash tables of up to 192 names with open addressing. Its
 * owner changes it in place; anybody else copies the leaf and what is above it first (owner.ts).
 *
 * More than `namesMax` names with one and the same hash are refused with ENOSPC, as ext4's hashed
 * directories do: honest names never come near, and made-up ones cannot make us slow.
 *
 * Invariant: from the place where a name's hash points to the place where the name is, no place of
 * its leaf is empty.
 */
import { Errno } from "../base/errno.ts";
import type { DirectoryEntry } from "./file-system.ts";
import { nobody, type Owner } from "./owner.ts";

const bits = 4;
const ways = 1 << bits;
const hashBits = 28;
const namesMax = 192;
const placesMin = 4;
const placesMax = 256;
/** A leaf's places go by bits that branches come to last. */
const placeShift = hashBits - 8;

/**
 * `count` of the places are taken; `mask` is how many there are, less one. Of each place: the name's
 * hash or `free`, the inode, the name, which is looked at only where the hash is its. It is one array
 * because what takes time is waiting for memory: the fewer objects are touched, the better.
 */
type Leaf = [owner: Owner, count: number, mask: number, ...places: (number | string)[]];

const first = 3;
const width = 3;
const free = -1;
const noLeaf: Leaf = [nobody, 0, 0, free, 0, ""];

class Branch {
  readonly owner: Owner;
  readonly children: Trie[];

  constructor(owner: Owner, children: Trie[]) {
    this.owner = owner;
    this.children = children;
  }
}

type Trie = Leaf | Branch;

function isBranch(trie: Trie): trie is Branch {
  return !Array.isArray(trie);
}

/** By the number of places; to be copied: so V8 makes arrays without holes, of just that size. */
const freeLeaves = new Map<number, Leaf>();
for (let places = placesMin; places <= placesMax; places *= 2) {
  const leaf: Leaf = [nobody, 0, places - 1];
  for (let place = 0; place < places; place++) leaf.push(free, 0, "");
  freeLeaves.set(places, leaf);
}

export class NameMap {
  readonly owner: Owner;
  size: number;
  trie: Trie;
  /** Kept by who has sorted them, until a name comes or goes. */
  listed: readonly DirectoryEntry[] | null = null;

  constructor(owner: Owner, size: number, trie: Trie) {
    this.owner = owner;
    this.size = size;
    this.trie = trie;
  }
}

export const noNames: NameMap = new NameMap(nobody, 0, noLeaf);

/** The name that was asked for last: one operation asks several times. */
let lastName = "";
let lastHash = hash("");

function hashOf(name: string): number {
  if (name !== lastName) {
    lastHash = hash(name);
    lastName = name;
  }
  return lastHash;
}

function hash(name: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) sum = Math.imul(sum ^ name.charCodeAt(at), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d);
  return (sum ^ (sum >>> 13)) >>> (32 - hashBits);
}

/** The inode a name stands for, 0 when there is none. */
export function getName(map: NameMap, name: string): number {
  const hashed = hashOf(name);
  let node = map.trie;
  for (let shift = 0; isBranch(node); shift += bits) node = childOf(node, hashed >>> shift);
  return node[placeOf(node, hashed, name) + 1] as number;
}

/** The map in which `name` stands for `inode`, which is never 0: this one, changed, if it is the owner's. Throws Errno ENOSPC. */
export function setName(map: NameMap, owner: Owner, name: string, inode: number): NameMap {
  const own = ownMap(map, owner);
  own.trie = put(own, own.trie, 0, hashOf(name), name, inode);
  return own;
}

/** The map without `name`, which is in it. */
export function removeName(map: NameMap, owner: Owner, name: string): NameMap {
  if (map.size === 1) return noNames;
  const own = ownMap(map, owner);
  own.trie = remove(own.trie, owner, 0, hashOf(name), name);
  own.size--;
  return own;
}

/** Each name with its inode, in no particular order. */
export function eachName({ trie }: NameMap, visit: (name: string, inode: number) => void): void {
  eachNameOf(trie, visit);
}

/** The names that stand for something else in the one than in the other; what both share is passed over. */
export function eachDifference(
  mine: NameMap,
  others: NameMap,
  visit: (name: string, mine: number, others: number) => void,
): void {
  compare(mine.trie, others.trie, 0, visit);
}

function ownMap(map: NameMap, owner: Owner): NameMap {
  if (map.owner !== owner) return new NameMap(owner, map.size, map.trie);
  map.listed = null;
  return map;
}

function childOf(branch: Branch, hashed: number): Trie {
  return branch.children[hashed & (ways - 1)] as Trie;
}

/** Where in the leaf the place of a name begins, or the free place where it would be. */
function placeOf(leaf: Leaf, hashed: number, name: string): number {
  const mask = leaf[2];
  for (let place = (hashed >>> placeShift) & mask; ; place = (place + 1) & mask) {
    const at = first + width * place;
    const there = leaf[at];
    if (there === free || (there === hashed && leaf[at + 2] === name)) return at;
  }
}

function put(map: NameMap, trie: Trie, shift: number, hashed: number, name: string, inode: number): Trie {
  if (!isBranch(trie)) return putInLeaf(map, trie, shift, hashed, name, inode);
  const own = trie.owner === map.owner ? trie : new Branch(map.owner, trie.children.slice());
  const way = (hashed >>> shift) & (ways - 1);
  own.children[way] = put(map, own.children[way] as Trie, shift + bits, hashed, name, inode);
  return own;
}

function putInLeaf(map: NameMap, leaf: Leaf, shift: number, hashed: number, name: string, inode: number): Trie {
  const at = placeOf(leaf, hashed, name);
  const isNew = leaf[at] === free;
  if (isNew && leaf[1] === namesMax) {
    if (shift >= hashBits) throw new Errno("ENOSPC", name);
    return put(map, split(leaf, map.owner, shift), shift, hashed, name, inode);
  }
  if (isNew) map.size++;
  if (isNew && (leaf[1] + 1) * 4 > (leaf[2] + 1) * 3) return grownWith(leaf, map.owner, hashed, name, inode);
  const own = leaf[0] === map.owner ? leaf : copyOf(leaf, map.owner);
  if (isNew) own[1]++;
  fill(own, at, hashed, inode, name);
  return own;
}

function fill(leaf: Leaf, at: number, hashed: number, inode: number, name: string): void {
  leaf[at] = hashed;
  leaf[at + 1] = inode;
  leaf[at + 2] = name;
}

function copyOf(leaf: Leaf, owner: Owner): Leaf {
  const copy = leaf.slice() as Leaf;
  copy[0] = owner;
  return copy;
}

function grownWith(leaf: Leaf, owner: Owner, hashed: number, name: string, inode: number): Leaf {
  const larger = copyOf(freeLeaves.get(Math.max(placesMin, 2 * (leaf[2] + 1))) as Leaf, owner);
  eachPlace(leaf, (each, its, called) => fill(larger, placeOf(larger, each, called), each, its, called));
  fill(larger, placeOf(larger, hashed, name), hashed, inode, name);
  larger[1] = leaf[1] + 1;
  return larger;
}

function split(leaf: Leaf, owner: Owner, shift: number): Branch {
  const children: Trie[] = Array.from({ length: ways }, () => noLeaf);
  const map = new NameMap(owner, 0, noLeaf);
  eachPlace(leaf, (hashed, inode, name) => {
    const way = (hashed >>> shift) & (ways - 1);
    children[way] = put(map, children[way] as Trie, shift + bits, hashed, name, inode);
  });
  return new Branch(owner, children);
}

/** Each place that is taken. */
function eachPlace(leaf: Leaf, visit: (hashed: number, inode: number, name: string) => void): void {
  for (let at = first; at < leaf.length; at += width)
    if (leaf[at] !== free) visit(leaf[at] as number, leaf[at + 1] as number, leaf[at + 2] as string);
}

/** A branch whose last name goes becomes an empty leaf; half-full branches are left as they are. */
function remove(trie: Trie, owner: Owner, shift: number, hashed: number, name: string): Trie {
  if (!isBranch(trie)) return removeFromLeaf(trie, owner, hashed, name);
  const own = trie.owner === owner ? trie : new Branch(owner, trie.children.slice());
  const way = (hashed >>> shift) & (ways - 1);
  const child = remove(own.children[way] as Trie, owner, shift + bits, hashed, name);
  own.children[way] = child;
  return child === noLeaf && own.children.every((each) => each === noLeaf) ? noLeaf : own;
}

function removeFromLeaf(leaf: Leaf, owner: Owner, hashed: number, name: string): Leaf {
  if (leaf[1] === 1) return noLeaf;
  const own = leaf[0] === owner ? leaf : copyOf(leaf, owner);
  own[1]--;
  closeGap(own, placeOf(own, hashed, name));
  return own;
}

/** Moves up what stands behind a place that becomes free, as far as the invariant asks for it. */
function closeGap(leaf: Leaf, from: number): void {
  const mask = leaf[2];
  let gap = (from - first) / width;
  for (let place = (gap + 1) & mask; leaf[first + width * place] !== free; place = (place + 1) & mask) {
    const at = first + width * place;
    const hashed = leaf[at] as number;
    const home = (hashed >>> placeShift) & mask;
    if (((place - home) & mask) < ((place - gap) & mask)) continue;
    fill(leaf, first + width * gap, hashed, leaf[at + 1] as number, leaf[at + 2] as string);
    gap = place;
  }
  fill(leaf, first + width * gap, free, 0, "");
}

function eachNameOf(trie: Trie, visit: (name: string, inode: number) => void): void {
  if (isBranch(trie)) for (const child of trie.children) eachNameOf(child, visit);
  else eachPlace(trie, (_, inode, name) => visit(name, inode));
}

function compare(
  mine: Trie,
  others: Trie,
  shift: number,
  visit: (name: string, mine: number, others: number) => void,
): void {
  if (mine === others) return;
  if (!isBranch(mine) && !isBranch(others)) return compareLeaves(mine, others, visit);
  const a = isBranch(mine) ? mine : split(mine, nobody, shift);
  const b = isBranch(others) ? others : split(others, nobody, shift);
  for (let way = 0; way < ways; way++) compare(childOf(a, way), childOf(b, way), shift + bits, visit);
}

function compareLeaves(mine: Leaf, others: Leaf, visit: (name: string, mine: number, others: number) => void): void {
  eachNameOf(mine, (name, inode) => {
    const other = inodeIn(others, name);
    if (other !== inode) visit(name, inode, other);
  });
  eachNameOf(others, (name, inode) => {
    if (inodeIn(mine, name) === 0) visit(name, 0, inode);
  });
}

function inodeIn(leaf: Leaf, name: string): number {
  return leaf[placeOf(leaf, hash(name), name) + 1] as number;
}
