/**
 * The names in several directories of lower trees that are shown as one: a table of their hashes and
 * what they are in the union, like a tree's own (names.ts). The text of a name is with its inode. What
 * a number does not tell, a name that is a link, and one that finds no place near where its hash
 * points, is kept beside, in a Map.
 */
import type { Inode } from "./file-system.ts";
import { Text } from "./text.ts";

const placesMin = 16;
/** How far from where its hash points a name may be. */
const reach = 256;

/** Whether an inode has a name as its own; `text` is the name as numbers. */
export type IsCalled = (inode: Inode, name: string, text: Text) => boolean;

/** The name that is looked for, or put in. */
const wanted = new Text();

export class MergedNames {
  /** Of each place the hash and the number, 0: it is free. */
  readonly #words: Int32Array;
  readonly #last: number;
  readonly #beside = new Map<string, Inode>();
  readonly #isCalled: IsCalled;

  /** `unknown` is the number that does not tell what it is. */
  constructor(names: ReadonlyMap<string, Inode>, unknown: Inode, isCalled: IsCalled) {
    this.#isCalled = isCalled;
    let places = placesMin;
    while (places < 2 * names.size) places *= 2;
    this.#words = new Int32Array(2 * places);
    this.#last = places - 1;
    for (const [name, inode] of names) if (inode === unknown || !this.#put(name, inode)) this.#beside.set(name, inode);
  }

  /** False when there is no place near, or the inode would not know its name. */
  #put(name: string, inode: Inode): boolean {
    wanted.set(name);
    if (!this.#isCalled(inode, name, wanted)) return false;
    for (let step = 0; step < reach; step++) {
      const at = 2 * ((wanted.hash + step) & this.#last);
      if (this.#words[at + 1] !== 0) continue;
      this.#words[at] = wanted.hash;
      this.#words[at + 1] = inode;
      return true;
    }
    return false;
  }

  /** 0: there is no such name. */
  get(name: string): Inode | 0 {
    wanted.set(name);
    for (let step = 0; step < reach; step++) {
      const at = 2 * ((wanted.hash + step) & this.#last);
      const inode = this.#words[at + 1] as Inode | 0;
      if (inode === 0) break;
      if (this.#words[at] === wanted.hash && this.#isCalled(inode, name, wanted)) return inode;
    }
    return this.#beside.get(name) ?? 0;
  }
}
