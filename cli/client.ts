/**
 * The Docker Engine API as the commands see it: JSON in, JSON out, an answer of 400 or more is an
 * ApiError in the daemon's words. Paths carry no version: the daemon then speaks its newest, and
 * no ping is needed before the first request.
 */
import { type ByteStream, concat, readAll } from "../core/base/bytes.ts";
import { ApiError } from "./errors.ts";
import type { ApiResponse, Duplex, Transport } from "./ports.ts";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** An answer that is held whole: inspect of everything is far below this. */
const answerLimit = 256 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Client {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await this.call("GET", path, query)) as T;
  }

  async post<T = unknown>(path: string, query: Query = {}, body?: unknown): Promise<T> {
    return (await this.call("POST", path, query, body)) as T;
  }

  async delete<T = unknown>(path: string, query: Query = {}): Promise<T> {
    return (await this.call("DELETE", path, query)) as T;
  }

  /** The answer's JSON as the daemon wrote it. */
  async text(method: string, path: string, query: Query = {}, body?: unknown): Promise<string> {
    const response = await this.open(method, path, query, jsonBody(body));
    return decoder.decode(await readAll(response.body, answerLimit));
  }

  /** The answer as a stream; its status is checked. */
  async open(
    method: string,
    path: string,
    query: Query = {},
    options: { headers?: Readonly<Record<string, string>>; body?: Uint8Array | ByteStream; signal?: AbortSignal } = {},
  ): Promise<ApiResponse> {
    return checked(await this.transport.request(method, path + queryString(query), options));
  }

  /** An answer's JSON. */
  async json<T>({ body }: ApiResponse): Promise<T> {
    return JSON.parse(decoder.decode(await readAll(body, answerLimit))) as T;
  }

  /** Raw bytes both ways, or ApiError. */
  async hijack(path: string, query: Query = {}, body?: unknown): Promise<Duplex> {
    const { response, duplex } = await this.transport.hijack("POST", path + queryString(query), jsonBody(body));
    if (duplex !== null) return duplex;
    await checked(response);
    throw new ApiError(response.status, `the connection was not upgraded (status ${response.status})`);
  }

  private async call(method: string, path: string, query: Query, body?: unknown): Promise<unknown> {
    const text = await this.text(method, path, query, body);
    return text === "" ? null : JSON.parse(text);
  }
}

async function checked(response: ApiResponse): Promise<ApiResponse> {
  if (response.status < 400) return response;
  const text = decoder.decode(await readAll(response.body, answerLimit));
  throw new ApiError(response.status, messageIn(text) ?? `${response.status}: ${text.trim()}`);
}

function messageIn(text: string): string | null {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : null;
  } catch {
    return null;
  }
}

function jsonBody(body: unknown): { headers?: Record<string, string>; body?: Uint8Array } {
  if (body === undefined) return {};
  return { headers: { "content-type": "application/json" }, body: encoder.encode(JSON.stringify(body)) };
}

function queryString(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((each) => each !== undefined && each !== false)
      .map((each) => `${name}=${encodeURIComponent(each === true ? "1" : String(each))}`),
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** A path segment that a user typed. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** The JSON values of a stream, one a line (events, load, pull). */
export async function* jsonLines(stream: ByteStream): AsyncGenerator<unknown, void, undefined> {
  let held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  for await (const chunk of stream) {
    held = concat([held, chunk]);
    for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10)) {
      const line = decoder.decode(held.subarray(0, end)).trim();
      held = held.slice(end + 1);
      if (line !== "") yield JSON.parse(line);
    }
  }
  const last = decoder.decode(held).trim();
  if (last !== "") yield JSON.parse(last);
}
