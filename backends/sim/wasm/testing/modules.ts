/** Small WebAssembly modules for tests, written by hand: what no compiler would make. */
import { header, section, text, unsigned } from "../binary.ts";
import { interfaceName } from "../start-values.ts";

const i32 = 0x7f;

/** Instructions, by their names in the text format. */
export const code = {
  unreachable: [0x00],
  /** Goes round for ever. */
  forever: [0x03, 0x40, 0x0c, 0x00, 0x0b],
  /** Calls the only function itself. */
  recursion: [0x10, 0x00],
  divideByZero: [0x41, 1, 0x41, 0, 0x6d, 0x1a],
  loadBeyond: [0x41, 0x7f, 0x28, 2, 0, 0x1a],
  drop: [0x1a],
  /** memory.grow by so many pages (fewer than 64). */
  grow: (pages: number): number[] => [0x41, pages, 0x40, 0],
  callUnknown: [0x41, 0, 0x11, 0, 0],
} as const;

export interface ModuleWishes {
  /** The body of _start, without the end. */
  readonly start?: readonly number[];
  readonly pages?: number;
  readonly pagesMax?: number;
  /** An imported function of no parameters and results. */
  readonly imports?: readonly [module: string, name: string];
  readonly exports?: readonly string[];
  readonly shared?: boolean;
  readonly startSection?: boolean;
}

/** A module with one function of its own, a table and a memory. */
export function smallModule(wishes: ModuleWishes = {}): Uint8Array<ArrayBuffer> {
  const { start = [], pages = 1, pagesMax, imports, exports = ["_start"], shared = false } = wishes;
  const index = imports === undefined ? 0 : 1;
  const limits =
    pagesMax === undefined ? [0, ...unsigned(pages)] : [shared ? 3 : 1, ...unsigned(pages), ...unsigned(pagesMax)];
  const body = [0, ...start, 0x0b];
  return Uint8Array.from([
    ...header,
    ...section(1, [1, 0x60, 0, 0]),
    ...(imports === undefined ? [] : section(2, [1, ...text(imports[0]), ...text(imports[1]), 0x00, 0])),
    ...section(3, [1, 0]),
    ...section(4, [1, 0x70, 0, 1]),
    ...section(5, [1, ...limits]),
    ...section(7, [
      exports.length + 1,
      ...text("memory"),
      ...[0x02, 0],
      ...exports.flatMap((name) => [...text(name), 0x00, index]),
    ]),
    ...(wishes.startSection === true ? section(8, [index]) : []),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

/** A module that exports f: (i32, i32) → i32, which may call itself, and a memory of one page, with this body. */
export function calculator(locals: number, body: readonly number[]): Uint8Array<ArrayBuffer> {
  const whole = [1, ...unsigned(locals), i32, ...body, 0x0b];
  return Uint8Array.from([
    ...header,
    ...section(1, [1, 0x60, 2, i32, i32, 1, i32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 1, 1, 4]),
    ...section(7, [2, ...text("f"), 0x00, 0, ...text("memory"), 0x02, 0]),
    ...section(10, [1, ...unsigned(whole.length), ...whole]),
  ]);
}

/** The same module with an import of the interface that is not in it. */
export const unknownImport = smallModule({ imports: [interfaceName, "fd_teleport"] });
