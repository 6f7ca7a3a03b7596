/**
 * Chance from a seed: every draw of the same seed is the same on every machine. The generator is
 * sfc32 (Chris Doty-Humphrey's PractRand), seeded through splitmix32.
 */
import type { Random } from "../../core/base/ports.ts";

export function seededRandom(seed: number): Random {
  const draw = generator(seed);
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; at += 4) {
        const word = draw();
        for (let byte = 0; byte < 4 && at + byte < count; byte++) bytes[at + byte] = (word >>> (8 * byte)) & 255;
      }
      return bytes;
    },
  };
}

/** The next 32 bits, each time. */
function generator(seed: number): () => number {
  const next = splitmix(seed);
  let [a, b, c, counter] = [next(), next(), next(), 1];
  const draw = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) draw();
  return draw;
}

function splitmix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
