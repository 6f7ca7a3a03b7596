/** Points in time as text: RFC 3339 in UTC with nanoseconds, the way Docker writes them ("…05.123456789Z"). */
const form = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;

/** "Never", as Docker writes it: Go's zero time. */
export const zeroTime = "0001-01-01T00:00:00Z";

/** Nanoseconds since the epoch to text; trailing zeros of the fraction are left out, as Go does. */
export function formatTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const fraction = String(nanoseconds % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${text}Z` : `${text}.${fraction}Z`;
}

/** Text to nanoseconds since the epoch; null when it is not a time. */
export function parseTime(text: string): bigint | null {
  const [, date, time, fraction = "", zone] = form.exec(text) ?? [];
  if (date === undefined || time === undefined || zone === undefined) return null;
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? null : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
