/** What a request to the registry asks for, as its route found it, and what the answers are made with. */
import type { Hasher } from "../../base/ports.ts";
import { type Digest, isDigest } from "../digest.ts";
import { emptyBody, type HttpRequest } from "./http.ts";
import { refuse } from "./server-reply.ts";
import type { RegistryStore } from "./server-store.ts";
import type { Uploads } from "./server-uploads.ts";

export interface Call {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly repository: string;
  /** What stands last in the path: a digest, a tag, an upload's id. */
  readonly last: string;
}

export interface Parts {
  readonly store: RegistryStore;
  readonly uploads: Uploads;
  readonly hasher: Hasher;
  /** Whether manifests and blobs can be deleted. */
  readonly deletes: boolean;
}

export function checkDeletes({ deletes }: Parts): void {
  if (!deletes) throw refuse("UNSUPPORTED");
}

export function checkedDigest(text: string): Digest {
  if (!isDigest(text)) throw refuse("DIGEST_INVALID", "invalid checksum digest format");
  return text;
}

export function isUnchanged({ headers }: HttpRequest, digest: Digest): boolean {
  return (headers["if-none-match"] ?? "").split(/\s*,\s*/).some((tag) => tag === `"${digest}"` || tag === digest);
}

export function bodyOf({ body }: HttpRequest) {
  if (body === null) return emptyBody();
  return body instanceof Uint8Array ? single(body) : body;
}

async function* single(bytes: Uint8Array) {
  if (bytes.length > 0) yield bytes;
}
