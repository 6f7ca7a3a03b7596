/**
 * The instructions of WebAssembly as far as rewriting needs them: how long each is, and which kind.
 * Known are version 2 of the standard (with SIMD, bulk memory, reference types, several values) and
 * tail calls. What is not known is refused by the name of its proposal.
 */
import type { Reader } from "./binary.ts";
import { Unrunnable } from "./web-assembly.ts";

/** What rewriting has to know of an instruction; "plain" is everything it copies as it is. */
export type Kind =
  | "plain"
  | "block"
  | "if"
  | "else"
  | "loop"
  | "end"
  /** A conditional branch; the label is left to be read. */
  | "branch"
  /** An unconditional one; the label is left to be read. */
  | "goto"
  /** Goes on at one of many labels, which are left to be read: a vector, and one more. */
  | "switch"
  /** What follows is not reached from here. */
  | "jump"
  | "return"
  | "call"
  | "indirect"
  | "tail"
  | "grow"
  /** Its cost depends on the number on top of the stack. */
  | "bulk";

/**
 * Operands by a letter each: u an unsigned number, s a signed one, 4 and 8 so many bytes, m the number of
 * a memory, v a list of types. What a direct call or a branch names is left to be read.
 */
const known: Readonly<Record<number, readonly [operands: string, kind: Kind]>> = {
  0x00: ["", "jump"], // unreachable
  0x01: ["", "plain"],
  0x02: ["s", "block"],
  0x03: ["s", "loop"],
  0x04: ["s", "if"],
  0x05: ["", "else"],
  0x0b: ["", "end"],
  0x0c: ["", "goto"], // br
  0x0d: ["", "branch"], // br_if
  0x0e: ["", "switch"], // br_table
  0x0f: ["", "return"],
  0x10: ["", "call"],
  0x11: ["uu", "indirect"],
  0x12: ["u", "tail"],
  0x13: ["uu", "tail"],
  0x1a: ["", "plain"], // drop
  0x1b: ["", "plain"], // select
  0x1c: ["v", "plain"],
  0x20: ["u", "plain"], // local.get, .set, .tee
  0x21: ["u", "plain"],
  0x22: ["u", "plain"],
  0x23: ["u", "plain"], // global.get, .set
  0x24: ["u", "plain"],
  0x25: ["u", "plain"], // table.get, .set
  0x26: ["u", "plain"],
  0x3f: ["m", "plain"], // memory.size
  0x40: ["m", "grow"],
  0x41: ["s", "plain"], // constants
  0x42: ["s", "plain"],
  0x43: ["4", "plain"],
  0x44: ["8", "plain"],
  0xd0: ["s", "plain"], // ref.null, .is_null, .func
  0xd1: ["", "plain"],
  0xd2: ["u", "plain"],
};

/** Blocks and their ends, drop, locals, constants: no work for a processor. */
export function isFree(opcode: number): boolean {
  const isBlock = opcode === 0x02 || opcode === 0x03 || opcode === 0x05 || opcode === 0x0b;
  return isBlock || opcode === 0x01 || opcode === 0x1a || isOfVariable(opcode) || (opcode >= 0x41 && opcode <= 0x44);
}

/** Reads one instruction, the reader being behind its opcode. */
export function skipInstruction(reader: Reader, opcode: number): Kind {
  if (opcode >= 0x45 && opcode <= 0xc4) return "plain"; // numbers
  if (opcode >= 0x28 && opcode <= 0x3e) return skipMemoryOperand(reader); // loads and stores
  if (opcode === 0xfc) return skipBulk(reader);
  if (opcode === 0xfd) return skipVector(reader);
  const [operands, kind] = known[opcode] ?? refuse(opcode);
  for (const operand of operands) skipOperand(reader, operand);
  return kind;
}

/** The same, and what is left to be read. */
export function skipWhole(reader: Reader, opcode: number): void {
  const kind = skipInstruction(reader, opcode);
  if (kind === "call" || kind === "branch" || kind === "goto") reader.number();
  if (kind === "switch") for (let count = reader.number(); count >= 0; count--) reader.number();
}

/** local.get, .set, .tee. */
export function isOfVariable(opcode: number): boolean {
  return opcode >= 0x20 && opcode <= 0x22;
}

function skipOperand(reader: Reader, operand: string): void {
  if (operand === "u") reader.number();
  else if (operand === "s") reader.skipSigned();
  else if (operand === "m") onlyMemory(reader);
  else if (operand === "v") reader.skip(reader.number());
  else reader.skip(Number(operand));
}

function skipMemoryOperand(reader: Reader): Kind {
  if (reader.number() >= 64) throw new Unrunnable("it uses more than one memory");
  reader.number();
  return "plain";
}

function onlyMemory(reader: Reader): void {
  if (reader.byte() !== 0) throw new Unrunnable("it uses more than one memory");
}

/** 0xfc: conversions, then bulk operations on memories and tables. */
function skipBulk(reader: Reader): Kind {
  const code = reader.number();
  if (code <= 7) return "plain";
  if (code === 15) throw new Unrunnable("it grows a table");
  if (code > 17) throw new Unrunnable(`it uses instruction 0xfc ${code}, which is not known here`);
  const operands = [8, 10, 12, 14].includes(code) ? 2 : 1;
  for (let count = 0; count < operands; count++) reader.number();
  return [8, 10, 11, 12, 14, 17].includes(code) ? "bulk" : "plain";
}

/** 0xfd: SIMD, also the relaxed one. */
function skipVector(reader: Reader): Kind {
  const code = reader.number();
  if (code > 0x113) throw new Unrunnable(`it uses instruction 0xfd ${code}, which is not known here`);
  if (code <= 11 || (code >= 84 && code <= 93)) skipMemoryOperand(reader);
  if (code === 12 || code === 13) reader.skip(16);
  if ((code >= 21 && code <= 34) || (code >= 84 && code <= 91)) reader.skip(1);
  return "plain";
}

function refuse(opcode: number): never {
  throw new Unrunnable(`it uses ${proposalOf(opcode)}`);
}

function proposalOf(opcode: number): string {
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f)
    return "exception handling, which is not supported: build it without exceptions";
  if (opcode === 0xfb || opcode === 0x14 || opcode === 0x15 || (opcode >= 0xd3 && opcode <= 0xd6))
    return "garbage collection or typed references, which are not supported";
  if (opcode === 0xfe) return "threads, which are not supported: build it for a single thread";
  return `instruction 0x${opcode.toString(16)}, which is not known here`;
}
