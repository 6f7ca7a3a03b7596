/** `--filter name=value`, many times, to the API's `filters`: {"name":{"value":true}}. */
import { CliError } from "./errors.ts";

/** undefined when there are none. Throws CliError for one without "=". */
export function filterQuery(filters: readonly string[]): string | undefined {
  if (filters.length === 0) return undefined;
  const byName: Record<string, Record<string, true>> = {};
  for (const filter of filters) {
    const at = filter.indexOf("=");
    if (at < 0)
      throw new CliError(
        `invalid argument ${JSON.stringify(filter)} for "-f, --filter" flag: invalid filter '${filter}'`,
        125,
      );
    (byName[filter.slice(0, at).trim().toLowerCase()] ??= {})[filter.slice(at + 1).trim()] = true;
  }
  return JSON.stringify(byName);
}
