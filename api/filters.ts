/**
 * Filters, the `filters` parameter of every list: JSON, either {"label":{"a=b":true}} or
 * {"label":["a=b"]}. Different keys must all match; of the values of one key any may, but of
 * labels all must.
 */
import { invalid } from "./errors.ts";
import type { Query } from "./query.ts";

export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  values(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** True when the key is not asked for or one of its values fits. */
  any(key: string, fits: (value: string) => boolean): boolean {
    const values = this.#values.get(key);
    return values === undefined || values.length === 0 || values.some(fits);
  }

  /** Every asked `label` (and no `label!`) is among the labels: "key" or "key=value". */
  labels(labels: Readonly<Record<string, string>>): boolean {
    const has = (asked: string) => hasLabel(labels, asked);
    return this.values("label").every(has) && !this.values("label!").some(has);
  }

  /** A boolean filter, null when it is not asked for. Throws TsboxError "invalid" for other words. */
  boolean(key: string): boolean | null {
    const values = this.values(key);
    if (values.length === 0) return null;
    const truths = values.map((value) => booleanOf(key, value));
    return truths.includes(true);
  }
}

/** Reads `filters`; a key outside `known` is refused as dockerd refuses it. */
export function parseFilters(query: Query, known: readonly string[]): Filters {
  const text = query.text("filters");
  const values = new Map(text === "" ? [] : entriesOf(text));
  for (const key of values.keys()) if (!known.includes(key)) throw invalid(`invalid filter '${key}'`);
  return new Filters(values);
}

/** A name filter is a regular expression; one that is not valid matches literally. */
export function matchesPattern(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return text.includes(pattern);
  }
}

function entriesOf(text: string): [string, string[]][] {
  const parsed = parseObject(text);
  return Object.entries(parsed).map(([key, value]) => [key, valuesOf(key, value)]);
}

function parseObject(text: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid("invalid filters: not valid JSON");
  }
  if (parsed === null) return {};
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw invalid("invalid filters: expected a JSON object");
  return parsed;
}

function valuesOf(key: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.map((item) => textOf(key, item));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([name, wanted]) => (wanted === true ? [name] : []));
  throw invalid(`invalid filters: ${key}: expected a list or a map of values`);
}

function textOf(key: string, item: unknown): string {
  if (typeof item === "string") return item;
  if (typeof item === "number" || typeof item === "boolean") return String(item);
  throw invalid(`invalid filters: ${key}: expected text`);
}

function hasLabel(labels: Readonly<Record<string, string>>, asked: string): boolean {
  const at = asked.indexOf("=");
  const key = at < 0 ? asked : asked.slice(0, at);
  if (!Object.hasOwn(labels, key)) return false;
  return at < 0 || labels[key] === asked.slice(at + 1);
}

function booleanOf(key: string, value: string): boolean {
  if (["1", "true", "True"].includes(value)) return true;
  if (["0", "false", "False"].includes(value)) return false;
  throw invalid(`invalid filter '${key}=[${value}]'`);
}
