/** Sizes and times for people, worded and rounded as Docker's tables do. */
import type { WallTime } from "../ports.ts";

/** Base 1000, so many significant digits: "1.98MB". */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], digits);
}

/** Base 1024: "15.62GiB". */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4);
}

function scaled(value: number, base: number, units: readonly string[], digits: number): string {
  let at = 0;
  let rest = value;
  while (rest >= base && at < units.length - 1) {
    rest /= base;
    at++;
  }
  return `${Number(rest.toPrecision(digits))}${units[at] ?? ""}`;
}

/** "Less than a second", "About an hour", "3 weeks". */
export function humanDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(seconds / 3600);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < 60) return `${whole} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  return hours < 48 ? `${hours} hours` : humanDays(hours);
}

function humanDays(hours: number): string {
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** "3 minutes ago"; `created` in seconds since the epoch. */
export function humanAge(created: number, time: WallTime): string {
  return `${humanDuration(time.now() / 1000 - created)} ago`;
}

/** Go's time.Time.String() in local time: "2026-11-23 23:42:05 +0000 UTC". */
export function goTime(seconds: number, time: WallTime): string {
  const { date, clock, offset, zone } = localTime(seconds, time);
  const digits = zone.replace(":", "");
  return `${date} ${clock} ${digits} ${offset === 0 ? "UTC" : digits.replace(/00$/, "")}`;
}

/** RFC 3339. */
export function isoTime(seconds: number, time: WallTime): string {
  const { date, clock, offset, zone } = localTime(seconds, time);
  return `${date}T${clock}${offset === 0 ? "Z" : zone}`;
}

/** `offset` in minutes, `zone` as +hh:mm. */
function localTime(seconds: number, time: WallTime): { date: string; clock: string; offset: number; zone: string } {
  const offset = time.minutesEast(seconds * 1000);
  const [date = "", clock = ""] = new Date(seconds * 1000 + offset * 60_000).toISOString().split(/[T.]/);
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return { date, clock, offset, zone };
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** At most `width` characters, the last one "…" when something was cut. */
export function ellipsis(text: string, width: number): string {
  const chars = [...text];
  if (chars.length <= width) return text;
  return width <= 1 ? chars.slice(0, width).join("") : `${chars.slice(0, width - 1).join("")}…`;
}

/** "sha256:eefb0283…" or a container's id, to 12 characters. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
