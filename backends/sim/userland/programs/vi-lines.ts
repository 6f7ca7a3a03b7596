/** vi's commands on lines: ":2,5d", ":%s/a/b/g", ":7". */
import { compileRegex } from "../regex.ts";

export interface LineCommand {
  readonly from: number;
  readonly to: number;
  /** What becomes of each line; null: one goes to the last. */
  readonly act: ((line: string) => string[]) | null;
}

/** Null for what is no such command. Rows count from 0. */
export function lineCommandOf(text: string, row: number, count: number): LineCommand | null {
  const [range = "", address = ""] = /^(%|(?:\d+|[.$])(?:,(?:\d+|[.$]))?)?/.exec(text) ?? [];
  const rest = text.slice(range.length).trim();
  const place = (part: string): number =>
    Math.min(count, Math.max(1, part === "." ? row + 1 : part === "$" ? count : Number(part))) - 1;
  const ends = address === undefined || address === "" ? ["."] : address === "%" ? ["1", "$"] : address.split(",");
  const [from, to] = [place(ends[0] ?? "."), place(ends.at(-1) ?? ".")];
  if (rest === "") return range === "" ? null : { from, to, act: null };
  if (rest === "d") return { from, to, act: () => [] };
  const act = substitution(rest);
  return act === null ? null : { from, to, act };
}

function substitution(text: string): ((line: string) => string[]) | null {
  const [, pattern, replacement = "", flags = ""] = /^s\/((?:[^/\\]|\\.)*)\/((?:[^/\\]|\\.)*)\/?(g?)$/.exec(text) ?? [];
  if (pattern === undefined) return null;
  const regex = compileRegex(pattern.replaceAll("\\/", "/"), { extended: false }, flags);
  const plain = replacement.replaceAll("\\/", "/");
  return (line) => [
    line.replace(regex, (match: string) => plain.replace(/\\&|&/g, (each) => (each === "&" ? match : "&"))),
  ];
}
