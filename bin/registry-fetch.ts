/**
 * The registry client's way to the network on Linux: node:http and node:https, with kept connections.
 *
 * Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; loopback is never asked through one (as
 * Go's net/http has it). A server is trusted by the system's authorities and by those in
 * <certs.d>/<host>/*.crt; there also lie client certificates, NAME.cert with NAME.key (Docker: "Verify
 * repository client with certificates").
 */
import { readdirSync, readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { getCACertificates } from "node:tls";
import { isWholeBuffer, passing } from "../backends/linux/passing.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import { isLoopback } from "../core/image/registry/endpoints.ts";
import {
  type Fetch,
  type Headers,
  type HttpRequest,
  type HttpResponse,
  networkError,
  type NetworkReason,
} from "../core/image/registry/http.ts";

interface FetchOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Directories of certificates, a directory a host in each. */
  readonly certificates: readonly string[];
  /** No byte for so long is a broken connection; a minute if not given. */
  readonly idleMs?: number;
}

export function registryFetch({ environment, certificates, idleMs = 60_000 }: FetchOptions): Fetch {
  const agents = new Agents(environment, certificates);
  return async (request) => {
    const url = new URL(request.url);
    try {
      return await exchange(request, url, agents.of(url, request.insecure), idleMs);
    } catch (thrown) {
      throw explained(thrown, url);
    }
  };
}

class Agents {
  readonly #proxies: NodeJS.ProcessEnv;
  readonly #certificates: readonly string[];
  readonly #agents = new Map<string, http.Agent>();

  constructor(environment: NodeJS.ProcessEnv, certificates: readonly string[]) {
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
    this.#proxies = Object.fromEntries(names.map((name) => [name, environment[name]]));
    this.#certificates = certificates;
  }

  of(url: URL, insecure: boolean): http.Agent {
    const key = `${url.origin} ${insecure}`;
    const agent = this.#agents.get(key) ?? this.#make(url, insecure);
    this.#agents.set(key, agent);
    return agent;
  }

  #make(url: URL, insecure: boolean): http.Agent {
    const common = { keepAlive: true, ...(isLoopback(url.host) ? {} : { proxyEnv: this.#proxies }) };
    if (url.protocol === "http:") return new http.Agent(common);
    return new https.Agent({ ...common, rejectUnauthorized: !insecure, ...tlsOf(url.host, this.#certificates) });
  }
}

/** Read when a host is first spoken to in TLS: the system's list alone costs milliseconds. */
function tlsOf(host: string, directories: readonly string[]): Pick<https.AgentOptions, "ca" | "cert" | "key"> {
  const files = directories.flatMap((directory) => filesIn(join(directory, host)));
  const ending = (suffix: string): string[] => files.filter((file) => file.endsWith(suffix));
  const [certificate] = ending(".cert");
  const key = certificate?.replace(/\.cert$/, ".key");
  return {
    ca: [...trusted(), ...ending(".crt").map((file) => readFileSync(file, "utf8"))],
    ...(certificate === undefined || key === undefined || !files.includes(key)
      ? {}
      : { cert: readFileSync(certificate), key: readFileSync(key) }),
  };
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return [];
  }
}

/** The system's authorities, Node's own, and those of NODE_EXTRA_CA_CERTS, which the launcher hands on as TSBOX_CA. */
function trusted(): string[] {
  const extra = process.env["TSBOX_CA"];
  const own = extra === undefined ? [] : [readFileSync(extra, "utf8")];
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system"), ...own])];
}

function exchange(request: HttpRequest, url: URL, agent: http.Agent, idleMs: number): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const client = url.protocol === "https:" ? https : http;
  const outgoing = client.request(url, {
    agent,
    method: request.method,
    headers: framed(request),
    timeout: idleMs,
    ...(request.signal === null ? {} : { signal: request.signal }),
  });
  outgoing.on("timeout", () =>
    outgoing.destroy(networkError("broken", `${url.host} was silent for ${idleMs / 1000} s`)),
  );
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    resolve({ status: incoming.statusCode ?? 0, headers: headersOf(incoming), body: bodyOf(incoming, url) });
  });
  send(outgoing, request).catch((thrown: unknown) => reject(thrown));
  return promise;
}

/** Bytes have their length; a stream has one when the caller knows it. */
function framed({ headers, body }: HttpRequest): http.OutgoingHttpHeaders {
  return body instanceof Uint8Array ? { ...headers, "content-length": body.length } : headers;
}

/** An answer may come before the body is out (401, 413): then the rest of it is not wanted. */
async function send(outgoing: http.ClientRequest, { body }: HttpRequest): Promise<void> {
  if (body === null || body instanceof Uint8Array) {
    outgoing.end(body ?? undefined);
    return;
  }
  await pipeline(Readable.from(body, { objectMode: false, highWaterMark: 256 * 1024 }), outgoing);
}

function headersOf({ headers }: http.IncomingMessage): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = ""]) => [name, Array.isArray(value) ? value.join(", ") : value]),
  );
}

async function* bodyOf(incoming: http.IncomingMessage, url: URL): ByteStream {
  try {
    yield* passing(incoming as AsyncIterable<Buffer>, isWholeBuffer);
  } catch (thrown) {
    throw explained(thrown, url);
  }
}

function explained(thrown: unknown, url: URL): unknown {
  if (thrown instanceof TsboxError || isAbort(thrown)) return thrown;
  const code = codeOf(thrown);
  const reason = reasonOf(code, messageOf(thrown));
  return networkError(reason, `cannot reach ${url.host}: ${inWords(reason, code, messageOf(thrown))}`, thrown);
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AbortError";
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return codeOf(thrown.errors[0]);
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

const unreachable = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ERR_PROXY_TUNNEL"];

function reasonOf(code: string, message: string): NetworkReason {
  if (unreachable.includes(code)) return "refused";
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || /before secure TLS connection/.test(message)) return "plain";
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|^ERR_TLS_/.test(code)) return "tls";
  return "broken";
}

function inWords(reason: NetworkReason, code: string, message: string): string {
  switch (reason) {
    case "refused":
      if (code === "ECONNREFUSED") return "connection refused; is the registry running?";
      if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "no such host; check the name and the network";
      return message;
    case "plain":
      return "it does not speak TLS; a registry with plain HTTP must stand in insecure-registries";
    case "tls":
      return `its certificate is not trusted (${message}); put its authority into certs.d/HOST/ca.crt`;
    case "broken":
      return `the connection broke (${code === "" ? message : code})`;
  }
}
