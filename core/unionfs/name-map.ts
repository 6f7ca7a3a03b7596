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

/** A name is looked at only in a place whose hash is the name's: the fewer objects are touched, the fewer are waited for. */
class Leaf {
  readonly owner: Owner;
  /** Of each place the hash, or `free`, and the inode. */
  slots: number[];
  names: string[];
  count: number;

  constructor(owner: Owner, slots: number[], names: string[], count: number) {
    this.owner = owner;
    this.slots = slots;
    this.names = names;
    this.count = count;
  }
}

class Branch {
  readonly owner: Owner;
  readonly children: Trie[];

  constructor(owner: Owner, children: Trie[]) {
    this.owner = owner;
    this.children = children;
  }
}

type Trie = Leaf | Branch;

const free = -1;
const noLeaf = new Leaf(nobody, [free, 0], [""], 0);

/** To be sliced: so V8 makes arrays without holes, of just that size. */
const freeSlots: number[] = [];
const freeNames: string[] = [];
for (let place = 0; place < placesMax; place++) {
  freeSlots.push(free, 0);
  freeNames.push("");
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
  for (let shift = 0; node instanceof Branch; shift += bits) node = childOf(node, hashed >>> shift);
  return node.slots[2 * placeOf(node, hashed, name) + 1] as number;
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

/** Where a name is, or the free place where it would be. */
function placeOf({ slots, names }: Leaf, hashed: number, name: string): number {
  const mask = names.length - 1;
  for (let place = (hashed >>> placeShift) & mask; ; place = (place + 1) & mask) {
    const there = slots[2 * place];
    if (there === free || (there === hashed && names[place] === name)) return place;
  }
}

function put(map: NameMap, trie: Trie, shift: number, hashed: number, name: string, inode: number): Trie {
  if (trie instanceof Leaf) return putInLeaf(map, trie, shift, hashed, name, inode);
  const own = trie.owner === map.owner ? trie : new Branch(map.owner, trie.children.slice());
  const way = (hashed >>> shift) & (ways - 1);
  own.children[way] = put(map, own.children[way] as Trie, shift + bits, hashed, name, inode);
  return own;
}

function putInLeaf(map: NameMap, leaf: Leaf, shift: number, hashed: number, name: string, inode: number): Trie {
  const place = placeOf(leaf, hashed, name);
  const isNew = leaf.slots[2 * place] === free;
  if (isNew && leaf.count === namesMax) {
    if (shift >= hashBits) throw new Errno("ENOSPC", name);
    return put(map, split(leaf, map.owner, shift), shift, hashed, name, inode);
  }
  const own = leaf.owner === map.owner ? leaf : copyOf(leaf, map.owner);
  if (!isNew) {
    own.slots[2 * place + 1] = inode;
    return own;
  }
  map.size++;
  own.count++;
  if (own.count * 4 <= own.names.length * 3) fillPlace(own, place, hashed, name, inode);
  else growWith(own, hashed, name, inode);
  return own;
}

function fillPlace(leaf: Leaf, place: number, hashed: number, name: string, inode: number): void {
  leaf.slots[2 * place] = hashed;
  leaf.slots[2 * place + 1] = inode;
  leaf.names[place] = name;
}

function copyOf({ slots, names, count }: Leaf, owner: Owner): Leaf {
  return new Leaf(owner, slots.slice(), names.slice(), count);
}

function growWith(leaf: Leaf, hashed: number, name: string, inode: number): void {
  const { slots, names } = leaf;
  const places = Math.max(placesMin, names.length * 2);
  leaf.slots = freeSlots.slice(0, 2 * places);
  leaf.names = freeNames.slice(0, places);
  eachPlace(slots, (place, each, its) => enter(leaf, each, names[place] as string, its));
  enter(leaf, hashed, name, inode);
}

function enter(leaf: Leaf, hashed: number, name: string, inode: number): void {
  fillPlace(leaf, placeOf(leaf, hashed, name), hashed, name, inode);
}

function split({ slots, names }: Leaf, owner: Owner, shift: number): Branch {
  const children: Trie[] = Array.from({ length: ways }, () => noLeaf);
  const map = new NameMap(owner, 0, noLeaf);
  eachPlace(slots, (place, hashed, inode) => {
    const way = (hashed >>> shift) & (ways - 1);
    children[way] = put(map, children[way] as Trie, shift + bits, hashed, names[place] as string, inode);
  });
  return new Branch(owner, children);
}

/** Each place that is taken. */
function eachPlace(slots: readonly number[], visit: (place: number, hashed: number, inode: number) => void): void {
  for (let at = 0; at < slots.length; at += 2)
    if (slots[at] !== free) visit(at >>> 1, slots[at] as number, slots[at + 1] as number);
}

/** A branch whose last name goes becomes an empty leaf; half-full branches are left as they are. */
function remove(trie: Trie, owner: Owner, shift: number, hashed: number, name: string): Trie {
  if (trie instanceof Leaf) return removeFromLeaf(trie, owner, hashed, name);
  const own = trie.owner === owner ? trie : new Branch(owner, trie.children.slice());
  const way = (hashed >>> shift) & (ways - 1);
  const child = remove(own.children[way] as Trie, owner, shift + bits, hashed, name);
  own.children[way] = child;
  return child === noLeaf && own.children.every((each) => each === noLeaf) ? noLeaf : own;
}

function removeFromLeaf(leaf: Leaf, owner: Owner, hashed: number, name: string): Leaf {
  if (leaf.count === 1) return noLeaf;
  const own = leaf.owner === owner ? leaf : copyOf(leaf, owner);
  own.count--;
  closeGap(own, placeOf(own, hashed, name));
  return own;
}

/** Moves up what stands behind a place that becomes free, as far as the invariant asks for it. */
function closeGap(leaf: Leaf, from: number): void {
  const { slots, names } = leaf;
  const mask = names.length - 1;
  let gap = from;
  for (let place = (gap + 1) & mask; slots[2 * place] !== free; place = (place + 1) & mask) {
    const hashed = slots[2 * place] as number;
    const home = (hashed >>> placeShift) & mask;
    if (((place - home) & mask) < ((place - gap) & mask)) continue;
    fillPlace(leaf, gap, hashed, names[place] as string, slots[2 * place + 1] as number);
    gap = place;
  }
  fillPlace(leaf, gap, free, "", 0);
}

function eachNameOf(trie: Trie, visit: (name: string, inode: number) => void): void {
  if (trie instanceof Branch) for (const child of trie.children) eachNameOf(child, visit);
  else eachPlace(trie.slots, (place, _, inode) => visit(trie.names[place] as string, inode));
}

function compare(
  mine: Trie,
  others: Trie,
  shift: number,
  visit: (name: string, mine: number, others: number) => void,
): void {
  if (mine === others) return;
  if (mine instanceof Leaf && others instanceof Leaf) return compareLeaves(mine, others, visit);
  const a = mine instanceof Branch ? mine : split(mine, nobody, shift);
  const b = others instanceof Branch ? others : split(others, nobody, shift);
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
  return leaf.slots[2 * placeOf(leaf, hash(name), name) + 1] as number;
}
