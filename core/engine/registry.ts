/** The engine's dealings with registries (I1, I2): pull, push, login, search, in Docker's words. */
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import type { Digest } from "../image/digest.ts";
import { parseConfig } from "../image/config.ts";
import { type Descriptor, isIndexType, isManifestType } from "../image/descriptor.ts";
import { parseIndex } from "../image/index.ts";
import { parseManifest } from "../image/manifest.ts";
import type { Platform, Wanted } from "../image/platform.ts";
import {
  familiarName,
  formatFamiliar,
  formatReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from "../image/reference.ts";
import { type Asker, RegistryClient, type SearchResult } from "../image/registry/client.ts";
import { defaultRegistryConfig, type RegistryConfig } from "../image/registry/endpoints.ts";
import { documentFrom } from "../image/registry/download.ts";
import { type Fetch, networkError } from "../image/registry/http.ts";
import type { Repository } from "../image/registry/repository.ts";
import { Channel } from "./channel.ts";
import type { EventLog } from "./event-log.ts";
import type { ImageStore } from "./image-store.ts";
import type { Disk } from "./machine.ts";
import { Pull } from "./pull.ts";
import { Push } from "./push.ts";
import { domainOf, type Remote, remoteOf } from "./remote.ts";
import type { Transfer } from "./transfer.ts";

export interface Registry {
  /**
   * Pulls `name` ("busybox", "host:5000/app:1", "app@sha256:…"); `all`: every tag of it. The first thing told comes when
   * the registry has answered; what goes wrong before that, and after it, is thrown.
   */
  pull(name: string, options: { all: boolean; platform: Platform | null }, asker: Asker): AsyncIterable<Transfer>;
  /** Pushes `name`; without a tag all of its tags that are here. Throws not-found when it is not here. */
  push(name: string, asker: Asker): AsyncIterable<Transfer>;
  /** Throws unauthorized. */
  login(server: string, asker: Asker): Promise<{ identityToken: string | null }>;
  search(term: string, limit: number, asker: Asker): Promise<SearchResult[]>;
  /** What a registry has under a name, without its layers. */
  describe(name: string, asker: Asker): Promise<RemoteImage>;
  readonly remote: Remote;
  readonly config: RegistryConfig;
}

export interface RemoteImage {
  readonly descriptor: Descriptor;
  readonly platforms: readonly Platform[];
}

export interface RegistryDependencies {
  /** The way to the network; null: there is none. */
  readonly fetch: Fetch | null;
  readonly config?: RegistryConfig;
}

interface Parts {
  readonly images: ImageStore;
  readonly disk: Disk;
  readonly ports: Ports;
  /** What the machine takes. */
  readonly platform: Wanted;
  readonly events: EventLog;
}

export function registryOf(parts: Parts, { fetch, config = defaultRegistryConfig }: RegistryDependencies): Registry {
  const client = new RegistryClient({ ...parts.ports, fetch: fetch ?? unreachable }, config);
  return new Registries(parts, client);
}

const unreachable: Fetch = ({ url }) =>
  Promise.reject(networkError("refused", `cannot reach ${new URL(url).host}: this machine has no network`));

class Registries implements Registry {
  readonly #parts: Parts;
  readonly #client: RegistryClient;
  readonly #arriving = new Map<Digest, Promise<void>>();
  readonly remote: Remote;

  constructor(parts: Parts, client: RegistryClient) {
    this.#parts = parts;
    this.#client = client;
    this.remote = remoteOf(client);
  }

  get config(): RegistryConfig {
    return this.#client.config;
  }

  pull(name: string, options: { all: boolean; platform: Platform | null }, asker: Asker): AsyncIterable<Transfer> {
    const { images, platform } = this.#parts;
    const reference = parseReference(name);
    return told(async (tell) => {
      const parts = {
        images,
        client: this.#client,
        platform: options.platform ?? platform,
        arriving: this.#arriving,
        tell,
        pulled: (pulled: string) => this.#emit("pull", pulled),
      };
      for (const each of options.all ? await this.#tagsOf(reference, asker) : [withDefaultTag(reference)])
        await new Pull(parts, each, asker).run();
    });
  }

  async #tagsOf(reference: Reference, asker: Asker): Promise<Reference[]> {
    const { domain, path } = reference;
    const tags = await this.#client.at(domain, asker, (connection) => this.#client.repository(connection, path).tags());
    return tags.map((tag) => parseReference(formatReference({ ...reference, tag, digest: null })));
  }

  push(name: string, asker: Asker): AsyncIterable<Transfer> {
    const { images, disk, ports } = this.#parts;
    const reference = parseReference(name);
    if (reference.digest !== null) throw new TsboxError("invalid", "cannot push a digest reference");
    return told(async (tell) => {
      tell({ kind: "status", status: `The push refers to repository [${reference.domain}/${reference.path}]` });
      const here = await this.#tagsHere(reference);
      const references = here.filter(({ tag }) => tag === (reference.tag ?? tag));
      if (here.length === 0)
        throw new TsboxError("not-found", `An image does not exist locally with the tag: ${familiarName(reference)}`);
      if (references.length === 0)
        throw new TsboxError("not-found", `tag does not exist: ${formatFamiliar(reference)}`);
      const pushed = (each: string): void => this.#emit("push", each);
      await new Push({ images, client: this.#client, disk, ports, tell, pushed }, asker).run(references);
    });
  }

  async #tagsHere({ domain, path }: Reference): Promise<Reference[]> {
    const names = (await this.#parts.images.list()).flatMap((image) => image.names);
    const references = names.map((name) => parseReference(name));
    return references.filter((each) => each.domain === domain && each.path === path);
  }

  login(server: string, asker: Asker): Promise<{ identityToken: string | null }> {
    return this.#client.login(domainOf(server), asker);
  }

  search(term: string, limit: number, asker: Asker): Promise<SearchResult[]> {
    return this.#client.search(term, limit, asker);
  }

  describe(name: string, asker: Asker): Promise<RemoteImage> {
    const reference = withDefaultTag(parseReference(name));
    return this.#client.at(reference.domain, asker, (connection) =>
      describe(this.#client.repository(connection, reference.path), reference.digest ?? reference.tag ?? "latest"),
    );
  }

  #emit(action: "pull" | "push", name: string): void {
    this.#parts.events.emit("image", action, name, { name });
  }
}

/** The transfers of some work, as they come; what it throws is thrown at the end of them. */
async function* told(work: (tell: (transfer: Transfer) => void) => Promise<void>): AsyncGenerator<Transfer, void> {
  const channel = new Channel<Transfer>();
  const outcome = work((transfer) => channel.send(transfer)).then(
    () => null,
    (thrown: unknown) => ({ thrown }),
  );
  void outcome.then(() => channel.end());
  yield* channel;
  const failure = await outcome;
  if (failure !== null) throw failure.thrown;
}

async function describe(repository: Repository, wanted: string): Promise<RemoteImage> {
  const { mediaType, digest, bytes } = await repository.manifest(wanted);
  const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
  const what = `manifest ${digest}`;
  if (isIndexType(mediaType)) {
    const platforms = parseIndex(bytes, what).flatMap(({ descriptor: { platform } }) => platform ?? []);
    return { descriptor, platforms: platforms.map((each) => ({ variant: "", ...each })) };
  }
  if (!isManifestType(mediaType)) return { descriptor, platforms: [] };
  const { config } = parseManifest(bytes, what);
  const read = await documentFrom(repository, config);
  return { descriptor, platforms: [parseConfig(read, `configuration ${config.digest}`).platform] };
}
