/**
 * HTTP/1.1, the client's side of one request on one connection (RFC 9112): bodies with a length,
 * chunked, or to the connection's end; and the protocol switch (101), after which the connection
 * is raw bytes both ways.
 */
import { type ByteStream, encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ApiResponse, Duplex } from "./ports.ts";

/** A stream of bytes each way: node's socket on a host, the simulated kernel's in the simulator. */
export interface Connection {
  readonly reader: ByteReader;
  /** Takes the pieces as one; resolves when more may be written. Throws when nobody will read it. */
  write(...pieces: readonly Uint8Array[]): Promise<void>;
  /** Half-close: no more input from us. */
  end(): void;
  close(): void;
}

export interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ByteStream;
  readonly signal?: AbortSignal;
}

export interface Exchange {
  readonly response: ApiResponse;
  /** Only after a protocol switch. */
  readonly duplex: Duplex | null;
}

/**
 * Sends the request and resolves when the answer's head is there. `whenRead`: what becomes of the connection when the
 * answer has been read to an end that it stated itself, and another request might follow.
 */
export async function exchange(
  connection: Connection,
  request: Request,
  whenRead: () => void = connection.close,
): Promise<Exchange> {
  const { reader } = connection;
  const close = (): void => connection.close();
  request.signal?.addEventListener("abort", close, { once: true });
  let failure: unknown = null;
  let isSent = false;
  send(connection, request).then(
    () => {
      isSent = true;
    },
    (thrown: unknown) => {
      failure = thrown;
      connection.close();
    },
  );
  const { status, headers } = await readHead(reader).catch((thrown: unknown) => {
    throw failure ?? thrown;
  });
  if (status === 101) return { response: { status, headers, body: nothing() }, duplex: toDuplex(connection) };
  const release = (whole: boolean): void => {
    request.signal?.removeEventListener("abort", close);
    if (whole && isSent && isKept(status, headers)) whenRead();
    else connection.close();
  };
  const body = request.method === "HEAD" ? nothing() : bodyOf(status, headers, reader);
  return { response: { status, headers, body: releasing(body, release) }, duplex: null };
}

async function send(
  connection: Connection,
  { method, target, headers = {}, body = new Uint8Array(0) }: Request,
): Promise<void> {
  const framing = body instanceof Uint8Array ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = encodeText(`${method} ${target} HTTP/1.1\r\nHost: tsbox\r\n${fields.join("")}${framing}\r\n\r\n`);
  if (body instanceof Uint8Array) return connection.write(head, body);
  await connection.write(head);
  for await (const chunk of body) {
    if (chunk.length > 0)
      await connection.write(encodeText(`${chunk.length.toString(16)}\r\n`), chunk, encodeText("\r\n"));
  }
  await connection.write(encodeText("0\r\n\r\n"));
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Skips interim answers (100 Continue). Header names come in lower case. */
async function readHead(reader: ByteReader): Promise<Head> {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(await reader.line())?.[1];
  if (status === undefined) throw new TsboxError("unavailable", "the daemon's answer is not HTTP");
  const headers: Record<string, string> = {};
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    const at = line.indexOf(":");
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  return status === "100" ? readHead(reader) : { status: Number(status), headers };
}

/** RFC 9112, 9.3: unless the answer says otherwise, or only its connection's end says where it ends. */
function isKept(status: number, headers: Head["headers"]): boolean {
  return headers["connection"]?.toLowerCase() !== "close" && (isEmpty(status) || isFramed(headers));
}

function isEmpty(status: number): boolean {
  return status === 204 || status === 304;
}

function isFramed(headers: Head["headers"]): boolean {
  return isChunked(headers) || headers["content-length"] !== undefined;
}

function isChunked(headers: Head["headers"]): boolean {
  return headers["transfer-encoding"]?.toLowerCase() === "chunked";
}

function bodyOf(status: number, headers: Head["headers"], reader: ByteReader): ByteStream {
  if (isEmpty(status)) return nothing();
  if (isChunked(headers)) return chunked(reader);
  return isFramed(headers) ? reader.take(Number(headers["content-length"])) : reader.rest();
}

async function* chunked(reader: ByteReader): ByteStream {
  for (;;) {
    const size = Number.parseInt(await reader.line(), 16);
    if (Number.isNaN(size)) throw new TsboxError("unavailable", "the daemon's answer is not chunked as it says");
    if (size === 0) break;
    yield* reader.take(size);
    await reader.line();
  }
  while ((await reader.line()) !== "") continue; // trailers
}

async function* nothing(): ByteStream {}

/** Lets go of the connection when the body ends, or when nobody wants more of it. */
async function* releasing(body: ByteStream, release: (whole: boolean) => void): ByteStream {
  let whole = false;
  try {
    yield* body;
    whole = true;
  } finally {
    release(whole);
  }
}

function toDuplex({ reader, write, end, close }: Connection): Duplex {
  return { output: reader.rest(), write, end, close };
}
