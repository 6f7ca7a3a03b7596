/**
 * The API as a function: an ApiRequest goes in, a Reply or a Hijack comes out. No sockets in here;
 * bin/http-server.ts carries it over node:http, the simulator over its own sockets.
 */
import type { ByteStream } from "../core/base/bytes.ts";

export interface ApiRequest {
  readonly method: string;
  /** Path and query, as on the request line. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ByteStream;
  /** Aborts when the client went away. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is sent chunked, its headers at once; bytes with their length; null without body. */
  readonly body: Uint8Array | ByteStream | null;
}

/** The connection stops being HTTP: both sides talk raw bytes from here on (facts: 101, or 200 without Upgrade). */
export interface Hijack {
  readonly kind: "hijack";
  readonly status: 101 | 200;
  readonly headers: Readonly<Record<string, string>>;
  /** Takes the client's bytes, gives ours; the connection is half-closed when it ends. */
  readonly duplex: (input: ByteStream) => ByteStream;
}

export type Answer = Reply | Hijack;

export type Api = (request: ApiRequest) => Promise<Answer>;
