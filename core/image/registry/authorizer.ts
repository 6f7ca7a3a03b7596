/**
 * Answers a registry's challenges: Basic, and Bearer by a token that an authorization service hands
 * out for a scope (distribution: token authentication). What a registry asked for and the tokens that
 * are still good are remembered, so that the next request carries its proof at once.
 *
 * A password or refresh token goes to the registry that asked for Basic, or to the realm that its
 * Bearer challenge names, and nowhere else. The realm must be spoken to in TLS, unless the registry
 * itself is not.
 */
import { encodeText } from "../../base/bytes.ts";
import { TsboxError } from "../../base/error.ts";
import type { Clock } from "../../base/ports.ts";
import { parseTime } from "../../base/time.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, type Credentials, isAnonymous } from "./credentials.ts";
import { type Endpoint, isLocalOnly } from "./endpoints.ts";
import { type Fetch, type HttpResponse, readText } from "./http.ts";
import { registryError } from "./registry-error.ts";
import { covers, formatScope, type Scope } from "./scope.ts";

export const clientId = "tsbox";
/** Services that do not say how long a token is good mean this (distribution: token spec, "expires_in"). */
const usualSeconds = 60;
/** A token is not used in its last seconds: it must still be good when it arrives. */
const marginNanoseconds = 5_000_000_000n;
const remembered = 256;

interface Token {
  readonly value: string;
  readonly until: bigint;
}

/** Who asks, and for what. */
export interface Asking {
  readonly endpoint: Endpoint;
  readonly scopes: readonly Scope[];
  readonly credentials: Credentials;
  readonly signal: AbortSignal | null;
}

export class Authorizer {
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #challenges = new Map<string, Challenge>();
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(fetch: Fetch, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** The Authorization header as far as this registry's wishes are known; null: ask without one. */
  async known(asking: Asking): Promise<string | null> {
    const challenge = this.#challenges.get(asking.endpoint.base);
    return challenge === undefined ? bearerOf(asking.credentials) : this.#answer(challenge, asking);
  }

  /** The header that a 401 asks for. Throws TsboxError "unauthorized" when there is no answer to it. */
  async challenged(headers: HttpResponse["headers"], refused: string | null, asking: Asking): Promise<string> {
    const offered = parseChallenges(headers["www-authenticate"] ?? "");
    const challenge =
      offered.find(({ scheme }) => scheme === "bearer") ?? offered.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined)
      throw unauthorized(asking, "the registry wants a login of a kind that tsbox does not know");
    remember(this.#challenges, asking.endpoint.base, withoutScope(challenge));
    if (refused !== null) this.#tokens.delete(tokenKey(challenge, asking));
    const header = await this.#answer(challenge, asking);
    if (header === null) throw unauthorized(asking, "no basic auth credentials");
    if (header === refused) throw unauthorized(asking, "authentication required");
    return header;
  }

  async #answer(challenge: Challenge, asking: Asking): Promise<string | null> {
    const { credentials } = asking;
    if (challenge.scheme === "basic") return credentials.username === "" ? null : basicHeader(credentials);
    return bearerOf(credentials) ?? `Bearer ${(await this.#token(challenge, asking)).value}`;
  }

  async #token(challenge: Challenge, asking: Asking): Promise<Token> {
    const key = tokenKey(challenge, asking);
    const held = await this.#tokens.get(key)?.catch(() => null);
    if (held != null && held.until - marginNanoseconds > this.#clock.now()) return held;
    const fresh = this.#fetchToken(challenge, asking).then(({ token }) => token);
    remember(this.#tokens, key, fresh);
    fresh.catch(() => this.#tokens.delete(key));
    return fresh;
  }

  /** A login that a token service can turn into a refresh token; null when it gives none. */
  async refreshToken(headers: HttpResponse["headers"], asking: Asking): Promise<string | null> {
    const bearer = parseChallenges(headers["www-authenticate"] ?? "").find(({ scheme }) => scheme === "bearer");
    return bearer === undefined ? null : (await this.#fetchToken(bearer, asking, true)).refresh;
  }

  async #fetchToken(
    challenge: Challenge,
    asking: Asking,
    offline = false,
  ): Promise<{ token: Token; refresh: string | null }> {
    const { credentials, endpoint, signal } = asking;
    const realm = checkedRealm(challenge.parameters["realm"] ?? "", asking);
    const query = tokenQuery(challenge, asking, offline);
    const byRefresh = credentials.identityToken !== "";
    const response = await this.#fetch({
      insecure: endpoint.insecure && new URL(realm).host === new URL(endpoint.base).host,
      signal,
      ...(byRefresh ? refreshRequest(realm, query, credentials) : basicRequest(realm, query, credentials)),
    });
    if (response.status !== 200) throw await registryError(response, `login at ${new URL(realm).host}`);
    return this.#parse(await readText(response, "the token"), asking);
  }

  #parse(text: string, asking: Asking): { token: Token; refresh: string | null } {
    const { token, access_token, expires_in, issued_at, refresh_token } = parseToken(text, asking);
    const value = typeof token === "string" && token !== "" ? token : access_token;
    if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value))
      throw unauthorized(asking, "the authorization service answered without a token");
    const seconds = typeof expires_in === "number" && expires_in >= usualSeconds ? expires_in : usualSeconds;
    const issued = typeof issued_at === "string" ? parseTime(issued_at) : null;
    const now = this.#clock.now();
    const from = issued !== null && issued < now ? issued : now;
    const until = from + BigInt(Math.floor(seconds)) * 1_000_000_000n;
    return { token: { value, until }, refresh: typeof refresh_token === "string" ? refresh_token : null };
  }
}

function bearerOf({ registryToken }: Credentials): string | null {
  return registryToken === "" ? null : `Bearer ${registryToken}`;
}

/** What a challenge said of one request's scope is not the next request's. */
function withoutScope({ scheme, parameters }: Challenge): Challenge {
  const { scope: _, error: __, ...rest } = parameters;
  return { scheme, parameters: rest };
}

/** The service's scope and ours: a registry may want more than the request shows, for a mount. */
function scopesOf({ parameters }: Challenge, { scopes }: Asking): string[] {
  const asked = (parameters["scope"] ?? "").split(" ").filter((scope) => scope !== "");
  const news = asked.filter((scope) => !scopes.some((own) => covers(own, scope)));
  return [...new Set([...scopes.map(formatScope), ...news])];
}

function tokenKey(challenge: Challenge, asking: Asking): string {
  const { realm, service } = challenge.parameters;
  return JSON.stringify([realm, service, asking.scopes.map(formatScope), asking.credentials]);
}

function tokenQuery(challenge: Challenge, asking: Asking, offline: boolean): URLSearchParams {
  const query = new URLSearchParams();
  const { service } = challenge.parameters;
  if (service !== undefined) query.append("service", service);
  for (const scope of scopesOf(challenge, asking)) query.append("scope", scope);
  if (offline) query.append("offline_token", "true");
  if (offline) query.append("client_id", clientId);
  if (asking.credentials.username !== "" && asking.credentials.identityToken === "")
    query.append("account", asking.credentials.username);
  return query;
}

function basicRequest(realm: string, query: URLSearchParams, credentials: Credentials) {
  return {
    method: "GET" as const,
    url: `${realm}${realm.includes("?") ? "&" : "?"}${query.toString()}`,
    headers: credentials.username === "" ? {} : { authorization: basicHeader(credentials) },
    body: null,
  };
}

/** OAuth 2 (RFC 6749, section 6), as distribution's token/oauth has it. */
function refreshRequest(realm: string, query: URLSearchParams, { identityToken }: Credentials) {
  const form = new URLSearchParams();
  form.append("grant_type", "refresh_token");
  form.append("service", query.get("service") ?? "");
  form.append("client_id", clientId);
  form.append("scope", query.getAll("scope").join(" "));
  form.append("refresh_token", identityToken);
  return {
    method: "POST" as const,
    url: realm,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: encodeText(form.toString()),
  };
}

function checkedRealm(text: string, asking: Asking): string {
  if (!/^https?:\/\/[^@\s]+$/.test(text) || !isUrl(text))
    throw unauthorized(asking, `the registry names ${JSON.stringify(text)} for its logins, which is no URL`);
  const realm = new URL(text);
  const registry = new URL(asking.endpoint.base);
  if (realm.protocol === "http:" && registry.protocol !== "http:")
    throw unauthorized(asking, `it wants a login sent to ${realm.host} in plain HTTP, which tsbox does not do`);
  if (isLocalOnly(realm.hostname) && !isLocalOnly(registry.hostname))
    throw unauthorized(asking, `it wants a login sent to ${realm.host}, an address of this machine`);
  return text;
}

function isUrl(text: string): boolean {
  return URL.canParse(text);
}

function parseToken(text: string, asking: Asking): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw unauthorized(asking, "the authorization service's answer is not JSON");
}

function unauthorized({ endpoint, credentials }: Asking, why: string): TsboxError {
  const advice = isAnonymous(credentials) ? "; log in with: tsbox login" : "; check the login with: tsbox login";
  const { host } = new URL(endpoint.base);
  return new TsboxError("unauthorized", `unauthorized at ${host}: ${why}${advice} ${host}`, { status: 401 });
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= remembered) break;
    map.delete(oldest);
  }
}
