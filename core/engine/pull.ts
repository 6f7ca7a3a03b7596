/**
 * Pull: a name at a registry becomes an image in the store (I1, I10). What the name points at is asked
 * for once; from there on everything is named by its digest, so a tag that moves meanwhile changes
 * nothing. Nothing but blobs of that repository is ever fetched: URLs that a manifest names are not.
 *
 *   tag → index → manifest → configuration → layers, several at a time, each unpacked as it comes
 *
 * An image that is here as the registry has it costs one request.
 */
import { TsboxError } from "../base/error.ts";
import { parseConfig } from "../image/config.ts";
import { corrupt, type Descriptor, isIndexType, isManifestType } from "../image/descriptor.ts";
import type { DiffId, Digest } from "../image/digest.ts";
import { parseIndex } from "../image/index.ts";
import type { StoredImage } from "../image/layout.ts";
import { parseManifest } from "../image/manifest.ts";
import { choose, fits, formatPlatform, type Wanted } from "../image/platform.ts";
import { familiarName, formatFamiliar, formatReference, type Reference } from "../image/reference.ts";
import type { Asker, RegistryClient } from "../image/registry/client.ts";
import { blobFrom, documentFrom } from "../image/registry/download.ts";
import type { RemoteManifest, Repository } from "../image/registry/repository.ts";
import { type Intake, layersMax } from "./image-intake.ts";
import type { ImageStore } from "./image-store.ts";
import { inParallel, paced, shortDigest, type Transfer } from "./transfer.ts";

const indexesMax = 2;
/** An unfinished pull's bytes are kept so long for the next try. */
const keepSeconds = 24 * 60 * 60;

export interface PullParts {
  readonly images: ImageStore;
  readonly client: RegistryClient;
  readonly platform: Wanted;
  /** Layers that are being fetched, by anybody: the second one waits for the first. */
  readonly arriving: Map<Digest, Promise<void>>;
  readonly tell: (transfer: Transfer) => void;
  /** Told when the image is in, with its familiar name. */
  readonly pulled: (name: string) => void;
}

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
}

export class Pull {
  readonly #parts: PullParts;
  readonly #reference: Reference;
  readonly #asker: Asker;

  constructor(parts: PullParts, reference: Reference, asker: Asker) {
    this.#parts = parts;
    this.#reference = reference;
    this.#asker = asker;
  }

  get #wanted(): string {
    return this.#reference.digest ?? this.#reference.tag ?? "latest";
  }

  async run(): Promise<void> {
    const { client, tell } = this.#parts;
    const { domain, path } = this.#reference;
    const known = await this.#known();
    const answer = await client
      .at(domain, this.#asker, (connection) => this.#ask(client.repository(connection, path), known))
      .catch((thrown: unknown) => {
        throw inDockersWords(thrown, this.#reference);
      });
    tell({ kind: "status", status: `Pulling from ${path}`, id: this.#wanted });
    if (answer.manifest !== null) await this.#fetchAll(answer.manifest, answer.base);
    this.#conclude(answer.digest, answer.manifest === null);
  }

  /** The image that has the name now. */
  async #known(): Promise<StoredImage | null> {
    try {
      return await this.#parts.images.stored(formatReference(this.#reference));
    } catch (thrown) {
      if (thrown instanceof TsboxError && thrown.code === "not-found") return null;
      throw thrown;
    }
  }

  /** What the registry has under the name; no manifest when that is what is here. */
  async #ask(
    repository: Repository,
    known: StoredImage | null,
  ): Promise<{ digest: Digest; manifest: RemoteManifest | null; base: string }> {
    const { base } = repository.connection.endpoint;
    if (known !== null && (await this.#fits(known))) {
      const digest = (await repository.head(this.#wanted))?.digest ?? null;
      if (digest !== null && known.digests.includes(this.#at(digest))) return { digest, manifest: null, base };
    }
    const manifest = await repository.manifest(this.#wanted);
    return { digest: manifest.digest, manifest, base };
  }

  /** Whether it is for the platform that is wanted now. */
  async #fits({ id }: StoredImage): Promise<boolean> {
    return fits(this.#parts.platform, await this.#parts.images.get(id));
  }

  #at(digest: Digest): string {
    return formatReference({ ...this.#reference, tag: null, digest });
  }

  async #fetchAll(top: RemoteManifest, base: string): Promise<void> {
    const { images, client } = this.#parts;
    const stop = new AbortController();
    const abort = (): void => stop.abort(this.#asker.signal?.reason);
    this.#asker.signal?.addEventListener("abort", abort, { once: true });
    const all = client.repositories(this.#reference.domain, this.#reference.path, {
      ...this.#asker,
      signal: stop.signal,
    });
    // Where the manifest was, the rest is; endpoints before it have failed, those after it may help out.
    const from = all.findIndex(({ connection }) => connection.endpoint.base === base);
    const intake = images.intake({ keepSeconds });
    try {
      await new Fetching(this.#parts, intake, all.slice(Math.max(0, from)), stop).image(top, this.#reference);
    } finally {
      this.#asker.signal?.removeEventListener("abort", abort);
      await intake.close();
    }
  }

  #conclude(digest: Digest, isSame: boolean): void {
    const { tell, pulled } = this.#parts;
    const name = formatFamiliar(this.#reference);
    tell({ kind: "status", status: `Digest: ${digest}` });
    tell({
      kind: "status",
      status: `Status: ${isSame ? "Image is up to date" : "Downloaded newer image"} for ${name}`,
    });
    pulled(name);
  }
}

/** One image on its way into an intake. */
class Fetching {
  readonly #parts: PullParts;
  readonly #intake: Intake;
  readonly #repositories: readonly Repository[];
  readonly #stop: AbortController;

  constructor(parts: PullParts, intake: Intake, repositories: readonly Repository[], stop: AbortController) {
    this.#parts = parts;
    this.#intake = intake;
    this.#repositories = repositories;
    this.#stop = stop;
  }

  async image(top: RemoteManifest, reference: Reference): Promise<void> {
    const chosen = await this.#choose(top, 0);
    const what = `manifest ${chosen.digest}`;
    const { config, layers } = parseManifest(chosen.bytes, what);
    if (layers.length > layersMax)
      throw corrupt(`${what}: it has ${layers.length} layers; at most ${layersMax} can be mounted`);
    const { diffIds } = parseConfig(await this.#document(config), `configuration ${config.digest}`);
    if (diffIds.length !== layers.length)
      throw corrupt(`${what}: it has ${layers.length} layers, its configuration names ${diffIds.length}`);
    await this.#layers(layers.flatMap((descriptor, at) => layerOf(descriptor, diffIds[at])));
    await this.#intake.put(chosen.digest, chosen.bytes);
    const { tag } = reference;
    await this.#intake.commit({
      manifest: { mediaType: chosen.mediaType, digest: chosen.digest, size: chosen.bytes.length },
      index: chosen === top ? null : top.digest,
      names: reference.digest === null && tag !== null ? [formatReference(reference)] : [],
      digests: [formatReference({ ...reference, tag: null, digest: top.digest })],
    });
  }

  /** The manifest itself, or the one for our platform. */
  async #choose(manifest: RemoteManifest, depth: number): Promise<RemoteManifest> {
    const { mediaType, digest, bytes } = manifest;
    if (isManifestType(mediaType)) return manifest;
    if (!isIndexType(mediaType)) throw unknownType(digest, mediaType);
    if (depth === indexesMax) throw corrupt(`index ${digest}: indexes are nested too deep`);
    const list = parseIndex(bytes, `index ${digest}`).map(({ descriptor }) => descriptor);
    await this.#intake.put(digest, bytes);
    const { platform } = this.#parts;
    const chosen = choose(list, platform);
    if (chosen === null)
      throw new TsboxError(
        "not-found",
        `no matching manifest for ${formatPlatform(platform)} in the manifest list entries; choose another with: --platform`,
      );
    const found = await this.#anywhere((repository) => repository.manifest(chosen.digest));
    if (found.bytes.length !== chosen.size)
      throw corrupt(`manifest ${chosen.digest}: it should have ${chosen.size} bytes and has ${found.bytes.length}`);
    return this.#choose(found, depth + 1);
  }

  async #document(config: Descriptor): Promise<Uint8Array> {
    const { digest } = config;
    if (await this.#intake.has(digest)) return this.#parts.images.document(digest, `configuration ${digest}`);
    const bytes = await this.#anywhere((repository) => documentFrom(repository, config));
    await this.#intake.put(digest, bytes);
    return bytes;
  }

  /** From each repository in turn, as long as one fails. */
  async #anywhere<T>(work: (repository: Repository) => Promise<T>): Promise<T> {
    let problem: unknown = null;
    for (const repository of this.#repositories) {
      try {
        return await work(repository);
      } catch (thrown) {
        this.#stop.signal.throwIfAborted();
        problem ??= thrown;
        if (!repository.connection.endpoint.mirror) break;
      }
    }
    throw problem;
  }

  /** The blob's bytes; where one endpoint gives up, the next one goes on. */
  async *#blob(blob: { digest: Digest; size: number }, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    let at = offset;
    for (const repository of this.#repositories) {
      try {
        for await (const chunk of blobFrom(repository, blob, at)) {
          at += chunk.length;
          yield chunk;
        }
        return;
      } catch (thrown) {
        this.#stop.signal.throwIfAborted();
        if (!repository.connection.endpoint.mirror) throw thrown;
      }
    }
  }

  async #layers(layers: readonly Layer[]): Promise<void> {
    const { client, tell } = this.#parts;
    const missing: Layer[] = [];
    for (const layer of unique(layers)) {
      const { digest } = layer.descriptor;
      const isHere = await this.#intake.has(digest);
      tell({ kind: "layer", id: shortDigest(digest), status: isHere ? "Already exists" : "Pulling fs layer" });
      if (!isHere) missing.push(layer);
    }
    await inParallel(missing, client.config.downloadsMax, async (layer) => {
      try {
        await this.#layer(layer);
      } catch (thrown) {
        this.#stop.abort(thrown);
        throw thrown;
      }
    });
  }

  /** Waits for another pull that fetches it already; fetches it when that one failed. */
  async #layer(layer: Layer): Promise<void> {
    const { arriving, tell } = this.#parts;
    const { digest } = layer.descriptor;
    for (let other = arriving.get(digest); other !== undefined; other = arriving.get(digest)) {
      tell({ kind: "layer", id: shortDigest(digest), status: "Waiting" });
      await other.catch(() => {});
      this.#stop.signal.throwIfAborted();
    }
    const arrival = this.#fetch(layer);
    arriving.set(digest, arrival);
    await arrival.finally(() => arriving.delete(digest));
  }

  async #fetch({ descriptor, diffId }: Layer): Promise<void> {
    const { digest } = descriptor;
    const { tell } = this.#parts;
    // Another pull may have brought it meanwhile.
    if (await this.#intake.has(digest))
      return tell({ kind: "layer", id: shortDigest(digest), status: "Already exists" });
    const begun = await this.#intake.partial(digest);
    await this.#intake.layer(descriptor, diffId, this.#counted(descriptor, begun)).catch((thrown: unknown) => {
      if (begun === 0 || !(thrown instanceof TsboxError) || thrown.code !== "corrupt") throw thrown;
      // What an earlier try left here may be what is wrong; it is gone now.
      return this.#intake.layer(descriptor, diffId, this.#counted(descriptor, 0));
    });
    tell({ kind: "layer", id: shortDigest(digest), status: "Pull complete" });
  }

  async *#counted(descriptor: Descriptor, begun: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size } = descriptor;
    const id = shortDigest(digest);
    const { tell } = this.#parts;
    const pace = paced(size, (current) =>
      tell({ kind: "layer", id, status: "Downloading", bytes: { current, total: size } }),
    );
    let current = begun;
    for await (const chunk of this.#blob(descriptor, begun)) {
      current += chunk.length;
      pace(current);
      yield chunk;
    }
    tell({ kind: "layer", id, status: "Verifying Checksum" });
    tell({ kind: "layer", id, status: "Download complete" });
  }
}

function layerOf(descriptor: Descriptor, diffId: DiffId | undefined): Layer[] {
  return diffId === undefined ? [] : [{ descriptor, diffId }];
}

/** An image may have one layer several times. */
function unique(layers: readonly Layer[]): Layer[] {
  return [...new Map(layers.map((layer) => [layer.descriptor.digest, layer])).values()];
}

function unknownType(digest: Digest, mediaType: string): TsboxError {
  const isOld = /manifest\.v1\+/.test(mediaType);
  const why = isOld
    ? "of the old schema 1, which nobody should use any more"
    : `${JSON.stringify(mediaType)}, no image`;
  return new TsboxError("unsupported", `manifest ${digest} is ${why}; ask whoever pushed it for an image`);
}

/** Docker's sentences for a refused pull (moby: distribution/errors.go); scripts grep them. */
function inDockersWords(thrown: unknown, reference: Reference): unknown {
  if (!(thrown instanceof TsboxError)) return thrown;
  const { registryCode, status } = thrown.data;
  const tail = thrown.message.slice(thrown.message.indexOf(": ") + 2);
  const say = (code: "not-found" | "failed", text: string): TsboxError =>
    new TsboxError(code, text, thrown.data, { cause: thrown });
  const denied = `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login'`;
  if (registryCode === "DENIED") return say("not-found", `${denied}: ${tail}`);
  if (thrown.code === "unauthorized") return say("failed", `${denied}: ${status === 401 ? thrown.message : tail}`);
  if (registryCode === "NAME_UNKNOWN")
    return say("not-found", `repository ${familiarName(reference)} not found: ${tail}`);
  if (thrown.code === "not-found" && status === 404)
    return say("not-found", `manifest for ${formatFamiliar(reference)} not found: ${tail}`);
  return thrown;
}
