/**
 * A function's body with its counting added (fuel.ts says how). What is added leaves the operands on
 * the stack as they are. A function with loops is wrapped in a block, so that however it ends (a
 * branch out of everything, a `return` made into one) it comes by the place where it tells what it spent.
 */
import { signed, unsigned, Writer } from "./binary.ts";
import type { Body, Costs, Place } from "./function-body.ts";

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

const spentMax = 10_000;
/** What costs more asks for itself. */
const askedMin = 256;
/** 32 bytes copied cost as much as an instruction. */
const bytesShift = 5;
const op = {
  block: 0x02,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  call: 0x10,
  callIndirect: 0x11,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  constant: 0x41,
  lessSigned: 0x48,
  greaterUnsigned: 0x4b,
  add: 0x6a,
  subtract: 0x6b,
  shiftRight: 0x76,
} as const;
const empty = 0x40;
const i32 = 0x7f;

/** The body's bytes, without their size in front. */
export function refuelled(body: Body, around: Surroundings): Uint8Array {
  const counts = body.places.some(({ kind }) => kind === "loop" || kind === "bulk");
  const isSmall = !counts && around.costs.isSmall(around.index);
  const local = unsigned(around.parameters + body.locals);
  const writer = new Writer((body.end - body.start) * 2 + 64);
  const isChanged = counts || !isSmall;
  writer.put(unsigned(body.declarations + (isChanged ? 1 : 0)));
  writer.put(body.declared);
  if (isChanged) writer.put([...unsigned(counts ? 2 : 1), i32]);
  if (counts) putCounting(writer, body, around, local);
  else {
    if (isChanged) writer.put(entryOf(around.costs.of(body.regions[0]), local, around.names));
    putInstructions(writer, body, (place) => (place.kind === "grow" ? growth(around.names) : null));
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
  /** A pass of a loop. */
  pass(cost: number): number[];
  /** Adds the number on top of the stack, which is taken. */
  add(): number[];
  /** Before a call that does not come back, and at the end. */
  settle(): number[];
}

function putCounting(writer: Writer, body: Body, around: Surroundings, local: readonly number[]): void {
  const { names, costs, blockType } = around;
  const account = costs.isLeaf(body) ? takenFrom(local, names) : addedUp(local, names);
  const scratch = unsigned(around.parameters + body.locals + 1);
  writer.put([...account.begin(costs.of(body.regions[0])), op.block, ...blockType]);
  putInstructions(writer, body, (place) => {
    switch (place.kind) {
      case "loop":
        return account.pass(place.region === null ? 0 : costs.of(place.region));
      case "return":
        return [op.br, ...unsigned(place.depth)];
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

/**
 * Of a function that calls only small ones: nobody else counts meanwhile, so it works on a copy of
 * the fuel. It need not ask at its end, as whoever called it does.
 */
function takenFrom(left: readonly number[], { fuel, flush }: Names): Account {
  const subtract = (amount: readonly number[]): number[] => [op.get, ...left, ...amount, op.subtract];
  const save = [op.get, ...left, op.globalSet, ...fuel];
  const tick = [...save, op.constant, 0, op.call, ...flush, op.globalGet, ...fuel, op.set, ...left];
  const isEmpty = [op.constant, 0, op.lessSigned];
  const pass = (cost: number): number[] => [
    ...subtract([op.constant, ...signed(cost)]),
    ...[op.tee, ...left, ...isEmpty, op.if, empty, ...tick, op.end],
  ];
  return {
    // A long one asks at once: many of them could burn more than a number holds before anybody does.
    begin: (cost) =>
      cost > askedMin
        ? [op.globalGet, ...fuel, op.set, ...left, ...pass(cost)]
        : [op.globalGet, ...fuel, op.constant, ...signed(cost), op.subtract, op.set, ...left],
    pass,
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
}

/** Of a function that calls others, which count too: it adds up what it spends, and takes it off now and then. */
function addedUp(spent: readonly number[], names: Names): Account {
  const flush = [op.get, ...spent, op.call, ...names.flush, op.constant, 0, op.set, ...spent];
  const isMuch = [op.constant, ...signed(spentMax), op.greaterUnsigned];
  return {
    begin: (cost) => [op.constant, ...signed(cost), op.set, ...spent],
    pass: (cost) => [
      ...[op.get, ...spent, op.constant, ...signed(cost), op.add, op.tee, ...spent],
      ...[...isMuch, op.if, empty, ...flush, op.end],
    ],
    add: () => [op.get, ...spent, op.add, op.set, ...spent],
    settle: () => takeFrom(names, [op.get, ...spent], spent),
  };
}

/** The instructions without the last end; null leaves a place as it is. */
function putInstructions(writer: Writer, body: Body, write: (place: Place) => readonly number[] | null): void {
  let copied = body.start;
  for (const place of body.places) {
    const bytes = write(place);
    if (bytes === null) continue;
    writer.put(body.bytes.subarray(copied, place.at));
    writer.put(bytes);
    copied = place.at + place.length;
  }
  writer.put(body.bytes.subarray(copied, body.end));
}
