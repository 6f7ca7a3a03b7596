/** GET /events: what happens, as JSON lines, from `since` until `until` or until the client goes. */
import { encodeText } from "../core/base/bytes.ts";
import type { Event } from "../core/engine/events.ts";
import type { Filters } from "./filters.ts";
import { parseFilters } from "./filters.ts";
import { streamReply } from "./reply.ts";
import type { Context, Route } from "./route.ts";
import { untilAborted } from "./stream.ts";
import { eventLine } from "./wire/event.ts";

const knownFilters =
  "type event container image volume network label label! daemon scope plugin service node secret config".split(" ");

export function eventRoutes({ engine }: Context): Route[] {
  return [
    {
      method: "GET",
      path: "/events",
      handler: async ({ query, request }) => {
        const filters = parseFilters(query, knownFilters);
        const accepts = (event: Event) => fits(event, filters);
        const events = engine.events({ since: query.time("since"), until: query.time("until"), accepts });
        return streamReply("application/json", eventLines(untilAborted(events, request.signal)));
      },
    },
  ];
}

async function* eventLines(events: AsyncIterable<Event>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const event of events) yield encodeText(eventLine(event));
}

function fits(event: Event, filters: Filters): boolean {
  const isOf = (type: Event["type"]) => (name: string) =>
    event.type === type && (event.id === name || event.id.startsWith(name) || event.attributes["name"] === name);
  return (
    filters.any("type", (type) => event.type === type) &&
    filters.any("event", (action) => event.action === action || event.action.startsWith(`${action}:`)) &&
    filters.any("container", isOf("container")) &&
    filters.any("volume", isOf("volume")) &&
    filters.any("network", isOf("network")) &&
    filters.any("image", (name) => isOfImage(event, name)) &&
    filters.any("scope", (scope) => scope === "local") &&
    filters.labels(event.attributes)
  );
}

/** An image's own events, and those of the containers made of it. */
function isOfImage(event: Event, name: string): boolean {
  const image = event.type === "image" ? event.attributes["name"] : event.attributes["image"];
  return event.id === name || image === name || image === `${name}:latest`;
}
