/** sprintf as awk has it: a format is taken apart once. */
import { type Conversion, formatFloat, formatInteger, formatString, type Piece, piecesOf } from "../format.ts";
import { bytewise, readable } from "./bytes.ts";
import { toNumber, toText, type Value } from "./value.ts";

export class Formatter {
  readonly #known = new Map<string, readonly Piece[]>();

  format([format, ...values]: readonly Value[], convention: string): string {
    const text = toText(format, convention);
    const pieces = this.#known.get(text) ?? piecesOf(text);
    this.#known.set(text, pieces);
    let at = 0;
    const next = (): Value => values[at++];
    let result = "";
    for (const piece of pieces) {
      if (typeof piece === "string") {
        result += piece;
        continue;
      }
      const width = piece.width === "*" ? toNumber(next()) : piece.width === "" ? null : Number(piece.width);
      const precision =
        piece.precision === null ? null : piece.precision === "*" ? toNumber(next()) : Number(piece.precision);
      const flags = width !== null && width < 0 ? `${piece.flags}-` : piece.flags;
      const conversion = { flags, precision, type: piece.type, width: width === null ? null : Math.abs(width) };
      result += converted(conversion, next(), convention);
    }
    return result;
  }
}

function formatBytes(conversion: Conversion, text: string): string {
  return bytewise(formatString(conversion, readable(text)));
}

function converted(conversion: Conversion, value: Value, convention: string): string {
  if (/[diouxX]/.test(conversion.type)) {
    const number = Math.trunc(toNumber(value));
    return Number.isFinite(number)
      ? formatInteger(conversion, BigInt(number))
      : formatFloat({ ...conversion, type: "f" }, number);
  }
  if (/[eEfFgG]/.test(conversion.type)) return formatFloat(conversion, toNumber(value));
  if (conversion.type !== "c") return formatBytes(conversion, toText(value, convention));
  return formatBytes(
    conversion,
    typeof value === "number" ? String.fromCharCode(value & 255) : toText(value, "").slice(0, 1),
  );
}
