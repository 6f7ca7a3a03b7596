/**
 * The host's two functions in the table that fuel.ts adds to a program. A table takes functions of
 * WebAssembly only, so a small module takes the host's and gives them back as such.
 */
import { header, section, text } from "./binary.ts";
import { added } from "./fuel.ts";
import { type Instance, type Module, type Table, webAssembly } from "./web-assembly.ts";

let compiled: Promise<Module> | null = null;

/** `tick` may suspend the program; `grow` gives the old size of its memory in pages, or -1. */
export async function setHooks(
  instance: Instance,
  tick: object | (() => void),
  grow: (pages: number) => number,
): Promise<void> {
  const { exports } = await webAssembly.instantiate(await (compiled ??= webAssembly.compile(wrapper())), {
    host: { tick, grow },
  });
  const table = instance.exports[added.hooks] as Table;
  table.set(0, exports["tick"]);
  table.set(1, exports["grow"]);
}

function wrapper(): Uint8Array {
  const imported = (name: string, type: number): number[] => [...text("host"), ...text(name), 0x00, type];
  return Uint8Array.from([
    ...header,
    ...section(1, [2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(2, [2, ...imported("tick", 0), ...imported("grow", 1)]),
    ...section(7, [2, ...text("tick"), 0x00, 0, ...text("grow"), 0x00, 1]),
  ]);
}
