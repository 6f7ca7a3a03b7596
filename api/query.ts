/** Values of the query string, as Docker reads them: unknown names are ignored, booleans come in many words. */
import { parseTime } from "../core/base/time.ts";
import { invalid } from "./errors.ts";

export class Query {
  readonly #parameters: URLSearchParams;

  constructor(text: string) {
    this.#parameters = new URLSearchParams(text);
  }

  /** "" when it is not there. */
  text(name: string): string {
    return this.#parameters.get(name) ?? "";
  }

  has(name: string): boolean {
    return this.#parameters.has(name);
  }

  all(name: string): string[] {
    return this.#parameters.getAll(name);
  }

  /** Everything is true but "", 0, no, false and none (moby: api/server/httputils/form.go). */
  boolean(name: string, otherwise = false): boolean {
    if (!this.has(name)) return otherwise;
    return !["", "0", "no", "false", "none"].includes(this.text(name).trim().toLowerCase());
  }

  /** A whole number; null when it is not there or empty. Throws TsboxError "invalid" for anything else. */
  integer(name: string): number | null {
    const text = this.text(name).trim();
    if (text === "") return null;
    if (!/^[+-]?\d{1,15}$/.test(text))
      throw invalid(`invalid value ${JSON.stringify(text)} for ${name}: expected a whole number`);
    return Number(text);
  }

  /** Unix time, "seconds" or "seconds.fraction", in nanoseconds; null when absent, empty or 0. */
  time(name: string): bigint | null {
    const text = this.text(name).trim();
    if (text === "" || text === "0") return null;
    return parsePointInTime(name, text);
  }
}

function parsePointInTime(name: string, text: string): bigint {
  const match = /^(-?\d{1,15})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (match !== null) return unixNanoseconds(match[1] ?? "0", match[2] ?? "");
  const time = parseTime(text);
  if (time === null)
    throw invalid(`invalid value ${JSON.stringify(text)} for ${name}: expected unix seconds or an RFC 3339 time`);
  return time;
}

function unixNanoseconds(seconds: string, fraction: string): bigint {
  const nanoseconds = BigInt(fraction.padEnd(9, "0"));
  return BigInt(seconds) * 1_000_000_000n + (seconds.startsWith("-") ? -nanoseconds : nanoseconds);
}
