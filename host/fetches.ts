/**
 * The simulated host's way to registries outside. What they answer comes in as inputs of the log, part
 * by part as it is read; lived again, the log answers and nobody is asked.
 */
import type { FetchInput } from "../backends/sim/input-log.ts";
import type { Turns } from "../backends/sim/kernel/turns.ts";
import { type ByteStream, readAll } from "../core/base/bytes.ts";
import { messageOf } from "../core/base/error.ts";
import {
  type Fetch,
  type HttpRequest,
  type HttpResponse,
  networkError,
  type NetworkReason,
  reasonOf,
} from "../core/image/registry/http.ts";

/** A request is read whole before it is sent: of a layer to be pushed that is what lies in memory anyway. */
const bodyBytesMax = 4 * 1024 ** 3;

type Outcome = Exclude<FetchInput, { kind: "failed" }>;

interface Waiting {
  readonly resolve: (input: Outcome) => void;
  readonly reject: (thrown: unknown) => void;
}

export class Fetches {
  readonly #turns: Turns;
  readonly #fetch: Fetch;
  readonly #put: (input: FetchInput) => void;
  /** Who waits for what comes next of which exchange. */
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  /** False while a life is lived again: then nobody outside is asked. */
  #isLive = false;

  /** `put` admits an input and has it taken in. */
  constructor(turns: Turns, fetch: Fetch, put: (input: FetchInput) => void) {
    this.#turns = turns;
    this.#fetch = fetch;
    this.#put = put;
  }

  /** From now on the network is asked. Whatever was under way in the life before is lost. */
  goLive(): void {
    this.#isLive = true;
    for (const fetch of this.#waiting.keys()) this.#put(lost(fetch));
  }

  take(input: FetchInput): void {
    const waiting = this.#waiting.get(input.fetch);
    this.#waiting.delete(input.fetch);
    this.#turns.tell();
    if (input.kind !== "failed") return waiting?.resolve(input);
    waiting?.reject(errorOf(input));
  }

  readonly fetch: Fetch = async (request) => {
    const number = ++this.#last;
    const { body } = request;
    const whole = body === null || body instanceof Uint8Array ? body : await readAll(body, bodyBytesMax);
    const head = this.#next(number);
    const answer = this.#isLive ? this.#ask(number, { ...request, body: whole }) : null;
    const input = await head;
    if (input.kind !== "response") throw new Error(`exchange ${number} began with ${input.kind}`);
    return { status: input.status, headers: input.headers, body: this.#body(number, answer) };
  };

  #next(number: number): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
    });
  }

  /** Asks the network; what comes of it is an input. */
  async #ask(fetch: number, request: HttpRequest): Promise<HttpResponse | null> {
    try {
      const response = await this.#fetch(request);
      this.#put({ kind: "response", fetch, status: response.status, headers: response.headers });
      return response;
    } catch (thrown) {
      this.#put(failureOf(fetch, thrown));
      return null;
    }
  }

  async *#body(fetch: number, answer: Promise<HttpResponse | null> | null): ByteStream {
    const parts = (await answer)?.body[Symbol.asyncIterator]() ?? null;
    try {
      for (;;) {
        const next = this.#next(fetch);
        if (this.#isLive) void this.#askPart(fetch, parts);
        const input = await next;
        if (input.kind !== "part") return;
        yield input.bytes;
      }
    } finally {
      this.#waiting.delete(fetch);
      void parts?.return?.();
    }
  }

  /** `parts`: null when who answered did so in the life before. */
  async #askPart(fetch: number, parts: AsyncIterator<Uint8Array> | null): Promise<void> {
    if (parts === null) return this.#put(lost(fetch));
    try {
      const { done, value } = await parts.next();
      this.#put(done === true ? { kind: "fetched", fetch } : { kind: "part", fetch, bytes: value.slice() });
    } catch (thrown) {
      this.#put(failureOf(fetch, thrown));
    }
  }
}

function lost(fetch: number): FetchInput {
  const message = "the connection was lost when tsboxd was started anew";
  return { kind: "failed", fetch, reason: "broken", message };
}

function failureOf(fetch: number, thrown: unknown): FetchInput {
  return { kind: "failed", fetch, reason: reasonOf(thrown), message: messageOf(thrown) };
}

function errorOf({ reason, message }: Extract<FetchInput, { kind: "failed" }>): Error {
  return reason === null ? new Error(message) : networkError(reason as NetworkReason, message);
}
