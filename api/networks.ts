/** /networks: the two that always exist, "none" and "host". Others come with networking. */
import { TsboxError } from "../core/base/error.ts";
import type { Engine } from "../core/engine/engine.ts";
import { matchesPattern, parseFilters } from "./filters.ts";
import type { Answer } from "./http.ts";
import { jsonReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import type { Network } from "./wire/network.ts";
import { effectiveNetworkMode, networkBody, networks } from "./wire/network.ts";

export function networkRoutes({ engine }: Context): Route[] {
  return [
    { method: "GET", path: "/networks", handler: (call) => list(call) },
    { method: "GET", path: "/networks/:id", handler: (call) => inspect(engine, call.parameter("id")) },
  ];
}

const knownFilters = ["name", "id", "driver", "type", "scope", "label", "label!", "dangling"];

async function list(call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, knownFilters);
  const shown = networks.filter(
    ({ name, id, driver }) =>
      filters.any("name", (pattern) => matchesPattern(pattern, name)) &&
      filters.any("id", (prefix) => id.startsWith(prefix)) &&
      filters.any("driver", (wanted) => driver === wanted) &&
      filters.any("type", (type) => type === "builtin") &&
      filters.any("scope", (scope) => scope === "local") &&
      filters.labels({}),
  );
  return jsonReply(
    200,
    shown.map((network) => networkBody(network, [])),
  );
}

async function inspect({ containers }: Engine, ref: string): Promise<Answer> {
  const network = find(ref);
  const members = (await containers.list()).filter(
    ({ state, hostConfig }) => state === "running" && effectiveNetworkMode(hostConfig.networkMode) === network.name,
  );
  return jsonReply(200, networkBody(network, members));
}

function find(ref: string): Network {
  const network = networks.find(({ name, id }) => name === ref || (ref !== "" && id.startsWith(ref)));
  if (network === undefined) throw new TsboxError("not-found", `network ${ref} not found`);
  return network;
}
