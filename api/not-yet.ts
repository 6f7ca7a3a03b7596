/**
 * Endpoints of Docker that tsbox does not have: each says so in one line, instead of "page not
 * found", and where clients only look (plugins, swarm) gets the answer that means "there is none".
 */
import { TsboxError } from "../core/base/error.ts";
import { jsonReply } from "./reply.ts";
import type { Route } from "./route.ts";

const unsupported: readonly [method: Route["method"], path: string, what: string][] = [
  ["POST", "/containers/prune", "pruning containers"],
  ["POST", "/commit", "committing a container"],
  ["POST", "/build", "building images"],
  ["POST", "/build/prune", "pruning the build cache"],
  ["POST", "/networks/create", "creating networks"],
  ["POST", "/networks/:id/connect", "connecting networks"],
  ["POST", "/networks/:id/disconnect", "disconnecting networks"],
  ["DELETE", "/networks/:id", "removing networks"],
  ["POST", "/networks/prune", "pruning networks"],
  ["POST", "/volumes/prune", "pruning volumes"],
];

const swarm = ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"];

export function notYetRoutes(): Route[] {
  return [
    ...unsupported.map(
      ([method, path, what]): Route => ({
        method,
        path,
        handler: () => Promise.reject(new TsboxError("unsupported", `${what} is not supported yet`)),
      }),
    ),
    ...swarm.map((path): Route => ({ method: "GET", path, handler: () => Promise.reject(noSwarm()) })),
    { method: "GET", path: "/plugins", handler: async () => jsonReply(200, []) },
    {
      method: "GET",
      path: "/plugins/:name{.+}/json",
      handler: (call) =>
        Promise.reject(new TsboxError("not-found", `plugin ${JSON.stringify(call.parameter("name"))} not found`)),
    },
  ];
}

function noSwarm(): TsboxError {
  return new TsboxError("unavailable", "This node is not a swarm manager: tsbox has no swarm mode.");
}
