/** A directory's names are what a Map is, whatever comes and goes; a snapshot keeps them as they were. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkTree } from "./check.ts";
import { differencesOf } from "./diff.ts";
import type { Inode } from "./file-system.ts";
import { Overlay } from "./overlay.ts";
import { Tree } from "./tree.ts";

const file = { kind: "file", mode: 0o644, uid: 0, gid: 0 } as const;
const nowhere = { mayHaveWhiteout: () => false };

/** Its clock stands still: nothing can be told from times. */
function still(): Tree {
  return new Tree(() => 0n);
}

function namesIn(tree: Tree): Map<string, Inode> {
  const found = new Map(tree.list(tree.root).map(({ name, inode }) => [name, inode]));
  for (const [name, inode] of found) assert.equal(tree.find(tree.root, name), inode);
  return found;
}

/** Makes what is not there, else takes it away. */
function toggle(tree: Tree, model: Map<string, Inode>, name: string): void {
  const known = model.get(name);
  assert.equal(tree.find(tree.root, name), known ?? 0);
  if (known === undefined) model.set(name, tree.create(tree.root, name, file));
  else tree.forget(tree.unlink(tree.root, name));
  if (known !== undefined) model.delete(name);
}

test("names come and go as in a Map, a snapshot stays as it was, and what differs is found", () => {
  const letters = ["f", "\u00e9", "\u6587", "x".repeat(60), "y".repeat(61)];
  const name = fc.record({ letter: fc.constantFrom(...letters), number: fc.nat({ max: 300 }) });
  const names = fc.array(name, { minLength: 1, maxLength: 1500 });
  fc.assert(
    fc.property(names, names, (before, after) => {
      const [tree, model] = [still(), new Map<string, Inode>()];
      for (const { letter, number } of before) toggle(tree, model, `${letter}${number}`);
      const [kept, then] = [tree.snapshot(), new Map(model)];
      for (const { letter, number } of after) toggle(tree, model, `${letter}${number}`);
      assert.deepEqual(namesIn(tree), sorted(model));
      assert.deepEqual(namesIn(new Tree(() => 0n, kept)), sorted(then));
      assert.deepEqual(checkTree(tree, nowhere), []);
      assert.deepEqual(differencesOf(kept, tree.snapshot()), expected(then, model));
    }),
    { seed: 3, numRuns: 40 },
  );
});

function sorted<Value>(map: ReadonlyMap<string, Value>): Map<string, Value> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function expected(then: ReadonlyMap<string, Inode>, now: ReadonlyMap<string, Inode>): object[] {
  const kinds = new Map<string, string>();
  for (const name of now.keys()) if (!then.has(name)) kinds.set(`/${name}`, "A");
  for (const name of then.keys()) if (!now.has(name)) kinds.set(`/${name}`, "D");
  for (const [name, inode] of now) if (then.has(name) && then.get(name) !== inode) kinds.set(`/${name}`, "C");
  return [...sorted(kinds)].map(([path, kind]) => ({ kind, path }));
}

test("a hundred thousand names are found, and all but one can go", () => {
  const tree = still();
  for (let number = 0; number < 100_000; number++) tree.create(tree.root, `file-${number}`, file);
  assert.equal(tree.count(tree.root), 100_000);
  for (let number = 1; number < 100_000; number++) tree.forget(tree.unlink(tree.root, `file-${number}`));
  assert.deepEqual([...namesIn(tree).keys()], ["file-0"]);
  assert.deepEqual(checkTree(tree, nowhere), []);
});

test("a file keeps the names it has left, whichever goes first, and they follow it into a fork", () => {
  const all = fc.shuffledSubarray(["a", "b", "c", "d"], { minLength: 4 });
  fc.assert(
    fc.property(all, all, (made, taken) => {
      const tree = still();
      const [first = "", ...further] = made;
      const inode = tree.create(tree.root, first, file);
      for (const name of further) tree.link(tree.root, name, inode);
      for (const name of taken.slice(0, 3)) tree.unlink(tree.root, name);
      const fork = new Tree(() => 0n, tree.snapshot());
      tree.unlink(tree.root, taken[3] ?? "");
      assert.deepEqual(
        [...fork.namesOf(inode)].map(({ name }) => name),
        taken.slice(3),
      );
      assert.equal(fork.node(inode).name, taken[3]);
      assert.deepEqual(checkTree(fork, nowhere), []);
      assert.deepEqual(checkTree(tree, nowhere), []);
    }),
    { seed: 6, numRuns: 100 },
  );
});

test("names of one hash are refused from the 257th on, the others stay, and where one went there is room again", () => {
  const tree = still();
  const names = namesOfOneHash(258);
  for (const name of names.slice(0, 256)) tree.create(tree.root, name, file);
  assert.throws(() => tree.create(tree.root, names[256] ?? "", file), { errno: "ENOSPC" });
  assert.deepEqual(namesIn(tree).size, 256);
  tree.forget(tree.unlink(tree.root, names[7] ?? ""));
  tree.rename(tree.root, names[9] ?? "", tree.root, names[257] ?? "");
  tree.create(tree.root, names[256] ?? "", file);
  assert.throws(() => tree.rename(tree.root, names[3] ?? "", tree.root, names[9] ?? ""), { errno: "ENOSPC" });
  assert.deepEqual(checkTree(tree, nowhere), []);
});

test("names of one hash are found in a union that has more of them than a directory may have", () => {
  const names = namesOfOneHash(400);
  const lowers = [names.slice(0, 200), names.slice(200)].map((part) => {
    const tree = still();
    for (const name of part) tree.create(tree.root, name, file);
    return { tree, root: tree.root };
  });
  const upper = still();
  const union = new Overlay({ tree: upper, root: upper.root }, lowers);
  assert.equal(new Set(names.map((name) => union.lookup(union.root, name))).size, 400);
  assert.equal(union.find(union.root, "another"), 0);
});

test("a file whose first name is gone is found by its other one where several layers are one directory", () => {
  const [lower, other, upper] = [still(), still(), still()];
  const inode = lower.create(lower.root, "first", file);
  lower.link(lower.root, "second", inode);
  lower.unlink(lower.root, "first");
  const lowers = [lower, other].map((tree) => ({ tree, root: tree.root }));
  const union = new Overlay({ tree: upper, root: upper.root }, lowers);
  assert.equal(union.stat(union.lookup(union.root, "second")).links, 1);
  assert.equal(union.find(union.root, "first"), 0);
});

const [wordFactor, sumFactor] = [0xcc9e2d51, 0x1b873593];

/** Of eight letters each: whatever the first four, there are four more that lead to the same sum (text.ts). */
function namesOfOneHash(count: number): string[] {
  const names: string[] = [];
  const product = Math.imul(0x12345678 ^ (0x12345678 >>> 15), inverse(sumFactor));
  for (let word = 0x61616161; names.length < count; word += 0x10001) {
    const first = Math.imul(8 ^ Math.imul(word, wordFactor), sumFactor);
    const second = Math.imul(product ^ first ^ (first >>> 15), inverse(wordFactor));
    const name = [...lettersOf(word), ...lettersOf(second)];
    if (!name.some((code) => code === 0 || code === 47)) names.push(String.fromCharCode(...name));
  }
  return names;
}

function lettersOf(word: number): number[] {
  return [0, 8, 16, 24].map((shift) => (word >>> shift) & 255);
}

/** Modulo 2^32, of an odd number. */
function inverse(factor: number): number {
  let found = factor;
  for (let step = 0; step < 5; step++) found = Math.imul(found, 2 - Math.imul(factor, found));
  return found;
}
