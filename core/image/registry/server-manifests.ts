/** Manifests: taken in when what they need is there, given out by tag or digest, and found by what they refer to. */
import { TsboxError } from "../../base/error.ts";
import { isIndexType, jsonBytesMax, mediaTypes, parseJson } from "../descriptor.ts";
import { type Digest, digestOf, isDigest } from "../digest.ts";
import { emptyBody, type HttpRequest, type HttpResponse, readBytes } from "./http.ts";
import { bodyOf, type Call, checkDeletes, checkedDigest, isUnchanged, type Parts } from "./server-call.ts";
import {
  apiHeaders,
  bytesReply,
  emptyReply,
  jsonReply,
  type Problem,
  refuse,
  RegistryRefusal,
} from "./server-reply.ts";
import { needsOf } from "./server-store.ts";

export async function getManifest(parts: Parts, { repository, last, request }: Call): Promise<HttpResponse> {
  const digest = last.includes(":") ? checkedDigest(last) : await parts.store.tag(repository, last);
  if (digest === null) throw refuse("MANIFEST_UNKNOWN", { Tag: last });
  const manifest = await parts.store.manifest(repository, digest);
  if (manifest === null)
    throw refuse("MANIFEST_UNKNOWN", last.includes(":") ? { Name: repository, Revision: digest } : { Tag: last });
  const headers = { "docker-content-digest": digest, etag: `"${digest}"` };
  if (isUnchanged(request, digest)) return { status: 304, headers: { ...apiHeaders }, body: emptyBody() };
  return bytesReply(200, manifest.bytes, { "content-type": manifest.mediaType, ...headers });
}

export async function putManifest(parts: Parts, { repository, last, request, url }: Call): Promise<HttpResponse> {
  const bytes = await readManifest(request);
  const digest = digestOf(parts.hasher, bytes);
  if (last.includes(":") && checkedDigest(last) !== digest) throw refuse("DIGEST_INVALID");
  const json = parsedManifest(bytes);
  await checkNeeds(parts, repository, json);
  const mediaType = mediaTypeOf(request, json);
  await parts.store.putManifest(repository, { digest, mediaType, bytes });
  if (!last.includes(":")) await parts.store.setTag(repository, last, digest);
  const { subject } = json;
  return emptyReply(201, {
    location: `${url.origin}/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(isSubject(subject) ? { "oci-subject": subject.digest } : {}),
  });
}

/** A manifest comes after what it needs. */
async function checkNeeds(parts: Parts, repository: string, json: Readonly<Record<string, unknown>>): Promise<void> {
  const needs = needsOf(json, "the manifest");
  const missing: Problem[] = [];
  for (const digest of needs.blobs)
    if (!isDigest(digest) || (await parts.store.blobSize(repository, digest)) === null)
      missing.push({ code: "MANIFEST_BLOB_UNKNOWN", detail: digest });
  for (const digest of needs.manifests)
    if (!isDigest(digest) || (await parts.store.manifest(repository, digest)) === null)
      missing.push({ code: "MANIFEST_BLOB_UNKNOWN", detail: digest });
  const [first, ...rest] = missing;
  if (first !== undefined) throw new RegistryRefusal(first, ...rest);
}

export async function deleteManifest(parts: Parts, { repository, last }: Call): Promise<HttpResponse> {
  checkDeletes(parts);
  if (!last.includes(":")) throw refuse("DIGEST_INVALID");
  const digest = checkedDigest(last);
  if ((await parts.store.manifest(repository, digest)) === null) throw refuse("MANIFEST_UNKNOWN");
  await parts.store.deleteManifest(repository, digest);
  return emptyReply(202, {});
}

export async function referrers(parts: Parts, { repository, last, url }: Call): Promise<HttpResponse> {
  const wanted = url.searchParams.get("artifactType");
  const found = await parts.store.referrers(repository, checkedDigest(last));
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
