/**
 * What a program is started with: its arguments and environment, laid out in memory by @wasmer/wasi. The library writes
 * them into the memory of a small module of ours, once, before the program begins; the program's own calls copy them
 * from there. So nothing of the library holds on to a program that is killed.
 */
import { Errno } from "../../../core/base/errno.ts";
import { header, section, text } from "./binary.ts";
import { GuestMemory } from "./guest-memory.ts";
import { type Imports, type Instance, type Memory, type Module, webAssembly } from "./web-assembly.ts";

/** What this room uses of @wasmer/wasi. */
export interface Wasmer {
  init(source?: unknown): Promise<void>;
  readonly WASI: new (config: { args: string[]; env: Record<string, string>; preopens: object }) => Wasi;
}

interface Wasi {
  getImports(module: Module): Imports;
  instantiate(instance: Instance, imports: object): unknown;
  free(): void;
}

/** Strings, each with a NUL behind it. */
export interface Strings {
  readonly count: number;
  readonly bytes: Uint8Array;
}

export interface StartValues {
  readonly args: Strings;
  readonly environ: Strings;
}

export const interfaceName = "wasi_snapshot_preview1";
const bytesPerPage = 65536;
/** Linux's limit for both together (execve(2)) is far above what it lets a single string have. */
const bytesMax = 8 * 1024 * 1024;

export async function startValues(
  { WASI }: Wasmer,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<StartValues> {
  const wasi = new WASI({ args: [...args], env: { ...env }, preopens: {} });
  try {
    const module = await starter();
    const imports = wasi.getImports(module);
    // It only has the memory to write to: one will do for all.
    instance ??= await webAssembly.instantiate(module, imports);
    wasi.instantiate(instance, {});
    const calls = imports[interfaceName] as Record<string, (first: number, second: number) => number>;
    const memory = instance.exports["memory"] as Memory;
    return { args: taken(calls, memory, "args"), environ: taken(calls, memory, "environ") };
  } finally {
    wasi.free();
  }
}

let instance: Instance | null = null;

function taken(
  calls: Record<string, (first: number, second: number) => number>,
  memory: Memory,
  what: string,
): Strings {
  const call = (name: string, first: number, second: number): void => {
    if (calls[name]?.(first, second) !== 0) throw new Errno("EIO");
  };
  call(`${what}_sizes_get`, 0, 4);
  const [count, size] = [new GuestMemory(memory).u32(0), new GuestMemory(memory).u32(4)];
  const start = count * 4;
  if (start + size > bytesMax) throw new Errno("E2BIG");
  const missing = Math.ceil((start + size - memory.buffer.byteLength) / bytesPerPage);
  if (missing > 0) memory.grow(missing);
  call(`${what}_get`, 0, start);
  return { count, bytes: new GuestMemory(memory).bytes(start, size).slice() };
}

let starterModule: Promise<Module> | null = null;

/** A module with a memory, and the four imports, all (i32, i32) → i32. */
function starter(): Promise<Module> {
  const names = ["args_get", "args_sizes_get", "environ_get", "environ_sizes_get"];
  const imports = names.flatMap((name) => [...text(interfaceName), ...text(name), 0x00, 0x00]);
  const bytes = Uint8Array.from([
    ...header,
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]),
    ...section(2, [names.length, ...imports]),
    ...section(5, [1, 0x00, 1]),
    ...section(7, [1, ...text("memory"), 0x02, 0x00]),
  ]);
  return (starterModule ??= webAssembly.compile(bytes));
}

/** args_sizes_get and environ_sizes_get. */
export function writeSizes(memory: GuestMemory, { count, bytes }: Strings, countAt: number, sizeAt: number): void {
  memory.setU32(countAt, count);
  memory.setU32(sizeAt, bytes.length);
}

/** args_get and environ_get: a pointer to each string, and the strings. */
export function writeStrings(memory: GuestMemory, { bytes }: Strings, pointersAt: number, bytesAt: number): void {
  memory.bytes(bytesAt, bytes.length).set(bytes);
  let pointer = pointersAt;
  for (let at = 0; at < bytes.length; at = bytes.indexOf(0, at) + 1, pointer += 4) memory.setU32(pointer, bytesAt + at);
}
