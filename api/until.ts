/** The filter `until`: only what was made before that time. */
import { parseTime } from "../core/base/time.ts";
import { invalid } from "./errors.ts";
import type { Filters } from "./filters.ts";

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Nanoseconds since the epoch; null when it is not asked for. Throws TsboxError "invalid" for what is no time. */
export function untilOf(filters: Filters, now: bigint): bigint | null {
  const [text, ...more] = filters.values("until");
  if (text === undefined) return null;
  if (more.length > 0) throw invalid("more than one until filter specified");
  const time = durationBefore(text, now) ?? unixTime(text) ?? parseTime(text) ?? localTime(text);
  if (time === null)
    throw invalid(`invalid filter 'until=[${text}]': expected a time, a unix time or a duration ("24h")`);
  return time;
}

/** Go's durations: "1h30m". */
function durationBefore(text: string, now: bigint): bigint | null {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|ms|s|m|h))+$/.test(text)) return null;
  let before = now;
  for (const [, whole = "0", fraction = "", unit = ""] of text.matchAll(/(\d+)(?:\.(\d+))?(ns|us|ms|s|m|h)/g)) {
    const scale = units[unit] ?? 0n;
    before -= BigInt(whole) * scale + (BigInt(fraction.padEnd(9, "0")) * scale) / 1_000_000_000n;
  }
  return before;
}

function unixTime(text: string): bigint | null {
  const [, seconds, fraction = ""] = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  return seconds === undefined ? null : BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** A date, or a date and a time, without a zone: taken as UTC, the daemon's. */
function localTime(text: string): bigint | null {
  const [, date, time = "00:00:00"] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,9})?))?$/.exec(text) ?? [];
  return date === undefined ? null : parseTime(`${date}T${time}Z`);
}
