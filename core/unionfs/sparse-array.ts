/**
 * A persistent array with holes: a tree of nodes with 128 places each, as deep as its highest index
 * asks for. Reading and writing cost a step per level (three reach two million). A copy costs nothing
 * and shares every node; what is not one's own is copied on the way to a change (owner.ts).
 *
 * Invariant: a place at index i of a tree of depth d is in the child (i >> 7d) & 127.
 */
import { nobody, type Owner } from "./owner.ts";

const bits = 7;
const fanOut = 1 << bits;
const mask = fanOut - 1;
/** Where a node's places begin. */
const first = 2;

/** `taken` counts the places that are: an empty node is let go. One array, so that a step touches one object. */
type Inner<T> = [owner: Owner, taken: number, ...places: (Inner<T> | T | undefined)[]];

export class SparseArray<T extends object> {
  #root: Inner<T>;
  #depth: number;

  private constructor(root: Inner<T>, depth: number) {
    this.#root = root;
    this.#depth = depth;
  }

  static empty<T extends object>(): SparseArray<T> {
    return new SparseArray<T>([nobody, 0], 0);
  }

  /** Costs nothing; changes of the one are not seen in the other as long as each has its own owner. */
  copy(): SparseArray<T> {
    return new SparseArray(this.#root, this.#depth);
  }

  get(index: number): T | undefined {
    let shift = this.#depth * bits;
    if ((index >>> bits) >>> shift !== 0) return undefined;
    let node = this.#root;
    for (; shift > 0; shift -= bits) {
      const next = node[first + ((index >>> shift) & mask)];
      if (next === undefined) return undefined;
      node = next as Inner<T>;
    }
    return node[first + (index & mask)] as T | undefined;
  }

  /** `undefined` makes a hole. */
  set(owner: Owner, index: number, value: T | undefined): void {
    if (value === undefined && this.get(index) === undefined) return;
    while ((index >>> bits) >>> (this.#depth * bits) !== 0) this.#grow(owner);
    this.#root = put(this.#root, owner, this.#depth * bits, index, value);
  }

  /** Places that are taken, in order, from index `from` on. */
  *entries(from = 0): Generator<[index: number, value: T], void, undefined> {
    yield* entriesOf(this.#root, this.#depth * bits, 0, from);
  }

  #grow(owner: Owner): void {
    this.#root = [owner, 1, this.#root];
    this.#depth++;
  }
}

function put<T extends object>(
  node: Inner<T>,
  owner: Owner,
  shift: number,
  index: number,
  value: T | undefined,
): Inner<T> {
  const own = node[0] === owner ? node : copyFor(owner, node);
  const place = first + ((index >>> shift) & mask);
  const before = own[place];
  const after = shift === 0 ? value : putBelow(before as Inner<T> | undefined, owner, shift - bits, index, value);
  if (after === before) return own;
  while (own.length < place) own.push(undefined); // keeps V8's array packed
  own[place] = after;
  own[1] += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  return own;
}

function copyFor<T>(owner: Owner, node: Inner<T>): Inner<T> {
  const copy = node.slice() as Inner<T>;
  copy[0] = owner;
  return copy;
}

function putBelow<T extends object>(
  child: Inner<T> | undefined,
  owner: Owner,
  shift: number,
  index: number,
  value: T | undefined,
): Inner<T> | undefined {
  if (child === undefined && value === undefined) return undefined;
  const changed = put(child ?? [owner, 0], owner, shift, index, value);
  return changed[1] === 0 ? undefined : changed;
}

function* entriesOf<T extends object>(
  node: Inner<T>,
  shift: number,
  base: number,
  from: number,
): Generator<[number, T], void, undefined> {
  for (let place = 0; first + place < node.length; place++) {
    const slot = node[first + place];
    const index = base + place * 2 ** shift;
    if (slot === undefined || index + 2 ** shift <= from) continue;
    if (shift === 0) yield [index, slot as T];
    else yield* entriesOf(slot as Inner<T>, shift - bits, index, from);
  }
}
