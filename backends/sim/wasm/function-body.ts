/**
 * The body of a function as rewriting sees it: *regions* (the function itself, and each of its
 * loops without the loops in it) with the instructions that are counted together, and the places
 * where something is added or replaced. `Costs` says which functions are small and what a region costs.
 *
 * A region is counted as a whole, so its instructions count by how likely they are run: half in the
 * arms of an `if`, half behind a branch to a block's end, not at all where nothing leads. A branch
 * out of a loop counts as not taken. What only moves operands to where they are used (local.get, i32.const)
 * counts nothing: processors have no such instructions.
 */
import type { Reader } from "./binary.ts";
import { isFree, skipInstruction } from "./instructions.ts";
import { Unrunnable } from "./web-assembly.ts";

export interface Region {
  /** How many are likely to be run, a whole number only by chance. */
  instructions: number;
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
  const region: Region = { instructions: 0, calls: [] };
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
    case "call":
      region.calls.push({ callee: reader.number(), likelihood: reading.likelihood });
      return;
    case "indirect":
      reading.callsUnknown = true;
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
  const region: Region = { instructions: 0, calls: [] };
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

const smallMax = 64;

/** What regions cost, the small functions they call included. */
export class Costs {
  readonly #bodies: readonly Body[];
  readonly #imported: number;
  /** The cost of a small function; null: it counts for itself; undefined: not looked at yet. */
  readonly #small: (number | null | undefined)[];

  /** `imported`: how many functions the module imports; they come first in the numbering. */
  constructor(bodies: readonly Body[], imported: number) {
    this.#bodies = bodies;
    this.#imported = imported;
    this.#small = Array.from({ length: bodies.length });
  }

  isSmall(index: number): boolean {
    return this.#smallCost(index, 0) !== null;
  }

  /** Whether nothing it calls counts for itself. */
  isLeaf({ regions, callsUnknown }: Body): boolean {
    const isSmall = (call: number): boolean => this.isSmall(call - this.#imported);
    return !callsUnknown && regions.every(({ calls }) => calls.every(({ callee }) => isSmall(callee)));
  }

  of(region: Region): number {
    const costs = region.calls.map(
      ({ callee, likelihood }) => likelihood * (this.#smallCost(callee - this.#imported, 0) ?? 0),
    );
    return Math.ceil(costs.reduce((sum, cost) => sum + cost, region.instructions));
  }

  /** A chain of calls longer than `smallMax` cannot be small; one that comes back to itself is not. */
  #smallCost(index: number, depth: number): number | null {
    const known = this.#small[index];
    const body = this.#bodies[index];
    if (known !== undefined) return known;
    if (body === undefined || depth > smallMax) return null;
    this.#small[index] = null;
    const cost = this.#ownCost(body, depth);
    this.#small[index] = cost;
    return cost;
  }

  #ownCost({ regions: [region, ...loops], places, callsUnknown }: Body, depth: number): number | null {
    if (loops.length > 0 || callsUnknown || places.some(({ kind }) => kind === "bulk")) return null;
    let cost = region.instructions;
    for (const { callee, likelihood } of region.calls) {
      const called = this.#smallCost(callee - this.#imported, depth + 1);
      if (called === null || cost > smallMax) return null;
      cost += likelihood * called;
    }
    return cost <= smallMax ? cost : null;
  }
}
