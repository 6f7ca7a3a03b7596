/**
 * A persistent array with holes: a tree of nodes with 64 places each, as deep as its highest index
 * asks for. Reading and writing cost a step per level (three reach 16 million). A copy costs nothing
 * and shares every node; what is not one's own is copied on the way to a change (owner.ts).
 *
 * Invariant: a place at index i of a tree of depth d is in the child (i >> 6d) & 63.
 */
import { nobody, type Owner } from "./owner.ts";

const bits = 6;
const fanOut = 1 << bits;
const mask = fanOut - 1;

interface Inner<T> {
  readonly owner: Owner;
  readonly slots: (Inner<T> | T | undefined)[];
  /** How many places are taken: an empty node is let go. */
  count: number;
}

export class SparseArray<T extends object> {
  #root: Inner<T>;
  #depth: number;

  private constructor(root: Inner<T>, depth: number) {
    this.#root = root;
    this.#depth = depth;
  }

  static empty<T extends object>(): SparseArray<T> {
    return new SparseArray<T>({ owner: nobody, slots: [], count: 0 }, 0);
  }

  /** Costs nothing; changes of the one are not seen in the other as long as each has its own owner. */
  copy(): SparseArray<T> {
    return new SparseArray(this.#root, this.#depth);
  }

  get(index: number): T | undefined {
    const depth = this.#depth;
    if ((index >>> bits) >>> (depth * bits) !== 0) return undefined;
    let node = this.#root;
    for (let shift = depth * bits; shift > 0; shift -= bits) {
      const next = node.slots[(index >>> shift) & mask];
      if (next === undefined) return undefined;
      node = next as Inner<T>;
    }
    return node.slots[index & mask] as T | undefined;
  }

  /** `undefined` makes a hole. */
  set(owner: Owner, index: number, value: T | undefined): void {
    while ((index >>> bits) >>> (this.#depth * bits) !== 0) this.#grow(owner);
    this.#root = put(this.#root, owner, this.#depth * bits, index, value);
  }

  /** Places that are taken, in order, from index `from` on. */
  *entries(from = 0): Generator<[index: number, value: T], void, undefined> {
    yield* entriesOf(this.#root, this.#depth * bits, 0, from);
  }

  /** The places in which two arrays differ; nodes they share are passed over, so it costs what has changed. */
  *differences(
    other: SparseArray<T>,
  ): Generator<[index: number, mine: T | undefined, others: T | undefined], void, undefined> {
    const depth = Math.max(this.#depth, other.#depth);
    yield* differencesOf(
      raised(this.#root, this.#depth, depth),
      raised(other.#root, other.#depth, depth),
      depth * bits,
      0,
    );
  }

  #grow(owner: Owner): void {
    this.#root = { owner, slots: [this.#root], count: 1 };
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
  const own = node.owner === owner ? node : { owner, slots: node.slots.slice(), count: node.count };
  const place = (index >>> shift) & mask;
  const before = own.slots[place];
  const after = shift === 0 ? value : putBelow(before as Inner<T> | undefined, owner, shift - bits, index, value);
  if (after === before) return own;
  while (own.slots.length < place) own.slots.push(undefined); // keeps V8's array packed
  own.slots[place] = after;
  own.count += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  return own;
}

function putBelow<T extends object>(
  child: Inner<T> | undefined,
  owner: Owner,
  shift: number,
  index: number,
  value: T | undefined,
): Inner<T> | undefined {
  if (child === undefined && value === undefined) return undefined;
  const changed = put(child ?? { owner, slots: [], count: 0 }, owner, shift, index, value);
  return changed.count === 0 ? undefined : changed;
}

function raised<T>(root: Inner<T>, from: number, to: number): Inner<T> {
  return from === to ? root : raised({ owner: nobody, slots: [root], count: 1 }, from + 1, to);
}

function* entriesOf<T extends object>(
  node: Inner<T>,
  shift: number,
  base: number,
  from: number,
): Generator<[number, T], void, undefined> {
  for (let place = 0; place < node.slots.length; place++) {
    const slot = node.slots[place];
    const index = base + place * 2 ** shift;
    if (slot === undefined || index + 2 ** shift <= from) continue;
    if (shift === 0) yield [index, slot as T];
    else yield* entriesOf(slot as Inner<T>, shift - bits, index, from);
  }
}

function* differencesOf<T extends object>(
  mine: Inner<T> | undefined,
  others: Inner<T> | undefined,
  shift: number,
  base: number,
): Generator<[number, T | undefined, T | undefined], void, undefined> {
  if (mine === others) return;
  const length = Math.max(mine?.slots.length ?? 0, others?.slots.length ?? 0);
  for (let place = 0; place < length; place++) {
    const a = mine?.slots[place];
    const b = others?.slots[place];
    if (a === b) continue;
    const index = base + place * 2 ** shift;
    if (shift === 0) yield [index, a as T | undefined, b as T | undefined];
    else yield* differencesOf(a as Inner<T> | undefined, b as Inner<T> | undefined, shift - bits, index);
  }
}
