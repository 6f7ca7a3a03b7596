/** /images: load, list, inspect, tag, remove; what needs a registry is in registry.ts. */
import { encodeText } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { LoadedImage } from "../core/engine/engine.ts";
import type { ListedImage } from "../core/image/image.ts";
import type { Filters } from "./filters.ts";
import { parseFilters } from "./filters.ts";
import type { Answer } from "./http.ts";
import { pull } from "./registry.ts";
import { emptyReply, jsonReply, streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { started, untilAborted } from "./stream.ts";
import { imageHistory, imageInspect, imageSummary, unixSeconds } from "./wire/image.ts";

export function imageRoutes(context: Context): Route[] {
  const { engine, system } = context;
  const { images } = engine;
  const name = (call: Call) => call.parameter("name");
  return [
    { method: "GET", path: "/images/json", handler: (call) => list(context, call) },
    { method: "POST", path: "/images/load", handler: (call) => load(context, call) },
    { method: "POST", path: "/images/create", handler: (call) => create(context, call) },
    {
      method: "GET",
      path: "/images/:name{.+}/json",
      handler: async (call) =>
        jsonReply(200, imageInspect(await images.get(name(call)), system.storageDriver, call.version)),
    },
    {
      method: "GET",
      path: "/images/:name{.+}/history",
      handler: async (call) => jsonReply(200, imageHistory(await images.get(name(call)))),
    },
    {
      method: "POST",
      path: "/images/:name{.+}/tag",
      handler: async (call) => {
        const { query } = call;
        const tag = query.text("tag");
        await images.tag(name(call), tag === "" ? query.text("repo") : `${query.text("repo")}:${tag}`);
        return emptyReply(201);
      },
    },
    {
      method: "DELETE",
      path: "/images/:name{.+}",
      handler: async ({ query, parameter }) => {
        const options = { force: query.boolean("force"), prune: !query.boolean("noprune") };
        const removed = await images.remove(parameter("name"), options);
        return jsonReply(
          200,
          removed.map(({ untagged, deleted }) => ({ Untagged: untagged, Deleted: deleted })),
        );
      },
    },
  ];
}

async function load({ engine }: Context, call: Call): Promise<Answer> {
  const loaded = await started(engine.images.load(call.request.body));
  return streamReply("application/json", untilAborted(loadLines(loaded), call.request.signal));
}

/** One message an image; an error that comes after the first one is a message too. */
async function* loadLines(loaded: AsyncIterable<LoadedImage>): AsyncGenerator<Uint8Array, void, undefined> {
  const line = (message: object) => encodeText(`${JSON.stringify(message)}\n`);
  try {
    for await (const { image, names } of loaded) {
      if (names.length === 0) yield line({ stream: `Loaded image ID: ${image.id}\n` });
      for (const name of names) yield line({ stream: `Loaded image: ${name}\n` });
    }
  } catch (thrown) {
    const message = messageOf(thrown);
    yield line({ errorDetail: { message }, error: message });
  }
}

/** Docker's one endpoint for two things. */
async function create(context: Context, call: Call): Promise<Answer> {
  if (call.query.text("fromImage") !== "") return pull(context, call);
  throw new TsboxError("unsupported", "importing a file system is not supported yet");
}

const knownFilters = ["reference", "dangling", "label", "label!", "before", "since", "until"];

async function list({ engine }: Context, call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, knownFilters);
  const bounds = {
    before: await Promise.all(filters.values("before").map((ref) => engine.images.get(ref))),
    since: await Promise.all(filters.values("since").map((ref) => engine.images.get(ref))),
  };
  const created = ({ created }: Pick<ListedImage, "created">) => unixSeconds(created);
  const images = (await engine.images.list())
    .filter(
      (image) =>
        fits(image, filters) &&
        bounds.before.every((bound) => created(image) < created(bound)) &&
        bounds.since.every((bound) => created(image) > created(bound)),
    )
    .toSorted((one, other) => created(other) - created(one));
  const shown = images.map((image) => ({ ...image, names: image.names.filter((name) => isNamed(name, filters)) }));
  return jsonReply(
    200,
    shown.map((image) => imageSummary(image, call.version)),
  );
}

function fits(image: ListedImage, filters: Filters): boolean {
  const dangling = filters.boolean("dangling");
  return (
    (!filters.has("reference") || image.names.some((name) => isNamed(name, filters))) &&
    (dangling === null || dangling === (image.names.length === 0)) &&
    filters.labels(image.labels)
  );
}

/** Whether `reference` asks for this name of an image; its other names are not shown then. */
function isNamed(name: string, filters: Filters): boolean {
  return filters.any("reference", (pattern) => matchesReference(pattern, name));
}

/** A glob over the familiar name, with and without its tag: "*" and "?" stop at "/". */
function matchesReference(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  const repository = name.slice(0, name.lastIndexOf(":"));
  const glob = new RegExp(`^${expression}$`);
  return glob.test(name) || glob.test(repository);
}
