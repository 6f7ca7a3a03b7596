/** `events`: what happens, as it happens. */
import { jsonLines } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { objectFormat } from "../format/object.ts";
import { toTimestamp } from "../values/time.ts";
import type { EventMessage } from "../wire.ts";
import type { WallTime } from "../ports.ts";

export default command({
  usage: "[OPTIONS]",
  summary: "Get real time events from the server",
  flags: {
    filter: filterFlag("Filter output based on conditions provided"),
    format: flag.text(null, "Format output using a custom template: 'json' or 'TEMPLATE'"),
    since: flag.text(null, "Show all events created since timestamp"),
    until: flag.text(null, "Stream events until this timestamp"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const show =
      options.format === "" ? (event: EventMessage) => eventLine(event, ports.time) : formatted(options.format);
    const response = await client.open("GET", "/events", {
      since: toTimestamp("since", options.since, ports.time),
      until: toTimestamp("until", options.until, ports.time),
      filters: filterQuery(options.filter),
    });
    for await (const event of jsonLines(response.body)) await ports.terminal.stdout(`${show(event as EventMessage)}\n`);
    return 0;
  },
});

/** `{{.ID}}` and the like are older names of parts of the event; templates may use either. */
function formatted(format: string): (event: EventMessage) => string {
  const show = objectFormat(format);
  if (format === "json") return show;
  return (event) =>
    show({
      ...event,
      Scope: event.scope,
      Time: event.time,
      TimeNano: event.timeNano,
      ID: event.Actor.ID,
      Status: event.Action,
      From: event.Actor.Attributes?.["image"] ?? "",
    });
}

function eventLine({ Type, Action, Actor, time, timeNano }: EventMessage, here: WallTime): string {
  const attributes = Object.entries(Actor.Attributes ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .toSorted()
    .join(", ");
  return `${timeText(time, timeNano, here)} ${Type} ${Action} ${Actor.ID}${attributes === "" ? "" : ` (${attributes})`}`;
}

/** RFC 3339 with nine digits, in local time. The last digits were lost with the number: 2^53 ns is 104 days. */
function timeText(seconds: number, nanos: number, { minutesEast }: WallTime): string {
  const fraction = BigInt(Math.max(0, nanos)) - BigInt(seconds) * 1_000_000_000n;
  if (fraction < 0n) throw new CliError(`the daemon sent an event whose times differ: ${seconds}, ${nanos}`);
  const minutes = minutesEast(seconds * 1000);
  const local = new Date(seconds * 1000 + minutes * 60_000).toISOString();
  return `${local.slice(0, 19)}.${String(fraction).padStart(9, "0")}${zoneOf(minutes)}`;
}

function zoneOf(minutes: number): string {
  if (minutes === 0) return "Z";
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}
