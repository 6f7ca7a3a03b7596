/**
 * A registry: the distribution API (OCI distribution-spec 1.1) as a function from request to response
 * over a store on any Disk. The page's simulated registry, exercises, tests and `tsbox registry serve`
 * are this function. To a client's session it answers as distribution's own server does;
 * test/registry compares the two, and differences.json there lists where they differ and why.
 */
import type { Hasher, Random } from "../../base/ports.ts";
import { emptyBody, type Fetch, type HttpRequest, type HttpResponse } from "./http.ts";
import type { Access, RegistryAuth } from "./server-auth.ts";
import {
  beginUpload,
  cancelUpload,
  deleteBlob,
  getBlob,
  patchUpload,
  putUpload,
  uploadStatus,
} from "./server-blobs.ts";
import type { Call, Parts } from "./server-call.ts";
import { catalog, search, tags } from "./server-lists.ts";
import { deleteManifest, getManifest, putManifest, referrers } from "./server-manifests.ts";
import {
  bare,
  bytesReply,
  methodNotAllowed,
  pageNotFound,
  refusalReply,
  refuse,
  RegistryRefusal,
} from "./server-reply.ts";
import type { RegistryStore } from "./server-store.ts";
import { Uploads } from "./server-uploads.ts";

export interface RegistryOptions {
  readonly store: RegistryStore;
  readonly hasher: Hasher;
  readonly random: Random;
  /** Null: everybody may do everything. */
  readonly auth: RegistryAuth | null;
  /** Whether manifests and blobs can be deleted. */
  readonly deletes: boolean;
}

const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const name = `(?<name>${component}(?:/${component})*)`;
const nameLengthMax = 255;

type Answer = (parts: Parts, call: Call) => Promise<HttpResponse>;

interface Route {
  readonly path: RegExp;
  readonly methods: Readonly<Partial<Record<HttpRequest["method"], Answer>>>;
}

const digestPart = "(?<last>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})";
const referencePart =
  "(?<last>[\\w][\\w.-]{0,127}|[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})";

const routes: readonly Route[] = [
  { path: /^\/$/, methods: { GET: async () => bare() } },
  { path: /^\/v2\/$/, methods: { GET: async () => jsonBody({}), HEAD: async () => jsonBody({}) } },
  { path: /^\/v2\/_catalog$/, methods: { GET: catalog } },
  { path: /^\/v1\/search$/, methods: { GET: search } },
  { path: new RegExp(`^/v2/${name}/tags/list$`), methods: { GET: tags } },
  {
    path: new RegExp(`^/v2/${name}/manifests/${referencePart}$`),
    methods: {
      GET: getManifest,
      HEAD: getManifest,
      PUT: putManifest,
      DELETE: deleteManifest,
    },
  },
  {
    path: new RegExp(`^/v2/${name}/referrers/${digestPart}$`),
    methods: { GET: referrers },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/uploads/$`),
    methods: {
      GET: uploadStatus,
      POST: beginUpload,
    },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/uploads/(?<last>[\\w-]+)$`),
    methods: {
      GET: uploadStatus,
      PATCH: patchUpload,
      PUT: putUpload,
      DELETE: cancelUpload,
    },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/${digestPart}$`),
    methods: {
      GET: getBlob,
      HEAD: getBlob,
      DELETE: deleteBlob,
    },
  },
];

export function registryServer(options: RegistryOptions): Fetch {
  const { store, hasher, random, deletes, auth } = options;
  const parts: Parts = { store, hasher, deletes, uploads: new Uploads(store, hasher, random) };
  return async (request) => {
    const response = await answered(request, parts, auth);
    return request.method === "HEAD" ? { ...response, body: emptyBody() } : response;
  };
}

async function answered(request: HttpRequest, parts: Parts, auth: RegistryAuth | null): Promise<HttpResponse> {
  const url = new URL(request.url);
  const found = routeOf(url.pathname);
  if (found === null) return pageNotFound();
  const act = found.route.methods[request.method];
  if (act === undefined) return methodNotAllowed(Object.keys(found.route.methods));
  const call: Call = { request, url, repository: found.repository, last: found.last };
  try {
    const challenge = auth === null ? null : await refused(call, auth);
    return challenge ?? (await act(parts, call));
  } catch (thrown) {
    if (thrown instanceof RegistryRefusal) return refusalReply(thrown);
    throw thrown;
  }
}

async function refused(call: Call, auth: RegistryAuth): Promise<HttpResponse | null> {
  const wanted = accessOf(call);
  const challenge = await auth(call.request.headers, wanted);
  if (challenge === null) return null;
  const detail = wanted.length === 0 ? null : wanted.map(goAccess);
  return refusalReply(refuse("UNAUTHORIZED", detail), { "www-authenticate": challenge });
}

function routeOf(path: string): { route: Route; repository: string; last: string } | null {
  for (const route of routes) {
    const groups = route.path.exec(path);
    if (groups === null) continue;
    const { name: repository = "", last = "" } = groups.groups ?? {};
    if (repository.length > nameLengthMax) return null;
    return { route, repository, last };
  }
  return null;
}

function accessOf({ request, repository, url }: Call): Access[] {
  if (url.pathname === "/v2/_catalog" || url.pathname === "/v1/search")
    return [{ type: "registry", name: "catalog", action: "*" }];
  if (repository === "") return [];
  const wants = (action: string): Access => ({ type: "repository", name: repository, action });
  if (request.method === "GET" || request.method === "HEAD") return [wants("pull")];
  const from = url.searchParams.get("from");
  const source: Access[] = from === null ? [] : [{ type: "repository", name: from, action: "pull" }];
  return request.method === "DELETE" ? [wants("delete")] : [wants("pull"), wants("push"), ...source];
}

/** As Go's encoder writes distribution's auth.Access. */
function goAccess({ type, name: Name, action: Action }: Access) {
  return { Type: type, Class: "", Name, Action };
}

function jsonBody(value: unknown): HttpResponse {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return bytesReply(200, bytes, { "content-type": "application/json; charset=utf-8" });
}
