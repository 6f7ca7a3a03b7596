/**
 * The Docker Engine API as a function of the engine: version prefix, route, handler, headers. All
 * errors become Docker's {"message"} here. Docker's own endpoints stand in one file a family;
 * what only tsbox has is under /tsbox/v1 (tsbox.ts).
 */
import { PatternRouter } from "hono/router/pattern-router";
import { TsboxError } from "../core/base/error.ts";
import type { Engine } from "../core/engine/engine.ts";
import { archiveRoutes } from "./archive.ts";
import { containerRoutes } from "./containers.ts";
import { errorReply, invalid } from "./errors.ts";
import { eventRoutes } from "./events.ts";
import { execRoutes } from "./exec.ts";
import type { Answer, Api, ApiRequest } from "./http.ts";
import { imageArchiveRoutes } from "./image-archives.ts";
import { imageRoutes } from "./images.ts";
import { networkRoutes } from "./networks.ts";
import { notYetRoutes } from "./not-yet.ts";
import { Query } from "./query.ts";
import { registryRoutes } from "./registry.ts";
import type { Call, Context, Handler } from "./route.ts";
import type { SystemInfo } from "./system-info.ts";
import { systemRoutes } from "./system.ts";
import { tsboxRoutes } from "./tsbox.ts";
import { newestVersion, splitVersion } from "./version.ts";
import { volumeRoutes } from "./volumes.ts";

export function createApi(engine: Engine, system: SystemInfo): Api {
  const router = makeRouter({ engine, system });
  const common = commonHeaders(system);
  return async (request) => withHeaders(await answer(router, request), common);
}

const families = [
  systemRoutes,
  containerRoutes,
  execRoutes,
  registryRoutes,
  imageArchiveRoutes,
  imageRoutes,
  archiveRoutes,
  volumeRoutes,
  networkRoutes,
  eventRoutes,
  tsboxRoutes,
  notYetRoutes,
];

function makeRouter(context: Context): PatternRouter<Handler> {
  const router = new PatternRouter<Handler>();
  for (const routes of families)
    for (const { method, path, handler } of routes(context)) router.add(method, path, handler);
  return router;
}

async function answer(router: PatternRouter<Handler>, request: ApiRequest): Promise<Answer> {
  try {
    const { handler, call } = find(router, request);
    return await handler(call);
  } catch (thrown) {
    return errorReply(thrown);
  }
}

function find(router: PatternRouter<Handler>, request: ApiRequest): { handler: Handler; call: Call } {
  const [whole, query] = splitTarget(request.target);
  const { version, path } = splitVersion(whole);
  const match = router.match(request.method, path)[0][0];
  if (match === undefined) throw new TsboxError("not-found", "page not found");
  const [handler, parameters] = match as [Handler, Record<string, string>];
  const parameter = (name: string) => decode(parameters[name] ?? "");
  return { handler, call: { request, version, query: new Query(query), parameter } };
}

function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`invalid path: ${JSON.stringify(text)} is not valid percent-encoding`);
  }
}

function commonHeaders(system: SystemInfo): Readonly<Record<string, string>> {
  return {
    "api-version": newestVersion,
    "docker-experimental": "false",
    ostype: "linux",
    server: `tsbox/${system.version} (linux)`,
  };
}

function withHeaders(answer: Answer, common: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...common, ...answer.headers } };
}
