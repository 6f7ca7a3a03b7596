/**
 * The Docker Engine API over a unix socket or TCP with node:http. The connection is kept between
 * requests; `onRefused` gets one chance to bring up a daemon where nobody listens.
 */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { ApiResponse, Duplex, Transport } from "../cli/ports.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";

interface Target {
  readonly host: string;
  /** Starts the daemon and resolves when it listens; null when there is nothing to be done. */
  readonly onRefused: (() => Promise<void>) | null;
}

type Body = Uint8Array | ByteStream;
interface Options {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly signal?: AbortSignal;
}

/** Throws TsboxError "invalid" for an address that is none. */
export function nodeTransport({ host, onRefused }: Target): Transport {
  const agent = new Agent({ keepAlive: true });
  const address = parseAddress(host);
  let revive = onRefused;

  const send = async <T>(method: string, path: string, options: Options, take: Take<T>): Promise<T> => {
    const attempt = () => perform({ ...address, agent, method, path }, options, take);
    try {
      return await attempt();
    } catch (thrown) {
      if (!isRefusal(thrown)) throw explained(thrown, host);
      if (revive === null) throw unreachableDaemon(host);
      await revive();
      revive = null;
      return attempt();
    }
  };
  return {
    request: (method, path, options = {}) => send(method, path, options, takeResponse),
    hijack: (method, path, options = {}) => {
      const headers = { ...options.headers, connection: "Upgrade", upgrade: "tcp" };
      return send(method, path, { ...options, headers }, takeUpgrade);
    },
  };
}

/** unix:///run/tsbox.sock, tcp://127.0.0.1:2375, http://127.0.0.1:2375. */
function parseAddress(host: string): RequestOptions {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(host)?.[1];
  if (path !== undefined) return { socketPath: path };
  const [, name, port = "2375"] = /^(?:tcp|http):\/\/(\[[\da-f:]+\]|[^:/]+)(?::(\d+))?\/?$/i.exec(host) ?? [];
  if (name === undefined)
    throw new TsboxError(
      "invalid",
      `unable to parse docker host \`${host}\`: expected unix:///path or tcp://host:port`,
    );
  return { host: name.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

type Take<T> = (sent: ClientRequest, resolve: (value: T) => void) => void;

const takeResponse: Take<ApiResponse> = (sent, resolve) => {
  sent.on("response", (message) => resolve(toResponse(message)));
};

const takeUpgrade: Take<{ response: ApiResponse; duplex: Duplex | null }> = (sent, resolve) => {
  sent.on("upgrade", (message, socket, head) => {
    resolve({ response: toResponse(message), duplex: toDuplex(socket as Socket, head) });
  });
  sent.on("response", (message) => resolve({ response: toResponse(message), duplex: null }));
};

function perform<T>(target: RequestOptions, options: Options, take: Take<T>): Promise<T> {
  const { body, signal, headers } = options;
  return new Promise<T>((resolve, reject) => {
    const length = body === undefined || isBytes(body) ? { "content-length": body?.length ?? 0 } : {};
    const sent = request({
      ...target,
      headers: { ...(target.method === "GET" ? {} : length), ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
    sent.on("error", reject);
    take(sent, resolve);
    if (body === undefined || isBytes(body)) sent.end(body);
    else upload(sent, body).catch((problem: Error) => sent.destroy(problem));
  });
}

function isBytes(body: Body): body is Uint8Array {
  return body instanceof Uint8Array;
}

async function upload(sent: ClientRequest, body: ByteStream): Promise<void> {
  for await (const chunk of body) {
    if (sent.destroyed) return;
    if (!sent.write(chunk)) await new Promise((resolve) => sent.once("drain", resolve).once("close", resolve));
  }
  sent.end();
}

function toResponse(message: IncomingMessage): ApiResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) headers[name] = String(value);
  return { status: message.statusCode ?? 0, headers, body: message };
}

function toDuplex(socket: Socket, head: Uint8Array): Duplex {
  if (head.length > 0) socket.unshift(head);
  return {
    output: socket,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (problem) => (problem == null ? resolve() : reject(problem)));
      }),
    end: () => socket.end(),
    close: () => socket.destroy(),
  };
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

function isRefusal(thrown: unknown): boolean {
  return ["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(codeOf(thrown));
}

export function unreachableDaemon(host: string): TsboxError {
  return new TsboxError(
    "unavailable",
    `Cannot connect to the tsbox daemon at ${host}. Is it running? start it with: tsboxd`,
  );
}

function explained(thrown: unknown, host: string): unknown {
  if (codeOf(thrown) === "EACCES")
    return new TsboxError("forbidden", `permission denied while trying to connect to the tsbox daemon at ${host}`);
  if (codeOf(thrown) === "ECONNRESET")
    return new TsboxError("unavailable", `the daemon at ${host} ended the connection: see its log`);
  return thrown;
}
