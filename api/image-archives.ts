/** Archives of images on the wire: load, save, and import of a root file system. */
import { encodeText } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { LoadedImage } from "../core/engine/engine.ts";
import { type Platform, parsePlatform } from "../core/image/platform.ts";
import { invalid } from "./errors.ts";
import type { Answer } from "./http.ts";
import type { Query } from "./query.ts";
import { pull } from "./registry.ts";
import { streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { started, untilAborted } from "./stream.ts";

export function imageArchiveRoutes(context: Context): Route[] {
  return [
    { method: "POST", path: "/images/load", handler: (call) => load(context, call) },
    { method: "POST", path: "/images/create", handler: (call) => create(context, call) },
    { method: "GET", path: "/images/get", handler: (call) => save(context, call, call.query.all("names")) },
    { method: "GET", path: "/images/:name{.+}/get", handler: (call) => save(context, call, [call.parameter("name")]) },
  ];
}

async function load({ engine }: Context, call: Call): Promise<Answer> {
  const platform = platformOf(call.query, engine.traits.architecture);
  const loaded = await started(engine.images.load(call.request.body, { platform }));
  return streamReply("application/json", untilAborted(loadLines(loaded), call.request.signal));
}

/** One message an image; an error that comes after the first one is a message too. */
async function* loadLines(loaded: AsyncIterable<LoadedImage>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const { image, names, taken } of loaded) {
      for (const { name, from } of taken) yield line({ stream: renamed(name, from) });
      if (names.length === 0) yield line({ stream: `Loaded image ID: ${image.id}\n` });
      for (const name of names) yield line({ stream: `Loaded image: ${name}\n` });
    }
  } catch (thrown) {
    const message = messageOf(thrown);
    yield line({ errorDetail: { message }, error: message });
  }
}

function renamed(name: string, from: string): string {
  return `The image ${name} already exists, renaming the old one with ID ${from} to empty string\n`;
}

function line(message: object): Uint8Array {
  return encodeText(`${JSON.stringify(message)}\n`);
}

/** "linux/arm64", or JSON as API 1.48 has it; null when it is not asked for. */
function platformOf(query: Query, own: string): Platform | null {
  const text = query.text("platform");
  if (text === "") return null;
  const platform = parsePlatform(text.startsWith("{") ? platformText(text) : text, own);
  if (platform === null)
    throw invalid(`invalid platform: ${text}; expected os/architecture or os/architecture/variant`);
  return platform;
}

function platformText(json: string): string {
  try {
    const { os, architecture, variant } = JSON.parse(json) as Readonly<Record<string, unknown>>;
    return [os, architecture, variant].filter((part) => typeof part === "string" && part !== "").join("/");
  } catch {
    throw invalid(`invalid platform: ${json} is not JSON`);
  }
}

async function save({ engine }: Context, call: Call, names: readonly string[]): Promise<Answer> {
  if (names.length === 0) throw invalid("no image to save: name at least one");
  const archive = await engine.images.save(names);
  return streamReply("application/x-tar", untilAborted(archive, call.request.signal));
}

/** Docker's one endpoint for two things. */
async function create(context: Context, call: Call): Promise<Answer> {
  if (call.query.text("fromImage") !== "") return pull(context, call);
  if (call.query.has("fromSrc")) return importTar(context, call);
  throw invalid("name an image to pull (fromImage) or a tar to import (fromSrc=-)");
}

async function importTar({ engine }: Context, { query, request }: Call): Promise<Answer> {
  const source = query.text("fromSrc");
  if (source !== "-")
    throw new TsboxError("unsupported", `cannot fetch ${source}: download it and pass it on standard input, fromSrc=-`);
  const [repository, tag] = [query.text("repo"), query.text("tag")];
  const image = await engine.images.import(request.body, {
    name: repository === "" ? null : `${repository}${tag === "" ? "" : `:${tag}`}`,
    message: query.text("message") || "Imported from -",
    changes: query.all("changes"),
    platform: platformOf(query, engine.traits.architecture),
  });
  return streamReply("application/json", one(line({ status: image.id })));
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
