/** The functions of a template: Go's own, and those Docker adds (docs.docker.com: Format command and log output). */
import { printed, truth } from "./template-values.ts";

type TemplateFunction = (...given: unknown[]) => unknown;

export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => JSON.stringify(value ?? null),
  split: (text, separator) => String(text).split(String(separator)),
  join: (list, separator) => (list as unknown[]).map(String).join(String(separator)),
  title: (text) => String(text).replace(/(^|\s)\p{Ll}/gu, (letter) => letter.toUpperCase()),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  pad: (text, left, right) => (text === "" ? "" : " ".repeat(Number(left)) + String(text) + " ".repeat(Number(right))),
  truncate: (text, length) => String(text).slice(0, Number(length)),
  println: (...values) => `${values.map(printed).join(" ")}\n`,
  print: (...values) => values.map(printed).join(values.some((each) => typeof each === "string") ? "" : " "),
  printf: (format, ...values) => formatted(String(format), values),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(element, value),
  slice: (value, from, to) => (value as string).slice(Number(from ?? 0), to === undefined ? undefined : Number(to)),
  and: (...values) => values.find((each) => !truth(each)) ?? values.at(-1),
  or: (...values) => values.find(truth) ?? values.at(-1),
  not: (value) => !truth(value),
  eq: (first, ...others) => others.some((each) => each === first),
  ne: (a, b) => a !== b,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  html: (text) => String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`),
  urlquery: (text) => encodeURIComponent(String(text)),
};

function lengthOf(value: unknown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  if (value === null || value === undefined) throw new Error("len of nil pointer");
  throw new Error(`len of type ${typeof value}`);
}

/** A missing key of a map gives nothing; an index beyond a list is an error. */
function element(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw new Error("index of untyped nil");
  if (Array.isArray(value)) {
    if (typeof key !== "number") throw new Error(`cannot index slice/array with type ${typeof key}`);
    if (key < 0 || key >= value.length) throw new Error(`index out of range: ${key}`);
    return value[key];
  }
  if (typeof value === "string") return value.charCodeAt(Number(key));
  if (typeof value !== "object") throw new Error(`can't index item of type ${typeof value}`);
  return Object.hasOwn(value, String(key)) ? (value as Record<string, unknown>)[String(key)] : undefined;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a !== typeof b || (typeof a !== "number" && typeof a !== "string"))
    throw new Error("incompatible types for comparison");
  return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
}

function formatted(format: string, values: readonly unknown[]): string {
  let at = 0;
  return format.replace(/%([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g, (whole, flags: string, width, digits, verb) => {
    if (verb === "%") return "%";
    if (at >= values.length) return `%!${verb}(MISSING)`;
    const text = verbText(String(verb), values[at++], digits === undefined ? null : Number(digits), whole);
    const fill = flags.includes("0") && !flags.includes("-") ? "0" : " ";
    return flags.includes("-") ? text.padEnd(Number(width ?? 0)) : text.padStart(Number(width ?? 0), fill);
  });
}

function verbText(verb: string, value: unknown, digits: number | null, whole: string): string {
  switch (verb) {
    case "s":
    case "v":
      return digits === null ? printed(value) : printed(value).slice(0, digits);
    case "d":
      return String(Math.trunc(Number(value)));
    case "q":
      return JSON.stringify(printed(value));
    case "t":
      return String(Boolean(value));
    case "x":
      return typeof value === "number" ? value.toString(16) : hexOf(String(value));
    case "f":
      return Number(value).toFixed(digits ?? 6);
    default:
      return `%!${verb}(${whole})`;
  }
}

function hexOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
