/** The images of the machine: load, find, tag, remove, in Docker's words (moby: daemon/images). */
import { assert } from "../base/assert.ts";
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Digest, ImageId } from "../image/digest.ts";
import { type Explanation, explainImage } from "../image/explain.ts";
import { type Image, listed, type ListedImage, type RemovedImage } from "../image/image.ts";
import type { StoredImage } from "../image/layout.ts";
import { matches, type Platform, platformOf, type Wanted } from "../image/platform.ts";
import {
  defaultTag,
  familiarName,
  formatFamiliar,
  formatReference,
  parseReference,
  type Reference,
  tryParseReference,
  withDefaultTag,
} from "../image/reference.ts";
import { ImageTable } from "../image/store.ts";
import { type ImagesUsage, usageOf } from "../image/usage.ts";
import type { ImportRequest, LoadedImage, Pruned, PruneOptions } from "./engine.ts";
import { checkImages, type CheckParts, type Finding, superfluousThings } from "./image-check.ts";
import { importImage } from "./image-import.ts";
import { Intake } from "./image-intake.ts";
import { openLeases } from "./image-keeping.ts";
import { ImageLayers } from "./image-layers.ts";
import { loadImages } from "./image-load.ts";
import { pruneImages, removeImage, type RemoveParts } from "./image-deletion.ts";
import { saveImages } from "./image-save.ts";
import type { ImageAction, ImagesDependencies, ImageStore, ImageUser } from "./image-store.ts";
import { initLayer } from "./init-layer.ts";
import { type Leases, type Thing, thing } from "./leases.ts";
import { Serial } from "./serial.ts";
import { storing } from "./storing.ts";

/** Opens the images under the data root; what an unfinished load left behind goes away. */
export async function openImages(dependencies: ImagesDependencies): Promise<ImageStore> {
  const { disk, layers, ports } = dependencies;
  const table = await ImageTable.open(disk, ports, dependencies.warn ?? (() => {}));
  const images = new LocalImages(dependencies, table, new ImageLayers(layers, ports));
  await images.open();
  return images;
}

class LocalImages implements ImageStore {
  readonly #dependencies: ImagesDependencies;
  readonly #table: ImageTable;
  readonly #layers: ImageLayers;
  #leases: Leases | null = null;
  /** Archives are read side by side; what changes the store happens one after the other. */
  readonly #changes = new Serial();

  constructor(dependencies: ImagesDependencies, table: ImageTable, layers: ImageLayers) {
    this.#dependencies = dependencies;
    this.#table = table;
    this.#layers = layers;
  }

  async open(): Promise<void> {
    const { disk, ports } = this.#dependencies;
    const users = (): readonly ImageUser[] => this.#users();
    this.#leases = await openLeases({ disk, clock: ports.clock, table: this.#table, layers: this.#layers, users });
  }

  get #lease(): Leases {
    assert(this.#leases !== null, "the images are open");
    return this.#leases;
  }

  list(): Promise<ListedImage[]> {
    return Promise.resolve(this.#table.list().map(listed));
  }

  async get(ref: string): Promise<Image> {
    return this.#table.detail(this.#table.find(ref));
  }

  async stored(ref: string): Promise<StoredImage> {
    return this.#table.find(ref);
  }

  hasBlob(digest: Digest): Promise<boolean> {
    return this.#table.layout.blobs.has(digest);
  }

  blob(digest: Digest, offset?: number, length?: number): ByteStream {
    return this.#table.layout.blobs.stream(digest, offset, length);
  }

  document(digest: Digest, what: string): Promise<Uint8Array> {
    return this.#table.layout.blobs.document(digest, what);
  }

  intake({ keepSeconds = 0 }: { keepSeconds?: number } = {}): Intake {
    const { disk, ports } = this.#dependencies;
    const collect = (): Promise<void> => this.#lease.collect();
    const parts = { disk, ports, table: this.#table, layers: this.#layers, leases: this.#lease };
    return new Intake({ ...parts, changes: this.#changes, collect }, keepSeconds);
  }

  async resolve(ref: string, platform: Platform | null = null): Promise<Image> {
    const load = async (tar: ByteStream): Promise<Image> => {
      for await (const _ of this.load(tar, { platform }));
      return this.get(ref);
    };
    try {
      const image = await this.get(ref);
      const tar = platform === null || matches(platform, image) ? null : this.#embedded(ref);
      return tar === null ? image : await load(tar);
    } catch (thrown) {
      const tar = isNotFound(thrown) ? this.#embedded(ref) : null;
      if (tar === null) throw thrown;
      return load(tar);
    }
  }

  #embedded(ref: string): ByteStream | null {
    const { tag, digest, ...name } = parseReference(ref);
    const isLatest = digest === null && (tag === null || tag === defaultTag);
    return isLatest ? (this.#dependencies.embedded?.(familiarName(name)) ?? null) : null;
  }

  load(tar: ByteStream, options: { readonly platform?: Platform | null } = {}): AsyncIterable<LoadedImage> {
    return loadImages(tar, {
      table: this.#table,
      ports: this.#dependencies.ports,
      intake: this.intake(),
      changes: this.#changes,
      platform: options.platform ?? this.#machinePlatform(),
      loaded: (id) => this.#emit("load", id, id),
    });
  }

  #machinePlatform(): Wanted {
    return this.#dependencies.platform ?? platformOf("amd64", undefined);
  }

  collect(): Promise<void> {
    return this.#lease.isTidy ? Promise.resolve() : this.#changes.run(() => this.#lease.collect());
  }

  async save(refs: readonly string[]): Promise<ByteStream> {
    const intake = this.intake();
    try {
      const { ids, archive } = await saveImages(this.#table, refs, intake);
      for (const id of ids) this.#emit("save", id, id);
      return archive;
    } catch (thrown) {
      await intake.close();
      throw thrown;
    }
  }

  async import(tar: ByteStream, options: ImportRequest): Promise<Image> {
    const { ports } = this.#dependencies;
    const platform = options.platform ?? this.#machinePlatform();
    const name = options.name === null ? null : formatReference(tagOf(options.name));
    const intake = this.intake();
    try {
      const image = await storing(() => importImage(tar, { ...options, name, platform }, { ports, intake }));
      this.#emit("import", image.id, image.id);
      return await this.#table.detail(image);
    } finally {
      await intake.close();
    }
  }

  usage(): Promise<ImagesUsage> {
    return Promise.resolve(usageOf(this.#table.list()));
  }

  async explain(ref: string): Promise<Explanation> {
    const image = this.#table.find(ref);
    const reference = tryParseReference(ref);
    const full = reference === null ? null : formatReference(withDefaultTag(reference));
    const name = full !== null && [...image.names, ...image.digests].includes(full) ? full : null;
    const { hasher } = this.#dependencies.ports;
    return explainImage(image, { typed: ref, name }, { blobs: this.#table.layout.blobs, hasher });
  }

  check(): AsyncIterable<Finding> {
    return checkImages(this.#checkParts());
  }

  #checkParts(): CheckParts {
    const { disk, layers, ports } = this.#dependencies;
    const noted = new Set(this.#lease.list());
    const used = new Set([initLayer, ...this.#users().flatMap((user) => user.layers)]);
    return {
      table: this.#table,
      layers,
      hasher: ports.hasher,
      dataRoot: disk.dataRoot,
      isNoted: (kind, digest) => noted.has(thing(kind, digest)) || this.#lease.isHeld(thing(kind, digest)),
      isUsed: (diffId) => used.has(diffId),
    };
  }

  prune(options: PruneOptions): Promise<Pruned> {
    const superfluous = (): Promise<Thing[]> => superfluousThings(this.#checkParts());
    return this.#changes.run(() => storing(() => pruneImages(this.#removeParts(), options, superfluous)));
  }

  tag(ref: string, name: string): Promise<void> {
    return this.#changes.run(async () => {
      const image = this.#table.find(ref);
      const full = tagOf(name);
      await storing(() => this.#table.add({ ...image, names: [formatReference(full)], digests: [] }));
      this.#emit("tag", image.id, formatFamiliar(full));
    });
  }

  remove(ref: string, options: { force: boolean; prune: boolean }): Promise<RemovedImage[]> {
    return this.#changes.run(() => storing(() => removeImage(this.#removeParts(), ref, options.force)));
  }

  #removeParts(): RemoveParts {
    return {
      table: this.#table,
      leases: this.#lease,
      hasher: this.#dependencies.ports.hasher,
      users: () => this.#users(),
      emit: (action, id) => this.#emit(action, id, id),
    };
  }

  #users(): readonly ImageUser[] {
    return this.#dependencies.users?.() ?? [];
  }

  #emit(action: ImageAction, id: ImageId, name: string): void {
    this.#dependencies.emit?.(action, id, name);
  }
}

function isNotFound(thrown: unknown): boolean {
  return thrown instanceof TsboxError && thrown.code === "not-found";
}

/** The name a user gives an image. Throws TsboxError "invalid" for one that cannot be given. */
function tagOf(name: string): Reference {
  const target = parseReference(name);
  if (target.digest !== null) throw new TsboxError("invalid", "refusing to create a tag with a digest reference");
  if (familiarName(target) === "sha256")
    throw new TsboxError("invalid", "refusing to create an ambiguous tag using digest algorithm as name");
  return withDefaultTag(target);
}
