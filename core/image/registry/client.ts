/**
 * A client of registries: finds the endpoint that answers (mirrors first, then the registry itself, in
 * TLS before plain HTTP), remembers it, and speaks to it as whoever asks. What it learns (which
 * scheme, which challenge, which tokens) lives as long as the client, so that asking again costs
 * one request.
 */
import { messageOf, TsboxError } from "../../base/error.ts";
import type { Hasher } from "../../base/ports.ts";
import { asArray, asText, jsonBytesMax, parseJson } from "../descriptor.ts";
import { Authorizer } from "./authorizer.ts";
import { Connection, type ConnectionPorts } from "./connection.ts";
import { anonymous, type Credentials } from "./credentials.ts";
import { type Endpoint, endpointsOf, type RegistryConfig } from "./endpoints.ts";
import { discard, readText, reasonOf } from "./http.ts";
import { pagesOf, Repository } from "./repository.ts";
import { registryError } from "./registry-error.ts";
import { catalogScope } from "./scope.ts";

export interface ClientPorts extends ConnectionPorts {
  readonly hasher: Hasher;
}

/** Who asks. */
export interface Asker {
  readonly credentials: Credentials;
  readonly signal: AbortSignal | null;
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
  readonly automated: boolean;
}

const hubSearchHost = "index.docker.io";

export class RegistryClient {
  readonly config: RegistryConfig;
  readonly #ports: ClientPorts;
  readonly #authorizer: Authorizer;
  /** Of each registry the base that answered last. */
  readonly #answered = new Map<string, string>();

  constructor(ports: ClientPorts, config: RegistryConfig) {
    this.#ports = ports;
    this.config = config;
    this.#authorizer = new Authorizer(ports.fetch, ports.clock);
  }

  /**
   * Does `work` at the first endpoint of the registry where that is possible. A mirror that cannot do it is passed over,
   * whatever its reason; the registry itself has the last word.
   */
  at<T>(domain: string, asker: Asker, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#atFirst(this.#endpoints(domain), domain, asker, work);
  }

  /** As `at`, without mirrors: what is pushed, and a login, is no mirror's business. */
  atHome<T>(domain: string, asker: Asker, work: (connection: Connection) => Promise<T>): Promise<T> {
    const own = this.#endpoints(domain).filter(({ mirror }) => !mirror);
    return this.#atFirst(own, domain, asker, work);
  }

  async #atFirst<T>(
    endpoints: readonly Endpoint[],
    domain: string,
    asker: Asker,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    let problem: unknown = null;
    for (const endpoint of endpoints) {
      try {
        const result = await work(this.#connection(endpoint, asker));
        if (!endpoint.mirror) this.#answered.set(domain, endpoint.base);
        return result;
      } catch (thrown) {
        asker.signal?.throwIfAborted();
        problem = worse(problem, thrown);
        if (!endpoint.mirror && reasonOf(thrown) === null) throw thrown;
      }
    }
    throw problem;
  }

  /** The repository at each endpoint of its registry, in the order in which they are to be tried. */
  repositories(domain: string, name: string, asker: Asker): Repository[] {
    return this.#endpoints(domain).map(
      (endpoint) => new Repository(this.#connection(endpoint, asker), this.#ports.hasher, name),
    );
  }

  repository(connection: Connection, name: string, ...actions: ("pull" | "push" | "delete")[]): Repository {
    return new Repository(connection, this.#ports.hasher, name, actions.length === 0 ? ["pull"] : actions);
  }

  #endpoints(domain: string): Endpoint[] {
    const all = endpointsOf(domain, this.config);
    const answered = this.#answered.get(domain);
    return answered === undefined ? all : all.filter(({ mirror, base }) => mirror || base === answered);
  }

  /** What a login is worth is no mirror's business. */
  #connection(endpoint: Endpoint, { credentials, signal }: Asker): Connection {
    return new Connection(this.#ports, this.#authorizer, {
      endpoint,
      credentials: endpoint.mirror ? anonymous : credentials,
      signal,
    });
  }

  /**
   * Whether the registry takes the login; a refresh token, if it gives one for it. Throws TsboxError "unauthorized" in
   * Docker's words when it does not.
   */
  async login(domain: string, asker: Asker): Promise<{ identityToken: string | null }> {
    return this.atHome(domain, asker, async (connection) => {
      const asking = {
        endpoint: connection.endpoint,
        scopes: [],
        credentials: asker.credentials,
        signal: asker.signal,
      };
      const url = `${connection.endpoint.base}/v2/`;
      const request = {
        method: "GET" as const,
        url,
        body: null,
        insecure: connection.endpoint.insecure,
        signal: asker.signal,
      };
      const open = await this.#ports.fetch({ ...request, headers: {} });
      await discard(open);
      if (open.status === 200) return { identityToken: null };
      if (open.status !== 401) throw await registryError(open, `login attempt to ${url} failed`);
      const identityToken = await this.#authorizer.refreshToken(open.headers, asking);
      const authorization = await this.#authorizer.challenged(open.headers, null, asking);
      const response = await this.#ports.fetch({ ...request, headers: { authorization } });
      await discard(response);
      if (response.status === 200) return { identityToken };
      throw new TsboxError(
        response.status === 401 ? "unauthorized" : "failed",
        `login attempt to ${url} failed with status: ${response.status}${response.status === 401 ? " Unauthorized" : ""}`,
      );
    });
  }

  /** All repositories of a registry, as far as it tells. */
  async catalog(connection: Connection): Promise<string[]> {
    const what = `the catalog of ${new URL(connection.endpoint.base).host}`;
    const get = (target: string) =>
      connection.read({ method: "GET", target, scopes: [catalogScope], expect: [200], what }, jsonBytesMax);
    const names: string[] = [];
    for await (const page of pagesOf(connection, "/v2/_catalog", get))
      for (const name of asArray(parseJson(page, what)["repositories"] ?? [], what)) names.push(asText(name, what));
    return names;
  }

  /**
   * Looks images up: "nginx" at Docker Hub, "host:5000/nginx" at that registry, by the search of the old API (which Hub
   * still answers), or through the catalog where there is none.
   */
  async search(term: string, limit: number, asker: Asker): Promise<SearchResult[]> {
    const [domain, words] = splitTerm(term);
    return this.atHome(domain, asker, async (connection) => {
      const query = new URLSearchParams();
      query.append("q", words);
      query.append("n", String(limit));
      const response = await connection.send({
        method: "GET",
        target: `/v1/search?${query.toString()}`,
        scopes: [],
        expect: [200, 401, 404],
        what: `searching ${domain}`,
      });
      if (response.status === 200) return parseResults(await readText(response, "the results"), limit);
      await discard(response);
      const names = (await this.catalog(connection)).filter((name) => name.includes(words.toLowerCase()));
      return names.slice(0, limit).map((name) => resultOf({ name }));
    });
  }
}

/** Of the reasons at several endpoints the last one is told, but one of an answer before one of silence. */
function worse(before: unknown, now: unknown): unknown {
  return before !== null && reasonOf(before) === null && reasonOf(now) !== null ? before : now;
}

/** The first part is a host when it looks like one. */
function splitTerm(term: string): [domain: string, words: string] {
  const [first = "", ...rest] = term.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  if (!isHost || first === "docker.io" || first === hubSearchHost)
    return [hubSearchHost, isHost ? rest.join("/") : term];
  return [first, rest.join("/")];
}

function parseResults(text: string, limit: number): SearchResult[] {
  let results: unknown;
  try {
    ({ results } = JSON.parse(text) as { results?: unknown });
  } catch (thrown) {
    throw new TsboxError("corrupt", `the registry's search results are not JSON: ${messageOf(thrown)}`);
  }
  if (!Array.isArray(results)) throw new TsboxError("corrupt", "the registry's search results are no list");
  return results.slice(0, limit).map((each) => resultOf(each as Record<string, unknown>));
}

function resultOf({
  name,
  description,
  star_count,
  is_official,
  is_automated,
}: Readonly<Record<string, unknown>>): SearchResult {
  return {
    name: typeof name === "string" ? name : "",
    description: typeof description === "string" ? description : "",
    stars: typeof star_count === "number" ? star_count : 0,
    official: is_official === true,
    automated: is_automated === true,
  };
}
