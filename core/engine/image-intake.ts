/**
 * The way into the store, for load, import and pull: documents and layers come in, each checked by
 * its digest; `commit` makes an image of them, all of it or nothing. What came is held until the
 * intake is closed. A layer is read once: written, hashed, decompressed and unpacked as it comes.
 *
 *   <data root>/image/ingest/<hex>.part    a layer that is coming; kept for a second try when asked for
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, hex } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { Checked } from "../image/checked.ts";
import { type ImageConfig, parseConfig } from "../image/config.ts";
import { bare, corrupt, type Descriptor } from "../image/descriptor.ts";
import { type DiffId, type Digest, digestOf, hexOf, type ImageId } from "../image/digest.ts";
import { blobsOf, type StoredImage } from "../image/layout.ts";
import { type Manifest, parseManifest } from "../image/manifest.ts";
import type { ImageTable } from "../image/store.ts";
import { summarise } from "../image/summary.ts";
import type { ImageLayers, Unpacked } from "./image-layers.ts";
import { type Leases, type Thing, thing } from "./leases.ts";
import type { Disk } from "./machine.ts";
import type { Serial } from "./serial.ts";

/** Overlayfs stacks 500 lower directories; the init layer is one of them. */
export const layersMax = 499;

export interface Commit {
  readonly manifest: Descriptor;
  /** The index for several platforms it was chosen from, which was put in as well. */
  readonly index?: Digest | null;
  /** Full names. */
  readonly names: readonly string[];
  /** Full names with a digest. */
  readonly digests?: readonly string[];
}

/** What came, by its bytes. */
export interface Received {
  readonly digest: Digest;
  readonly size: number;
  readonly head: Uint8Array;
}

export interface IntakeParts {
  readonly disk: Disk;
  readonly ports: Ports;
  readonly table: ImageTable;
  readonly layers: ImageLayers;
  readonly leases: Leases;
  readonly changes: Serial;
  /** Removes what nobody needs; inside a change. */
  readonly collect: () => Promise<void>;
}

export class Intake {
  readonly #parts: IntakeParts;
  readonly #keepSeconds: number;
  readonly #held: Thing[] = [];
  /** Layers by the blobs they came in: proved to belong together. */
  readonly #unpacked = new Map<Digest, Unpacked>();
  readonly #places = new Map<Digest, HostPath>();

  constructor(parts: IntakeParts, keepSeconds: number) {
    this.#parts = parts;
    this.#keepSeconds = keepSeconds;
  }

  /** Whether the blob is here; then it stays until the intake is closed. */
  has(digest: Digest): Promise<boolean> {
    this.#hold(thing("blob", digest));
    return this.#parts.table.layout.blobs.has(digest);
  }

  /** Takes a document in. Throws TsboxError "corrupt" when it is another one. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    const found = digestOf(this.#parts.ports.hasher, bytes);
    if (found !== digest) throw corrupt(`blob ${digest}: its content has the digest ${found}`);
    if (await this.has(digest)) return;
    await this.#parts.leases.disown([thing("blob", digest)], this.#keepSeconds);
    await this.#parts.table.layout.blobs.put(digest, bytes);
  }

  /** How many bytes of the blob an earlier try left here. */
  async partial(digest: Digest): Promise<number> {
    return (await this.#parts.disk.stat(this.#partOf(digest)))?.size ?? 0;
  }

  /**
   * Takes a layer in: its bytes from `partial` on. Without a diff id it is only stored. Throws TsboxError "corrupt"
   * when bytes or content are not those promised; what the stream itself throws leaves the bytes so far for the next try.
   */
  async layer({ digest, size }: Descriptor, diffId: DiffId | null, bytes: ByteStream): Promise<void> {
    const begun = await this.partial(digest);
    await this.#parts.leases.disown([thing("part", digest)], this.#keepSeconds);
    const path = this.#partOf(digest);
    const rest = bounded(bytes, size - begun, digest);
    const { blob, unpacked, problem } = await this.#stream(rest, path, begun, diffId);
    if (blob.size < size) throw new TsboxError("unavailable", `blob ${digest}: ${blob.size} of ${size} bytes came`);
    const wrong =
      blob.digest() === digest ? problem : corrupt(`blob ${digest}: its content has the digest ${blob.digest()}`);
    if (wrong !== null) {
      await this.#parts.disk.remove(path);
      throw wrong;
    }
    await this.#adopt(digest, path, unpacked);
  }

  /**
   * Takes in a file of an archive that may be a layer, and unpacks it if it is one. `claimed`: the digest its name
   * promises; such a one that is here already is only checked.
   */
  async file(bytes: ByteStream, claimed: Digest | null): Promise<Received> {
    const { disk, ports } = this.#parts;
    if (claimed !== null && (await this.has(claimed))) {
      const known = new Checked(bytes, ports.hasher);
      await drained(known);
      return { digest: known.digest(), size: known.size, head: known.head };
    }
    const path = this.#part(hex(ports.random.bytes(8)));
    try {
      const { blob, unpacked } = await this.#stream(bytes, path, 0, "any");
      await this.#adopt(blob.digest(), path, unpacked);
      return { digest: blob.digest(), size: blob.size, head: blob.head };
    } finally {
      await disk.remove(path);
    }
  }

  /**
   * One pass: the bytes are added to the file, hashed behind the `begun` ones that are there, and unpacked. That they
   * are no layer is told by `problem`; what the disk or the stream refuses ends the pass.
   */
  async #stream(
    bytes: ByteStream,
    path: HostPath,
    begun: number,
    expected: DiffId | "any" | null,
  ): Promise<{ blob: Checked; unpacked: Unpacked | null; problem: TsboxError | null }> {
    const { disk, ports } = this.#parts;
    const fresh = disk.append(path, bytes);
    const source = new Source(begun === 0 ? fresh : joined(disk.stream(path, 0, begun), fresh));
    const blob = new Checked(source.unclosed, ports.hasher);
    try {
      const outcome = await this.#unpackAll(blob, path, expected);
      source.throwFailure();
      return { blob, ...outcome };
    } finally {
      await source.close();
    }
  }

  async #unpackAll(
    blob: Checked,
    file: HostPath,
    expected: DiffId | "any" | null,
  ): Promise<{ unpacked: Unpacked | null; problem: TsboxError | null }> {
    let unpacked: Unpacked | null = null;
    let problem: TsboxError | null = null;
    try {
      if (expected !== null) unpacked = await this.#unpack(blob, file, expected === "any" ? null : expected);
    } catch (thrown) {
      if (!isContentProblem(thrown)) throw thrown;
      problem = thrown;
    }
    await drained(blob);
    return { unpacked, problem };
  }

  #unpack(blob: Checked, file: HostPath, expected: DiffId | null): Promise<Unpacked> {
    if (expected !== null) this.#hold(thing("layer", expected));
    const before = (diffId: DiffId): Promise<void> => {
      this.#hold(thing("layer", diffId));
      return this.#parts.leases.disown([thing("layer", diffId)], this.#keepSeconds);
    };
    return this.#parts.layers.unpack(blob, { file, expected, before });
  }

  async #adopt(digest: Digest, path: HostPath, unpacked: Unpacked | null): Promise<void> {
    this.#hold(thing("blob", digest));
    await this.#parts.leases.disown([thing("blob", digest)], this.#keepSeconds);
    await this.#parts.table.layout.blobs.adopt(digest, path);
    if (unpacked !== null) this.#unpacked.set(digest, unpacked);
  }

  /**
   * Makes an image of what is in. Throws TsboxError "corrupt" naming the document or layer that is wrong or missing,
   * "unsupported" for a manifest that is no image's.
   */
  commit({ manifest: descriptor, index = null, names, digests = [] }: Commit): Promise<StoredImage> {
    const { table, changes } = this.#parts;
    return changes.run(async () => {
      const what = `manifest ${descriptor.digest}`;
      const { blobs } = table.layout;
      const manifest = parseManifest(await blobs.document(descriptor.digest, what), what);
      const id = manifest.config.digest as ImageId;
      const config = parseConfig(await blobs.document(id, `configuration ${id}`), `configuration ${id}`);
      const sizes = await this.#layerSizes(manifest, config);
      const summary = summarise(manifest, config, sizes);
      const known = table.byId(id);
      // It may now be kept as it comes from here, and then what it came in before is rubbish.
      if (known !== null && known.manifest.digest !== descriptor.digest)
        await this.#parts.leases.disown(blobsOf(known).map((digest) => thing("blob", digest)));
      return table.add({ id, manifest: bare(descriptor), index, names, digests, summary });
    });
  }

  async #layerSizes({ layers, config: { digest } }: Manifest, { diffIds }: ImageConfig): Promise<number[]> {
    if (diffIds.length !== layers.length)
      throw corrupt(
        `configuration ${digest}: rootfs has ${diffIds.length} layers, the image comes with ${layers.length}`,
      );
    if (layers.length > layersMax)
      throw new TsboxError(
        "unsupported",
        `image ${digest} has ${layers.length} layers; at most ${layersMax} can be stacked: ` +
          "build it with fewer steps, or squash it",
      );
    const sizes: number[] = [];
    for (const [number, diffId] of diffIds.entries()) {
      const layer = layers[number];
      if (layer !== undefined) sizes.push(await this.#layerSize(layer.digest, diffId));
    }
    return sizes;
  }

  /** Unpacks the layer unless it was. */
  async #layerSize(blob: Digest, diffId: DiffId): Promise<number> {
    const { table, layers, ports } = this.#parts;
    this.#hold(thing("layer", diffId));
    const known = table.layer(diffId);
    if (known?.blob === blob && (await layers.has(diffId))) return known.size;
    const unpacked = this.#unpacked.get(blob);
    if (unpacked?.diffId === diffId) return unpacked.size;
    if (!(await this.has(blob))) throw corrupt(`layer ${diffId} is not here (blob ${blob})`);
    const { blobs } = table.layout;
    return (await this.#unpack(new Checked(blobs.stream(blob), ports.hasher), blobs.path(blob), diffId)).size;
  }

  /** What no image needs goes, or is kept for so long as the intake was opened for. */
  async close(): Promise<void> {
    const { leases, changes, collect } = this.#parts;
    for (const thing of this.#held.splice(0)) leases.release(thing);
    if (!leases.isTidy) await changes.run(collect);
  }

  #hold(thing: Thing): void {
    this.#parts.leases.hold(thing);
    this.#held.push(thing);
  }

  /** Where the blob comes in. Of two that fetch the same one the second has a place of its own. */
  #partOf(digest: Digest): HostPath {
    const known = this.#places.get(digest);
    if (known !== undefined) return known;
    const { leases, ports } = this.#parts;
    const isTaken = leases.isHeld(thing("part", digest));
    const place = this.#part(isTaken ? hex(ports.random.bytes(8)) : hexOf(digest));
    if (!isTaken) this.#hold(thing("part", digest));
    this.#places.set(digest, place);
    return place;
  }

  #part(name: string): HostPath {
    return `${ingestOf(this.#parts.disk)}/${name}.part` as HostPath;
  }
}

/** A stream that several read one after the other: whoever stops early leaves the rest to the next. */
class Source {
  readonly #bytes: AsyncIterator<Uint8Array>;
  #failure: { readonly thrown: unknown } | null = null;
  readonly unclosed: ByteStream = { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) };

  constructor(bytes: ByteStream) {
    this.#bytes = bytes[Symbol.asyncIterator]();
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await this.#bytes.next();
    } catch (thrown) {
      this.#failure ??= { thrown };
      throw thrown;
    }
  }

  /** Throws what the stream failed with, whatever its readers made of it. */
  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.thrown;
  }

  async close(): Promise<void> {
    await this.#bytes.return?.();
  }
}

export function ingestOf(disk: Disk): HostPath {
  return `${disk.dataRoot}/image/ingest` as HostPath;
}

function isContentProblem(thrown: unknown): thrown is TsboxError {
  return thrown instanceof TsboxError && (thrown.code === "corrupt" || thrown.code === "unsupported");
}

async function drained(stream: ByteStream): Promise<void> {
  for await (const _ of stream);
}

async function* joined(...streams: ByteStream[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const stream of streams) yield* stream;
}

/** More bytes than were promised are not stored. */
async function* bounded(bytes: ByteStream, limit: number, digest: Digest): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) throw corrupt(`blob ${digest}: more bytes came than the ${limit} that were to come`);
    yield chunk;
  }
}
