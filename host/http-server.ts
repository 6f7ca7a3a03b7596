/**
 * HTTP/1.1, the server's side of one request on one connection (RFC 9112), over the simulated host's
 * sockets: what node:http is to the daemon on Linux. After its answer the connection ends.
 */
import type { Answer, Api, ApiRequest, Hijack, Reply } from "../api/http.ts";
import type { ByteReader } from "../cli/byte-reader.ts";
import type { Connection } from "../cli/http-client.ts";
import { type ByteStream, encodeText, streamOf } from "../core/base/bytes.ts";

const headersMax = 100;
const statusTexts: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "UPGRADED",
  200: "OK",
  201: "Created",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** Answers the connection's request. Whatever goes wrong ends this connection and nothing else. */
export async function serve(connection: Connection, api: Api): Promise<void> {
  const gone = new AbortController();
  try {
    const request = await readRequest(connection, gone.signal);
    if (request === null) return;
    if (isWhole(request)) void untilEnd(connection.reader, gone);
    await send(connection, request, await api(request), gone);
  } catch (thrown) {
    if (thrown instanceof Malformed) await refuse(connection, thrown).catch(() => {});
    // Else the client went away: there is nobody to tell.
  } finally {
    gone.abort(over);
    connection.close();
  }
}

/** Why a signal aborts: given, since a reason that is made anew each time costs a stack trace. */
const over = "the connection is over";

/** What was sent is no HTTP request. */
class Malformed extends Error {}

function refuse(connection: Connection, { message }: Malformed): Promise<void> {
  const body = encodeText(`${JSON.stringify({ message: `malformed HTTP request: ${message}` })}\n`);
  const headers = { "content-type": "application/json", "content-length": String(body.length), connection: "close" };
  return connection.write(head(400, headers), body);
}

/** Null when the client hung up without asking. */
async function readRequest(connection: Connection, signal: AbortSignal): Promise<ApiRequest | null> {
  const { reader } = connection;
  const first = await reader.lineOrEnd();
  if (first === null) return null;
  const [, method = "", target = ""] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === "") throw new Malformed("it does not begin with a method, a target and HTTP/1.1");
  const headers: Record<string, string> = {};
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    const at = line.indexOf(":");
    if (at < 1 || Object.keys(headers).length >= headersMax) throw new Malformed("its headers are none, or too many");
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  // curl asks before it sends a large body (RFC 9110, 10.1.1).
  if (headers["expect"]?.toLowerCase() === "100-continue") await connection.write(head(100, {}));
  return { method, target, headers, body: bodyOf(headers, reader), signal };
}

/** Nothing more is to be read of it: no body, and no bytes after an upgrade. */
function isWhole({ headers }: ApiRequest): boolean {
  const { upgrade, "transfer-encoding": coding, "content-length": length = "0" } = headers;
  return upgrade === undefined && coding === undefined && length === "0";
}

function bodyOf(headers: ApiRequest["headers"], reader: ByteReader): ByteStream {
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") return chunked(reader);
  return reader.take(Number(headers["content-length"] ?? "0"));
}

async function* chunked(reader: ByteReader): ByteStream {
  for (;;) {
    const size = Number.parseInt(await reader.line(), 16);
    if (!(size >= 0)) throw new Malformed("a chunk has no size");
    if (size > 0) yield* reader.take(size);
    await reader.line();
    if (size === 0) return;
  }
}

async function send(connection: Connection, request: ApiRequest, answer: Answer, gone: AbortController): Promise<void> {
  switch (answer.kind) {
    case "hijack":
      return sendHijack(connection, request, answer);
    case "reply":
      return sendReply(connection, request, answer, gone);
  }
}

/** The connection stops being HTTP: bytes both ways until our side ends. */
async function sendHijack(
  connection: Connection,
  request: ApiRequest,
  { status, headers, duplex }: Hijack,
): Promise<void> {
  await connection.write(head(status, headers));
  const input = isWhole(request) ? streamOf() : connection.reader.rest();
  for await (const chunk of duplex(input)) await connection.write(chunk);
  connection.end();
}

async function sendReply(
  connection: Connection,
  request: ApiRequest,
  { status, headers, body }: Reply,
  gone: AbortController,
): Promise<void> {
  if (body === null || body instanceof Uint8Array) {
    const bytes = request.method === "HEAD" || body === null ? new Uint8Array(0) : body;
    const length = { "content-length": String(body?.length ?? 0), connection: "close" };
    return connection.write(head(status, { ...headers, ...length }), bytes);
  }
  await connection.write(head(status, { ...headers, "transfer-encoding": "chunked", connection: "close" }));
  if (!isWhole(request)) void untilEnd(connection.reader, gone);
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    await connection.write(encodeText(`${chunk.length.toString(16)}\r\n`), chunk, encodeText("\r\n"));
  }
  await connection.write(encodeText("0\r\n\r\n"));
}

/** Nobody reads a plain reply after closing its half: a reply that is silent ends with it. */
async function untilEnd(reader: ByteReader, gone: AbortController): Promise<void> {
  try {
    for await (const _ of reader.rest());
  } finally {
    gone.abort(over);
  }
}

function head(status: number, headers: Readonly<Record<string, string>>): Uint8Array {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return encodeText(`HTTP/1.1 ${status} ${statusTexts[status] ?? "Status"}\r\n${fields.join("")}\r\n`);
}
