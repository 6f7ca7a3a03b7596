/**
 * Fuel: makes a WebAssembly program stop now and then to ask whether it may go on. That is what lets
 * many programs share one thread, be killed in an endless loop, be stopped and be throttled.
 *
 * The module is rewritten so that it counts the instructions it runs. `fuel`, a global, says how many
 * are left; when it falls below zero the program calls `tick`, which suspends it. Nothing is renumbered: types,
 * functions, one table and one global are added behind those that are there. The two functions
 * of the host stand in the added table, as imports would shift every function's number:
 *
 *     small function    no loop, and short with all that it calls: left as it is, counted where it is called
 *     other function    at its entry, or behind its prelude   fuel -= its instructions;  below zero: tick
 *     with loops        counts in a local: at each pass of a loop  spent += the loop's instructions;  more
 *                       than there is fuel: fuel -= spent, and once more at its end. When it calls small
 *                       functions only, it works on a copy of the fuel:  left -= …;  below zero: tick
 *     recursion         calls itself, and else small functions only: as a second function, to which the fuel is a
 *                       parameter and of which it is a result, so that it stays in a register from call to call
 *     tight loop        written several times in a row, so that it asks less often (refuel.ts)
 *     memory.grow       a call of the host, which asks the cgroup first
 *     memory.copy, .fill …   count one instruction for each 32 bytes
 *
 * A pass of a loop counts what is likely to be run of it (function-body.ts), whichever branch it takes: the
 * count is the same on every machine, and that is what matters.
 *
 * The bytes must be valid (WebAssembly.validate): otherwise they could name what is added.
 */
import { header, Reader, signed, text, unsigned, Writer } from "./binary.ts";
import { Costs } from "./costs.ts";
import { type Body, readBody } from "./function-body.ts";
import { flushBody, innerBody, type Names, recursionBody, refuelled } from "./refuel.ts";
import { Unrunnable } from "./web-assembly.ts";

/** The names under which what was added is exported; a module that uses them itself is not valid then. */
export const added = {
  fuel: "\u0001fuel",
  /** The table: 0 is tick: () → (), 1 is grow: pages → old size or -1. */
  hooks: "\u0001hooks",
  memory: "\u0001memory",
  /** What the module would have run when instantiated. */
  start: "\u0001start",
} as const;

export interface Refuelled {
  readonly bytes: Uint8Array;
  readonly memoryPages: number;
  /** Entries of all its tables. */
  readonly tableEntries: number;
  readonly hasStart: boolean;
  readonly imports: readonly ImportedFunction[];
}

export interface ImportedFunction {
  readonly module: string;
  readonly name: string;
  /** Its parameters and results, a letter each: i and I for 32 and 64 bits, "?" for others: "iI:i". */
  readonly signature: string;
}

const section = { type: 1, import: 2, function: 3, table: 4, memory: 5, global: 6, export: 7, start: 8, code: 10 };
/** Where sections stand: a tag section would be behind the memories, the data's count before the code. */
const order = [1, 2, 3, 4, 5, 6, 7, 9, 12, 10, 11];
const i32 = 0x7f;
const empty = 0x40;
const tableEntriesMax = 1_000_000;

/** What the rewritten parts need to know of the module. */
interface Module {
  readonly types: readonly FunctionType[];
  readonly imports: readonly { readonly module: string; readonly name: string; readonly type: number }[];
  /** The type of each function that the module defines. */
  readonly functions: readonly number[];
  readonly tables: number;
  readonly tableEntries: number;
  readonly hasMemory: boolean;
  readonly memoryPages: number;
  readonly globals: number;
}

interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

/** Throws Unrunnable for what cannot be rewritten; `bytes` are a valid module. */
export function addFuel(bytes: Uint8Array): Refuelled {
  const sections = readSections(bytes);
  const module = readModule(bytes, sections);
  const rewritten = new Map([...sections].map(([id, { at, end }]) => [id, bytes.subarray(at, end)]));
  const append = (id: number, entries: readonly (readonly number[])[]): void => {
    rewritten.set(id, appended(sections.get(id), entries));
  };
  const code = readCode(sections.get(section.code), module);
  const types = moreTypes(module, code.recursions);
  append(section.type, types.added);
  append(section.function, [unsigned(module.types.length + typeOf.flush), ...types.recursions]);
  append(section.table, [[0x70, 0x01, 0x02, 0x02]]);
  append(section.global, [[i32, 0x01, 0x41, 0x00, 0x0b]]);
  const start = sections.get(section.start)?.number();
  append(section.export, exportsOf(module, start));
  rewritten.delete(section.start);
  rewritten.set(section.code, codeOf(code, module, types.blocks));
  const { memoryPages, tableEntries } = module;
  const imports = module.imports.map(({ module: from, name, type }) => {
    return { module: from, name, signature: signatureOf(module.types[type]) };
  });
  return { bytes: joined(rewritten, bytes.length), memoryPages, tableEntries, hasStart: start !== undefined, imports };
}

// Reading the module

function readSections(bytes: Uint8Array): Map<number, Reader> {
  const reader = new Reader(bytes);
  if (header.some((byte) => reader.byte() !== byte))
    throw new Unrunnable("it is no WebAssembly module of version 1 (a component needs another runtime)");
  const sections = new Map<number, Reader>();
  while (reader.at < reader.end) {
    const id = reader.byte();
    const part = reader.part(reader.number());
    if (id === 0) continue; // Debugging information: it speaks of offsets that will not hold.
    if (id === 13) throw new Unrunnable("it uses exception handling, which is not supported: build it without");
    if (id > 12) throw new Unrunnable(`it has a section ${id}, which is not known here`);
    sections.set(id, part);
  }
  return sections;
}

function readModule(bytes: Uint8Array, sections: ReadonlyMap<number, Reader>): Module {
  const list = <T>(id: number, read: (reader: Reader) => T): T[] => {
    const { at, end } = sections.get(id) ?? { at: 0, end: 0 };
    return end === 0 ? [] : vector(new Reader(bytes, at, end), read);
  };
  const tables = list(section.table, readTable);
  const memories = list(section.memory, readMemory);
  if (memories.length > 1) throw new Unrunnable("it has more than one memory");
  const tableEntries = tables.reduce((sum, entries) => sum + entries, 0);
  if (tableEntries > tableEntriesMax) throw new Unrunnable(`its tables have more than ${tableEntriesMax} entries`);
  const globals = sections.get(section.global);
  return {
    types: list(section.type, readType),
    imports: list(section.import, readImport),
    functions: list(section.function, (reader) => reader.number()),
    tables: tables.length,
    tableEntries,
    hasMemory: memories.length === 1,
    memoryPages: memories[0] ?? 0,
    globals: globals === undefined ? 0 : new Reader(bytes, globals.at, globals.end).number(),
  };
}

function vector<T>(reader: Reader, read: (reader: Reader) => T): T[] {
  const count = reader.number();
  if (count > reader.end - reader.at) throw new Unrunnable("the module ends too early");
  return Array.from({ length: count }, () => read(reader));
}

function readType(reader: Reader): FunctionType {
  if (reader.byte() !== 0x60) throw new Unrunnable("it uses garbage-collected types, which are not supported");
  const parameters = vector(reader, readValueType);
  return { parameters, results: vector(reader, readValueType) };
}

function signatureOf(type: FunctionType | undefined): string {
  const letters = (types: readonly number[]): string => types.map((each) => letterOf[each] ?? "?").join("");
  return `${letters(type?.parameters ?? [])}:${letters(type?.results ?? [])}`;
}

const letterOf: Readonly<Record<number, string>> = { 0x7f: "i", 0x7e: "I" };

function readValueType(reader: Reader): number {
  const type = reader.byte();
  if ((type < 0x7b || type > 0x7f) && type !== 0x70 && type !== 0x6f)
    throw new Unrunnable("it uses garbage-collected types, which are not supported");
  return type;
}

function readImport(reader: Reader): Module["imports"][number] {
  const module = reader.name();
  const name = reader.name();
  if (reader.byte() !== 0) throw new Unrunnable(`it imports ${module}.${name}, which is no function`);
  return { module, name, type: reader.number() };
}

/** The initial number of entries. */
function readTable(reader: Reader): number {
  const type = reader.byte();
  if (type !== 0x70 && type !== 0x6f) throw new Unrunnable("it uses tables of typed references");
  return readLimits(reader);
}

/** The initial number of pages. */
function readMemory(reader: Reader): number {
  return readLimits(reader);
}

function readLimits(reader: Reader): number {
  const flags = reader.byte();
  if (flags === 2 || flags === 3)
    throw new Unrunnable("it uses shared memory (threads), which is not supported: build it for a single thread");
  if (flags > 3) throw new Unrunnable("it uses 64-bit memory, which is not supported: build it for wasm32");
  const least = reader.number();
  if (flags === 1) reader.number();
  return least;
}

// What is added

/** The added types, counted from the module's last one; blocks' types follow. */
const typeOf = { tick: 0, flush: 1, grow: 2 };

interface MoreTypes {
  readonly added: readonly number[][];
  /** Of a block around the body of a function of this type. */
  readonly blocks: (type: number) => number[];
  /** Of the functions that are added for recursions, by their numbers. */
  readonly recursions: readonly number[][];
}

/** Functions with several results need a type for the block around their body; recursions have the fuel as one more. */
function moreTypes({ types, functions }: Module, recursions: readonly number[]): MoreTypes {
  const added = [
    [0x60, 0, 0],
    [0x60, 1, i32, 0],
    [0x60, 1, i32, 1, i32],
  ];
  const add = (type: number[]): number => types.length + added.push(type) - 1;
  const blocks = types.map(({ results }) => {
    if (results.length === 0) return [empty];
    if (results.length === 1) return [...results];
    return signed(add([0x60, 0, ...unsigned(results.length), ...results]));
  });
  const inner = recursions.map((index) => {
    const { parameters, results } = types[functions[index] ?? 0] ?? { parameters: [], results: [] };
    return unsigned(add([0x60, ...withFuel(parameters), ...withFuel(results)]));
  });
  return { added, blocks: (type) => blocks[type] ?? [empty], recursions: inner };
}

function withFuel(types: readonly number[]): number[] {
  return [...unsigned(types.length + 1), ...types, i32];
}

function exportsOf({ globals, tables, hasMemory }: Module, start: number | undefined): number[][] {
  return [
    [...text(added.fuel), 0x03, ...unsigned(globals)],
    [...text(added.hooks), 0x01, ...unsigned(tables)],
    ...(hasMemory ? [[...text(added.memory), 0x02, 0x00]] : []),
    ...(start === undefined ? [] : [[...text(added.start), 0x00, ...unsigned(start)]]),
  ];
}

/** A section's vector with more entries. */
function appended(old: Reader | undefined, entries: readonly (readonly number[])[]): Uint8Array {
  const reader = old === undefined ? null : new Reader(old.bytes, old.at, old.end);
  const count = reader?.number() ?? 0;
  const writer = new Writer((reader?.end ?? 0) - (reader?.at ?? 0) + 64);
  writer.put(unsigned(count + entries.length));
  if (reader !== null) writer.put(reader.rest());
  for (const entry of entries) writer.put(entry);
  return writer.taken();
}

function joined(sections: ReadonlyMap<number, Uint8Array>, size: number): Uint8Array {
  const writer = new Writer(size + size / 4 + 1024);
  writer.put(header);
  for (const id of order) {
    const bytes = sections.get(id);
    if (bytes === undefined) continue;
    writer.put([id, ...unsigned(bytes.length)]);
    writer.put(bytes);
  }
  return writer.taken();
}

// Rewriting the code

interface Code {
  readonly bodies: readonly Body[];
  readonly costs: Costs;
  /** Which functions hand their fuel on when they call themselves (refuel.ts): one more is added for each. */
  readonly recursions: readonly number[];
  readonly bytes: number;
}

function readCode(code: Reader | undefined, { functions, imports, types }: Module): Code {
  let index = imports.length;
  const bodies = code === undefined ? [] : vector(code, (reader) => readBody(reader.part(reader.number()), index++));
  if (bodies.length !== functions.length) throw new Unrunnable("not every function of it has a body");
  const costs = new Costs(bodies, imports.length);
  const isSingle = (type: number | undefined): boolean => (types[type ?? 0]?.results.length ?? 0) <= 1;
  const recursions = [...bodies.keys()].filter((each) => isSingle(functions[each]) && costs.isSelfContained(each));
  return { bodies, costs, recursions, bytes: code === undefined ? 0 : code.end };
}

function codeOf(
  { bodies, costs, recursions, bytes }: Code,
  module: Module,
  blockType: MoreTypes["blocks"],
): Uint8Array {
  const flush = module.imports.length + bodies.length;
  const names: Names = {
    fuel: unsigned(module.globals),
    flush: unsigned(flush),
    grow: [...unsigned(module.types.length + typeOf.grow), ...unsigned(module.tables)],
    tick: [...unsigned(module.types.length + typeOf.tick), ...unsigned(module.tables)],
  };
  const inner = new Map(recursions.map((index, at) => [index, flush + 1 + at]));
  const added: Uint8Array[] = [flushBody(names)];
  const rewritten = bodies.map((body, index) => {
    const type = module.functions[index] ?? 0;
    const parameters = module.types[type]?.parameters.length ?? 0;
    const around = { parameters, blockType: blockType(type), costs, index, names };
    const itself = inner.get(index);
    if (itself === undefined) return refuelled(body, around);
    added.push(innerBody(body, around, itself));
    return recursionBody(parameters, itself, names);
  });
  const writer = new Writer(bytes * 1.25 + 64);
  writer.put(unsigned(rewritten.length + added.length));
  for (const each of [...rewritten, ...added]) {
    writer.put(unsigned(each.length));
    writer.put(each);
  }
  return writer.taken();
}
