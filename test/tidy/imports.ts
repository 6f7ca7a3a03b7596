/** Reads a file's imports and says which of them the table of rooms forbids. */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { parseSync } from "oxc-parser";
import { coreOrder, type Room, roomOf } from "./rooms.ts";
import type { Complaint, Source } from "./source.ts";

/** The module names a file imports, exports from or loads with import("…"). */
export function importsOf(source: Source): { name: string; line: number }[] {
  const { module } = parseSync(source.path, source.text);
  const fixed = [...module.staticImports, ...module.staticExports.flatMap((each) => each.entries)].flatMap((each) => {
    const request = "moduleRequest" in each ? each.moduleRequest : null;
    return request === null ? [] : [{ name: request.value, line: lineAt(source.text, request.start) }];
  });
  const dynamic = module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
    const literal = /^["'`](.*)["'`]$/.exec(source.text.slice(start, end))?.[1];
    return literal === undefined ? [] : [{ name: literal, line: lineAt(source.text, start) }];
  });
  return [...fixed, ...dynamic];
}

export function checkImports(source: Source): Complaint[] {
  const room = roomOf(source.path);
  if (room === null) return [{ file: source.path, line: 1, text: "lies in no room: add it to test/tidy/rooms.ts" }];
  return importsOf(source).flatMap(({ name, line }) => {
    const objection = source.path.endsWith(".test.ts") ? objectToTest(room, name) : objectTo(source.path, room, name);
    return objection === null ? [] : [{ file: source.path, line, text: `imports ${name}: ${objection}` }];
  });
}

/** A test beside its file may use Node and test libraries, and what is in `test`; not another room's inside at random. */
function objectToTest(_room: Room, name: string): string | null {
  return name.endsWith(".js") ? "sources are imported by their real name, with .ts" : null;
}

function objectTo(file: string, room: Room, name: string): string | null {
  if (name.startsWith(".")) return objectToFile(file, room, posix.join(posix.dirname(file), name));
  if (name.startsWith("node:") || builtinModules.includes(name)) {
    if (!name.startsWith("node:")) return "Node's modules are imported as node:…";
    return room.node ? null : `${room.path} may not see Node; ${room.why}`;
  }
  const packageName = name.split("/", name.startsWith("@") ? 2 : 1).join("/");
  if (room.packages === "*" || room.packages.includes(packageName)) return null;
  return `${room.path} may not use this package; ${room.why}`;
}

function objectToFile(file: string, room: Room, target: string): string | null {
  const home = roomOf(target);
  if (home === null) return "the file lies in no room";
  if (home === room || room.may.some((allowed) => target === allowed || target.startsWith(`${allowed}/`))) return null;
  return wrongOrder(file, target) ?? `${room.path} may not import ${home.path}; ${room.why}`;
}

function wrongOrder(file: string, target: string): string | null {
  const [from, to] = [file, target].map((path) => coreOrder.findIndex((name) => path.startsWith(`core/${name}/`)));
  if (from === undefined || to === undefined || from < 0 || to < 0) return null;
  return `${coreOrder[from]} comes before ${coreOrder[to]}; data flows ${coreOrder.slice(from, to + 1).join(" → ")}`;
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
