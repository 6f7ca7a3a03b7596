/**
 * Runs of words in one row of pages, each of 2^n words: a run is known by where it begins. One that is
 * given up is all zeros but for where the next such one is, and is taken again for the next of that size.
 */
import type { Owner } from "./owner.ts";
import { Pages, WordPage, withRoom } from "./pages.ts";

const pageBits = 14;
const pageWords = 1 << pageBits;
const mask = pageWords - 1;
/** No run begins there. */
export const nowhere = -1;

export class Runs {
  readonly #pages: Pages<WordPage>;
  #end = 0;
  /** By a run's bits: the first of those given up. */
  #unused: number[] = [];

  private constructor(pages: Pages<WordPage>) {
    this.#pages = pages;
  }

  static empty(): Runs {
    return new Runs(Pages.empty());
  }

  copy(): Runs {
    const copy = new Runs(this.#pages.copy());
    copy.#end = this.#end;
    copy.#unused = this.#unused.slice();
    return copy;
  }

  get(at: number): number {
    return (this.#pages.get(at >>> pageBits) as WordPage).words[at & mask] as number;
  }

  set(owner: Owner, at: number, value: number): void {
    this.#pages.own(owner, at >>> pageBits).words[at & mask] = value;
  }

  /** A run of zeros. */
  take(owner: Owner, bits: number): number {
    const unused = this.#unused[bits] ?? nowhere;
    if (unused === nowhere) return this.#add(owner, 1 << bits);
    this.#unused[bits] = this.get(unused);
    this.set(owner, unused, 0);
    return unused;
  }

  #add(owner: Owner, words: number): number {
    const run = this.#end;
    this.#end += words;
    for (let number = run >>> pageBits; number << pageBits < this.#end; number++) this.#makeRoom(owner, number);
    return run;
  }

  /** A small tree has only one page, which grows. */
  #makeRoom(owner: Owner, number: number): void {
    if (number === this.#pages.length) this.#pages.set(owner, number, new WordPage(owner, new Int32Array(0)));
    const page = this.#pages.own(owner, number);
    page.words = withRoom(page.words, number === 0 ? Math.min(pageWords, this.#end) : pageWords, pageWords);
  }

  giveUp(owner: Owner, run: number, bits: number): void {
    const end = run + (1 << bits);
    for (let at = run; at < end; at = pageAfter(at)) {
      const { words } = this.#pages.own(owner, at >>> pageBits);
      words.fill(0, at & mask, Math.min(pageWords, (at & mask) + end - at));
    }
    this.set(owner, run, this.#unused[bits] ?? nowhere);
    this.#unused[bits] = run;
  }

  /** Where in a run, from `at` on, a page begins that the other has not. */
  unsharedFrom(other: Runs, at: number): number {
    let from = at;
    while (this.#pages.get(from >>> pageBits) === other.#pages.get(from >>> pageBits) && from < this.#end)
      from = pageAfter(from);
    return from;
  }
}

/** Where the page after this one begins. */
function pageAfter(at: number): number {
  return (at | mask) + 1;
}
