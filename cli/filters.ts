/** `--filter name=value`, many times, to the API's `filters`: {"name":{"value":true}}. */
import { type Flag, flag } from "./flags.ts";

export function filterFlag(help: string): Flag<readonly string[]> {
  return flag.list("f", help, "filter", checkFilter);
}

function checkFilter(text: string): string {
  if (!text.includes("=")) throw new Error("bad format of filter (expected name=value)");
  return text;
}

/** undefined when there are none. */
export function filterQuery(filters: readonly string[]): string | undefined {
  if (filters.length === 0) return undefined;
  const byName: Record<string, Record<string, true>> = {};
  for (const filter of filters) {
    const at = filter.indexOf("=");
    const values = (byName[filter.slice(0, at).trim().toLowerCase()] ??= {});
    values[filter.slice(at + 1).trim()] = true;
  }
  return JSON.stringify(byName);
}
