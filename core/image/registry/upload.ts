/**
 * Brings a blob to a repository, in the cheapest way there is (OCI distribution-spec, "Push"): it may
 * be there already; another repository of the registry may have it (mount); else it is uploaded, in
 * one request, or, where a registry or the way to it does not take that, in chunks. An upload that
 * breaks goes on after the bytes that the registry has.
 */
import type { ByteStream } from "../../base/bytes.ts";
import { TsboxError } from "../../base/error.ts";
import { discard, type HttpResponse, reasonOf } from "./http.ts";
import type { OutgoingBlob, Repository } from "./repository.ts";

export type Brought = "exists" | "mounted" | "uploaded";

export interface UploadOptions {
  /** Repositories of the same registry that are said to have the blob. */
  readonly mountFrom: readonly string[];
  /** Told how many bytes are on their way. */
  readonly onProgress: (bytes: number) => void;
}

const chunkBytes = 16 * 1024 * 1024;
/** What servers and proxies say to a body that is too long or of a kind they do not take. */
const tooMuchAtOnce = new Set([400, 404, 405, 411, 413, 415]);

export async function uploadBlob(repository: Repository, blob: OutgoingBlob, options: UploadOptions): Promise<Brought> {
  const there = await repository.blobSize(blob.digest);
  if (there !== null) return "exists";
  const session = await begin(repository, blob, options.mountFrom);
  if (session === null) return "mounted";
  await new Upload(repository, blob, options.onProgress).from(session);
  return "uploaded";
}

/** The address of a new upload; null when the blob was mounted instead. */
async function begin(
  repository: Repository,
  { digest }: OutgoingBlob,
  from: readonly string[],
): Promise<string | null> {
  const what = `uploading ${digest}`;
  const [source] = from;
  const mount = source === undefined ? "" : `?mount=${digest}&from=${encodeURIComponent(source)}`;
  const response = await repository.send({ method: "POST", path: `/blobs/uploads/${mount}`, expect: [201, 202], what });
  await discard(response);
  return response.status === 201 ? null : sessionOf(response, repository, null);
}

/** Each answer names the address for the next request. */
function sessionOf({ headers }: HttpResponse, repository: Repository, before: string | null): string {
  const location = headers["location"] ?? before;
  if (location === null) throw new TsboxError("corrupt", "the registry began an upload and did not say where");
  return repository.connection.resolve(location, before ?? `${repository.connection.endpoint.base}/`);
}

class Upload {
  readonly #repository: Repository;
  readonly #blob: OutgoingBlob;
  readonly #onProgress: (bytes: number) => void;

  constructor(repository: Repository, blob: OutgoingBlob, onProgress: (bytes: number) => void) {
    this.#repository = repository;
    this.#blob = blob;
    this.#onProgress = onProgress;
  }

  async from(first: string): Promise<void> {
    const attempts = this.#repository.connection.attempts();
    let session = first;
    let chunked = false;
    for (let at = 0; ; ) {
      try {
        return chunked ? await this.#inChunks(session, at) : await this.#atOnce(session);
      } catch (thrown) {
        if (!chunked && isRefusedAtOnce(thrown)) chunked = true;
        else {
          await attempts.after(thrown);
          chunked = reasonOf(thrown) === "broken" || chunked;
        }
        const resumed = await this.#resume(session);
        if (resumed.at > at) attempts.progress();
        ({ session, at } = resumed);
      }
    }
  }

  async #atOnce(session: string): Promise<void> {
    await discard(await this.#put(session, 0, this.#blob.size));
  }

  async #inChunks(first: string, offset: number): Promise<void> {
    let session = first;
    for (let at = offset; at < this.#blob.size; at += chunkBytes) {
      const length = Math.min(chunkBytes, this.#blob.size - at);
      const response = await this.#repository.send({
        method: "PATCH",
        target: session,
        headers: { ...this.#headers(length), "content-range": `${at}-${at + length - 1}` },
        body: () => this.#bytes(at, length),
        expect: [202],
        what: `uploading ${this.#blob.digest}`,
        once: true,
      });
      await discard(response);
      session = sessionOf(response, this.#repository, session);
    }
    await discard(await this.#put(session, 0, 0));
  }

  /** Ends the upload, with these bytes as its last ones. */
  #put(session: string, from: number, length: number): Promise<HttpResponse> {
    const { digest } = this.#blob;
    return this.#repository.send({
      method: "PUT",
      target: `${session}${session.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`,
      headers: this.#headers(length),
      body: () => (length === 0 ? new Uint8Array(0) : this.#bytes(from, length)),
      expect: [201],
      what: `uploading ${digest}`,
      once: true,
    });
  }

  #headers(length: number) {
    return { "content-type": "application/octet-stream", "content-length": String(length) };
  }

  async *#bytes(from: number, length: number): ByteStream {
    let left = length;
    let sent = from;
    for await (const chunk of this.#blob.open(from)) {
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
      left -= part.length;
      sent += part.length;
      yield part;
      this.#onProgress(sent);
      if (left === 0) return;
    }
  }

  /** Where an interrupted upload stands; a new one when the registry has forgotten it. */
  async #resume(session: string): Promise<{ session: string; at: number }> {
    const what = `uploading ${this.#blob.digest}`;
    const response = await this.#repository.send({ method: "GET", target: session, expect: [204, 404], what });
    await discard(response);
    const [, last = "0"] = /^(?:bytes=)?0-(\d+)$/.exec(response.headers["range"] ?? "") ?? [];
    // "0-0" is said of nothing and of one byte: only a new upload is certain to begin at nothing.
    if (response.status === 404 || last === "0") {
      const fresh = await begin(this.#repository, this.#blob, []);
      return { session: fresh ?? session, at: 0 };
    }
    const at = Math.min(Number(last) + 1, this.#blob.size);
    return { session: sessionOf(response, this.#repository, session), at };
  }
}

function isRefusedAtOnce(thrown: unknown): boolean {
  return thrown instanceof TsboxError && tooMuchAtOnce.has(Number(thrown.data["status"]));
}
