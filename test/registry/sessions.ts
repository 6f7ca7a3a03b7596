/**
 * What clients say to a registry, request by request, and what it answers, as far as that matters: the
 * same session is held against distribution's own server (record.ts keeps what it said) and against
 * ours. "LOCATION" stands for where the last answer pointed.
 */
import { createHash } from "node:crypto";
import { streamOf } from "../../core/base/bytes.ts";
import type { Fetch, HttpRequest, HttpResponse } from "../../core/image/registry/http.ts";
import { readBytes } from "../../core/image/registry/http.ts";

export interface Step {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Exchange {
  readonly request: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const sha = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

const layer = "the bytes of a layer, which may be any bytes";
const config = JSON.stringify({
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [sha(layer)] },
});
const types = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
};
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: types.manifest,
  config: { mediaType: "application/vnd.docker.container.image.v1+json", size: config.length, digest: sha(config) },
  layers: [{ mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", size: layer.length, digest: sha(layer) }],
});
const ociManifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: types.ociManifest,
  config: { mediaType: "application/vnd.oci.image.config.v1+json", size: config.length, digest: sha(config) },
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", size: layer.length, digest: sha(layer) }],
});
const ociIndex = JSON.stringify({
  schemaVersion: 2,
  mediaType: types.ociIndex,
  manifests: [
    {
      mediaType: types.ociManifest,
      size: ociManifest.length,
      digest: sha(ociManifest),
      platform: { os: "linux", architecture: "amd64" },
    },
  ],
});
const absent = sha("nothing has this digest");
const octets = { "content-type": "application/octet-stream" };

const basic = (login: string): string => `Basic ${Buffer.from(login).toString("base64")}`;

/** What `htpasswd -nbB maria secret` printed. */
export const passwords = "maria:$2y$05$spHTg4VudAQnAO778444quSrXWzWNZKef2k6ohdlVRR3ZYVckxbha\n";

/** The sessions with a registry that wants to know who asks. */
export const guarded: ReadonlySet<string> = new Set(["a login"]);

const blob = (repository: string, bytes: string): Step[] => [
  { method: "POST", path: `/v2/${repository}/blobs/uploads/` },
  { method: "PUT", path: `LOCATION&digest=${sha(bytes)}`, headers: octets, body: bytes },
];
const image = (repository: string): Step[] => [
  ...blob(repository, layer),
  ...blob(repository, config),
  { method: "PUT", path: `/v2/${repository}/manifests/1`, headers: { "content-type": types.manifest }, body: manifest },
];

/** Each begins with an empty registry. */
export const sessions: Readonly<Record<string, readonly Step[]>> = {
  "an empty registry": [
    { method: "GET", path: "/v2/" },
    { method: "HEAD", path: "/v2/" },
    { method: "GET", path: "/v2/_catalog" },
    { method: "GET", path: "/v2/team/app/tags/list" },
    { method: "GET", path: "/v2/team/app/manifests/latest" },
    { method: "HEAD", path: "/v2/team/app/manifests/latest" },
    { method: "GET", path: `/v2/team/app/manifests/${absent}` },
    { method: "GET", path: `/v2/team/app/blobs/${absent}` },
    { method: "HEAD", path: `/v2/team/app/blobs/${absent}` },
    { method: "GET", path: "/v2/team/app/blobs/uploads/00000000-0000-4000-8000-000000000000" },
    { method: "GET", path: "/v2/no/such/thing" },
    { method: "GET", path: "/" },
  ],
  "a blob at once": [
    ...blob("team/app", layer),
    { method: "HEAD", path: `/v2/team/app/blobs/${sha(layer)}` },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}` },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}`, headers: { range: "bytes=4-9" } },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}`, headers: { range: "bytes=40-" } },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}`, headers: { range: "bytes=-5" } },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}`, headers: { range: "bytes=1000-" } },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}`, headers: { "if-none-match": `"${sha(layer)}"` } },
    { method: "GET", path: `/v2/other/app/blobs/${sha(layer)}` },
  ],
  "a blob in chunks": [
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "PATCH", path: "LOCATION", headers: octets, body: layer.slice(0, 10) },
    { method: "GET", path: "LOCATION" },
    { method: "PATCH", path: "LOCATION", headers: octets, body: layer.slice(10) },
    { method: "PUT", path: `LOCATION&digest=${sha(layer)}`, body: "" },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}` },
  ],
  "an upload that is given up": [
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "PATCH", path: "LOCATION", headers: octets, body: "some" },
    { method: "DELETE", path: "LOCATION" },
  ],
  "uploads that are wrong": [
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "PUT", path: `LOCATION&digest=${absent}`, headers: octets, body: layer },
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "PUT", path: "LOCATION", headers: octets, body: layer },
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "PUT", path: "LOCATION&digest=nonsense", headers: octets, body: layer },
    { method: "GET", path: "/v2/team/app/blobs/nonsense" },
  ],
  "a blob of another repository": [
    ...blob("team/app", layer),
    { method: "POST", path: `/v2/team/copy/blobs/uploads/?mount=${sha(layer)}&from=team%2Fapp` },
    { method: "GET", path: `/v2/team/copy/blobs/${sha(layer)}` },
    { method: "POST", path: `/v2/team/copy/blobs/uploads/?mount=${absent}&from=team%2Fapp` },
    { method: "POST", path: `/v2/team/copy/blobs/uploads/?mount=${sha(layer)}&from=no%2Fsuch` },
  ],
  "an image": [
    ...image("team/app"),
    { method: "HEAD", path: "/v2/team/app/manifests/1" },
    { method: "HEAD", path: "/v2/team/app/manifests/1", headers: { accept: types.manifest } },
    { method: "GET", path: "/v2/team/app/manifests/1", headers: { accept: types.manifest } },
    { method: "GET", path: `/v2/team/app/manifests/${sha(manifest)}`, headers: { accept: types.manifest } },
    {
      method: "GET",
      path: "/v2/team/app/manifests/1",
      headers: { accept: types.manifest, "if-none-match": `"${sha(manifest)}"` },
    },
    { method: "GET", path: "/v2/team/app/tags/list" },
    { method: "GET", path: "/v2/_catalog" },
    { method: "GET", path: `/v2/team/app/blobs/${sha(manifest)}` },
  ],
  "an image for several platforms": [
    ...blob("team/app", layer),
    ...blob("team/app", config),
    {
      method: "PUT",
      path: `/v2/team/app/manifests/${sha(ociManifest)}`,
      headers: { "content-type": types.ociManifest },
      body: ociManifest,
    },
    { method: "PUT", path: "/v2/team/app/manifests/2", headers: { "content-type": types.ociIndex }, body: ociIndex },
    { method: "GET", path: "/v2/team/app/manifests/2", headers: { accept: `${types.ociIndex}, ${types.ociManifest}` } },
    { method: "GET", path: "/v2/team/app/tags/list" },
  ],
  "manifests that are wrong": [
    { method: "PUT", path: "/v2/team/app/manifests/1", headers: { "content-type": types.manifest }, body: manifest },
    { method: "PUT", path: "/v2/team/app/manifests/1", headers: { "content-type": types.manifest }, body: "{" },
    ...blob("team/app", layer),
    { method: "PUT", path: "/v2/team/app/manifests/1", headers: { "content-type": types.manifest }, body: manifest },
    ...blob("team/app", config),
    {
      method: "PUT",
      path: `/v2/team/app/manifests/${absent}`,
      headers: { "content-type": types.manifest },
      body: manifest,
    },
    { method: "PUT", path: "/v2/team/app/manifests/2", headers: { "content-type": types.ociIndex }, body: ociIndex },
  ],
  "what is deleted": [
    ...image("team/app"),
    { method: "DELETE", path: `/v2/team/app/manifests/${sha(manifest)}` },
    { method: "GET", path: "/v2/team/app/manifests/1", headers: { accept: types.manifest } },
    { method: "DELETE", path: `/v2/team/app/manifests/${sha(manifest)}` },
    { method: "DELETE", path: `/v2/team/app/blobs/${sha(layer)}` },
    { method: "GET", path: `/v2/team/app/blobs/${sha(layer)}` },
    { method: "DELETE", path: `/v2/team/app/blobs/${sha(layer)}` },
    { method: "GET", path: "/v2/team/app/tags/list" },
    { method: "DELETE", path: "/v2/team/app/manifests/1" },
  ],
  "a catalog of several pages": [
    ...image("b/two"),
    ...image("a"),
    ...image("b-x"),
    ...image("c"),
    { method: "GET", path: "/v2/_catalog" },
    { method: "GET", path: "/v2/_catalog?n=2" },
    { method: "GET", path: "/v2/_catalog?n=2&last=b%2Ftwo" },
    { method: "GET", path: "/v2/_catalog?n=1&last=c" },
  ],
  "what only one of them has": [
    ...image("team/app"),
    { method: "GET", path: `/v2/team/app/referrers/${sha(manifest)}` },
    { method: "GET", path: "/v1/search?q=app" },
  ],
  "a login": [
    { method: "GET", path: "/v2/" },
    { method: "GET", path: "/v2/", headers: { authorization: basic("maria:wrong") } },
    { method: "GET", path: "/v2/", headers: { authorization: basic("nobody:secret") } },
    { method: "GET", path: "/v2/", headers: { authorization: basic("maria:secret") } },
    { method: "GET", path: "/v2/", headers: { authorization: "Bearer xyz" } },
    { method: "GET", path: "/v2/_catalog" },
    { method: "GET", path: "/v2/team/app/manifests/1" },
    { method: "HEAD", path: `/v2/team/app/blobs/${absent}` },
    { method: "POST", path: "/v2/team/app/blobs/uploads/" },
    { method: "POST", path: `/v2/team/app/blobs/uploads/?mount=${absent}&from=team%2Fother` },
    { method: "DELETE", path: `/v2/team/app/manifests/${absent}` },
    { method: "GET", path: "/v2/_catalog", headers: { authorization: basic("maria:secret") } },
  ],
  "methods that are not": [
    { method: "POST", path: "/v2/_catalog" },
    { method: "DELETE", path: "/v2/team/app/tags/list" },
    { method: "PATCH", path: "/v2/team/app/manifests/1", body: "x" },
    { method: "GET", path: "/v2/team/app/blobs/uploads/" },
  ],
};

const kept = [
  "accept-ranges",
  "allow",
  "cache-control",
  "content-length",
  "content-range",
  "content-type",
  "docker-content-digest",
  "docker-distribution-api-version",
  "docker-upload-uuid",
  "etag",
  "link",
  "location",
  "range",
  "www-authenticate",
  "x-content-type-options",
];

export async function hold(fetch: Fetch, base: string, steps: readonly Step[]): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  let location = "";
  for (const step of steps) {
    const path = step.path.startsWith("LOCATION")
      ? followed(location, step.path.slice("LOCATION".length))
      : `${base}${step.path}`;
    const response = await fetch({
      method: step.method,
      url: path,
      headers: { ...step.headers, ...(step.body === undefined ? {} : { "content-length": String(step.body.length) }) },
      body: step.body === undefined ? null : streamOf(new TextEncoder().encode(step.body)),
      insecure: false,
      signal: null,
    });
    location = response.headers["location"] ?? location;
    exchanges.push(await exchangeOf(step, response, base));
  }
  return exchanges;
}

function followed(location: string, more: string): string {
  return `${location}${location.includes("?") ? more : more.replace("&", "?")}`;
}

async function exchangeOf(step: Step, response: HttpResponse, base: string): Promise<Exchange> {
  const text = await textOf(response);
  return {
    request: `${step.method} ${step.path}`,
    status: response.status,
    headers: keptHeaders(response.headers, base),
    body: response.headers["content-type"]?.includes("json") === true ? (JSON.parse(text || "null") as unknown) : text,
  };
}

/** Those that matter, without what differs from run to run. */
export function keptHeaders(headers: Readonly<Record<string, string>>, base: string): Record<string, string> {
  const names = kept.filter((name) => headers[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, masked(headers[name] ?? "", base)]));
}

/** Distribution's server promises more than it sends when there is no such range. */
async function textOf(response: HttpResponse): Promise<string> {
  try {
    return new TextDecoder().decode(await readBytes(response, "an answer", 1 << 20));
  } catch {
    return "(the connection ended within it)";
  }
}

export function masked(value: string, base: string): string {
  return value
    .replaceAll(base, "BASE")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UUID")
    .replace(/_state=[^&]*&?/, "")
    .replace(/\?$/, "");
}
