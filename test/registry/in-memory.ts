/** A registry and a client of it with no network between them; time passes when somebody waits. */
import { createHash } from "node:crypto";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { concat, encodeText, readAll } from "../../core/base/bytes.ts";
import type { Clock, Random } from "../../core/base/ports.ts";
import type { Digest } from "../../core/image/digest.ts";
import { type Asker, RegistryClient } from "../../core/image/registry/client.ts";
import { Connection } from "../../core/image/registry/connection.ts";
import { anonymous } from "../../core/image/registry/credentials.ts";
import { defaultRegistryConfig, type RegistryConfig } from "../../core/image/registry/endpoints.ts";
import type { Fetch, HttpRequest, HttpResponse } from "../../core/image/registry/http.ts";
import { memoryDisk } from "../../core/image/registry/memory-disk.ts";
import { Repository } from "../../core/image/registry/repository.ts";
import type { RegistryAuth } from "../../core/image/registry/server-auth.ts";
import { RegistryStore } from "../../core/image/registry/server-store.ts";
import { registryServer } from "../../core/image/registry/server.ts";
import { Authorizer } from "../../core/image/registry/authorizer.ts";

/** A clock on which nobody waits: it notes how long they would have. */
export class HurriedClock implements Clock {
  readonly waits: number[] = [];
  #now = 1_767_225_600_000_000_000n;

  now(): bigint {
    return this.#now;
  }

  sleep(ms: number): Promise<void> {
    this.waits.push(ms);
    this.advance(ms);
    return Promise.resolve();
  }

  advance(ms: number): void {
    this.#now += BigInt(Math.round(ms)) * 1_000_000n;
  }
}

const random: Random = { bytes: (count) => new Uint8Array(count).fill(255) };

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Notes each request that is sent, and what the server answered. */
export function seeing(fetch: Fetch): { fetch: Fetch; seen: Seen[]; statuses: number[] } {
  const seen: Seen[] = [];
  const statuses: number[] = [];
  return {
    seen,
    statuses,
    fetch: async (request) => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers });
      const response = await fetch(request);
      statuses.push(response.status);
      return response;
    },
  };
}

export async function registryInMemory(
  options: { auth?: RegistryAuth | null; deletes?: boolean } = {},
): Promise<{ fetch: Fetch; store: RegistryStore }> {
  const store = await RegistryStore.open(memoryDisk(), "/registry");
  const { hasher } = linuxPorts;
  let state = 1;
  const seeded: Random = {
    bytes: (count) => Uint8Array.from({ length: count }, () => (state = (state * 73 + 41) % 256)),
  };
  const { auth = null, deletes = true } = options;
  const fetch = registryServer({ store, hasher, random: seeded, auth, deletes });
  return { fetch, store };
}

export interface Customer {
  readonly clock: HurriedClock;
  readonly client: RegistryClient;
  readonly asker: Asker;
  /** The repository "team/app" at http://registry.test, to pull and push. */
  readonly repository: Repository;
}

export function customerOf(
  fetch: Fetch,
  options: { config?: Partial<RegistryConfig>; asker?: Partial<Asker> } = {},
): Customer {
  const clock = new HurriedClock();
  const { hasher } = linuxPorts;
  const asker: Asker = { credentials: anonymous, signal: null, ...options.asker };
  const client = new RegistryClient({ fetch, clock, random, hasher }, { ...defaultRegistryConfig, ...options.config });
  const endpoint = { base: "http://registry.test", insecure: true, mirror: false };
  const connection = new Connection({ fetch, clock, random }, new Authorizer(fetch, clock), { endpoint, ...asker });
  return { clock, client, asker, repository: new Repository(connection, hasher, "team/app", ["pull", "push"]) };
}

export function digestOfText(text: string): Digest {
  return digestOfBytes(encodeText(text));
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** Puts a blob into "team/app" without asking the server. */
export async function stock(store: RegistryStore, bytes: Uint8Array): Promise<{ digest: Digest; size: number }> {
  const digest = digestOfBytes(bytes);
  const file = store.upload("stocked");
  await store.disk.writeAtomically(file, bytes);
  await store.takeBlob("team/app", digest, file);
  return { digest, size: bytes.length };
}

export async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk.slice());
  return concat(chunks);
}

/** An answer of the test's own. */
export function answer(status: number, headers: Readonly<Record<string, string>> = {}, body = ""): HttpResponse {
  return { status, headers, body: one(encodeText(body)) };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

export async function textOfBody({ body }: HttpRequest): Promise<string> {
  if (body === null) return "";
  return new TextDecoder().decode(body instanceof Uint8Array ? body : await readAll(body, 1 << 20));
}
