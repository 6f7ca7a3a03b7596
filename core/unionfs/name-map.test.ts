/** A map of names is what a Map is, whatever comes and goes; who keeps one keeps it as it was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Errno } from "../base/errno.ts";
import { eachDifference, eachName, getName, type NameMap, noNames, removeName, setName } from "./name-map.ts";
import { Owner } from "./owner.ts";

function contentOf(map: NameMap): Map<string, number> {
  const content = new Map<string, number>();
  eachName(map, (name, inode) => void content.set(name, inode));
  assert.equal(map.size, content.size);
  for (const [name, inode] of content) assert.equal(getName(map, name), inode);
  return content;
}

/** Adds where there is nothing, else takes away. */
function toggled(map: NameMap, owner: Owner, model: Map<string, number>, name: string, inode: number): NameMap {
  assert.equal(getName(map, name), model.get(name) ?? 0);
  if (model.delete(name)) return removeName(map, owner, name);
  model.set(name, inode);
  return setName(map, owner, name, inode);
}

test("names come and go as in a Map, and a kept map stays as it was", () => {
  const numbers = fc.array(fc.nat({ max: 900 }), { minLength: 1, maxLength: 2000 });
  fc.assert(
    fc.property(numbers, numbers, (before, after) => {
      const model = new Map<string, number>();
      let map = noNames;
      const first = new Owner();
      for (const [at, number] of before.entries()) map = toggled(map, first, model, `n${number}`, at + 1);
      const [kept, then] = [map, new Map(model)];
      const second = new Owner();
      for (const [at, number] of after.entries()) map = toggled(map, second, model, `n${number}`, 5000 + at);
      assert.deepEqual(contentOf(map), model);
      assert.deepEqual(contentOf(kept), then);
      const differences = new Map<string, [number, number]>();
      eachDifference(kept, map, (name, old, fresh) => void differences.set(name, [old, fresh]));
      const names = new Set([...then.keys(), ...model.keys()]);
      for (const name of names) {
        const [old, fresh] = [then.get(name) ?? 0, model.get(name) ?? 0];
        assert.deepEqual(differences.get(name), old === fresh ? undefined : [old, fresh]);
      }
    }),
    { seed: 3, numRuns: 60 },
  );
});

test("a hundred thousand names are found, and all but one can go", () => {
  const owner = new Owner();
  let map = noNames;
  for (let number = 1; number <= 100_000; number++) map = setName(map, owner, `file-${number}`, number);
  assert.equal(map.size, 100_000);
  for (let number = 1; number < 100_000; number++) {
    assert.equal(getName(map, `file-${number}`), number);
    map = removeName(map, owner, `file-${number}`);
  }
  assert.deepEqual([...contentOf(map)], [["file-100000", 100_000]]);
});

test("names with one hash are refused from the 193rd on, and the others stay", () => {
  const owner = new Owner();
  let map = noNames;
  const names = namesOfOneHash(193);
  for (const name of names.slice(0, 192)) map = setName(map, owner, name, 1);
  assert.throws(
    () => setName(map, owner, names[192] ?? "", 1),
    (thrown) => thrown instanceof Errno && thrown.errno === "ENOSPC",
  );
  assert.equal(contentOf(map).size, 192);
});

/** FNV-1a takes a character at a time: after two pairs that give it the same sum, any two that do so again may follow. */
function namesOfOneHash(count: number): string[] {
  const choices: (readonly [string, string])[] = [];
  for (let sum = 0x811c9dc5; choices.length < 8; ) {
    const [one, other, after] = collision(sum);
    choices.push([one, other]);
    sum = after;
  }
  return Array.from({ length: count }, (_, number) => choices.map((pair, at) => pair[(number >> at) & 1]).join(""));
}

/** Two characters: two first ones after which the sums' upper halves are equal, and second ones that make up for the lower halves. */
function collision(sum: number): [one: string, other: string, after: number] {
  const prime = 0x01000193;
  const second = 0x100;
  const known = new Map<number, number>();
  for (let first = 0x100; ; first++) {
    const after = Math.imul(sum ^ first, prime);
    const other = known.get(after >>> 16);
    known.set(after >>> 16, first);
    if (other === undefined) continue;
    const difference = (after ^ Math.imul(sum ^ other, prime)) & 0xffff;
    const texts = [String.fromCharCode(first, second), String.fromCharCode(other, second ^ difference)] as const;
    return [...texts, Math.imul(after ^ second, prime)];
  }
}
