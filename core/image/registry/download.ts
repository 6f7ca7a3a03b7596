/**
 * A blob's bytes, in order and to their end, whatever happens to the connections on the way: a stream
 * that breaks goes on where it stopped (Range, RFC 9110, 14.2). That the bytes are the right ones is
 * for the reader to check: only whoever has the earlier ones too can compute the digest.
 */
import { readAll } from "../../base/bytes.ts";
import { corrupt, type Descriptor, jsonBytesMax } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import { discard, type HttpResponse, networkError } from "./http.ts";
import type { Repository } from "./repository.ts";

/** Throws TsboxError "corrupt" when the registry has more or fewer bytes than `size`. */
export async function* blobFrom(
  repository: Repository,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const attempts = repository.connection.attempts();
  let at = offset;
  while (at < size) {
    try {
      const response = await repository.openBlob(digest, at);
      for await (const chunk of await tail(response, at, digest)) {
        if (at + chunk.length > size) throw corrupt(`blob ${digest}: the registry sends more than its ${size} bytes`);
        at += chunk.length;
        attempts.progress();
        yield chunk;
      }
      if (at < size) throw shortened(response, digest, size);
    } catch (thrown) {
      await attempts.after(thrown);
    }
  }
}

/** An answer that promised less than the whole is a wrong blob; one that ended early is a broken connection. */
function shortened({ headers, status }: HttpResponse, digest: Digest, size: number): Error {
  const promised = headers["content-length"];
  if (status === 200 && promised !== undefined && Number(promised) < size)
    return corrupt(`blob ${digest}: it should have ${size} bytes and has ${promised}`);
  return networkError("broken", `blob ${digest}: the connection ended before its ${size} bytes were there`);
}

/** The part of an answer that begins at `at`. */
async function tail(response: HttpResponse, at: number, digest: Digest): Promise<AsyncIterable<Uint8Array>> {
  if (response.status === 200) return skipped(response.body, at);
  const [, first] = /^bytes (\d+)-/.exec(response.headers["content-range"] ?? "") ?? [];
  if (first !== undefined && Number(first) === at) return response.body;
  await discard(response);
  throw corrupt(`blob ${digest}: asked for the bytes from ${at}, the registry sends those from ${first ?? "nowhere"}`);
}

async function* skipped(stream: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  let missing = count;
  for await (const chunk of stream) {
    if (chunk.length > missing) yield chunk.subarray(missing);
    missing = Math.max(0, missing - chunk.length);
  }
}

/** A small blob, whole and checked: a configuration. */
export async function documentFrom(
  repository: Repository,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
): Promise<Uint8Array> {
  if (size > jsonBytesMax) throw corrupt(`blob ${digest} is ${size} bytes; at most ${jsonBytesMax} are read`);
  const bytes = await readAll(blobFrom(repository, { digest, size }, 0), size);
  const found = repository.digestOf(bytes);
  if (found !== digest) throw corrupt(`blob ${digest}: its content has the digest ${found}`);
  return bytes;
}
