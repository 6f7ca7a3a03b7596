/** Dates and times as programs write and read them: strftime(3), and what date(1) and touch(1) accept. All in UTC. */
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const nanosPerSecond = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;
const dayMillis = 86_400_000;

function dateOf(nanos: bigint): Date {
  const millis = nanos >= 0n ? nanos / nanosPerMilli : (nanos - nanosPerMilli + 1n) / nanosPerMilli;
  return new Date(Number(millis));
}

const two = (value: number): string => String(value).padStart(2, "0");
const spaced = (value: number): string => String(value).padStart(2);

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMillis) + 1;
}

/** The ISO week of a date, and the year it belongs to. */
function isoWeek(date: Date): { week: number; year: number } {
  const weekday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(date.getTime() + (3 - weekday) * dayMillis);
  return { year: thursday.getUTCFullYear(), week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1 };
}

function hour12(date: Date): number {
  return date.getUTCHours() % 12 || 12;
}

type Field = (date: Date, nanos: bigint) => string;

const fields: Readonly<Record<string, Field>> = {
  a: (date) => (days[date.getUTCDay()] ?? "").slice(0, 3),
  A: (date) => days[date.getUTCDay()] ?? "",
  b: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  B: (date) => months[date.getUTCMonth()] ?? "",
  h: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  c: (date, nanos) => strftime("%a %b %e %H:%M:%S %Y", nanos),
  C: (date) => two(Math.floor(date.getUTCFullYear() / 100)),
  d: (date) => two(date.getUTCDate()),
  D: (date, nanos) => strftime("%m/%d/%y", nanos),
  e: (date) => spaced(date.getUTCDate()),
  F: (date, nanos) => strftime("%Y-%m-%d", nanos),
  g: (date) => two(isoWeek(date).year % 100),
  G: (date) => String(isoWeek(date).year),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(hour12(date)),
  j: (date) => String(dayOfYear(date)).padStart(3, "0"),
  k: (date) => spaced(date.getUTCHours()),
  l: (date) => spaced(hour12(date)),
  m: (date) => two(date.getUTCMonth() + 1),
  M: (date) => two(date.getUTCMinutes()),
  n: () => "\n",
  N: (_date, nanos) => String(((nanos % nanosPerSecond) + nanosPerSecond) % nanosPerSecond).padStart(9, "0"),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  P: (date) => (date.getUTCHours() < 12 ? "am" : "pm"),
  r: (date, nanos) => strftime("%I:%M:%S %p", nanos),
  R: (date, nanos) => strftime("%H:%M", nanos),
  s: (_date, nanos) => String(nanos / nanosPerSecond),
  S: (date) => two(date.getUTCSeconds()),
  t: () => "\t",
  T: (date, nanos) => strftime("%H:%M:%S", nanos),
  u: (date) => String(date.getUTCDay() || 7),
  U: (date) => two(Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7)),
  V: (date) => two(isoWeek(date).week),
  w: (date) => String(date.getUTCDay()),
  W: (date) => two(Math.floor((dayOfYear(date) + 6 - ((date.getUTCDay() + 6) % 7)) / 7)),
  x: (date, nanos) => strftime("%m/%d/%y", nanos),
  X: (date, nanos) => strftime("%H:%M:%S", nanos),
  y: (date) => two(date.getUTCFullYear() % 100),
  Y: (date) => String(date.getUTCFullYear()),
  z: () => "+0000",
  Z: () => "UTC",
  "%": () => "%",
};

export function strftime(format: string, nanos: bigint): string {
  const date = dateOf(nanos);
  return format.replace(/%-?([a-zA-Z%])/g, (whole, letter: string) => {
    const text = fields[letter]?.(date, nanos) ?? whole;
    return whole.startsWith("%-") ? text.replace(/^[0 ]+(?=.)/, "") : text;
  });
}

/** What `date -d` and `touch -d` accept, in nanoseconds since the epoch; null for what is no date. */
export function parseDate(text: string, now: bigint): bigint | null {
  const trimmed = text.trim();
  const seconds = /^@(-?\d+)$/.exec(trimmed)?.[1];
  if (seconds !== undefined) return BigInt(seconds) * nanosPerSecond;
  const today = dateOf(now);
  const full = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?(?: ?Z| UTC)?$/.exec(trimmed);
  if (full !== null) return fromParts(full.slice(1).map((part) => (part === undefined ? 0 : Number(part))));
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(trimmed);
  const date = [today.getUTCFullYear(), today.getUTCMonth() + 1, today.getUTCDate()];
  if (clock !== null)
    return fromParts([...date, ...clock.slice(1).map((part) => (part === undefined ? 0 : Number(part)))]);
  return parseDigits(trimmed, today);
}

/** [[[[[CC]YY]MM]DD]hh]mm[.ss] */
function parseDigits(text: string, today: Date): bigint | null {
  const [, digits, secs = "0"] = /^(\d{4}|\d{6}|\d{8}|\d{10}|\d{12})(?:\.(\d{2}))?$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const now = [today.getUTCFullYear(), today.getUTCMonth() + 1, today.getUTCDate(), 0, 0];
  const year = digits.length === 12 ? digits.slice(0, 4) : digits.length === 10 ? digits.slice(0, 2) : "";
  const pairs = digits.slice(year.length).match(/../g)?.map(Number) ?? [];
  const given = [...(year === "" ? [] : [fullYear(year)]), ...pairs];
  const parts = [...now.slice(0, 5 - given.length), ...given];
  return fromParts([...parts, Number(secs)]);
}

function fullYear(text: string): number {
  const year = Number(text);
  return text.length === 4 ? year : year < 69 ? 2000 + year : 1900 + year;
}

function fromParts(parts: readonly number[]): bigint | null {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60) return null;
  return BigInt(Date.UTC(year, month - 1, day, hour, minute, second)) * nanosPerMilli;
}
