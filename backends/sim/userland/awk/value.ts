/** awk's values: a text, a number, or both, as what is asked of it wants; and what operators make of two. */
import { Failure } from "../applet.ts";
import { formatFloat, piecesOf } from "../format.ts";

/** Input that looks like a number is one when compared. */
interface Numeric {
  readonly text: string;
  readonly number: number;
}

export type Value = number | string | Numeric | undefined;
export type AwkArray = Map<string, Value>;

/** Text of input: a number too when it looks like one. */
export function numeric(text: string): Value {
  if (!/^[ \t\n\r\f\v]*[-+.]?\d/.test(text)) return text;
  const { length, value } = leading(text);
  return /^[ \t\n\r\f\v]*$/.test(text.slice(length)) ? { text, number: value } : text;
}

export function toNumber(value: Value): number {
  if (typeof value === "number") return value;
  if (value === undefined) return 0;
  if (typeof value === "object") return value.number;
  return leading(value).value;
}

/** The number that a text begins with: as C reads it, "0x1f" and "010" too, and 0 when there is none. */
export function leading(text: string): { readonly length: number; readonly value: number } {
  const based = /^0(?:[xX][0-9a-fA-F]+|[0-7]+(?![89.\d]))/.exec(text)?.[0];
  if (based !== undefined) return { length: based.length, value: Number(/^0[xX]/.test(based) ? based : `0o${based}`) };
  const found = /^[ \t\n\r\f\v]*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/.exec(text)?.[0] ?? "";
  return { length: found.length, value: Number(found) };
}

export function toText(value: Value, convention: string): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  if (typeof value === "object") return value.text;
  if (Number.isInteger(value)) return Math.abs(value) < 1e16 ? String(value) : BigInt(value).toString();
  const [piece] = piecesOf(convention);
  if (piece === undefined || typeof piece === "string") return String(value);
  const precision = piece.precision === null ? null : Number(piece.precision);
  return formatFloat(
    { flags: piece.flags, width: piece.width === "" ? null : Number(piece.width), precision, type: piece.type },
    value,
  );
}

export function isTrue(value: Value): boolean {
  if (typeof value === "number") return value !== 0;
  return typeof value === "object" ? value.number !== 0 : value !== undefined && value !== "";
}

export function compare(operator: string, a: Value, b: Value, convention: string): boolean {
  const areNumbers = typeof a !== "string" && typeof b !== "string";
  const [x, y] = areNumbers ? [toNumber(a), toNumber(b)] : [toText(a, convention), toText(b, convention)];
  switch (operator) {
    case "<":
      return x < y;
    case "<=":
      return x <= y;
    case "==":
      return x === y;
    case "!=":
      return x !== y;
    case ">":
      return x > y;
    default:
      return x >= y;
  }
}

export function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "^":
      return a ** b;
    default:
      if (b === 0) throw new Failure("cmd. line:1: Division by zero");
      return operator === "/" ? a / b : a % b;
  }
}

export function splitBy(text: string, regex: RegExp): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const match of text.matchAll(regex)) {
    if (match[0] === "") continue;
    pieces.push(text.slice(from, match.index));
    from = match.index + match[0].length;
  }
  return [...pieces, text.slice(from)];
}
