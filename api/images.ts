/** /images: list, inspect, history, tag, remove, prune. Archives of images: image-archives.ts. */
import { parseTime } from "../core/base/time.ts";
import type { ListedImage, RemovedImage } from "../core/image/image.ts";
import type { Engine } from "../core/engine/engine.ts";
import { matchesFamiliar } from "../core/image/reference.ts";
import type { Filters } from "./filters.ts";
import { parseFilters } from "./filters.ts";
import type { Answer } from "./http.ts";
import { emptyReply, jsonReply, jsonTextReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { untilOf } from "./until.ts";
import type { Version } from "./version.ts";
import { imageHistory, imageInspect, imageSummary, unixSeconds } from "./wire/image.ts";

export function imageRoutes(context: Context): Route[] {
  const { engine, system } = context;
  const { images } = engine;
  const name = (call: Call) => call.parameter("name");
  return [
    { method: "GET", path: "/images/json", handler: (call) => list(context, call) },
    { method: "POST", path: "/images/prune", handler: (call) => prune(context, call) },
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
        return jsonReply(200, removed.map(removedToWire));
      },
    },
  ];
}

function removedToWire({ untagged, deleted }: RemovedImage) {
  return { Untagged: untagged, Deleted: deleted };
}

/** Unless `dangling` is false only images without a name go. */
async function prune({ engine, system }: Context, call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, ["dangling", "until", "label", "label!"]);
  const until = untilOf(filters, system.clock.now());
  const accepts = ({ labels, created }: ListedImage) =>
    filters.labels(labels) && (until === null || (parseTime(created) ?? 0n) < until);
  const { removed, reclaimedBytes } = await engine.images.prune({
    dangling: filters.boolean("dangling") ?? true,
    accepts,
  });
  const deleted = removed.length === 0 ? null : removed.map(removedToWire);
  return jsonReply(200, { ImagesDeleted: deleted, SpaceReclaimed: reclaimedBytes });
}

const knownFilters = ["reference", "dangling", "label", "label!", "before", "since", "until"];

async function list({ engine, system }: Context, call: Call): Promise<Answer> {
  const filters = parseFilters(call.query, knownFilters);
  const until = untilOf(filters, system.clock.now());
  const createdOf = async (ref: string) => unixSeconds((await engine.images.get(ref)).created);
  const before = await Promise.all(filters.values("before").map(createdOf));
  const since = await Promise.all(filters.values("since").map(createdOf));
  const images = (await engine.images.list())
    .filter(
      (image) =>
        fits(image, filters) &&
        (until === null || (parseTime(image.created) ?? 0n) < until) &&
        before.every((bound) => image.createdSeconds < bound) &&
        since.every((bound) => image.createdSeconds > bound),
    )
    .toSorted((one, other) => other.createdSeconds - one.createdSeconds);
  const shown = filters.has("reference") ? images.map((image) => onlyNamed(image, filters)) : images;
  const sizes = call.query.boolean("shared-size") ? await sharedSizes(engine) : null;
  if (sizes === null)
    return jsonTextReply(200, `[${shown.map((image) => summaryText(image, call.version)).join(",")}]`);
  return jsonReply(
    200,
    shown.map((image) => ({ ...imageSummary(image, call.version), ...sizes.get(image.id) })),
  );
}

/** An image is listed as the same value until it changes: of ten thousand only those are written anew. */
const summaryTexts = new WeakMap<ListedImage, Map<Version, string>>();

function summaryText(image: ListedImage, version: Version): string {
  const known = summaryTexts.get(image) ?? new Map<Version, string>();
  const text = known.get(version) ?? JSON.stringify(imageSummary(image, version));
  summaryTexts.set(image, known.set(version, text));
  return text;
}

/** The names that were not asked for are not shown. */
function onlyNamed(image: ListedImage, filters: Filters): ListedImage {
  return { ...image, names: image.names.filter((name) => isNamed(name, filters)) };
}

async function sharedSizes({ images }: Engine): Promise<ReadonlyMap<string, { SharedSize: number }>> {
  const usage = await images.usage();
  return new Map(usage.images.map(({ id, shared }) => [id, { SharedSize: shared }]));
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
  return filters.any("reference", (pattern) => matchesFamiliar(pattern, name));
}
