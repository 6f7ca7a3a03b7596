/** Blobs given out, whole or a part, and the uploads that bring them. */
import { type Digest, isDigest } from "../digest.ts";
import { emptyBody, type HttpRequest, type HttpResponse } from "./http.ts";
import { bodyOf, type Call, checkDeletes, checkedDigest, isUnchanged, type Parts } from "./server-call.ts";
import { apiHeaders, bytesReply, emptyReply, refuse } from "./server-reply.ts";
import type { UploadSession } from "./server-uploads.ts";

export async function getBlob(parts: Parts, { repository, last, request }: Call): Promise<HttpResponse> {
  const digest = checkedDigest(last);
  const size = await parts.store.blobSize(repository, digest);
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
    body: request.method === "HEAD" ? emptyBody() : parts.store.blob(digest, from, to - from + 1),
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

export async function deleteBlob(parts: Parts, { repository, last }: Call): Promise<HttpResponse> {
  checkDeletes(parts);
  const digest = checkedDigest(last);
  if ((await parts.store.blobSize(repository, digest)) === null) throw refuse("BLOB_UNKNOWN");
  await parts.store.unlinkBlob(repository, digest);
  return emptyReply(202, {});
}

export async function beginUpload(parts: Parts, call: Call): Promise<HttpResponse> {
  const { repository, url } = call;
  const mounted = await mount(parts, call);
  if (mounted !== null) return blobCreated(url, repository, mounted);
  const session = await parts.uploads.begin(repository);
  const digest = url.searchParams.get("digest");
  if (digest === null) return uploadReply(202, url, session);
  await parts.uploads.append(session, bodyOf(call.request));
  await parts.uploads.finish(session, checkedDigest(digest));
  return blobCreated(url, repository, digest);
}

/** The digest that was mounted; null: the client has to upload it. */
async function mount(parts: Parts, { repository, url }: Call): Promise<Digest | null> {
  const digest = url.searchParams.get("mount") ?? "";
  const from = url.searchParams.get("from") ?? "";
  if (!isDigest(digest) || (await parts.store.blobSize(from, digest)) === null) return null;
  await parts.store.linkBlob(repository, digest);
  return digest;
}

export async function uploadStatus(parts: Parts, { repository, last, url }: Call): Promise<HttpResponse> {
  return uploadReply(204, url, parts.uploads.find(repository, last));
}

export async function patchUpload(parts: Parts, { repository, last, request, url }: Call): Promise<HttpResponse> {
  const session = parts.uploads.find(repository, last);
  checkStart(request, session);
  await parts.uploads.append(session, bodyOf(request));
  return uploadReply(202, url, session);
}

export async function putUpload(parts: Parts, { repository, last, request, url }: Call): Promise<HttpResponse> {
  const session = parts.uploads.find(repository, last);
  const digest = url.searchParams.get("digest");
  if (digest === null || !isDigest(digest))
    throw refuse("DIGEST_INVALID", digest === null ? "digest missing" : "digest parsing failed");
  checkStart(request, session);
  await parts.uploads.append(session, bodyOf(request));
  await parts.uploads.finish(session, digest);
  return blobCreated(url, repository, digest);
}

export async function cancelUpload(parts: Parts, { repository, last }: Call): Promise<HttpResponse> {
  const session = parts.uploads.find(repository, last);
  await parts.uploads.end(session);
  return emptyReply(204, { "docker-upload-uuid": session.id });
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
