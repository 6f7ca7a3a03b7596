/** A route: method, path, and the function that answers. Families of endpoints are lists of routes. */
import type { Engine } from "../core/engine/engine.ts";
import type { Answer, ApiRequest } from "./http.ts";
import type { Query } from "./query.ts";
import type { SystemInfo } from "./system-info.ts";
import type { Version } from "./version.ts";

/** One request on its way through the API. */
export interface Call {
  readonly request: ApiRequest;
  readonly version: Version;
  readonly query: Query;
  /** A part of the path, decoded. */
  readonly parameter: (name: string) => string;
}

export type Handler = (call: Call) => Promise<Answer>;

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** ":id" is one part of a path; ":name{.+}" may contain slashes. */
  readonly path: string;
  readonly handler: Handler;
}

/** What the families of endpoints are made with. */
export interface Context {
  readonly engine: Engine;
  readonly system: SystemInfo;
}

/** Whether the client wants the connection for itself. */
export function wantsUpgrade(request: ApiRequest): boolean {
  return (request.headers["upgrade"] ?? "") !== "";
}
