/** JSON values as Go's templates treat them: what is true, what is gone through, how each is printed. */
import { TemplateError } from "./template-parse.ts";

/** Go's truth: everything but false, 0, "", nil and what is empty. */
export function truth(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Keys and values; maps in the order of their keys. Throws TemplateError for what has none. */
export function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === "object" && value !== null)
    return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  throw new TemplateError(`template: :1: range can't iterate over ${printed(value)}`);
}

/** As fmt.Print shows it. */
export function printed(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(inside).join(" ")}]`;
  if (typeof value === "object")
    return `map[${entriesOf(value)
      .map(([key, each]) => `${String(key)}:${inside(each)}`)
      .join(" ")}]`;
  return String(value);
}

function inside(value: unknown): string {
  return value === null || value === undefined ? "<nil>" : printed(value);
}
