/** GET /containers/json: which containers a list shows. */
import { TsboxError } from "../core/base/error.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { ContainerRecord } from "../core/container/record.ts";
import { isUp } from "../core/container/state.ts";
import type { Filters } from "./filters.ts";
import { matchesPattern, parseFilters } from "./filters.ts";
import { invalid } from "./errors.ts";
import type { Answer } from "./http.ts";
import { jsonReply } from "./reply.ts";
import type { Call, Context } from "./route.ts";
import { containerSummary } from "./wire/container-summary.ts";
import { effectiveNetworkMode } from "./wire/network.ts";

const states = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const knownFilters =
  "id name label label! status ancestor before since exited volume network health is-task publish expose".split(" ");

export async function listContainers({ engine, system }: Context, call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, knownFilters);
  checkStates(filters);
  const limit = call.query.integer("limit") ?? 0;
  const everything = call.query.boolean("all") || limit > 0 || filters.has("status") || filters.has("exited");
  const bounds = await boundsOf(engine, filters);
  const images = await ancestorIds(engine, filters);
  const shown = (await engine.containers.list()).filter(
    (record, index, all) =>
      (everything || isUp(record.state) || record.state === "restarting") &&
      between(all, index, bounds) &&
      fits(record, filters, images),
  );
  const limited = limit > 0 ? shown.slice(0, limit) : shown;
  const now = system.clock.now();
  return jsonReply(
    200,
    limited.map((record) => containerSummary(record, now)),
  );
}

function checkStates(filters: Filters): void {
  for (const state of filters.values("status"))
    if (!states.includes(state)) throw invalid(`invalid filter 'status=${state}'`);
}

interface Bounds {
  readonly before: readonly string[];
  readonly since: readonly string[];
}

/** The ids that `before` and `since` name. */
async function boundsOf({ containers }: Engine, filters: Filters): Promise<Bounds> {
  const idsOf = (key: string) => Promise.all(filters.values(key).map(async (ref) => (await containers.get(ref)).id));
  return { before: await idsOf("before"), since: await idsOf("since") };
}

/** The list is newest first: what was made before X stands after it. */
function between(all: readonly ContainerRecord[], index: number, { before, since }: Bounds): boolean {
  const at = (id: string) => all.findIndex((record) => record.id === id);
  return before.every((id) => index > at(id)) && since.every((id) => index < at(id));
}

/** Image ids of `ancestor`; an image there is not has no descendants. */
async function ancestorIds({ images }: Engine, filters: Filters): Promise<string[]> {
  const ids = await Promise.all(
    filters.values("ancestor").map(async (ref) => {
      try {
        return [(await images.get(ref)).id];
      } catch (thrown) {
        if (thrown instanceof TsboxError && thrown.code === "not-found") return [];
        throw thrown;
      }
    }),
  );
  return ids.flat();
}

function fits(record: ContainerRecord, filters: Filters, images: readonly string[]): boolean {
  return (
    filters.any("id", (id) => record.id.startsWith(id)) &&
    filters.any("name", (name) => matchesPattern(name, record.name) || matchesPattern(name, `/${record.name}`)) &&
    filters.labels(record.config.labels) &&
    filters.any("status", (state) => record.state === state) &&
    filters.any("exited", (code) => record.state === "exited" && String(record.exitCode) === code) &&
    (!filters.has("ancestor") || images.includes(record.image)) &&
    filters.any("volume", (volume) => hasMount(record, volume)) &&
    filters.any("network", (network) => effectiveNetworkMode(record.hostConfig.networkMode) === network) &&
    filters.any("health", (health) => health === "none") &&
    filters.boolean("is-task") !== true &&
    filters.any("publish", () => false) &&
    filters.any("expose", (port) => record.config.exposedPorts.includes(port.includes("/") ? port : `${port}/tcp`))
  );
}

function hasMount(record: ContainerRecord, volume: string): boolean {
  return record.mounts.some((mount) => mount.name === volume || mount.target === volume || mount.source === volume);
}
