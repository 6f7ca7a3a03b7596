/**
 * HTTP/1.1, the client's side of one request on one connection (RFC 9112): bodies with a length,
 * chunked, or to the connection's end; and the protocol switch (101), after which the connection
 * is raw bytes both ways.
 */
import type { Socket } from "node:net";
import type { ApiResponse, Duplex } from "../cli/ports.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { SocketReader } from "./socket-reader.ts";

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

/** Sends the request and resolves when the answer's head is there. */
export async function exchange(socket: Socket, request: Request): Promise<Exchange> {
  const reader = new SocketReader(socket);
  request.signal?.addEventListener("abort", () => socket.destroy(), { once: true });
  send(socket, request);
  const { status, headers } = await readHead(reader);
  if (status === 101) return { response: { status, headers, body: nothing() }, duplex: toDuplex(socket, reader) };
  const body = request.method === "HEAD" ? nothing() : bodyOf(status, headers, reader);
  return { response: { status, headers, body: closing(socket, body) }, duplex: null };
}

function send(socket: Socket, { method, target, headers = {}, body = new Uint8Array(0) }: Request): void {
  const framing = body instanceof Uint8Array ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${method} ${target} HTTP/1.1\r\nHost: tsbox\r\n${fields.join("")}${framing}\r\n\r\n`;
  if (body instanceof Uint8Array) socket.write(body.length === 0 ? head : Buffer.concat([Buffer.from(head), body]));
  else {
    socket.write(head);
    upload(socket, body).catch((problem: unknown) => socket.destroy(problem as Error));
  }
}

async function upload(socket: Socket, body: ByteStream): Promise<void> {
  for await (const chunk of body) {
    if (socket.destroyed) return;
    if (chunk.length === 0) continue;
    // One system call for the three.
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    const hasRoom = socket.write("\r\n");
    socket.uncork();
    if (!hasRoom) await roomIn(socket);
  }
  socket.write("0\r\n\r\n");
}

/** Resolves when more can be written, or never will be. */
function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Skips interim answers (100 Continue). Header names come in lower case. */
async function readHead(reader: SocketReader): Promise<Head> {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(await reader.line())?.[1];
  if (status === undefined) throw new TsboxError("unavailable", "the daemon's answer is not HTTP");
  const headers: Record<string, string> = {};
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    const at = line.indexOf(":");
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  return status === "100" ? readHead(reader) : { status: Number(status), headers };
}

function bodyOf(status: number, headers: Head["headers"], reader: SocketReader): ByteStream {
  if (status === 204 || status === 304) return nothing();
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") return chunked(reader);
  const length = headers["content-length"];
  return length === undefined ? reader.rest() : reader.take(Number(length));
}

async function* chunked(reader: SocketReader): ByteStream {
  for (;;) {
    const size = Number.parseInt(await reader.line(), 16);
    if (Number.isNaN(size)) throw new TsboxError("unavailable", "the daemon's answer is not chunked as it says");
    if (size === 0) return;
    yield* reader.take(size);
    await reader.line();
  }
}

async function* nothing(): ByteStream {}

/** The connection ends with the body, or when nobody wants more of it. */
async function* closing(socket: Socket, body: ByteStream): ByteStream {
  try {
    yield* body;
  } finally {
    socket.destroy();
  }
}

function toDuplex(socket: Socket, reader: SocketReader): Duplex {
  return {
    output: reader.rest(),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (problem) => (problem == null ? resolve() : reject(problem)));
      }),
    end: () => socket.end(),
    close: () => socket.destroy(),
  };
}
