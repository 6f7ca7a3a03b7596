/**
 * printf(3)'s conversions and backslash escapes, for printf in the shell and as a program, echo, awk
 * and seq. Numbers that are integers are BigInts of 64 bits.
 */
import { decodeBytes, encodeText } from "../../../core/base/bytes.ts";

export interface Conversion {
  readonly flags: string;
  readonly width: number | null;
  readonly precision: number | null;
  /** d, i, u, o, x, X, c, s, b, e, E, f, F, g, G. */
  readonly type: string;
}

const conversion = /%([-+ #0']*)(\*|\d*)(?:\.(\*|-?\d*))?(?:hh|h|ll|l|j|z|t|L)?([^]?)/g;
const bareConversion = /%([-+ #0']*)(\*|\d*)(?:\.(\*|-?\d*))?([^]?)/g;

/** A piece of a format: text as it is, or a conversion. "*" asks the caller for a number. */
export type Piece =
  | string
  | {
      readonly flags: string;
      readonly width: string;
      readonly precision: string | null;
      readonly type: string;
      /** As it was written. */
      readonly source: string;
    };

/**
 * Splits a format; `%%` is text. A conversion nobody knows stays with its letter for the caller to refuse.
 * `lengths` are the modifiers that change nothing.
 */
export function piecesOf(format: string, lengths = "hlLjzt"): Piece[] {
  const pieces: Piece[] = [];
  const pattern = lengths === "" ? bareConversion : conversion;
  let from = 0;
  for (const match of format.matchAll(pattern)) {
    const [source, flags = "", width = "", precision, type = ""] = match;
    if (match.index > from) pieces.push(format.slice(from, match.index));
    from = match.index + source.length;
    if (source === "%%") pieces.push("%");
    else pieces.push({ flags, width, precision: precision ?? null, type, source });
  }
  if (from < format.length) pieces.push(format.slice(from));
  return pieces;
}

export function formatString(conversion: Conversion, text: string): string {
  const { precision } = conversion;
  return pad(conversion, precision === null ? text : firstBytes(text, precision));
}

export function formatInteger(conversion: Conversion, value: bigint): string {
  const { type, precision, flags } = conversion;
  const isSigned = type === "d" || type === "i";
  const magnitude = isSigned ? (value < 0n ? -value : value) : BigInt.asUintN(64, value);
  let digits = magnitude.toString(type === "o" ? 8 : type === "x" || type === "X" ? 16 : 10);
  if (precision !== null) digits = precision === 0 && magnitude === 0n ? "" : digits.padStart(precision, "0");
  if (flags.includes("#") && type === "o" && !digits.startsWith("0")) digits = `0${digits}`;
  if (type === "X") digits = digits.toUpperCase();
  const base = flags.includes("#") && magnitude !== 0n && /[xX]/.test(type) ? `0${type}` : "";
  return signed(conversion, isSigned && value < 0n, base, digits, precision === null, isSigned);
}

export function formatFloat(conversion: Conversion, value: number): string {
  const { type, flags } = conversion;
  const precision = conversion.precision ?? 6;
  if (!Number.isFinite(value)) {
    const text = Number.isNaN(value) ? "nan" : "inf";
    return signed(conversion, value < 0, "", /[A-Z]/.test(type) ? text.toUpperCase() : text, false, true);
  }
  const magnitude = Math.abs(value);
  const lower = type.toLowerCase();
  const digits =
    lower === "f"
      ? fixed(magnitude, precision)
      : lower === "e"
        ? exponential(magnitude, precision)
        : general(magnitude, precision, flags);
  const isNegative = value < 0 || Object.is(value, -0);
  return signed(conversion, isNegative, "", /[A-Z]/.test(type) ? digits.toUpperCase() : digits, true, true);
}

/** toFixed knows no more than 1e21 and 100 digits. */
function fixed(value: number, precision: number): string {
  if (value < 1e21) return nearest(value, Math.min(precision, 100));
  return BigInt(value).toString() + (precision > 0 ? `.${"0".repeat(precision)}` : "");
}

/** Halfway between two the even one is meant, where toFixed takes the larger. */
function nearest(value: number, precision: number): string {
  const exact = value.toFixed(Math.min(precision + 50, 100));
  const end = exact.length - (Math.min(precision + 50, 100) - precision);
  const isHalf = /^\.?50*$/.test(exact.slice(end));
  const below = exact.slice(0, end).replace(/\.$/, "");
  return isHalf && /[02468]$/.test(below) ? below : value.toFixed(precision);
}

function exponential(value: number, precision: number): string {
  return value.toExponential(Math.min(precision, 100)).replace(/e([+-])(\d)$/, "e$10$2");
}

function general(value: number, precision: number, flags: string): string {
  const significant = precision === 0 ? 1 : precision;
  const exponent = value === 0 ? 0 : Number(value.toExponential(Math.min(significant - 1, 100)).split("e")[1]);
  const isScientific = exponent < -4 || exponent >= significant;
  const text = isScientific ? exponential(value, significant - 1) : fixed(value, significant - 1 - exponent);
  if (flags.includes("#") || !text.includes(".")) return text;
  return text.replace(/\.?0+(?=e|$)/, "");
}

function signed(
  conversion: Conversion,
  isNegative: boolean,
  base: string,
  digits: string,
  mayZero: boolean,
  hasSign: boolean,
): string {
  const { flags, width } = conversion;
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const sign = (isNegative ? "-" : hasSign ? plus : "") + base;
  if (mayZero && flags.includes("0") && !flags.includes("-") && width !== null)
    return sign + digits.padStart(width - sign.length, "0");
  return pad(conversion, sign + digits);
}

/** Widths are bytes, as in the C locale. */
function byteLength(text: string): number {
  return isAscii(text) ? text.length : encodeText(text).length;
}

function isAscii(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(text);
}

function firstBytes(text: string, count: number): string {
  return isAscii(text) ? text.slice(0, count) : decodeBytes(encodeText(text).subarray(0, count));
}

/** What "%c" prints of a text: of none it is NUL. */
export function firstByte(text: string): string {
  return text === "" ? "\0" : firstBytes(text, 1);
}

function pad({ flags, width }: Conversion, text: string): string {
  if (width === null) return text;
  const missing = " ".repeat(Math.max(0, width - byteLength(text)));
  return flags.includes("-") ? text + missing : missing + text;
}

export interface Escaped {
  readonly text: string;
  /** "\c" was met: nothing more is printed. */
  readonly ended: boolean;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

export interface EscapeRules {
  /** Whether an octal number needs a zero before its digits, or may have one. */
  readonly octalZero: "must" | "may" | "no";
  /** \xHH. */
  readonly hexadecimal: boolean;
  /** \e. */
  readonly escape: boolean;
  /** \c. */
  readonly end: boolean;
}

/** Text with its backslash escapes replaced. What they make of bytes over 127 stays that byte. */
export function unescape(text: string, rules: EscapeRules): Escaped {
  if (!text.includes("\\")) return { text, ended: false };
  let result = "";
  for (let at = 0; at < text.length; ) {
    const slash = text.indexOf("\\", at);
    if (slash === -1) return { text: result + text.slice(at), ended: false };
    result += text.slice(at, slash);
    const rest = text.slice(slash + 1, slash + 5);
    if (rules.end && rest.startsWith("c")) return { text: result, ended: true };
    const { taken, value } = oneEscape(rest, rules);
    result += value;
    at = slash + 1 + taken;
  }
  return { text: result, ended: false };
}

const octals = { must: /^0[0-7]{0,3}/, may: /^0[0-7]{1,3}|^[0-7]{1,3}/, no: /^[0-7]{1,3}/ } as const;

function oneEscape(rest: string, rules: EscapeRules): { taken: number; value: string } {
  const octal = octals[rules.octalZero].exec(rest)?.[0];
  if (octal !== undefined) return { taken: octal.length, value: byte(Number.parseInt(octal, 8)) };
  const hex = rules.hexadecimal ? /^x([0-9a-fA-F]{1,2})/.exec(rest) : null;
  if (hex !== null) return { taken: hex[0].length, value: byte(Number.parseInt(hex[1] ?? "0", 16)) };
  const letter = rest.charAt(0);
  const known = letter === "e" && !rules.escape ? undefined : simpleEscapes[letter];
  if (known !== undefined) return { taken: 1, value: known };
  return { taken: 0, value: "\\" };
}

/** Bytes over 127 become what stands for them in text (core/base/bytes.ts). */
export function byte(value: number): string {
  const low = value & 255;
  return String.fromCharCode(low < 128 ? low : 0xdc00 + low);
}
