/**
 * One endpoint, spoken to as one user: authorization, redirects, attempts.
 *
 * Redirects (registries keep blobs at other hosts) are followed a few times and never with
 * credentials to another origin; from TLS never to plain HTTP; and from a host of the network never
 * to this machine's own addresses, so that a registry cannot make the engine ask them.
 */
import type { ByteStream } from "../../base/bytes.ts";
import { TsboxError } from "../../base/error.ts";
import type { Clock, Random } from "../../base/ports.ts";
import { type Asking, type Authorizer, clientId } from "./authorizer.ts";
import type { Credentials } from "./credentials.ts";
import { type Endpoint, isLocalOnly } from "./endpoints.ts";
import { discard, type Fetch, type Headers, type HttpRequest, type HttpResponse, readBytes } from "./http.ts";
import { registryError } from "./registry-error.ts";
import { Attempts } from "./retry.ts";
import type { Scope } from "./scope.ts";

const redirectsMax = 5;
const redirects = new Set([301, 302, 303, 307, 308]);

export interface ConnectionPorts {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Ask {
  readonly method: HttpRequest["method"];
  /** A path at the endpoint, "/v2/…", or an absolute URL that the registry gave us. */
  readonly target: string;
  readonly scopes: readonly Scope[];
  /** The statuses that are an answer; any other one is an error. */
  readonly expect: readonly number[];
  /** Begins the error's sentence. */
  readonly what: string;
  readonly headers?: Headers;
  /** Called for each attempt. */
  readonly body?: () => Uint8Array | ByteStream;
  /** One attempt only; the caller has a better way to try again. */
  readonly once?: boolean;
}

/** An answer that was read to its end. */
export interface Received {
  readonly response: HttpResponse;
  readonly bytes: Uint8Array;
}

export class Connection {
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal | null;
  readonly ports: ConnectionPorts;
  readonly #authorizer: Authorizer;
  readonly #credentials: Credentials;

  constructor(
    ports: ConnectionPorts,
    authorizer: Authorizer,
    options: { endpoint: Endpoint; credentials: Credentials; signal: AbortSignal | null },
  ) {
    this.ports = ports;
    this.#authorizer = authorizer;
    this.endpoint = options.endpoint;
    this.signal = options.signal;
    this.#credentials = options.credentials;
  }

  attempts(): Attempts {
    return new Attempts({ ...this.ports, signal: this.signal });
  }

  /** The answer, with a status that was expected. Throws TsboxError; its data has the status, if there was an answer. */
  async send(ask: Ask): Promise<HttpResponse> {
    const attempts = this.attempts();
    for (;;) {
      try {
        return await this.#sendOnce(ask);
      } catch (thrown) {
        if (ask.once === true) throw thrown;
        await attempts.after(thrown);
      }
    }
  }

  /** As `send`, with the answer's body, which is no longer than `limit`; one that breaks off is asked for again. */
  async read(ask: Ask, limit: number): Promise<Received> {
    const attempts = this.attempts();
    for (;;) {
      try {
        const response = await this.#sendOnce(ask);
        return { response, bytes: await readBytes(response, ask.what, limit) };
      } catch (thrown) {
        await attempts.after(thrown);
      }
    }
  }

  async #sendOnce(ask: Ask): Promise<HttpResponse> {
    const response = await this.#authorized(ask);
    if (ask.expect.includes(response.status)) return response;
    throw await registryError(response, ask.what);
  }

  async #authorized(ask: Ask): Promise<HttpResponse> {
    const asking: Asking = {
      endpoint: this.endpoint,
      scopes: ask.scopes,
      credentials: this.#credentials,
      signal: this.signal,
    };
    const header = await this.#authorizer.known(asking);
    const response = await this.#followed(ask, header);
    if (response.status !== 401 || !isSameOrigin(this.#url(ask.target), this.endpoint.base)) return response;
    await discard(response);
    return this.#followed(ask, await this.#authorizer.challenged(response.headers, header, asking));
  }

  async #followed(ask: Ask, authorization: string | null): Promise<HttpResponse> {
    let url = this.#url(ask.target);
    for (let hops = 0; hops <= redirectsMax; hops++) {
      const response = await this.#exchange(ask, url, authorization);
      const location = redirects.has(response.status) ? response.headers["location"] : undefined;
      if (location === undefined) return response;
      await discard(response);
      url = this.resolve(location, url);
    }
    throw new TsboxError("failed", `${ask.what}: the registry redirects more than ${redirectsMax} times`);
  }

  #exchange(ask: Ask, url: string, authorization: string | null): Promise<HttpResponse> {
    const isHome = isSameOrigin(url, this.endpoint.base);
    return this.ports.fetch({
      method: ask.method,
      url,
      headers: {
        "user-agent": clientId,
        ...ask.headers,
        ...(authorization === null || !isHome ? {} : { authorization }),
      },
      body: ask.body?.() ?? null,
      insecure: this.endpoint.insecure && isHome,
      signal: this.signal,
    });
  }

  #url(target: string): string {
    return target.startsWith("/") ? `${this.endpoint.base}${target}` : this.resolve(target, this.endpoint.base);
  }

  /** Where a Location header leads. Throws TsboxError "forbidden" for where none may lead. */
  resolve(location: string, from: string): string {
    if (!URL.canParse(location, from))
      throw new TsboxError("corrupt", `the registry redirects to ${JSON.stringify(location)}, which is no URL`);
    const target = new URL(location, from);
    const refuse = (why: string): TsboxError =>
      new TsboxError("forbidden", `${new URL(from).host} redirects to ${target.host}, ${why}; tsbox does not follow`);
    if (target.protocol !== "https:" && target.protocol !== "http:") throw refuse(`in ${target.protocol}`);
    if (target.protocol === "http:" && !from.startsWith("http:")) throw refuse("in plain HTTP");
    if (isLocalOnly(target.hostname) && !isLocalOnly(new URL(from).hostname))
      throw refuse("an address of this machine");
    if (target.username !== "" || target.password !== "") throw refuse("with a password in the address");
    return target.href;
  }
}

function isSameOrigin(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}
