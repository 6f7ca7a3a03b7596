/**
 * A persistent list of pages: what is kept of many files lies in few large arrays, so that looking at
 * one touches little memory. A copy of the list shares every page; whoever changes it copies the list
 * and the page, once each, unless they are its own (owner.ts).
 */
import { nobody, type Owner } from "./owner.ts";

export interface Page {
  readonly owner: Owner;
  copyFor(owner: Owner): Page;
}

export class Pages<Each extends Page> {
  #list: Each[];
  #owner: Owner;

  private constructor(list: Each[]) {
    this.#list = list;
    this.#owner = nobody;
  }

  static empty<Each extends Page>(): Pages<Each> {
    return new Pages<Each>([]);
  }

  /** Costs nothing; the one does not see changes of the other if each has an owner of its own from now on. */
  copy(): Pages<Each> {
    return new Pages(this.#list);
  }

  get length(): number {
    return this.#list.length;
  }

  get(number: number): Each | undefined {
    return this.#list[number];
  }

  /** The page, which is there, to be changed in place. */
  own(owner: Owner, number: number): Each {
    const page = this.#list[number] as Each;
    if (page.owner === owner) return page;
    const copy = page.copyFor(owner) as Each;
    this.set(owner, number, copy);
    return copy;
  }

  /** In the place of one, or behind the last. */
  set(owner: Owner, number: number, page: Each): void {
    if (this.#owner !== owner) this.#list = this.#list.slice();
    this.#owner = owner;
    this.#list[number] = page;
  }

  /** The numbers of pages that the two do not share. */
  *differences(other: Pages<Each>): Generator<number, void, undefined> {
    if (this.#list === other.#list) return;
    const length = Math.max(this.length, other.length);
    for (let number = 0; number < length; number++) if (this.#list[number] !== other.#list[number]) yield number;
  }
}

/** A page of numbers. */
export class WordPage implements Page {
  readonly owner: Owner;
  words: Int32Array;

  constructor(owner: Owner, words: Int32Array) {
    this.owner = owner;
    this.words = words;
  }

  copyFor(owner: Owner): WordPage {
    return new WordPage(owner, this.words.slice());
  }
}

/** Room for at least so many words, at most for `most`: a small tree takes little. */
export function withRoom(words: Int32Array, length: number, most: number): Int32Array {
  if (words.length >= length) return words;
  const larger = new Int32Array(Math.min(most, Math.max(length, 2 * words.length)));
  larger.set(words);
  return larger;
}
