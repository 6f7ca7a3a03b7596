/** The images of the machine: load, find, tag, remove, in Docker's words (moby: daemon/images). */
import { assert } from "../base/assert.ts";
import type { ContainerId, HostPath } from "../base/brand.ts";
import { type ByteStream, hex } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { type ArchivedImage, readArchive } from "../image/archive.ts";
import { compressionOf, decompressed } from "../image/compression.ts";
import { chainIds, type DiffId, type ImageId } from "../image/digest.ts";
import type { Image, RemovedImage } from "../image/image.ts";
import { type StoredImage, storedImage, withNames } from "../image/layout.ts";
import { parseManifest } from "../image/manifest.ts";
import {
  defaultTag,
  familiarName,
  formatFamiliar,
  formatReference,
  parseReference,
  withDefaultTag,
} from "../image/reference.ts";
import { Spool } from "../image/spool.ts";
import { ImageTable } from "../image/store.ts";
import type { Images, LoadedImage } from "./engine.ts";
import { ImageLayers } from "./image-layers.ts";
import { planRemoval } from "./image-removal.ts";
import type { Disk, Layers } from "./machine.ts";
import { Serial } from "./serial.ts";

export interface ImagesDependencies {
  readonly disk: Disk;
  readonly layers: Layers;
  readonly ports: Ports;
  /** The architecture to take out of an image for several; "amd64" if not given. */
  readonly architecture?: string;
  /** The tar of an image that comes with tsbox, null for other names; such a one is loaded at its first `resolve`. */
  readonly embedded?: (name: string) => ByteStream | null;
  /** The containers there are, running or not. */
  readonly users?: () => readonly ImageUser[];
  /** Told after the fact: "load", "tag", "untag", "delete"; `name` as Docker's event has it. */
  readonly emit?: (action: ImageAction, id: ImageId, name: string) => void;
}

export type ImageAction = "load" | "tag" | "untag" | "delete";

/** A container, as far as it keeps an image from being removed. */
export interface ImageUser {
  readonly id: ContainerId;
  readonly image: ImageId;
  readonly layers: readonly DiffId[];
  readonly running: boolean;
}

export interface ImageStore extends Images {
  /** As `get`, and an image that comes with tsbox is loaded when its name is not there. */
  resolve(ref: string): Promise<Image>;
  /** Removes the layers that only a container held on to; to be called when one was removed. Cheap when there are none. */
  collect(): Promise<void>;
}

/** Opens the images under the data root; what an unfinished load left behind goes away. */
export async function openImages(dependencies: ImagesDependencies): Promise<ImageStore> {
  const { disk, layers, ports } = dependencies;
  await disk.remove(spoolsOf(disk));
  const table = await ImageTable.open(disk);
  return new LocalImages(dependencies, table, await ImageLayers.open(disk, layers, ports.hasher));
}

/** Loads spool here, each in a directory of its own. */
function spoolsOf(disk: Disk): HostPath {
  return `${disk.dataRoot}/tmp/load` as HostPath;
}

class LocalImages implements ImageStore {
  readonly #dependencies: ImagesDependencies;
  readonly #table: ImageTable;
  readonly #layers: ImageLayers;
  /** Archives are read side by side; what changes the store happens one after the other. */
  readonly #changes = new Serial();

  constructor(dependencies: ImagesDependencies, table: ImageTable, layers: ImageLayers) {
    this.#dependencies = dependencies;
    this.#table = table;
    this.#layers = layers;
  }

  list(): Promise<Image[]> {
    return Promise.resolve(this.#table.list().map(({ image }) => image));
  }

  async get(ref: string): Promise<Image> {
    return this.#table.find(ref).image;
  }

  async resolve(ref: string): Promise<Image> {
    try {
      return this.#table.find(ref).image;
    } catch (thrown) {
      const tar = isNotFound(thrown) ? this.#embedded(ref) : null;
      if (tar === null) throw thrown;
      for await (const _ of this.load(tar));
      return this.#table.find(ref).image;
    }
  }

  #embedded(ref: string): ByteStream | null {
    const { tag, digest, ...name } = parseReference(ref);
    const isLatest = digest === null && (tag === null || tag === defaultTag);
    return isLatest ? (this.#dependencies.embedded?.(familiarName({ ...name, tag, digest })) ?? null) : null;
  }

  async *load(tar: ByteStream): AsyncGenerator<LoadedImage, void, undefined> {
    const { disk, ports } = this.#dependencies;
    const directory = `${spoolsOf(disk)}/${hex(ports.random.bytes(8))}` as HostPath;
    await stored(() => disk.makeDirectory(directory, 0o700));
    try {
      for (const archived of await stored(() => this.#read(tar, directory))) {
        const { image } = await this.#changes.run(() => stored(() => this.#admit(archived)));
        this.#emit("load", image.id, image.id);
        yield { image, names: archived.names.map(familiar) };
      }
    } finally {
      await disk.remove(directory);
    }
  }

  #read(tar: ByteStream, directory: HostPath): Promise<ArchivedImage[]> {
    const { disk, ports, architecture = "amd64" } = this.#dependencies;
    const { layout } = this.#table;
    return readArchive(tar, {
      spool: new Spool(directory, disk, ports.hasher, (digest) => layout.has(digest)),
      hasher: ports.hasher,
      inflate: ports.inflate,
      platform: { os: "linux", architecture, variant: "" },
      stored: (digest) => disk.read(layout.path(digest)),
    });
  }

  /** All of an image becomes part of the store, or nothing of it. */
  async #admit(archived: ArchivedImage): Promise<StoredImage> {
    const { layout } = this.#table;
    const { manifest, manifestBytes, configBytes, names } = archived;
    const blobs = [manifest.digest, archived.configDigest, ...archived.layers.map(({ digest }) => digest)];
    try {
      for (const layer of archived.layers) await layout.take(layer);
      await this.#layers.disown(archived.config.diffIds);
      const layerSizes: number[] = [];
      for (const number of archived.layers.keys()) layerSizes.push(await this.#unpack(archived, number));
      await layout.write(archived.configDigest, configBytes);
      await layout.write(manifest.digest, manifestBytes);
      const parsed = parseManifest(manifestBytes, `manifest ${manifest.digest}`);
      const image = { descriptor: manifest, manifest: parsed, config: configBytes, names, layerSizes };
      return await this.#table.add(storedImage(image));
    } finally {
      // After a success there may be blobs too much as well: those of an image that came in another shape before.
      await this.#table.dropBlobs(blobs);
      await this.#collect();
    }
  }

  /** Returns the bytes of the layer's files. */
  async #unpack({ config, layers }: ArchivedImage, number: number): Promise<number> {
    const layer = layers[number];
    const diffId = config.diffIds[number];
    assert(layer !== undefined && diffId !== undefined, "an archived image has a layer for each diff id");
    const known = this.#table.layer(diffId);
    if (known?.blob === layer.digest) return known.size;
    const { disk, ports } = this.#dependencies;
    const what = `layer ${diffId}`;
    const isCompressed = compressionOf(layer.head, what) !== null;
    const bytes = disk.stream(this.#table.layout.path(layer.digest));
    return this.#layers.make(diffId, decompressed(bytes, ports.inflate, what), isCompressed);
  }

  collect(): Promise<void> {
    return this.#layers.isTidy ? Promise.resolve() : this.#changes.run(() => this.#collect());
  }

  #collect(): Promise<void> {
    return this.#layers.collect(this.#table.layers(), new Set(this.#users().flatMap(({ layers }) => layers)));
  }

  tag(ref: string, name: string): Promise<void> {
    return this.#changes.run(async () => {
      const image = this.#table.find(ref);
      const target = parseReference(name);
      if (target.digest !== null) throw new TsboxError("invalid", "refusing to create a tag with a digest reference");
      if (familiarName(target) === "sha256")
        throw new TsboxError("invalid", "refusing to create an ambiguous tag using digest algorithm as name");
      const full = withDefaultTag(target);
      await stored(() => this.#table.add(withNames(image, [formatReference(full)])));
      this.#emit("tag", image.image.id, formatFamiliar(full));
    });
  }

  remove(ref: string, options: { force: boolean; prune: boolean }): Promise<RemovedImage[]> {
    return this.#changes.run(() => stored(() => this.#remove(ref, options.force)));
  }

  async #remove(ref: string, force: boolean): Promise<RemovedImage[]> {
    const found = this.#table.find(ref);
    const users = this.#users().filter(({ image }) => image === found.image.id);
    const removal = planRemoval(found, ref, users, force);
    const { id } = found.image;
    await this.#table.untag(id, new Set(removal.untag));
    for (const _ of removal.untag) this.#emit("untag", id, id);
    const untagged = removal.untag.map((name) => ({ untagged: familiar(name) }));
    return removal.delete ? [...untagged, ...(await this.#delete(found))] : untagged;
  }

  /** The image and those of its layers that nobody else needs, as Docker lists them: by chain id, from the top. */
  async #delete({ image }: StoredImage): Promise<RemovedImage[]> {
    await this.#layers.disown(image.layers);
    await this.#table.remove(image.id);
    await this.#collect();
    this.#emit("delete", image.id, image.id);
    const chain = chainIds(this.#dependencies.ports.hasher, image.layers);
    const needed = this.#chainsInUse();
    const gone = chain.filter((id) => !needed.has(id)).toReversed();
    return [{ deleted: image.id }, ...gone.map((id) => ({ deleted: id }))];
  }

  #chainsInUse(): ReadonlySet<string> {
    const { hasher } = this.#dependencies.ports;
    const stacks = [
      ...this.#table.list().map(({ image }) => image.layers),
      ...this.#users().map((user) => user.layers),
    ];
    return new Set(stacks.flatMap((layers) => chainIds(hasher, layers)));
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

function familiar(name: string): string {
  return formatFamiliar(parseReference(name));
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
