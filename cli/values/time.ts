/** Points in time as `--since` and `--until` take them, to the seconds the API wants. */
import { CliError } from "../errors.ts";
import type { WallTime } from "../ports.ts";

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/** "10m", "1h30m", "2013-01-02T13:23:37Z", "1136073600.5"; undefined for "". Throws CliError. */
export function toTimestamp(name: string, text: string, time: WallTime): string | undefined {
  if (text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  const ago = parseDuration(text);
  const ms = ago === null ? parseDate(text, time) : time.now() - ago;
  if (Number.isNaN(ms))
    throw new CliError(
      `invalid value for "${name}": failed to parse value as time or duration: ${JSON.stringify(text)}`,
    );
  return (ms / 1000).toFixed(9);
}

/** Go's durations, to milliseconds; null when it is none. */
export function parseDuration(text: string): number | null {
  if (!/^-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (unitMs[unit] ?? 0), 0);
  return text.startsWith("-") ? -ms : ms;
}

/** RFC 3339, or less of it: then in local time, as Docker does. */
function parseDate(text: string, { minutesEast }: WallTime): number {
  const full = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?))?(Z|[-+]\d{2}:\d{2})?$/.exec(text);
  if (full === null) return Number.NaN;
  const [, day = "", hour = "00", zone = ""] = full;
  const clock = [...hour.split(":"), "00", "00"].slice(0, 3).join(":");
  const ms = Date.parse(`${day}T${clock}${zone || "Z"}`);
  return zone === "" ? ms - minutesEast(ms) * 60_000 : ms;
}
