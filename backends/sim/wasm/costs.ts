/**
 * What the regions of functions cost (function-body.ts), and which functions are so small that their callers count for them.
 */
import type { Body, Call, Region } from "./function-body.ts";

/** What a region costs: as it is likely, and at worst. */
interface Cost {
  readonly likely: number;
  readonly worst: number;
}

const likelyMax = 256;
const worstMax = 1024;
/** A program made to take unlikely ways is counted short, but at most by this factor: an interpreter's loop is long. */
const unlikeliness = 2048;
const nestedCallsMax = 64;

/**
 * What regions cost, with the small functions they call. Small is what has no loop and is short with all that it
 * calls, where what counts for itself is nothing to its callers. Every circle of calls has one that counts.
 */
export class Costs {
  readonly #bodies: readonly Body[];
  readonly #imported: number;
  /** The cost of a small function; null: it counts for itself; undefined: not looked at yet. */
  readonly #small: (Cost | null | undefined)[];
  /** Whether a function is small and calls only such. */
  readonly #quiet: (boolean | undefined)[];
  /** Functions that are looked at now, and those that were come back to. */
  readonly #open = new Set<number>();
  readonly #recursive = new Set<number>();

  /** `imported`: how many functions the module imports; they come first in the numbering. */
  constructor(bodies: readonly Body[], imported: number) {
    this.#bodies = bodies;
    this.#imported = imported;
    this.#small = Array.from({ length: bodies.length });
    this.#quiet = Array.from({ length: bodies.length });
  }

  isSmall(index: number): boolean {
    return this.#smallCost(index) !== null;
  }

  /** Whether nothing else counts while it runs. */
  isLeaf({ regions }: Body): boolean {
    return regions.every((region) => this.#callsQuiet(region));
  }

  /** Whether what counts is called in loops only, which ask at each of their passes. */
  callsInLoopsOnly({ regions }: Body): boolean {
    return this.#callsQuiet(regions[0]);
  }

  /** Whether it calls itself, and nothing else that counts: its fuel may go along from call to call. */
  isSelfContained(index: number): boolean {
    const body = this.#bodies[index];
    if (body?.places.some(({ kind }) => kind === "self") !== true) return false;
    const isQuiet = ({ callee }: Call): boolean =>
      callee === index + this.#imported || this.#isQuiet(callee - this.#imported);
    return body.regions.every(({ calls, callsUnknown }) => !callsUnknown && calls.every(isQuiet));
  }

  of(region: Region): number {
    return whole(this.#withCalls(region));
  }

  /** What a function that is not small counts for itself, its loops aside: all but its prelude. */
  ofEntry({ regions, prelude }: Body): number {
    const { likely, worst } = this.#withCalls(regions[0]);
    return whole({ likely: likely - (prelude?.instructions ?? 0), worst: worst - (prelude?.length ?? 0) });
  }

  #withCalls({ calls, instructions, length }: Region): Cost {
    let [likely, worst] = [instructions, length];
    for (const { callee, likelihood } of calls) {
      const called = this.#called(callee - this.#imported);
      likely += likelihood * called.likely;
      worst += called.worst;
    }
    return { likely, worst };
  }

  /** What a function leaves to its callers. */
  #called(index: number): Cost {
    const prelude = this.#bodies[index]?.prelude;
    return this.#smallCost(index) ?? { likely: prelude?.instructions ?? 0, worst: prelude?.length ?? 0 };
  }

  #callsQuiet({ calls, callsUnknown }: Region): boolean {
    return !callsUnknown && calls.every(({ callee }) => this.#isQuiet(callee - this.#imported));
  }

  #isQuiet(index: number): boolean {
    const [region] = this.#bodies[index]?.regions ?? [];
    if (region === undefined || !this.isSmall(index)) return false;
    return (this.#quiet[index] ??= this.#callsQuiet(region));
  }

  /** A function that we come back to, or that is called too deep, counts for itself. */
  #smallCost(index: number): Cost | null {
    const known = this.#small[index];
    const body = this.#bodies[index];
    if (body === undefined) return null;
    if (known !== undefined) return known;
    if (this.#open.has(index) || this.#open.size > nestedCallsMax) {
      this.#recursive.add(index);
      return null;
    }
    this.#open.add(index);
    const cost = mayBeSmall(body) ? this.#withCalls(body.regions[0]) : null;
    this.#open.delete(index);
    const isSmall = cost !== null && cost.likely <= likelyMax && cost.worst <= worstMax && !this.#recursive.has(index);
    this.#small[index] = isSmall ? cost : null;
    return isSmall ? cost : null;
  }
}

function whole({ likely, worst }: Cost): number {
  return Math.max(1, Math.ceil(likely), Math.ceil(worst / unlikeliness));
}

function mayBeSmall({ regions: [region, ...loops], places }: Body): boolean {
  const isShort = loops.length === 0 && region.length <= worstMax;
  return isShort && !region.callsUnknown && !places.some(({ kind }) => kind === "bulk");
}
