/** Numbers by number, 0 where there is none: persistent, and a step or two to look at. */
import { nobody, type Owner } from "./owner.ts";
import { Pages, WordPage } from "./pages.ts";

const pageBits = 10;
const pageWords = 1 << pageBits;
const noNumbers = new WordPage(nobody, new Int32Array(pageWords));

export class NumberMap {
  readonly #pages: Pages<WordPage>;

  private constructor(pages: Pages<WordPage>) {
    this.#pages = pages;
  }

  static empty(): NumberMap {
    return new NumberMap(Pages.empty());
  }

  copy(): NumberMap {
    return new NumberMap(this.#pages.copy());
  }

  get(key: number): number {
    return this.#pages.get(key >>> pageBits)?.words[key & (pageWords - 1)] ?? 0;
  }

  set(owner: Owner, key: number, value: number): void {
    if (value === this.get(key)) return;
    while (this.#pages.length <= key >>> pageBits) this.#pages.set(owner, this.#pages.length, noNumbers);
    this.#pages.own(owner, key >>> pageBits).words[key & (pageWords - 1)] = value;
  }
}
