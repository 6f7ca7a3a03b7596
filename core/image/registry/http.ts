/**
 * One HTTP exchange as values, and the port that carries it out. The registry's client is written
 * against `Fetch`, the registry's server is one: so the two can be put together without a network,
 * as unit tests, exercises and the page's simulated registry do.
 *
 * A Fetch never follows a redirect (whether credentials may go along is decided here) and reaches
 * only what its world allows: on Linux the network, in a page the simulated registry and the page's
 * own origin.
 */
import { type ByteStream, decodeBytes, readAll, streamOf } from "../../base/bytes.ts";
import { type ErrorData, TsboxError } from "../../base/error.ts";

/** Names in lower case; of a header that comes several times the values are joined by ", ". */
export type Headers = Readonly<Record<string, string>>;

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute. */
  readonly url: string;
  readonly headers: Headers;
  /** A stream with a "content-length" is sent with it, one without is sent in chunks. */
  readonly body: Uint8Array | ByteStream | null;
  /** Whether the server may show a certificate that nobody vouches for. */
  readonly insecure: boolean;
  readonly signal: AbortSignal | null;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  /** To be read to its end, or left early, by whoever gets the response. */
  readonly body: ByteStream;
}

/** Throws TsboxError "unavailable" with `data.reason`, a NetworkReason, when there is no answer. */
export type Fetch = (request: HttpRequest) => Promise<HttpResponse>;

/**
 * Why there was no answer. "refused": nobody listens, or no such host. "plain": the other side does
 * not speak TLS. "tls": its certificate is not trusted. "broken": the connection ended or timed out.
 */
export type NetworkReason = "refused" | "plain" | "tls" | "broken";

export function networkError(reason: NetworkReason, message: string, cause?: unknown): TsboxError {
  return new TsboxError("unavailable", message, { reason }, { cause });
}

export function reasonOf(thrown: unknown): NetworkReason | null {
  if (!(thrown instanceof TsboxError)) return null;
  const { reason } = thrown.data as ErrorData & { reason?: NetworkReason };
  return reason ?? null;
}

/** What is left in a body is read away, so that its connection can serve the next request. */
export async function discard({ body }: HttpResponse): Promise<void> {
  let read = 0;
  for await (const chunk of body) {
    read += chunk.length;
    if (read > 64 * 1024) break;
  }
}

/** A bounded body as text; `what` names it in the error. */
export async function readText(response: HttpResponse, what: string, limit = 1024 * 1024): Promise<string> {
  return decodeBytes(await readBytes(response, what, limit));
}

/** Throws TsboxError "corrupt" for a body of more than `limit` bytes. */
export async function readBytes({ body }: HttpResponse, what: string, limit: number): Promise<Uint8Array> {
  try {
    return await readAll(body, limit);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new TsboxError("corrupt", `${what} is longer than ${limit} bytes; no more is read`);
  }
}

export function emptyBody(): ByteStream {
  return streamOf();
}
