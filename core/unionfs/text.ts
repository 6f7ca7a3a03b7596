/**
 * A name as numbers: four characters a word, and a hash of them. That is how a record keeps a name
 * (records.ts), so that comparing one touches nothing but the record. What is longer, or has other
 * characters than the first 256, is kept as a string.
 */
export const textWords = 15;
const lengthMax = 4 * textWords;

/** Made anew for each name that is looked at: there is one of it, so that looking up makes no garbage. */
export class Text {
  readonly words: Int32Array = new Int32Array(textWords);
  length = 0;
  hash = 0;
  /** Whether the words say all of it. */
  isPacked = false;

  set(name: string): void {
    let all = 0;
    let word = 0;
    let sum = name.length;
    for (let at = 0; at < name.length; at++) {
      const code = name.charCodeAt(at);
      if (code > 255) sum = mixed(sum, code);
      all |= code;
      word |= code << ((at & 3) << 3);
      if ((at & 3) !== 3 && at !== name.length - 1) continue;
      if (at < lengthMax) this.words[at >> 2] = word;
      sum = mixed(sum, word);
      word = 0;
    }
    this.length = name.length;
    this.isPacked = name.length <= lengthMax && all < 256;
    this.hash = finished(sum);
  }
}

export function unpacked(words: Int32Array, from: number, length: number): string {
  let name = "";
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const word = words[from + (at >> 2)] as number;
    name += String.fromCharCode(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  }
  for (; at < length; at++)
    name += String.fromCharCode(((words[from + (at >> 2)] as number) >>> ((at & 3) << 3)) & 255);
  return name;
}

function mixed(sum: number, word: number): number {
  const product = Math.imul(sum ^ Math.imul(word, 0xcc9e2d51), 0x1b873593);
  return product ^ (product >>> 15);
}

function finished(sum: number): number {
  const product = Math.imul(sum ^ (sum >>> 16), 0x2c1b3c6d);
  return product ^ (product >>> 13);
}
