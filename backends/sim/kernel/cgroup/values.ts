/** What is written to the files of control groups, read as the kernel reads it; and shown as it shows it. */
import { Errno } from "../../../../core/base/errno.ts";

const pageBytes = 4096;
/** What version 1 shows for no limit: the largest number of whole pages. */
const unlimitedText = "9223372036854771712";
const units = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** kstrtoint(): a whole number and nothing else. EINVAL. */
export function parseInteger(text: string): number {
  const word = text.trim();
  if (!/^[+-]?(?:0[xX][0-9a-fA-F]+|\d+)$/.test(word)) throw new Errno("EINVAL");
  return word.startsWith("-") ? -Number(word.slice(1)) : Number(word);
}

/** ERANGE outside of what is allowed. */
export function parseWithin(text: string, least: number, most: number): number {
  const value = parseInteger(text);
  if (value < least || value > most) throw new Errno("ERANGE");
  return value;
}

/** Bytes, whole pages: "4096", "8K", "2m", and a word for no limit (page_counter_memparse()). EINVAL. */
export function parseMemory(text: string, unlimited: "max" | "-1"): number | null {
  const word = text.trim();
  if (word === unlimited) return null;
  const [, digits = "", unit = ""] = /^(\d+)([kKmMgGtT]?)$/.exec(word) ?? [];
  if (digits === "") throw new Errno("EINVAL");
  const bytes = Number(digits) * units[unit.toUpperCase() as keyof typeof units];
  return bytes >= Number(unlimitedText) ? null : bytes - (bytes % pageBytes);
}

/** A number, or "max" for none. EINVAL for anything else, and beyond what is possible. */
export function parseCount(text: string, most: number): number | null {
  if (text.trim() === "max") return null;
  const value = parseInteger(text);
  if (value < 0 || value > most) throw new Errno("EINVAL");
  return value;
}

export function orMax(value: number | null): string {
  return `${value ?? "max"}\n`;
}

export function orUnlimited(value: number | null): string {
  return `${value ?? unlimitedText}\n`;
}

/** Memory in use: whole pages. */
export function pages(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

/** "name value" lines. */
export function keyed(values: Readonly<Record<string, number | bigint>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join("");
}
