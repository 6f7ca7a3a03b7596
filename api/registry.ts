/** What needs a registry: pull (of /images/create), push, login, search, distribution, and what lies there. */
import { TsboxError } from "../core/base/error.ts";
import type { Remote } from "../core/engine/remote.ts";
import { parsePlatform } from "../core/image/platform.ts";
import type { Asker, SearchResult } from "../core/image/registry/client.ts";
import { readBody } from "./body.ts";
import { invalid } from "./errors.ts";
import { type Filters, parseFilters } from "./filters.ts";
import type { Answer } from "./http.ts";
import { jsonReply, streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { started, untilAborted } from "./stream.ts";
import {
  authSchema,
  credentialsHeader,
  credentialsOf,
  distributionInspect,
  manifestToWire,
  searchResults,
} from "./wire/registry.ts";
import { transferLines } from "./wire/transfer.ts";

const resultsMax = 100;
const usualResults = 25;

export function registryRoutes(context: Context): Route[] {
  const { registry } = context.engine;
  return [
    { method: "POST", path: "/images/:name{.+}/push", handler: (call) => push(context, call) },
    {
      method: "POST",
      path: "/auth",
      handler: async ({ request }) => {
        const body = await readBody(request, authSchema);
        const asker = { credentials: credentialsOf(body), signal: request.signal };
        const { identityToken } = await registry.login(body.serveraddress, asker);
        return jsonReply(200, { IdentityToken: identityToken ?? "", Status: "Login Succeeded" });
      },
    },
    { method: "GET", path: "/images/search", handler: (call) => search(context, call) },
    {
      method: "GET",
      path: "/distribution/:name{.+}/json",
      handler: async (call) =>
        jsonReply(200, distributionInspect(await registry.describe(call.parameter("name"), askerOf(call)))),
    },
    ...remoteRoutes(context),
  ];
}

/** Docker's clients ask registries for these themselves; here the daemon does, in both worlds. */
function remoteRoutes({ engine }: Context): Route[] {
  const answering =
    (parameter: string, ask: (remote: Remote, named: string, asker: Asker) => Promise<unknown>) =>
    async (call: Call): Promise<Answer> =>
      jsonReply(200, await ask(engine.registry.remote, call.query.text(parameter), askerOf(call)));
  const at = (rest: string): string => `/tsbox/v1/registry/${rest}`;
  return [
    {
      method: "GET",
      path: at("repositories"),
      handler: answering("host", (remote, host, asker) => remote.repositories(host, asker)),
    },
    { method: "GET", path: at("tags"), handler: answering("name", (remote, name, asker) => remote.tags(name, asker)) },
    {
      method: "GET",
      path: at("referrers"),
      handler: answering("name", (remote, name, asker) => remote.referrers(name, asker)),
    },
    {
      method: "GET",
      path: at("manifest"),
      handler: answering("name", async (remote, name, asker) => manifestToWire(await remote.manifest(name, asker))),
    },
    {
      method: "DELETE",
      path: at("manifest"),
      handler: answering("name", async (remote, name, asker) => ({ digest: await remote.remove(name, asker) })),
    },
  ];
}

function askerOf({ request }: Call): Asker {
  return { credentials: credentialsHeader(request.headers["x-registry-auth"]), signal: request.signal };
}

/** POST /images/create with fromImage. An error before the registry has answered has a status of its own. */
export async function pull({ engine }: Context, call: Call): Promise<Answer> {
  const { query, request } = call;
  const [name, tag] = [query.text("fromImage"), query.text("tag")];
  const isNamed = tag !== "" || /[:@][^/]*$/.test(name);
  const whole = tag === "" ? name : `${name}${tag.includes(":") ? "@" : ":"}${tag}`;
  const asked = query.text("platform");
  const platform = asked === "" ? null : parsePlatform(asked, engine.traits.architecture);
  if (asked !== "" && platform === null)
    throw invalid(`invalid platform ${JSON.stringify(asked)}: expected as linux/amd64`);
  const transfers = await started(engine.registry.pull(whole, { all: !isNamed, platform }, askerOf(call)));
  return streamReply("application/json", untilAborted(transferLines(transfers), request.signal));
}

async function push({ engine }: Context, call: Call): Promise<Answer> {
  const { query, request } = call;
  const tag = query.text("tag");
  const name = `${call.parameter("name")}${tag === "" ? "" : `:${tag}`}`;
  const transfers = await started(engine.registry.push(name, askerOf(call)));
  return streamReply("application/json", untilAborted(transferLines(transfers), request.signal));
}

async function search({ engine }: Context, call: Call): Promise<Answer> {
  const { query } = call;
  const filters = parseFilters(query, ["is-automated", "is-official", "stars"]);
  const limit = query.integer("limit") ?? usualResults;
  if (limit < 1 || limit > resultsMax) throw invalid(`limit ${limit} is outside the range of [1, ${resultsMax}]`);
  const term = query.text("term");
  if (term === "") throw new TsboxError("invalid", "search term is empty: name what to look for");
  const fits = fitting(filters);
  const results = await engine.registry.search(term, limit, askerOf(call));
  return jsonReply(200, searchResults(results.filter(fits)));
}

/** Throws "invalid" for a filter's value that is none. */
function fitting(filters: Filters): (result: SearchResult) => boolean {
  const isOfficial = filters.boolean("is-official");
  const isAutomated = filters.boolean("is-automated");
  const least = filters.values("stars").map(Number);
  if (least.some((stars) => !Number.isInteger(stars)))
    throw invalid(`invalid filter 'stars=[${filters.values("stars").join(" ")}]'`);
  return ({ stars, official, automated }) =>
    (isOfficial === null || isOfficial === official) &&
    (isAutomated === null || isAutomated === automated) &&
    least.every((number) => stars >= number);
}
