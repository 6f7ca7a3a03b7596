/**
 * A function's body with its counting added (fuel.ts says how). What is added leaves the operands on
 * the stack as they are. A function with loops is wrapped in a block, so that however it ends (a
 * branch out of everything, a `return` made into one) it comes by the place where it tells what it spent.
 *
 * A tight loop is written several times in a row, each one leading to the next and the last one back: each pass counts,
 * only the first of a round looks whether there is fuel left. Where that is done is outside of the loop: engines make more of one without calls.
 */
import { Reader, signed, unsigned, Writer } from "./binary.ts";
import type { Costs } from "./costs.ts";
import { type Body, type Exit, type Place, readBody, type TightLoop } from "./function-body.ts";
import { isOfVariable, skipWhole } from "./instructions.ts";

/** The numbers of what was added to the module, as bytes. */
export interface Names {
  readonly fuel: readonly number[];
  /** The function that takes from the global, and ticks when nothing is left. */
  readonly flush: readonly number[];
  /** Type and table of the host's functions. */
  readonly grow: readonly number[];
  readonly tick: readonly number[];
}

export interface Surroundings {
  readonly parameters: number;
  /** Of a block with the function's results. */
  readonly blockType: readonly number[];
  readonly costs: Costs;
  /** The function's number among those of the module. */
  readonly index: number;
  readonly names: Names;
}

/** So many instructions of a tight loop are written in a row, or one pass of it. */
const roundMax = 48;
const passesMax = 4;
/** What costs more asks for itself. */
const askedMin = 256;
/** 32 bytes copied cost as much as an instruction. */
const bytesShift = 5;
const op = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  call: 0x10,
  callIndirect: 0x11,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  constant: 0x41,
  lessSigned: 0x48,
  greaterSigned: 0x4a,
  add: 0x6a,
  subtract: 0x6b,
  shiftRight: 0x76,
} as const;
const empty = 0x40;
const i32 = 0x7f;

/** The body's bytes, without their size in front. */
export function refuelled(body: Body, around: Surroundings): Uint8Array {
  const counts = body.places.some(({ kind }) => kind === "loop" || kind === "tight" || kind === "bulk");
  const isSmall = !counts && around.costs.isSmall(around.index);
  const local = unsigned(around.parameters + body.locals);
  const writer = new Writer((body.end - body.start) * 2 + 64);
  const isChanged = counts || !isSmall;
  writer.put(unsigned(body.declarations + (isChanged ? 1 : 0)));
  writer.put(body.declared);
  if (isChanged) writer.put([...unsigned(counts ? 2 : 1), i32]);
  if (counts) {
    const scratch = unsigned(around.parameters + body.locals + 1);
    putCounting(writer, body, around, { account: accountOf(body, around, local), scratch });
  } else {
    const entry = isChanged ? entryOf(around.costs.ofEntry(body), local, around.names) : [];
    putInstructions(writer, body, entry, (place) => (place.kind === "grow" ? growth(around.names) : null));
  }
  writer.put([op.end]);
  return writer.taken();
}

/** flush(spent): fuel -= spent; below zero: tick. */
export function flushBody({ fuel, tick }: Names): Uint8Array {
  const take = [op.globalGet, ...fuel, op.get, 0, op.subtract, op.globalSet, ...fuel];
  const ask = [op.globalGet, ...fuel, op.constant, 0, op.lessSigned];
  const call = [op.if, empty, op.constant, 0, op.callIndirect, ...tick, op.end];
  return Uint8Array.from([0, ...take, ...ask, ...call, op.end]);
}

/** The entry of a function without loops. */
function entryOf(cost: number, local: readonly number[], names: Names): number[] {
  return takeFrom(names, [op.constant, ...signed(cost)], local);
}

/** fuel -= amount; below zero: tick. `local` is for its use. */
function takeFrom({ fuel, flush }: Names, amount: readonly number[], local: readonly number[]): number[] {
  const take = [op.globalGet, ...fuel, ...amount, op.subtract, op.tee, ...local, op.globalSet, ...fuel];
  const ask = [op.get, ...local, op.constant, 0, op.lessSigned];
  return [...take, ...ask, op.if, empty, op.constant, 0, op.call, ...flush, op.end];
}

function growth({ grow }: Names): number[] {
  return [op.constant, 1, op.callIndirect, ...grow];
}

/** How a function with loops keeps its account in a local. */
interface Account {
  /** Begins it with the cost of what is outside loops. */
  begin(cost: number): number[];
  /** Counts a pass of a loop. */
  count(cost: number): number[];
  /** The same, and leaves on the stack whether it has to ask. */
  countAndLook(cost: number): number[];
  ask(): number[];
  /** Adds the number on top of the stack, which is taken. */
  add(): number[];
  /** Before a call that does not come back, and at the end. */
  settle(): number[];
}

function accountOf(body: Body, { names, costs }: Surroundings, local: readonly number[]): Account {
  return costs.isLeaf(body) ? takenFrom(local, names) : addedUp(local, names, costs.callsInLoopsOnly(body));
}

/** What counting makes use of. */
interface Means {
  readonly account: Account;
  /** A local for the length of what is copied. */
  readonly scratch: readonly number[];
  /** How it calls itself; null: as it did. */
  readonly itself?: readonly number[];
}

function putCounting(writer: Writer, body: Body, { names, costs, blockType }: Surroundings, means: Means): void {
  const { account, scratch, itself } = means;
  const beginning = itself === undefined ? (body.prelude?.end ?? body.start) : body.start;
  writer.put([op.block, ...blockType]);
  putInstructions(writer, body, account.begin(costs.ofEntry(body)), (place) => {
    const { region } = place;
    switch (place.kind) {
      case "loop":
        return region === null ? null : pass(account, costs.of(region));
      case "tight":
        return region?.tight ? tightly(body, region.tight, region.length, account, costs.of(region)) : null;
      case "return":
        return place.at < beginning ? null : [op.br, ...unsigned(place.depth)];
      case "self":
        return itself ?? null;
      case "tail":
        return account.settle();
      case "grow":
        return growth(names);
      case "bulk":
        return [op.tee, ...scratch, op.get, ...scratch, op.constant, bytesShift, op.shiftRight, ...account.add()];
      default:
        return place.kind satisfies never;
    }
  });
  writer.put([op.end]);
  writer.put(account.settle());
}

// A function that calls itself, and nothing else that counts: what it works on is handed on

/** How it is called from elsewhere: the fuel is taken out of the global and put back. */
export function recursionBody(parameters: number, inner: number, { fuel }: Names): Uint8Array {
  const own = Array.from({ length: parameters }, (_, index) => [op.get, ...unsigned(index)]).flat();
  const call = [op.globalGet, ...fuel, op.call, ...unsigned(inner), op.globalSet, ...fuel];
  return Uint8Array.from([0, ...own, ...call, op.end]);
}

/** How it calls itself: fuel is its last parameter, and its last result. `around` is without that. */
export function innerBody(original: Body, around: Surroundings, inner: number): Uint8Array {
  const { parameters, names, costs } = around;
  const body = readBody(new Reader(withParameter(original, parameters)), original.self);
  const left = unsigned(parameters);
  const account = handedOn(left, names, !costs.callsInLoopsOnly(body));
  const writer = new Writer((body.end - body.start) * 2 + 64);
  writer.put(unsigned(body.declarations + 1));
  writer.put(body.declared);
  writer.put([1, i32]);
  const scratch = unsigned(parameters + 1 + body.locals);
  const itself = [op.get, ...left, op.call, ...unsigned(inner), op.set, ...left];
  putCounting(writer, body, around, { account, scratch, itself });
  writer.put([op.end]);
  return writer.taken();
}

/** The body with one parameter more: the numbers of its variables move on. */
function withParameter(body: Body, parameters: number): Uint8Array {
  const { bytes, start, end } = body;
  const reader = new Reader(bytes, start, end);
  const writer = new Writer(end - start + 64);
  writer.put(unsigned(body.declarations));
  writer.put(body.declared);
  let copied = start;
  while (reader.at < end) {
    const opcode = reader.byte();
    const at = reader.at;
    if (!isOfVariable(opcode)) skipWhole(reader, opcode);
    else {
      const variable = reader.number();
      if (variable < parameters) continue;
      writer.put(bytes.subarray(copied, at));
      writer.put(unsigned(variable + 1));
      copied = reader.at;
    }
  }
  writer.put(bytes.subarray(copied, end));
  writer.put([op.end]);
  return writer.taken();
}

/** Whoever calls itself outside of loops, which ask, has to ask before. */
function handedOn(left: readonly number[], names: Names, asksBefore: boolean): Account {
  const account = takenFrom(left, names);
  const begin = (cost: number): number[] => (asksBefore || cost > askedMin ? pass(account, cost) : account.count(cost));
  return { ...account, begin, settle: () => [op.get, ...left] };
}

/**
 * Of a function that calls only small ones: nobody else counts meanwhile, so it works on a copy of
 * the fuel. It need not ask at its end, as whoever called it does.
 */
function takenFrom(left: readonly number[], { fuel, flush }: Names): Account {
  const subtract = (amount: readonly number[]): number[] => [op.get, ...left, ...amount, op.subtract];
  const save = [op.get, ...left, op.globalSet, ...fuel];
  const account: Account = {
    // A long one asks at once: many of them could burn more than a number holds before anybody does.
    begin: (cost) =>
      cost > askedMin
        ? [op.globalGet, ...fuel, op.set, ...left, ...pass(account, cost)]
        : [op.globalGet, ...fuel, op.constant, ...signed(cost), op.subtract, op.set, ...left],
    count: (cost) => [...subtract([op.constant, ...signed(cost)]), op.set, ...left],
    countAndLook: (cost) => {
      const isEmpty = [op.constant, 0, op.lessSigned];
      return [...subtract([op.constant, ...signed(cost)]), op.tee, ...left, ...isEmpty];
    },
    ask: () => [...save, op.constant, 0, op.call, ...flush, op.globalGet, ...fuel, op.set, ...left],
    // The amount is on the stack already: left = -(amount - left).
    add: () => [
      op.get,
      ...left,
      op.subtract,
      op.set,
      ...left,
      op.constant,
      0,
      ...[op.get, ...left, op.subtract, op.set, ...left],
    ],
    settle: () => save,
  };
  return account;
}

/**
 * Of a function that calls others, which count too: it adds up what it spends, and takes it off now and then. Whoever makes
 * such calls has to ask: in each pass of a loop, and at the end when it makes them elsewhere too.
 */
function addedUp(spent: readonly number[], names: Names, asksInLoopsOnly: boolean): Account {
  const more = (cost: number): number[] => [op.get, ...spent, op.constant, ...signed(cost), op.add];
  const take = [op.globalGet, ...names.fuel, op.get, ...spent, op.subtract, op.globalSet, ...names.fuel];
  return {
    begin: (cost) => [op.constant, ...signed(cost), op.set, ...spent],
    count: (cost) => [...more(cost), op.set, ...spent],
    countAndLook: (cost) => [...more(cost), op.tee, ...spent, op.globalGet, ...names.fuel, op.greaterSigned],
    ask: () => [op.get, ...spent, op.call, ...names.flush, op.constant, 0, op.set, ...spent],
    add: () => [op.get, ...spent, op.add, op.set, ...spent],
    settle: () => (asksInLoopsOnly ? take : takeFrom(names, [op.get, ...spent], spent)),
  };
}

function pass(account: Account, cost: number): number[] {
  return [...account.countAndLook(cost), op.if, empty, ...account.ask(), op.end];
}

/**
 * The loop L with its opcode and end, as n passes in a row:
 *
 *     block exit: loop round: block ask: loop L
 *       count, br_if ask; block next: first pass, L being next; br exit; end
 *       …                 count;      last pass, br exit
 *     end end; ask, uncount; br round; end end
 */
function tightly(body: Body, loop: TightLoop, length: number, account: Account, cost: number): number[] {
  const passes = Math.min(passesMax, Math.max(1, Math.floor(roundMax / length)));
  const bytes = [op.block, loop.blockType, op.loop, loop.blockType, op.block, empty, op.loop, empty];
  for (let done = 0; done < passes; done++) {
    bytes.push(...(done === 0 ? [...account.countAndLook(cost), op.brIf, 1] : account.count(cost)));
    const isLast = done === passes - 1;
    if (!isLast) bytes.push(op.block, empty);
    const further = isLast ? 3 : 4;
    bytes.push(...movedInstructions(body, loop, further), op.br, further);
    if (!isLast) bytes.push(op.end);
  }
  // The pass that asked is begun once more.
  return [...bytes, op.end, op.end, ...account.ask(), ...account.count(-cost), op.br, 0, op.end, op.end];
}

/** A loop's instructions in so many more blocks. */
function movedInstructions({ bytes }: Body, { start, end, exits }: TightLoop, further: number): number[] {
  const moved: number[] = [];
  let copied = start;
  for (const exit of exits) {
    moved.push(...bytes.subarray(copied, exit.at), ...movedExit(exit, further));
    copied = exit.at + exit.length;
  }
  return [...moved, ...bytes.subarray(copied, end)];
}

function movedExit({ label, isReturn }: Exit, further: number): number[] {
  return [...(isReturn ? [op.br] : []), ...unsigned(label + further)];
}

/** The instructions without the last end, and `begin` behind the prelude; null leaves a place as it is. */
function putInstructions(
  writer: Writer,
  body: Body,
  begin: readonly number[],
  write: (place: Place) => readonly number[] | null,
): void {
  const beginning: Insertion = { at: body.prelude?.end ?? body.start, length: 0, bytes: begin };
  const written = body.places.map((place): Insertion => ({ at: place.at, length: place.length, bytes: write(place) }));
  const behind = written.findIndex(({ at }) => at >= beginning.at);
  let copied = body.start;
  for (const { at, length, bytes } of written.toSpliced(behind === -1 ? written.length : behind, 0, beginning)) {
    if (bytes === null) continue;
    writer.put(body.bytes.subarray(copied, at));
    writer.put(bytes);
    copied = at + length;
  }
  writer.put(body.bytes.subarray(copied, body.end));
}

interface Insertion {
  readonly at: number;
  readonly length: number;
  readonly bytes: readonly number[] | null;
}
