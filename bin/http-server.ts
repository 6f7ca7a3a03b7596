/**
 * Carries the API over node:http. Three kinds of answer: a reply with its length, a reply that
 * streams (chunked, headers at once), and a hijack, where the connection stops being HTTP.
 *
 * A hijack with "Upgrade" arrives as node's 'upgrade' event, before its body was read: the bytes
 * the request declared are taken first, all that follows is the client's input. A hijack without
 * it is a response of no stated length that ends with the connection. Either way clients may close
 * their half early and still expect output, so a client's end is never taken for its going away.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex, Writable } from "node:stream";
import { isWholeBuffer, passing } from "../backends/linux/passing.ts";
import type { Answer, Api, ApiRequest, Hijack, Reply } from "../api/http.ts";
import type { ByteStream } from "../core/base/bytes.ts";

const upgradeBodyBytesMax = 1024 * 1024;

export interface Activity {
  /** Called when a request begins, and with the result's call when it is over. */
  begin(): () => void;
}

export function createHttpServer(api: Api, activity: Activity): Server {
  const server = createServer({
    requireHostHeader: false,
    // Some clients put their whole options object into the query string.
    maxHeaderSize: 64 * 1024,
    // Streams and uploads take as long as they take.
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 0,
  });
  // Without it node ends a response when the client closes its half (not in node's types).
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on("request", (request, response) => {
    void serve(activity, () => serveRequest(api, request, response), response);
  });
  server.on("upgrade", (request, socket, head) => {
    void serve(activity, () => serveUpgrade(api, request, socket, head), socket);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseMalformed(error, socket));
  return server;
}

/** Whatever goes wrong on one connection ends that connection and nothing else. */
async function serve(
  activity: Activity,
  work: () => Promise<void>,
  connection: { destroy(error?: Error): unknown },
): Promise<void> {
  const over = activity.begin();
  try {
    await work();
  } catch {
    connection.destroy();
  } finally {
    over();
  }
}

async function serveRequest(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = whenGone(response);
  const answer = await api(apiRequest(request, hasBody(request) ? bodyOf(request) : nothing, gone.signal));
  if (answer.kind === "hijack") {
    await sendUnframed(answer, response);
    return;
  }
  await watchingEnd(request.socket, gone, () => sendReply(answer, response, request.method === "HEAD"));
  // What the API left unread of the body stands before the connection's next request.
  request.resume();
}

/** Nobody reads a plain reply after closing its half; without this a silent stream would never notice. */
async function watchingEnd(socket: Socket, gone: AbortController, send: () => Promise<void>): Promise<void> {
  const abort = () => gone.abort();
  if (socket.readableEnded) abort();
  socket.once("end", abort);
  await send();
  socket.off("end", abort);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Leaving the loop early must not destroy the request: its connection carries the answer. */
function bodyOf(request: IncomingMessage): ByteStream {
  return passing(request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>, isWholeBuffer);
}

const nothing: ByteStream = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

function apiRequest(request: IncomingMessage, body: ByteStream, signal: AbortSignal): ApiRequest {
  return {
    method: request.method ?? "",
    target: request.url ?? "/",
    headers: request.headers as Readonly<Record<string, string>>,
    body,
    signal,
  };
}

/** Aborts when the connection closes before the answer was sent. */
function whenGone(connection: ServerResponse | Duplex): AbortController {
  const gone = new AbortController();
  connection.once("close", () => {
    if (!connection.writableFinished) gone.abort();
  });
  return gone;
}

async function sendReply(reply: Reply, response: ServerResponse, headOnly: boolean): Promise<void> {
  const { body } = reply;
  if (body === null || body instanceof Uint8Array) {
    response.writeHead(
      reply.status,
      body === null ? reply.headers : { ...reply.headers, "content-length": body.length },
    );
    response.end(headOnly ? null : body);
    return;
  }
  response.writeHead(reply.status, reply.headers);
  response.flushHeaders();
  await pump(body, response);
  response.end();
}

/** The body has no length and no chunks: it ends with the connection. */
async function sendUnframed(hijack: Hijack, response: ServerResponse): Promise<void> {
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  response.writeHead(hijack.status, hijack.headers);
  response.flushHeaders();
  await pump(hijack.duplex(nothing), response);
  response.end();
}

/** Writes a stream at the reader's pace; stops when the reader has gone. */
async function pump(source: ByteStream, sink: Writable): Promise<void> {
  for await (const chunk of source) {
    if (sink.destroyed) return;
    if (!sink.write(chunk)) await drained(sink);
  }
}

function drained(sink: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      sink.off("drain", done);
      sink.off("close", done);
      resolve();
    };
    sink.on("drain", done);
    sink.on("close", done);
  });
}

async function serveUpgrade(api: Api, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  // An error is followed by 'close', which is what we act on.
  socket.on("error", () => {});
  const length = Number(request.headers["content-length"] ?? "0");
  if (request.headers["transfer-encoding"] !== undefined || !(length <= upgradeBodyBytesMax)) {
    refuse(socket, "400 Bad Request", "an upgrade request needs a body of known length, at most 1 MiB");
    return;
  }
  if (head.length > 0) socket.unshift(head);
  const input = socket.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const [body, rest] = await takeBytes(input, length);
  const answer = await api(apiRequest(request, once(body), whenGone(socket).signal));
  await sendUpgraded(answer, request, socket, chain(rest, input));
}

/** Reads exactly so many bytes; what came with them beyond is given back. */
async function takeBytes(input: AsyncIterator<Buffer>, length: number): Promise<[taken: Buffer, rest: Buffer]> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < length) {
    const next = await input.next();
    if (next.done === true) throw new Error("the connection ended within the request's body");
    bytes = Buffer.concat([bytes, next.value]);
  }
  return [bytes.subarray(0, length), bytes.subarray(length)];
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

async function* chain(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function sendUpgraded(
  answer: Answer,
  request: IncomingMessage,
  socket: Duplex,
  input: ByteStream,
): Promise<void> {
  if (answer.kind === "reply") {
    await sendOnSocket(answer, request, socket);
    return;
  }
  const headers = Object.entries(answer.headers).map(([name, value]) => `${headerName(name)}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 UPGRADED\r\n${headers.join("")}\r\n`);
  await pump(answer.duplex(input), socket);
  await endGently(socket);
}

/** How long a client may take to close its half after it was sent our end. */
const goodbyeMs = 10_000;

/**
 * The client may be sending still. A connection that is closed with its input unread is reset, which the client would
 * take for our failure: it is read away, until the client has seen the end and closes its own half.
 */
async function endGently(socket: Duplex): Promise<void> {
  const giveUp = setTimeout(() => socket.destroy(), goodbyeMs);
  socket.end();
  socket.resume();
  if (!socket.destroyed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  clearTimeout(giveUp);
}

/** Clients read names in any case, people who watch the wire like them as usual. */
function headerName(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** A plain reply to a client that asked for an upgrade: the connection ends with it. */
async function sendOnSocket(reply: Reply, request: IncomingMessage, socket: Duplex): Promise<void> {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.once("finish", () => socket.end(() => socket.destroy()));
  await sendReply(reply, response, false);
}

function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
  else if (error.code === "HPE_HEADER_OVERFLOW")
    refuse(socket, "431 Request Header Fields Too Large", "the request's headers are larger than 64 KiB");
  else refuse(socket, "400 Bad Request", `malformed HTTP request: ${error.message}`);
}

function refuse(socket: Duplex, status: string, message: string): void {
  const body = `${JSON.stringify({ message })}\n`;
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n${body}`, () => socket.destroy());
}
