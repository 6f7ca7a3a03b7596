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

type Field = (date: Date, nanos: bigint, zone: Zone) => string;

/** How local time is called, and how far it is east of Greenwich. */
export interface Zone {
  readonly name: string;
  readonly minutes: number;
}

const utc: Zone = { name: "UTC", minutes: 0 };

/** TZ as POSIX writes it, "CET-1": hours count westward. Rules of summer time are left out. */
export function zoneOf(text: string | undefined, isUniversal = false): Zone {
  const [, name, hours, minutes = "0"] = /^(?:<([^>]+)>|(?=[A-Za-z]{3}))/.test(text ?? "")
    ? (/^<?([A-Za-z+-][A-Za-z0-9+-]*?)>?([+-]?\d{1,2})(?::(\d{2}))?/.exec(text ?? "") ?? [])
    : [];
  if (isUniversal || name === undefined || hours === undefined) return utc;
  const west = Math.abs(Number(hours)) * 60 + Number(minutes);
  return { name, minutes: hours.startsWith("-") ? west : -west };
}

function offsetText({ minutes }: Zone, separator: string): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${separator}${two(size % 60)}`;
}

const fields: Readonly<Record<string, Field>> = {
  a: (date) => (days[date.getUTCDay()] ?? "").slice(0, 3),
  A: (date) => days[date.getUTCDay()] ?? "",
  b: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  B: (date) => months[date.getUTCMonth()] ?? "",
  h: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  c: (_date, nanos, zone) => strftime("%a %b %e %H:%M:%S %Y", nanos, zone),
  C: (date) => two(Math.floor(date.getUTCFullYear() / 100)),
  d: (date) => two(date.getUTCDate()),
  D: (_date, nanos, zone) => strftime("%m/%d/%y", nanos, zone),
  e: (date) => spaced(date.getUTCDate()),
  F: (_date, nanos, zone) => strftime("%Y-%m-%d", nanos, zone),
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
  r: (_date, nanos, zone) => strftime("%I:%M:%S %p", nanos, zone),
  R: (_date, nanos, zone) => strftime("%H:%M", nanos, zone),
  s: (_date, nanos) => String(nanos / nanosPerSecond),
  S: (date) => two(date.getUTCSeconds()),
  t: () => "\t",
  T: (_date, nanos, zone) => strftime("%H:%M:%S", nanos, zone),
  u: (date) => String(date.getUTCDay() || 7),
  U: (date) => two(Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7)),
  V: (date) => two(isoWeek(date).week),
  w: (date) => String(date.getUTCDay()),
  W: (date) => two(Math.floor((dayOfYear(date) + 6 - ((date.getUTCDay() + 6) % 7)) / 7)),
  x: (_date, nanos, zone) => strftime("%m/%d/%y", nanos, zone),
  X: (_date, nanos, zone) => strftime("%H:%M:%S", nanos, zone),
  y: (date) => two(date.getUTCFullYear() % 100),
  Y: (date) => String(date.getUTCFullYear()),
  z: (_date, _nanos, zone) => offsetText(zone, ""),
  Z: (_date, _nanos, { name }) => name,
  "%": () => "%",
};

export function strftime(format: string, nanos: bigint, zone = utc): string {
  const date = dateOf(nanos + BigInt(zone.minutes * 60) * nanosPerSecond);
  return format.replace(/%[-:]?([a-zA-Z%])/g, (whole, letter: string) => {
    if (whole === "%:z") return offsetText(zone, ":");
    const text = fields[letter]?.(date, nanos, zone) ?? whole;
    return whole.startsWith("%-") ? text.replace(/^[0 ]+(?=.)/, "") : text;
  });
}

/** What `date -d` and `touch -d` accept, in nanoseconds since the epoch; null for what is no date. */
export function parseDate(text: string, now: bigint, zone = utc): bigint | null {
  const seconds = /^@(-?\d+)$/.exec(text.trim())?.[1];
  if (seconds !== undefined) return BigInt(seconds) * nanosPerSecond;
  const east = BigInt(zone.minutes * 60) * nanosPerSecond;
  const local = parseLocal(text.trim(), now + east);
  return local === null ? null : local - east;
}

function parseLocal(trimmed: string, now: bigint): bigint | null {
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
