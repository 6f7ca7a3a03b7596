/**
 * The body of a function as rewriting sees it: *regions* (the function itself, and each of its
 * loops without the loops in it) with the instructions that are counted together, and the places
 * where something is added or replaced. `Costs` says which functions are small and what a region costs.
 *
 * A region is counted as a whole, so its instructions count by how likely they are run: half in the
 * arms of an `if`, half behind a branch to a block's end, in equal parts behind the labels of a switch, not at
 * all where nothing leads. A branch out of a loop counts as not taken. What only moves operands to where they are used (local.get, i32.const)
 * counts nothing: processors have no such instructions.
 */
import type { Reader } from "./binary.ts";
import { isFree, skipInstruction } from "./instructions.ts";
import { Unrunnable } from "./web-assembly.ts";

export interface Region {
  /** How many are likely to be run, a whole number only by chance. */
  instructions: number;
  /** How many there are, also those that count nothing. */
  length: number;
  readonly calls: Call[];
}

/** A direct call. */
interface Call {
  readonly callee: number;
  readonly likelihood: number;
}

/** Something to be written at an offset of the module, over `length` bytes. */
export interface Place {
  readonly at: number;
  readonly length: number;
  readonly kind: "loop" | "return" | "tail" | "grow" | "bulk";
  /** The loop's region. */
  readonly region: Region | null;
  /** How many blocks are open. */
  readonly depth: number;
}

export interface Body {
  readonly bytes: Uint8Array;
  /** Declarations of locals: their number, their bytes, and how many locals they declare. */
  readonly declarations: number;
  readonly declared: Uint8Array;
  readonly locals: number;
  /** Where the instructions begin, and where the last "end" stands. */
  readonly start: number;
  readonly end: number;
  readonly regions: readonly [Region, ...Region[]];
  readonly places: readonly Place[];
  /** It calls what cannot be known. */
  readonly callsUnknown: boolean;
}

const localsMax = 50_000;
const nestingMax = 10_000;
/** What it costs to go round, whatever is done there. */
const passItself = 2;
/** How many blocks a branch may pass over before it counts as one out of a loop. */
const branchesFollowed = 64;

/** An open block. */
interface Frame {
  readonly region: Region;
  readonly isLoop: boolean;
  /** How likely its end is reached, of one pass of the region. */
  likelihood: number;
}

interface Reading {
  readonly regions: [Region, ...Region[]];
  readonly places: Place[];
  /** Innermost last. */
  readonly open: Frame[];
  /** Of the instruction that is read now. */
  likelihood: number;
  callsUnknown: boolean;
}

export function readBody(reader: Reader): Body {
  const declarations = reader.number();
  const from = reader.at;
  let locals = 0;
  for (let count = 0; count < declarations; count++) {
    locals += reader.number();
    reader.byte();
  }
  if (locals > localsMax) throw new Unrunnable(`a function of it has more than ${localsMax} variables`);
  const declared = reader.bytes.subarray(from, reader.at);
  const start = reader.at;
  const { regions, places, callsUnknown } = readInstructions(reader);
  if (reader.at !== reader.end) throw new Unrunnable("a function of it has instructions behind its end");
  const { bytes } = reader;
  return { bytes, declarations, declared, locals, start, end: reader.end - 1, regions, places, callsUnknown };
}

function readInstructions(reader: Reader): Reading {
  const region: Region = { instructions: 0, length: 0, calls: [] };
  const open = [{ region, isLoop: false, likelihood: 1 }];
  const reading: Reading = { regions: [region], places: [], open, likelihood: 1, callsUnknown: false };
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) readInstruction(reader, reading, frame);
  return reading;
}

function readInstruction(reader: Reader, reading: Reading, frame: Frame): void {
  const { region } = frame;
  const at = reader.at;
  const opcode = reader.byte();
  const kind = skipInstruction(reader, opcode);
  region.length++;
  if (!isFree(opcode)) region.instructions += reading.likelihood;
  switch (kind) {
    case "plain":
      return;
    case "block":
      return openFrame(reading, { ...frame, isLoop: false, likelihood: reading.likelihood });
    case "if":
      openFrame(reading, { ...frame, isLoop: false, likelihood: reading.likelihood });
      reading.likelihood /= 2;
      return;
    case "else":
      reading.likelihood = frame.likelihood / 2;
      return;
    case "loop":
      return openLoop(reader, reading);
    case "end":
      reading.open.pop();
      reading.likelihood = frame.likelihood;
      return;
    case "branch":
      return branch(reading, reader.number());
    case "switch":
      return switchTo(reading, readLabels(reader));
    case "call":
      region.calls.push({ callee: reader.number(), likelihood: reading.likelihood });
      return;
    case "indirect":
      reading.callsUnknown = true;
      region.instructions += unknownCall * reading.likelihood;
      region.length += unknownCall;
      return;
    case "jump":
      reading.likelihood = 0;
      return;
    case "tail":
      reading.callsUnknown = true;
      reading.places.push(place(kind, at, 0, reading));
      reading.likelihood = 0;
      return;
    case "return":
      reading.places.push(place(kind, at, reader.at - at, reading));
      reading.likelihood = 0;
      return;
    case "grow":
      reading.callsUnknown = true;
      reading.places.push(place(kind, at, reader.at - at, reading));
      return;
    case "bulk":
      reading.places.push(place(kind, at, 0, reading));
      return;
    default:
      return kind satisfies never;
  }
}

function place(kind: Place["kind"], at: number, length: number, { open }: Reading): Place {
  return { kind, at, length, region: null, depth: open.length - 1 };
}

function openFrame({ open }: Reading, frame: Frame): void {
  if (open.length >= nestingMax) throw new Unrunnable(`a function of it nests blocks more than ${nestingMax} deep`);
  open.push(frame);
}

function openLoop(reader: Reader, reading: Reading): void {
  const region: Region = { instructions: passItself, length: 0, calls: [] };
  openFrame(reading, { region, isLoop: true, likelihood: reading.likelihood });
  reading.likelihood = 1;
  reading.regions.push(region);
  reading.places.push({ kind: "loop", at: reader.at, length: 0, region, depth: reading.open.length - 1 });
}

/** A branch to the end of a block that is not outside a loop: what is passed over is half as likely. */
function branch(reading: Reading, label: number): void {
  const { open } = reading;
  const target = open.length - 1 - label;
  const region = open.at(-1)?.region;
  if (label >= branchesFollowed || open[target]?.isLoop !== false || open[target].region !== region) return;
  reading.likelihood /= 2;
  for (const frame of open.slice(target + 1)) frame.likelihood /= 2;
}

function readLabels(reader: Reader): number[] {
  const labels: number[] = [];
  for (let count = reader.number(); count >= 0; count--) labels.push(reader.number());
  return labels;
}

/** Behind each label it is as likely as their number says, but behind the outermost, where the ways meet again. */
function switchTo(reading: Reading, labels: readonly number[]): void {
  const { open, likelihood } = reading;
  const region = open.at(-1)?.region;
  const distinct = [...new Set(labels)].toSorted((a, b) => a - b);
  for (const label of distinct.slice(0, -1)) {
    const frame = open[open.length - 1 - label];
    if (frame === undefined || frame.isLoop || frame.region !== region) continue;
    frame.likelihood = Math.min(frame.likelihood, likelihood / distinct.length);
  }
  reading.likelihood = 0;
}

/** What a region costs: as it is likely, and at worst. */
interface Cost {
  readonly likely: number;
  readonly worst: number;
}

/** A call of who knows what counts as a small function of this size, as that might not count itself. */
const unknownCall = 32;
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
  isLeaf({ regions, callsUnknown }: Body): boolean {
    return !callsUnknown && regions.every((region) => this.#callsQuiet(region));
  }

  of(region: Region): number {
    const { likely, worst } = this.#withCalls(region);
    return Math.max(1, Math.ceil(likely), Math.ceil(worst / unlikeliness));
  }

  #withCalls({ calls, instructions, length }: Region): Cost {
    let [likely, worst] = [instructions, length];
    for (const { callee, likelihood } of calls) {
      const called = this.#smallCost(callee - this.#imported);
      likely += likelihood * (called?.likely ?? 0);
      worst += called?.worst ?? 0;
    }
    return { likely, worst };
  }

  #callsQuiet({ calls }: Region): boolean {
    return calls.every(({ callee }) => this.#isQuiet(callee - this.#imported));
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

function mayBeSmall({ regions: [region, ...loops], places, callsUnknown }: Body): boolean {
  const isShort = loops.length === 0 && region.length <= worstMax;
  return isShort && !callsUnknown && !places.some(({ kind }) => kind === "bulk");
}
