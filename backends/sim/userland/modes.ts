/** File modes as people write them: "rwxr-xr-x", "u+x,go=r", "0755" (chmod(1)). */
import type { NodeKind } from "../../../core/unionfs/file-system.ts";

const kindLetters: Readonly<Record<NodeKind, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  character: "c",
  block: "b",
  fifo: "p",
  socket: "s",
};

/** The first column of `ls -l`. */
export function modeText(kind: NodeKind, mode: number): string {
  const bits = [6, 3, 0].map((shift) => {
    const three = (mode >> shift) & 7;
    const special = { 6: 0o4000, 3: 0o2000, 0: 0o1000 }[shift] ?? 0;
    const letter = shift === 0 ? "t" : "s";
    const isSet = (mode & special) !== 0;
    const last = isSet ? ((three & 1) !== 0 ? letter : letter.toUpperCase()) : (three & 1) !== 0 ? "x" : "-";
    return `${(three & 4) !== 0 ? "r" : "-"}${(three & 2) !== 0 ? "w" : "-"}${last}`;
  });
  return kindLetters[kind] + bits.join("");
}

const whoBits: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };
const permissionBits: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };

/** The mode that `text` makes of `mode`; null when it is none. `umask` holds where nobody is named. */
export function changeMode(text: string, mode: number, options: { umask: number; directory: boolean }): number | null {
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8) <= 0o7777 ? Number.parseInt(text, 8) : null;
  let result: number | null = mode;
  for (const clause of text.split(",")) result = result === null ? null : changeByClause(clause, result, options);
  return result;
}

function changeByClause(clause: string, mode: number, options: { umask: number; directory: boolean }): number | null {
  const [, who = "", actions = ""] = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(clause) ?? [];
  if (actions === "") return null;
  const mask = who === "" ? 0o7777 & ~options.umask : [...who].reduce((bits, each) => bits | (whoBits[each] ?? 0), 0);
  let result = mode;
  for (const [, operator = "", what = ""] of actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)) {
    const bits = bitsOf(what, result, options.directory) & mask;
    if (operator === "+") result |= bits;
    else if (operator === "-") result &= ~bits;
    else result = (result & ~((who === "" ? 0o7777 : mask) & (options.directory ? 0o1777 : 0o7777))) | bits;
  }
  return result;
}

function bitsOf(what: string, mode: number, isDirectory: boolean): number {
  if (/^[ugo]$/.test(what)) {
    const three = (mode >> ({ u: 6, g: 3, o: 0 }[what] ?? 0)) & 7;
    return three * 0o111;
  }
  const hasExecute = isDirectory || (mode & 0o111) !== 0;
  return [...what].reduce(
    (bits, letter) => bits | (letter === "X" ? (hasExecute ? 0o111 : 0) : (permissionBits[letter] ?? 0)),
    0,
  );
}
