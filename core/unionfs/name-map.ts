/**
 * The names of a directory: a persistent map from name to inode number. A trie over 28 bits of the
 * name's hash, 16 ways at each branch; its leaves are flat arrays [hash, name, inode, …] of at most
 * 16 names, replaced as a whole by a change. Branches are changed in place by their owner only.
 *
 * More than `collisionsMax` names with one and the same hash are refused with ENOSPC, as ext4's
 * hashed directories do: honest names never come near, and made-up ones cannot make us slow.
 */
import { Errno } from "../base/errno.ts";
import { nobody, type Owner } from "./owner.ts";

type Leaf = readonly (number | string)[];

interface Branch {
  readonly owner: Owner;
  readonly children: Trie[];
}

type Trie = Leaf | Branch;

/** A map as a value: keep it and it is a snapshot. */
export interface NameMap {
  readonly size: number;
  readonly trie: Trie;
}

const bits = 4;
const ways = 1 << bits;
const hashBits = 28;
const leafMax = 16 * 3;
const collisionsMax = 64 * 3;
const emptyLeaf: Leaf = [];

export const noNames: NameMap = { size: 0, trie: emptyLeaf };

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
export function getName({ trie }: NameMap, name: string): number {
  const hashed = hashOf(name);
  let node = trie;
  for (let shift = 0; isBranch(node); shift += bits) node = node.children[(hashed >>> shift) & (ways - 1)] ?? emptyLeaf;
  const at = placeIn(node, hashed, name);
  return at < 0 ? 0 : (node[at + 2] as number);
}

/** The map in which `name` stands for `inode`, which is never 0. Throws Errno ENOSPC. */
export function setName(map: NameMap, owner: Owner, name: string, inode: number): NameMap {
  const known = getName(map, name);
  if (known === inode) return map;
  return { size: map.size + (known === 0 ? 1 : 0), trie: put(map.trie, owner, 0, hashOf(name), name, inode) };
}

export function removeName(map: NameMap, owner: Owner, name: string): NameMap {
  if (getName(map, name) === 0) return map;
  if (map.size === 1) return noNames;
  return { size: map.size - 1, trie: remove(map.trie, owner, 0, hashOf(name), name) };
}

/** Each name with its inode, in no particular order. */
export function eachName({ trie }: NameMap, visit: (name: string, inode: number) => void): void {
  if (isBranch(trie)) for (const child of trie.children) eachName({ size: 0, trie: child }, visit);
  else for (let at = 0; at < trie.length; at += 3) visit(trie[at + 1] as string, trie[at + 2] as number);
}

/** The names that stand for something else in the one than in the other; what both share is passed over. */
export function eachDifference(
  mine: NameMap,
  others: NameMap,
  visit: (name: string, mine: number, others: number) => void,
): void {
  compare(mine.trie, others.trie, 0, visit);
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
  for (let way = 0; way < ways; way++)
    compare(a.children[way] ?? emptyLeaf, b.children[way] ?? emptyLeaf, shift + bits, visit);
}

function compareLeaves(mine: Leaf, others: Leaf, visit: (name: string, mine: number, others: number) => void): void {
  for (let at = 0; at < mine.length; at += 3) {
    const name = mine[at + 1] as string;
    const place = placeIn(others, mine[at] as number, name);
    const other = place < 0 ? 0 : (others[place + 2] as number);
    if (other !== mine[at + 2]) visit(name, mine[at + 2] as number, other);
  }
  for (let at = 0; at < others.length; at += 3) {
    const name = others[at + 1] as string;
    if (placeIn(mine, others[at] as number, name) < 0) visit(name, 0, others[at + 2] as number);
  }
}

function isBranch(trie: Trie): trie is Branch {
  return !Array.isArray(trie);
}

function placeIn(leaf: Leaf, hash: number, name: string): number {
  for (let at = 0; at < leaf.length; at += 3) if (leaf[at] === hash && leaf[at + 1] === name) return at;
  return -1;
}

function put(trie: Trie, owner: Owner, shift: number, hash: number, name: string, inode: number): Trie {
  if (isBranch(trie)) {
    const own = trie.owner === owner ? trie : { owner, children: trie.children.slice() };
    const way = (hash >>> shift) & (ways - 1);
    own.children[way] = put(own.children[way] ?? emptyLeaf, owner, shift + bits, hash, name, inode);
    return own;
  }
  const at = placeIn(trie, hash, name);
  if (at >= 0) return trie.with(at + 2, inode);
  if (trie.length < leafMax) return trie.concat([hash, name, inode]);
  if (shift < hashBits) return put(split(trie, owner, shift), owner, shift, hash, name, inode);
  if (trie.length >= collisionsMax) throw new Errno("ENOSPC", name);
  return trie.concat([hash, name, inode]);
}

function split(leaf: Leaf, owner: Owner, shift: number): Branch {
  const children: (number | string)[][] = Array.from({ length: ways }, () => []);
  for (let at = 0; at < leaf.length; at += 3)
    children[((leaf[at] as number) >>> shift) & (ways - 1)]?.push(
      leaf[at] as number,
      leaf[at + 1] as string,
      leaf[at + 2] as number,
    );
  return { owner, children: children.map((child) => (child.length === 0 ? emptyLeaf : child.slice())) };
}

/** A branch whose last name goes becomes an empty leaf; half-full branches are left as they are. */
function remove(trie: Trie, owner: Owner, shift: number, hash: number, name: string): Trie {
  if (!isBranch(trie)) {
    const at = placeIn(trie, hash, name);
    return trie.slice(0, at).concat(trie.slice(at + 3));
  }
  const own = trie.owner === owner ? trie : { owner, children: trie.children.slice() };
  const way = (hash >>> shift) & (ways - 1);
  const child = remove(own.children[way] ?? emptyLeaf, owner, shift + bits, hash, name);
  own.children[way] = child;
  return isEmpty(child) && own.children.every(isEmpty) ? emptyLeaf : own;
}

function isEmpty(trie: Trie): boolean {
  return !isBranch(trie) && trie.length === 0;
}
