/**
 * A registry: the distribution API (OCI distribution-spec 1.1) as a function from request to response
 * over a store on any Disk. The page's simulated registry, exercises, tests and `tsbox registry serve`
 * are this function. To a client's session it answers as distribution's own server does;
 * test/registry compares the two, and differences.json there lists where they differ and why.
 */
import { TsboxError } from "../../base/error.ts";
import type { Hasher, Random } from "../../base/ports.ts";
import { isIndexType, jsonBytesMax, mediaTypes, parseJson } from "../descriptor.ts";
import { type Digest, digestOf, isDigest } from "../digest.ts";
import { emptyBody, type Fetch, type HttpRequest, type HttpResponse, readBytes } from "./http.ts";
import type { Access, RegistryAuth } from "./server-auth.ts";
import {
  apiHeaders,
  bare,
  bytesReply,
  emptyReply,
  jsonReply,
  methodNotAllowed,
  pageNotFound,
  type Problem,
  refusalReply,
  refuse,
  RegistryRefusal,
} from "./server-reply.ts";
import { needsOf, type RegistryStore } from "./server-store.ts";
import { Uploads, type UploadSession } from "./server-uploads.ts";

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
const catalogPage = 100;
const listPageMax = 1000;

interface Call {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly repository: string;
  /** What stands last in the path: a digest, a tag, an upload's id. */
  readonly last: string;
}

interface Route {
  readonly path: RegExp;
  readonly methods: Readonly<
    Partial<Record<HttpRequest["method"], (server: Server, call: Call) => Promise<HttpResponse>>>
  >;
}

const digestPart = "(?<last>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})";
const referencePart =
  "(?<last>[\\w][\\w.-]{0,127}|[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})";

const routes: readonly Route[] = [
  { path: /^\/$/, methods: { GET: async () => bare() } },
  { path: /^\/v2\/$/, methods: { GET: async () => jsonBody({}), HEAD: async () => jsonBody({}) } },
  { path: /^\/v2\/_catalog$/, methods: { GET: (server, call) => server.catalog(call) } },
  { path: /^\/v1\/search$/, methods: { GET: (server, call) => server.search(call) } },
  { path: new RegExp(`^/v2/${name}/tags/list$`), methods: { GET: (server, call) => server.tags(call) } },
  {
    path: new RegExp(`^/v2/${name}/manifests/${referencePart}$`),
    methods: {
      GET: (server, call) => server.getManifest(call),
      HEAD: (server, call) => server.getManifest(call),
      PUT: (server, call) => server.putManifest(call),
      DELETE: (server, call) => server.deleteManifest(call),
    },
  },
  {
    path: new RegExp(`^/v2/${name}/referrers/${digestPart}$`),
    methods: { GET: (server, call) => server.referrers(call) },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/uploads/$`),
    methods: {
      GET: (server, call) => server.uploadStatus(call),
      POST: (server, call) => server.beginUpload(call),
    },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/uploads/(?<last>[\\w-]+)$`),
    methods: {
      GET: (server, call) => server.uploadStatus(call),
      PATCH: (server, call) => server.patchUpload(call),
      PUT: (server, call) => server.putUpload(call),
      DELETE: (server, call) => server.cancelUpload(call),
    },
  },
  {
    path: new RegExp(`^/v2/${name}/blobs/${digestPart}$`),
    methods: {
      GET: (server, call) => server.getBlob(call),
      HEAD: (server, call) => server.getBlob(call),
      DELETE: (server, call) => server.deleteBlob(call),
    },
  },
];

export function registryServer(options: RegistryOptions): Fetch {
  const server = new Server(options);
  return async (request) => {
    const response = await server.answer(request);
    return request.method === "HEAD" ? { ...response, body: emptyBody() } : response;
  };
}

class Server {
  readonly #options: RegistryOptions;
  readonly #store: RegistryStore;
  readonly #uploads: Uploads;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#uploads = new Uploads(options.store, options.hasher, options.random);
  }

  async answer(request: HttpRequest): Promise<HttpResponse> {
    const url = new URL(request.url);
    const found = routeOf(url.pathname);
    if (found === null) return pageNotFound();
    const act = found.route.methods[request.method];
    if (act === undefined) return methodNotAllowed(Object.keys(found.route.methods));
    const call: Call = { request, url, repository: found.repository, last: found.last };
    try {
      const challenge = await this.#refused(call);
      return challenge ?? (await act(this, call));
    } catch (thrown) {
      if (thrown instanceof RegistryRefusal) return refusalReply(thrown);
      throw thrown;
    }
  }

  async #refused(call: Call): Promise<HttpResponse | null> {
    const { auth } = this.#options;
    if (auth === null) return null;
    const wanted = accessOf(call);
    const challenge = await auth(call.request.headers, wanted);
    if (challenge === null) return null;
    const detail = wanted.length === 0 ? null : wanted.map(goAccess);
    return refusalReply(refuse("UNAUTHORIZED", detail), { "www-authenticate": challenge });
  }

  async catalog({ url }: Call): Promise<HttpResponse> {
    const count = pageSize(url, catalogPage);
    const last = url.searchParams.get("last") ?? "";
    const all = await this.#store.repositories();
    const rest = last === "" ? all : all.filter((each) => each.replaceAll("/", "\0") > last.replaceAll("/", "\0"));
    const page = rest.slice(0, count);
    const next = new URLSearchParams();
    next.append("last", page.at(-1) ?? "");
    next.append("n", String(count));
    const link = rest.length > count ? { link: `</v2/_catalog?${next.toString()}>; rel="next"` } : {};
    return jsonReply({ repositories: page }, link);
  }

  /** Docker Hub's old search, over the names of the repositories (Docker Registry API v1, "Search"). */
  async search({ url }: Call): Promise<HttpResponse> {
    const query = url.searchParams.get("q") ?? "";
    const found = (await this.#store.repositories()).filter((repository) => repository.includes(query.toLowerCase()));
    const results = found.slice(0, pageSize(url, 25)).map((repository) => ({
      name: repository,
      description: "",
      star_count: 0,
      is_official: false,
      is_automated: false,
    }));
    return jsonReply({ num_pages: 1, num_results: found.length, page: 1, page_size: 25, query, results });
  }

  async tags({ repository, url }: Call): Promise<HttpResponse> {
    const tags = await this.#store.tags(repository);
    if (tags === null) throw refuse("NAME_UNKNOWN", { name: repository });
    const wanted = url.searchParams.get("n");
    const last = url.searchParams.get("last") ?? "";
    const rest = tags.filter((tag) => tag > last);
    const page = wanted === null ? rest : rest.slice(0, pageSize(url, listPageMax));
    const query = new URLSearchParams();
    query.append("last", page.at(-1) ?? "");
    query.append("n", wanted ?? "");
    const link =
      page.length < rest.length ? { link: `</v2/${repository}/tags/list?${query.toString()}>; rel="next"` } : {};
    return jsonReply({ name: repository, tags: tags.length === 0 ? null : page }, link);
  }

  async getManifest({ repository, last, request }: Call): Promise<HttpResponse> {
    const digest = last.includes(":") ? checkedDigest(last) : await this.#store.tag(repository, last);
    if (digest === null) throw refuse("MANIFEST_UNKNOWN", { Tag: last });
    const manifest = await this.#store.manifest(repository, digest);
    if (manifest === null)
      throw refuse("MANIFEST_UNKNOWN", last.includes(":") ? { Name: repository, Revision: digest } : { Tag: last });
    const headers = { "docker-content-digest": digest, etag: `"${digest}"` };
    if (isUnchanged(request, digest)) return { status: 304, headers: { ...apiHeaders }, body: emptyBody() };
    return bytesReply(200, manifest.bytes, { "content-type": manifest.mediaType, ...headers });
  }

  async putManifest({ repository, last, request, url }: Call): Promise<HttpResponse> {
    const bytes = await readManifest(request);
    const digest = digestOf(this.#options.hasher, bytes);
    if (last.includes(":") && checkedDigest(last) !== digest) throw refuse("DIGEST_INVALID");
    const json = parsedManifest(bytes);
    await this.#checkNeeds(repository, json);
    const mediaType = mediaTypeOf(request, json);
    await this.#store.putManifest(repository, { digest, mediaType, bytes });
    if (!last.includes(":")) await this.#store.setTag(repository, last, digest);
    const { subject } = json;
    return emptyReply(201, {
      location: `${url.origin}/v2/${repository}/manifests/${digest}`,
      "docker-content-digest": digest,
      ...(isSubject(subject) ? { "oci-subject": subject.digest } : {}),
    });
  }

  /** A manifest comes after what it needs. */
  async #checkNeeds(repository: string, json: Readonly<Record<string, unknown>>): Promise<void> {
    const needs = needsOf(json, "the manifest");
    const missing: Problem[] = [];
    for (const digest of needs.blobs)
      if (!isDigest(digest) || (await this.#store.blobSize(repository, digest)) === null)
        missing.push({ code: "MANIFEST_BLOB_UNKNOWN", detail: digest });
    for (const digest of needs.manifests)
      if (!isDigest(digest) || (await this.#store.manifest(repository, digest)) === null)
        missing.push({ code: "MANIFEST_BLOB_UNKNOWN", detail: digest });
    const [first, ...rest] = missing;
    if (first !== undefined) throw new RegistryRefusal(first, ...rest);
  }

  async deleteManifest({ repository, last }: Call): Promise<HttpResponse> {
    this.#checkDeletes();
    if (!last.includes(":")) throw refuse("DIGEST_INVALID");
    const digest = checkedDigest(last);
    if ((await this.#store.manifest(repository, digest)) === null) throw refuse("MANIFEST_UNKNOWN");
    await this.#store.deleteManifest(repository, digest);
    return emptyReply(202, {});
  }

  async referrers({ repository, last, url }: Call): Promise<HttpResponse> {
    const wanted = url.searchParams.get("artifactType");
    const found = await this.#store.referrers(repository, checkedDigest(last));
    const manifests = found
      .map(({ digest, mediaType, bytes, json }) => ({
        mediaType,
        digest,
        size: bytes.length,
        ...artifactOf(json),
      }))
      .filter(({ artifactType }) => wanted === null || artifactType === wanted);
    const filters = wanted === null ? {} : { "oci-filters-applied": "artifactType" };
    return jsonReply(
      { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
      { "content-type": mediaTypes.index, ...filters },
    );
  }

  async getBlob({ repository, last, request }: Call): Promise<HttpResponse> {
    const digest = checkedDigest(last);
    const size = await this.#store.blobSize(repository, digest);
    if (size === null) throw refuse("BLOB_UNKNOWN", digest);
    const common = {
      "cache-control": "max-age=31536000",
      "docker-content-digest": digest,
      etag: `"${digest}"`,
    };
    if (isUnchanged(request, digest)) return { status: 304, headers: { ...apiHeaders, ...common }, body: emptyBody() };
    const range = rangeOf(request, size);
    if (range === "none") return unsatisfied(size, common);
    const [from, to] = range ?? [0, size - 1];
    const part = range === null ? {} : { "content-range": `bytes ${from}-${to}/${size}` };
    const content = { "accept-ranges": "bytes", "content-type": "application/octet-stream" };
    return {
      status: range === null ? 200 : 206,
      headers: { ...apiHeaders, ...common, ...content, ...part, "content-length": String(to - from + 1) },
      body: request.method === "HEAD" ? emptyBody() : this.#store.blob(digest, from, to - from + 1),
    };
  }

  async deleteBlob({ repository, last }: Call): Promise<HttpResponse> {
    this.#checkDeletes();
    const digest = checkedDigest(last);
    if ((await this.#store.blobSize(repository, digest)) === null) throw refuse("BLOB_UNKNOWN");
    await this.#store.unlinkBlob(repository, digest);
    return emptyReply(202, {});
  }

  async beginUpload(call: Call): Promise<HttpResponse> {
    const { repository, url } = call;
    const mounted = await this.#mount(call);
    if (mounted !== null) return blobCreated(url, repository, mounted);
    const session = await this.#uploads.begin(repository);
    const digest = url.searchParams.get("digest");
    if (digest === null) return uploadReply(202, url, session);
    await this.#uploads.append(session, bodyOf(call.request));
    await this.#uploads.finish(session, checkedDigest(digest));
    return blobCreated(url, repository, digest);
  }

  /** The digest that was mounted; null: the client has to upload it. */
  async #mount({ repository, url }: Call): Promise<Digest | null> {
    const digest = url.searchParams.get("mount") ?? "";
    const from = url.searchParams.get("from") ?? "";
    if (!isDigest(digest) || (await this.#store.blobSize(from, digest)) === null) return null;
    await this.#store.linkBlob(repository, digest);
    return digest;
  }

  async uploadStatus({ repository, last, url }: Call): Promise<HttpResponse> {
    return uploadReply(204, url, this.#uploads.find(repository, last));
  }

  async patchUpload({ repository, last, request, url }: Call): Promise<HttpResponse> {
    const session = this.#uploads.find(repository, last);
    checkStart(request, session);
    await this.#uploads.append(session, bodyOf(request));
    return uploadReply(202, url, session);
  }

  async putUpload({ repository, last, request, url }: Call): Promise<HttpResponse> {
    const session = this.#uploads.find(repository, last);
    const digest = url.searchParams.get("digest");
    if (digest === null || !isDigest(digest))
      throw refuse("DIGEST_INVALID", digest === null ? "digest missing" : "digest parsing failed");
    checkStart(request, session);
    await this.#uploads.append(session, bodyOf(request));
    await this.#uploads.finish(session, digest);
    return blobCreated(url, repository, digest);
  }

  async cancelUpload({ repository, last }: Call): Promise<HttpResponse> {
    const session = this.#uploads.find(repository, last);
    await this.#uploads.end(session);
    return emptyReply(204, { "docker-upload-uuid": session.id });
  }

  #checkDeletes(): void {
    if (!this.#options.deletes) throw refuse("UNSUPPORTED");
  }
}

function routeOf(path: string): { route: Route; repository: string; last: string } | null {
  for (const route of routes) {
    const groups = route.path.exec(path);
    if (groups === null) continue;
    const { name: repository = "", last = "" } = groups.groups ?? {};
    if (repository.length > 255) return null;
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

function checkedDigest(text: string): Digest {
  if (!isDigest(text)) throw refuse("DIGEST_INVALID", "invalid checksum digest format");
  return text;
}

function isUnchanged({ headers }: HttpRequest, digest: Digest): boolean {
  return (headers["if-none-match"] ?? "").split(/\s*,\s*/).some((tag) => tag === `"${digest}"` || tag === digest);
}

function pageSize(url: URL, otherwise: number): number {
  const text = url.searchParams.get("n");
  if (text === null) return otherwise;
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) return otherwise;
  return Math.min(Number(text), listPageMax);
}

async function readManifest(request: HttpRequest): Promise<Uint8Array> {
  try {
    return await readBytes({ status: 200, headers: {}, body: bodyOf(request) }, "the manifest", jsonBytesMax);
  } catch (thrown) {
    if (thrown instanceof TsboxError && thrown.code === "corrupt") throw refuse("MANIFEST_INVALID", {});
    throw thrown;
  }
}

function parsedManifest(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const json = parseJson(bytes, "the manifest");
    if (json["schemaVersion"] !== 2) throw refuse("MANIFEST_INVALID", {});
    needsOf(json, "the manifest");
    return json;
  } catch (thrown) {
    if (thrown instanceof TsboxError) throw refuse("MANIFEST_INVALID", {});
    throw thrown;
  }
}

function mediaTypeOf({ headers }: HttpRequest, json: Readonly<Record<string, unknown>>): string {
  const said = (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
  if (said.startsWith("application/vnd.")) return said;
  const own = json["mediaType"];
  if (typeof own === "string" && own !== "") return own;
  return json["manifests"] === undefined ? mediaTypes.manifest : mediaTypes.index;
}

function isSubject(value: unknown): value is { readonly digest: Digest } {
  return typeof value === "object" && value !== null && "digest" in value && isDigest(String(value.digest));
}

/** What an index of referrers says of one (OCI distribution-spec, "Listing Referrers"). */
function artifactOf(json: Readonly<Record<string, unknown>>): { artifactType?: string; annotations?: unknown } {
  const { artifactType, annotations, config, mediaType } = json;
  const configType =
    typeof config === "object" && config !== null && "mediaType" in config && typeof config.mediaType === "string"
      ? config.mediaType
      : undefined;
  const type = typeof artifactType === "string" && artifactType !== "" ? artifactType : configType;
  const isIndex = typeof mediaType === "string" && isIndexType(mediaType);
  return {
    ...(type === undefined || (isIndex && artifactType === undefined) ? {} : { artifactType: type }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** One range of bytes; null: the whole; "none": there is no such part (RFC 9110, 14.2). */
function rangeOf({ headers }: HttpRequest, size: number): readonly [from: number, to: number] | null | "none" {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers["range"] ?? "") ?? [];
  if (first === "" && last === "") return null;
  if (first === "") return last === "0" ? "none" : [Math.max(0, size - Number(last)), size - 1];
  if (Number(first) >= size || (last !== "" && Number(last) < Number(first))) return "none";
  return [Number(first), last === "" ? size - 1 : Math.min(Number(last), size - 1)];
}

function unsatisfied(size: number, common: Readonly<Record<string, string>>): HttpResponse {
  const bytes = new TextEncoder().encode("invalid range: failed to overlap\n");
  return bytesReply(416, bytes, {
    ...common,
    "content-type": "text/plain; charset=utf-8",
    "content-range": `bytes */${size}`,
  });
}

function blobCreated(url: URL, repository: string, digest: string): HttpResponse {
  return emptyReply(201, {
    location: `${url.origin}/v2/${repository}/blobs/${digest}`,
    "docker-content-digest": digest,
  });
}

function uploadReply(status: number, url: URL, { id, repository, size }: UploadSession): HttpResponse {
  return emptyReply(status, {
    location: `${url.origin}/v2/${repository}/blobs/uploads/${id}`,
    "docker-upload-uuid": id,
    range: `0-${Math.max(0, size - 1)}`,
  });
}

/** A chunk goes after the bytes that are here (OCI distribution-spec, "Pushing a blob in chunks"). */
function checkStart({ headers }: HttpRequest, { size }: UploadSession): void {
  const [, first] = /^(?:bytes )?(\d+)-\d+/.exec(headers["content-range"] ?? "") ?? [];
  if (first !== undefined && Number(first) !== size) throw refuse("RANGE_INVALID");
}

function bodyOf({ body }: HttpRequest) {
  if (body === null) return emptyBody();
  return body instanceof Uint8Array ? single(body) : body;
}

async function* single(bytes: Uint8Array) {
  if (bytes.length > 0) yield bytes;
}
