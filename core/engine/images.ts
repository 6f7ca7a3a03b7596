/** The images of the machine: load, find, tag, remove, in Docker's words (moby: daemon/images). */
import { assert } from "../base/assert.ts";
import type { ContainerId, HostPath } from "../base/brand.ts";
import type { ByteStream } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { type ArchiveContents, type ArchivedArtifact, type ArchivedImage, readArchive } from "../image/archive.ts";
import { chainIds, type DiffId, type Digest, hexOf, type ImageId } from "../image/digest.ts";
import { type Explanation, explainImage } from "../image/explain.ts";
import { type Image, listed, type ListedImage, type RemovedImage } from "../image/image.ts";
import { blobsOf, type StoredImage } from "../image/layout.ts";
import { matches, type Platform, platformOf, type Wanted } from "../image/platform.ts";
import {
  defaultTag,
  familiarName,
  familiarOf,
  formatFamiliar,
  formatReference,
  parseReference,
  type Reference,
  tryParseReference,
  withDefaultTag,
} from "../image/reference.ts";
import { Spool, type Spooled } from "../image/spool.ts";
import { ImageTable, sharedLayers } from "../image/store.ts";
import { layersOf, pack } from "../image/summary.ts";
import { type ImagesUsage, usageOf } from "../image/usage.ts";
import type { Images, ImportRequest, LoadedImage, Pruned, PruneOptions, TakenName } from "./engine.ts";
import { checkImages, type CheckParts, type Finding, superfluousThings } from "./image-check.ts";
import { importImage } from "./image-import.ts";
import { ingestOf, Intake } from "./image-intake.ts";
import { ImageLayers } from "./image-layers.ts";
import { planRemoval } from "./image-removal.ts";
import { saveImages } from "./image-save.ts";
import { initLayer } from "./init-layer.ts";
import { Leases, partsOf, type Thing, thing } from "./leases.ts";
import type { Disk, Layers } from "./machine.ts";
import { Serial } from "./serial.ts";

export interface ImagesDependencies {
  readonly disk: Disk;
  readonly layers: Layers;
  readonly ports: Ports;
  /** What to take out of an image for several platforms; linux/amd64 if not given. */
  readonly platform?: Wanted;
  /** The tar of an image that comes with tsbox, null for other names; such a one is loaded at its first `resolve`. */
  readonly embedded?: (name: string) => ByteStream | null;
  /** The containers there are, running or not. */
  readonly users?: () => readonly ImageUser[];
  /** Hears of what was put right: one line for the operator. */
  readonly warn?: (message: string) => void;
  /** Told after the fact: "load", "tag", "untag", "delete", …; `name` as Docker's event has it. */
  readonly emit?: (action: ImageAction, id: ImageId, name: string) => void;
}

export type ImageAction = "load" | "import" | "save" | "tag" | "untag" | "delete";

/** A container, as far as it keeps an image from being removed. */
export interface ImageUser {
  readonly id: ContainerId;
  readonly image: ImageId;
  readonly layers: readonly DiffId[];
  readonly running: boolean;
}

export interface ImageStore extends Images {
  /** As `get`, and an image that comes with tsbox is loaded when its name is not there. */
  resolve(ref: string, platform?: Platform | null): Promise<Image>;
  /** Removes what only a container held on to; to be called when one was removed. Cheap when there is nothing. */
  collect(): Promise<void>;
  /** As the store keeps it: with its manifest, and all its full names. */
  stored(ref: string): Promise<StoredImage>;
  /** The way in for an image that comes from elsewhere. Broken-off pieces are kept so long for another try. */
  intake(options?: { keepSeconds?: number }): Intake;
  hasBlob(digest: Digest): Promise<boolean>;
  blob(digest: Digest, offset?: number, length?: number): ByteStream;
  /** A manifest's, an index's or a configuration's bytes, checked. */
  document(digest: Digest, what: string): Promise<Uint8Array>;
}

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
    const keeper = { need: (thing: Thing) => this.#need(thing), remove: (thing: Thing) => this.#removeThing(thing) };
    const leases = await Leases.open(disk, ports.clock, keeper);
    this.#leases = leases;
    const kept = new Set(leases.list().map((thing) => partFile(disk, thing)));
    await disk.makeDirectory(ingestOf(disk), 0o700);
    for (const name of await disk.list(ingestOf(disk))) {
      const path = `${ingestOf(disk)}/${name}` as HostPath;
      if (!kept.has(path)) await disk.remove(path);
    }
  }

  get #lease(): Leases {
    assert(this.#leases !== null, "the images are open");
    return this.#leases;
  }

  /** What keeps a thing: an image, a container, nobody. */
  #need(thing: Thing): "owned" | "used" | "nobody" {
    const [kind, digest] = partsOf(thing);
    switch (kind) {
      case "part":
        return "nobody";
      case "blob":
        return this.#table.usesBlob(digest) ? "owned" : "nobody";
      case "layer":
        if (this.#table.layer(digest as DiffId) !== null) return "owned";
        return this.#users().some(({ layers }) => layers.includes(digest as DiffId)) ? "used" : "nobody";
    }
  }

  async #removeThing(thing: Thing): Promise<void> {
    const [kind, digest] = partsOf(thing);
    switch (kind) {
      case "part":
        return this.#dependencies.disk.remove(partFile(this.#dependencies.disk, thing));
      case "blob":
        return this.#table.layout.blobs.remove(digest);
      case "layer":
        return this.#layers.remove(digest as DiffId);
    }
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

  async *load(
    tar: ByteStream,
    options: { readonly platform?: Platform | null } = {},
  ): AsyncGenerator<LoadedImage, void, undefined> {
    const intake = this.intake();
    try {
      const { images, artifacts } = await stored(() => this.#read(tar, intake, options.platform ?? null));
      for (const archived of images) {
        const taken = this.#taken(archived);
        const image = await stored(() => this.#admit(archived, intake));
        this.#emit("load", image.id, image.id);
        yield { image, names: archived.names.map(familiarOf), taken };
      }
      await stored(() => this.#keep(artifacts, intake));
    } finally {
      await intake.close();
    }
  }

  #read(tar: ByteStream, intake: Intake, platform: Platform | null): Promise<ArchiveContents> {
    const { ports } = this.#dependencies;
    return readArchive(tar, {
      spool: new Spool(ports.hasher, (content, claimed) => intake.file(content, claimed)),
      hasher: ports.hasher,
      inflate: ports.inflate,
      platform: platform ?? this.#machinePlatform(),
      stored: (digest) => this.document(digest, `blob ${digest}`),
    });
  }

  #machinePlatform(): Wanted {
    return this.#dependencies.platform ?? platformOf("amd64", undefined);
  }

  /** Names that other images have now, and will lose. */
  #taken({ names, configDigest }: ArchivedImage): TakenName[] {
    return names.flatMap((name) => {
      const from = this.#table.nameHolder(name);
      return from === null || from === configDigest ? [] : [{ name: familiarOf(name), from }];
    });
  }

  /** All of an image becomes part of the store, or nothing of it. */
  async #admit(archived: ArchivedImage, intake: Intake): Promise<Image> {
    const { manifest, manifestBytes, configDigest, configBytes, names, index } = archived;
    for (const layer of archived.layers) await putFile(intake, layer);
    await intake.put(configDigest, configBytes);
    await intake.put(manifest.digest, manifestBytes);
    if (index !== null) await intake.put(index.digest, index.bytes);
    return this.#table.detail(await intake.commit({ manifest, index: index?.digest ?? null, names }));
  }

  async #keep(artifacts: readonly ArchivedArtifact[], intake: Intake): Promise<void> {
    for (const { entry, files } of artifacts) {
      for (const file of files) await putFile(intake, file);
      await this.#changes.run(async () => this.#table.addArtifact(await this.#table.layout.artifact(entry)));
    }
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
      const image = await stored(() => importImage(tar, { ...options, name, platform }, { ports, intake }));
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
    return this.#changes.run(() => stored(() => this.#prune(options)));
  }

  async #prune({ dangling, accepts }: PruneOptions): Promise<Pruned> {
    const before = usageOf(this.#table.list()).layersSize;
    const removed: RemovedImage[] = [];
    for (const image of this.#table.list()) {
      const isNamed = image.names.length + image.digests.length > 0;
      const isUsed = this.#users().some((user) => user.image === image.id);
      if ((dangling && isNamed) || isUsed || !accepts(listed(image))) continue;
      const untagged = [...image.names, ...image.digests];
      for (const _ of untagged) this.#emit("untag", image.id, image.id);
      removed.push(...untagged.map((name) => ({ untagged: familiarOf(name) })), ...(await this.#delete(image)));
    }
    await this.#lease.disown(await superfluousThings(this.#checkParts()));
    await this.#lease.collect(true);
    await this.#table.removeStrayRecords();
    return { removed, reclaimedBytes: before - usageOf(this.#table.list()).layersSize };
  }

  tag(ref: string, name: string): Promise<void> {
    return this.#changes.run(async () => {
      const image = this.#table.find(ref);
      const full = tagOf(name);
      await stored(() => this.#table.add({ ...image, names: [formatReference(full)], digests: [] }));
      this.#emit("tag", image.id, formatFamiliar(full));
    });
  }

  remove(ref: string, options: { force: boolean; prune: boolean }): Promise<RemovedImage[]> {
    return this.#changes.run(() => stored(() => this.#remove(ref, options.force)));
  }

  async #remove(ref: string, force: boolean): Promise<RemovedImage[]> {
    const found = this.#table.find(ref);
    const { id } = found;
    const users = this.#users().filter(({ image }) => image === id);
    const removal = planRemoval(found, ref, users, force);
    if (!removal.delete) await this.#table.untag(id, new Set(removal.untag));
    for (const _ of removal.untag) this.#emit("untag", id, id);
    const untagged = removal.untag.map((name) => ({ untagged: familiarOf(name) }));
    return removal.delete ? [...untagged, ...(await this.#delete(found))] : untagged;
  }

  /** The image and those of its layers that nobody else needs, as Docker lists them: by chain id, from the top. */
  async #delete(stored: StoredImage): Promise<RemovedImage[]> {
    const layers = layersOf(stored.summary);
    const things = [
      ...blobsOf(stored).map((digest) => thing("blob", digest)),
      ...layers.map((diffId) => thing("layer", diffId)),
    ];
    await this.#lease.disown(things);
    await this.#table.remove(stored);
    await this.#lease.collect();
    this.#emit("delete", stored.id, stored.id);
    const used = this.#users().map((user) => pack(user.layers));
    const others = [...this.#table.list().map(({ summary }) => summary.layers), ...used];
    const gone = chainIds(this.#dependencies.ports.hasher, layers).slice(sharedLayers(stored, others)).toReversed();
    return [{ deleted: stored.id }, ...gone.map((id) => ({ deleted: id }))];
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

function partFile(disk: Disk, thing: Thing): HostPath {
  const [, digest] = partsOf(thing);
  return `${ingestOf(disk)}/${hexOf(digest)}.part` as HostPath;
}

async function putFile(intake: Intake, { digest, place }: Spooled): Promise<void> {
  if (place !== "stored") await intake.put(digest, place);
}

/** What the machine refused, in words of its user. */
async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    const { errno, path } = thrown;
    throw new TsboxError("failed", `cannot store the image: ${thrown.message}`, { errno, path }, { cause: thrown });
  }
}
