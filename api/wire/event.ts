/** Events on the wire. `status`, `id` and `from` are what clients older than 1.22 read; many still do. */
import type { Event } from "../../core/engine/events.ts";

export function eventToWire(event: Event) {
  return {
    ...(event.type === "container" || event.type === "image" ? legacyFields(event) : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    scope: "local",
    time: Number(event.time / 1_000_000_000n),
    timeNano: 0,
  };
}

function legacyFields(event: Event) {
  const from = event.type === "container" ? event.attributes["image"] : undefined;
  return { status: event.action, id: event.id, ...(from === undefined ? {} : { from }) };
}

/** One line of JSON. Nanoseconds do not fit a JavaScript number, so their digits are put in as text. */
export function eventLine(event: Event): string {
  return `${JSON.stringify(eventToWire(event)).replace(/"timeNano":0}$/, `"timeNano":${event.time}}`)}\n`;
}
