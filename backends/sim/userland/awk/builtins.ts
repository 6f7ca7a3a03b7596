/** awk's functions of plain values. */
import { Failure } from "../applet.ts";
import { strftime } from "../calendar.ts";
import { toNumber, toText, type Value } from "./value.ts";

export function plainBuiltin(name: string, values: readonly Value[], convention: string, now: bigint): Value {
  const [a = 0, b = 0] = values.map(toNumber);
  const text = toText(values[0], convention);
  switch (name) {
    case "substr":
      return substring(text, b, values.length > 2 ? toNumber(values[2]) : Infinity);
    case "index":
      return values[1] === "" ? 0 : text.indexOf(toText(values[1], convention)) + 1;
    case "tolower":
      return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
    case "toupper":
      return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
    case "int":
      return Math.trunc(a);
    case "sqrt":
      return Math.sqrt(a);
    case "exp":
      return Math.exp(a);
    case "log":
      return Math.log(a);
    case "sin":
      return Math.sin(a);
    case "cos":
      return Math.cos(a);
    case "atan2":
      return Math.atan2(a, b);
    case "and":
      return Number(BigInt(Math.trunc(a)) & BigInt(Math.trunc(b)));
    case "or":
      return Number(BigInt(Math.trunc(a)) | BigInt(Math.trunc(b)));
    case "xor":
      return Number(BigInt(Math.trunc(a)) ^ BigInt(Math.trunc(b)));
    case "lshift":
      return Number(BigInt(Math.trunc(a)) << BigInt(Math.trunc(b)));
    case "rshift":
      return Number(BigInt(Math.trunc(a)) >> BigInt(Math.trunc(b)));
    case "systime":
      return Number(now / 1_000_000_000n);
    case "strftime":
      return strftime(
        values.length > 0 ? text : "%c",
        values.length > 1 ? BigInt(Math.trunc(b)) * 1_000_000_000n : now,
      );
    default:
      throw new Failure("cmd. line:1: Too few arguments");
  }
}

function substring(text: string, from: number, length: number): string {
  // A start before the text counts as its first character, and takes nothing from the length.
  const start = Math.max(0, Math.round(from) - 1);
  return text.slice(start, length === Infinity ? undefined : start + Math.max(0, Math.round(length)));
}
