/**
 * The body of a function as rewriting sees it: *regions* (the function itself, and each of its
 * loops without the loops in it) with the instructions that are counted together, and the places
 * where something is added or replaced.
 *
 * A function that may return before its first call or loop has a *prelude*: that much is counted where it is called, and it
 * counts for itself only when it goes on. The leaves of a recursion are run as fast as without fuel then.
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
  /** It calls what cannot be known. */
  callsUnknown: boolean;
  /** null for what is no loop, or one that is not so. */
  tight: TightLoop | null;
}

/** A loop with no loop and no call in it, nor anything else that asks: it may be written several times in a row. */
export interface TightLoop {
  /** The type of its result, a byte. */
  readonly blockType: number;
  /** Of its instructions, without the loop's own opcode and end. */
  readonly start: number;
  readonly end: number;
  readonly exits: readonly Exit[];
}

/** What leaves a loop: a label at an offset of the module, or a `return`, to be written as a branch to the label. */
export interface Exit {
  readonly at: number;
  readonly length: number;
  readonly label: number;
  readonly isReturn: boolean;
}

/** The instructions up to `end`, where no block is open. */
export interface Prelude {
  readonly end: number;
  readonly instructions: number;
  readonly length: number;
}

/** A direct call. */
export interface Call {
  readonly callee: number;
  readonly likelihood: number;
}

/** Something to be written at an offset of the module, over `length` bytes. */
export interface Place {
  readonly at: number;
  readonly length: number;
  readonly kind: "loop" | "tight" | "return" | "self" | "tail" | "grow" | "bulk";
  /** The loop's region. */
  readonly region: Region | null;
  /** How many blocks are open. */
  readonly depth: number;
}

export interface Body {
  /** The function's number. */
  readonly self: number;
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
  readonly prelude: Prelude | null;
}

const localsMax = 50_000;
const nestingMax = 10_000;
/** What it costs to go round, whatever is done there. */
const passItself = 2;
/** A call of who knows what counts as a small function of this size, as that might not count itself. */
const unknownCall = 32;
/** How many blocks a branch may pass over before it counts as one out of a loop. */
const branchesFollowed = 64;

/** What a tight loop may have. */
const tightMax = 128;
/** A prelude is counted at each call, however far it gets. */
const preludeMax = 64;

/** An open block. */
interface Frame {
  readonly region: Region;
  readonly isLoop: boolean;
  /** How likely its end is reached, of one pass of the region. */
  likelihood: number;
}

interface Reading {
  /** The function's number. */
  readonly self: number;
  readonly regions: [Region, ...Region[]];
  readonly places: Place[];
  /** Innermost last. */
  readonly open: Frame[];
  /** The innermost loop, as long as nothing forbids it to be tight. */
  candidate: Candidate | null;
  prelude: Prelude | null;
  /** Whether the prelude has come to its end; whether it has a return. */
  isUnderWay: boolean;
  mayReturnEarly: boolean;
  /** Of the instruction that is read now. */
  likelihood: number;
}

/** A loop that may turn out to be tight. */
interface Candidate {
  readonly region: Region;
  /** Of its opcode. */
  readonly at: number;
  readonly start: number;
  /** How many blocks are open outside of it. */
  readonly depth: number;
  /** How many places there were before. */
  readonly places: number;
  readonly exits: Exit[];
}

/** `self`: the function's number, by which it calls itself. */
export function readBody(reader: Reader, self: number): Body {
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
  const { regions, places, prelude, mayReturnEarly } = readInstructions(reader, self);
  if (reader.at !== reader.end) throw new Unrunnable("a function of it has instructions behind its end");
  const instructions = { self, bytes: reader.bytes, start, end: reader.end - 1, regions, places };
  return { ...instructions, declarations, declared, locals, prelude: mayReturnEarly ? prelude : null };
}

function readInstructions(reader: Reader, self: number): Reading {
  const region: Region = { instructions: 0, length: 0, calls: [], callsUnknown: false, tight: null };
  const open = [{ region, isLoop: false, likelihood: 1 }];
  const reading: Reading = {
    self,
    regions: [region],
    places: [],
    open,
    candidate: null,
    prelude: null,
    isUnderWay: false,
    mayReturnEarly: false,
    likelihood: 1,
  };
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
    readInstruction(reader, reading, frame);
    if (!reading.isUnderWay && open.length === 1) notePrelude(reading, region, reader.at);
  }
  return reading;
}

/** So far a function may come without counting; further on it may have to. */
function notePrelude(reading: Reading, { instructions, length }: Region, end: number): void {
  if (length > preludeMax) reading.isUnderWay = true;
  else reading.prelude = { end, instructions, length };
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
      return openLoop(reader, reading, at);
    case "end":
      return close(reader, reading, frame);
    case "branch":
      return branch(reading, readLabel(reader, reading));
    case "goto":
      readLabel(reader, reading);
      reading.likelihood = 0;
      return;
    case "switch":
      return switchTo(reading, readLabels(reader, reading));
    case "jump":
      reading.likelihood = 0;
      return;
    case "return":
      return leave(reading, place(kind, at, reader.at - at, reading));
    case "call":
      return call(reader, reading, at);
    case "indirect":
      return callUnknown(reading, region);
    case "tail":
      region.callsUnknown = true;
      mayAsk(reading, place(kind, at, 0, reading));
      reading.likelihood = 0;
      return;
    case "grow":
      region.callsUnknown = true;
      return mayAsk(reading, place(kind, at, reader.at - at, reading));
    case "bulk":
      return mayAsk(reading, place(kind, at, 0, reading));
    default:
      return kind satisfies never;
  }
}

function call(reader: Reader, reading: Reading, at: number): void {
  const callee = reader.number();
  mayAsk(reading, callee === reading.self ? place("self", at, reader.at - at, reading) : null);
  reading.open.at(-1)?.region.calls.push({ callee, likelihood: reading.likelihood });
}

function callUnknown(reading: Reading, region: Region): void {
  mayAsk(reading, null);
  region.callsUnknown = true;
  region.instructions += unknownCall * reading.likelihood;
  region.length += unknownCall;
}

/** Something asks, or may: no loop around it is tight, and the prelude is over. */
function mayAsk(reading: Reading, place: Place | null): void {
  reading.candidate = null;
  reading.isUnderWay = true;
  if (place !== null) reading.places.push(place);
}

function leave(reading: Reading, place: Place): void {
  const { at, length, depth } = place;
  if (!reading.isUnderWay) reading.mayReturnEarly = true;
  reading.candidate?.exits.push({ at, length, label: depth, isReturn: true });
  reading.places.push(place);
  reading.likelihood = 0;
}

function place(kind: Place["kind"], at: number, length: number, { open }: Reading): Place {
  return { kind, at, length, region: null, depth: open.length - 1 };
}

function openFrame({ open }: Reading, frame: Frame): void {
  if (open.length >= nestingMax) throw new Unrunnable(`a function of it nests blocks more than ${nestingMax} deep`);
  open.push(frame);
}

function openLoop(reader: Reader, reading: Reading, at: number): void {
  const region: Region = { instructions: passItself, length: 0, calls: [], callsUnknown: false, tight: null };
  const depth = reading.open.length;
  mayAsk(reading, null);
  if (isResultType(reader.bytes[at + 1]))
    reading.candidate = { region, at, start: reader.at, depth, places: reading.places.length, exits: [] };
  openFrame(reading, { region, isLoop: true, likelihood: reading.likelihood });
  reading.likelihood = 1;
  reading.regions.push(region);
  reading.places.push({ kind: "loop", at: reader.at, length: 0, region, depth });
}

/** Of blocks without parameters; others have the number of a type. */
function isResultType(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x40 && byte < 0x80;
}

function close(reader: Reader, reading: Reading, { isLoop, likelihood }: Frame): void {
  const { open, candidate } = reading;
  open.pop();
  reading.likelihood = likelihood;
  if (!isLoop || candidate?.depth !== open.length) return;
  reading.candidate = null;
  if (candidate.region.length <= tightMax) writeAsTight(reading, candidate, reader);
}

/** One place instead of those within. */
function writeAsTight({ places }: Reading, candidate: Candidate, { bytes, at: behind }: Reader): void {
  const { region, at, start, depth, exits } = candidate;
  region.tight = { blockType: bytes[at + 1] ?? 0, start, end: behind - 1, exits };
  places.splice(candidate.places, Infinity, { kind: "tight", at, length: behind - at, region, depth });
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

function readLabels(reader: Reader, reading: Reading): number[] {
  const labels: number[] = [];
  for (let count = reader.number(); count >= 0; count--) labels.push(readLabel(reader, reading));
  return labels;
}

function readLabel(reader: Reader, reading: Reading): number {
  const { at } = reader;
  const label = reader.number();
  const { candidate, open } = reading;
  const target = open.length - 1 - label;
  if (target <= 0) reading.isUnderWay = true;
  if (candidate !== null && target < candidate.depth)
    candidate.exits.push({ at, length: reader.at - at, label, isReturn: false });
  return label;
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
