/**
 * How long functions are. A ratchet, not a cliff: a function may not be longer than `limit` lines unless it is listed
 * with its present length, and a listed one may only shrink.
 */
import { parseSync, Visitor } from "oxc-parser";
import { lineAt } from "./imports.ts";
import type { Complaint, Source } from "./source.ts";

interface Measured {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const limit = 60;

/** `file name` of each function over the limit, and the lines it has: an exhaustive switch with a line a case, mostly. */
const listed: Readonly<Record<string, number>> = {
  "backends/linux/wire/ops.ts writeChildOp": 107,
  "backends/sim/perform.ts childStep": 85,
};

export function checkFunctions(source: Source): Complaint[] {
  if (!/\.(ts|js)$/.test(source.path)) return [];
  return measure(source).flatMap(({ name, line, lines }) => {
    const allowed = listed[`${source.path} ${name}`] ?? limit;
    if (lines <= allowed) return [];
    return [
      {
        file: source.path,
        line,
        text: `${name} has ${lines} lines, more than ${allowed}: split it where it changes subject`,
      },
    ];
  });
}

interface FunctionNode {
  readonly start: number;
  readonly end: number;
  readonly id?: { readonly name: string } | null;
}

/** A callback of describe() or of a suite is a list, not a function to keep in one's head: tests are not measured. */
export function measure(source: Source): Measured[] {
  if (/\.test\.ts$|^test\//.test(source.path)) return [];
  const found: Measured[] = [];
  const note = (node: FunctionNode): void => {
    const line = lineAt(source.text, node.start);
    found.push({
      name: node.id?.name ?? nameBefore(source.text, node.start),
      line,
      lines: lineAt(source.text, node.end) - line + 1,
    });
  };
  new Visitor({ FunctionDeclaration: note, FunctionExpression: note, ArrowFunctionExpression: note }).visit(
    parseSync(source.path, source.text).program,
  );
  return found;
}

/** The name a method or an arrow function is given: the last word before it. */
function nameBefore(text: string, start: number): string {
  const before = text.slice(Math.max(0, start - 200), start);
  return /([\w$]+)[^\w$]*$/.exec(before)?.[1] ?? "(anonymous)";
}
