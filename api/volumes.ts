/** /volumes: directories that outlive containers. */
import { TsboxError } from "../core/base/error.ts";
import type { Volume } from "../core/volume/volume.ts";
import type { Engine } from "../core/engine/engine.ts";
import { readBody } from "./body.ts";
import type { Filters } from "./filters.ts";
import { matchesPattern, parseFilters } from "./filters.ts";
import type { Answer } from "./http.ts";
import { emptyReply, jsonReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { volumeCreateSchema, volumeToWire } from "./wire/volume.ts";

export function volumeRoutes({ engine }: Context): Route[] {
  const { volumes } = engine;
  return [
    { method: "GET", path: "/volumes", handler: (call) => list(engine, call) },
    { method: "POST", path: "/volumes/create", handler: (call) => create(engine, call) },
    {
      method: "GET",
      path: "/volumes/:name",
      handler: async (call) => jsonReply(200, volumeToWire(await volumes.get(call.parameter("name")))),
    },
    {
      method: "DELETE",
      path: "/volumes/:name",
      handler: async (call) => {
        await volumes.remove(call.parameter("name"), { force: call.query.boolean("force") });
        return emptyReply(204);
      },
    },
  ];
}

async function create({ volumes }: Engine, call: Call): Promise<Answer> {
  const body = await readBody(call.request, volumeCreateSchema);
  if (!["", "local"].includes(body.Driver))
    throw new TsboxError(
      "not-found",
      `error looking up volume plugin ${body.Driver}: plugin "${body.Driver}" not found`,
    );
  if (Object.keys(body.DriverOpts).length > 0)
    throw new TsboxError("unsupported", "options of the local volume driver are not supported yet");
  return jsonReply(201, volumeToWire(await volumes.create({ name: body.Name || null, labels: body.Labels })));
}

const knownFilters = ["name", "label", "label!", "driver", "dangling"];

async function list(engine: Engine, call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, knownFilters);
  const used = new Set((await engine.containers.list()).flatMap(({ mounts }) => mounts.map(({ name }) => name)));
  const shown = (await engine.volumes.list()).filter((volume) => fits(volume, filters, used));
  return jsonReply(200, { Volumes: shown.map(volumeToWire), Warnings: null });
}

function fits(volume: Volume, filters: Filters, used: ReadonlySet<string>): boolean {
  const dangling = filters.boolean("dangling");
  return (
    filters.any("name", (name) => matchesPattern(name, volume.name)) &&
    filters.any("driver", (driver) => driver === "local") &&
    filters.labels(volume.labels) &&
    (dangling === null || dangling !== used.has(volume.name))
  );
}
