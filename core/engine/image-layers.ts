/**
 * The unpacked layers of images. A layer is in use while an image has it or a container stands on it.
 * Those of which that is not certain are listed in <data root>/image/unowned.json *before* they are
 * made or lose their image, so that neither a crash nor a container that outlives its image leaves
 * one behind for ever: `collect` goes through the list.
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, decodeBytes, encodeText, hex } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Hasher } from "../base/ports.ts";
import type { DiffId } from "../image/digest.ts";
import { changesOfTar } from "../image/layer.ts";
import type { Change } from "../unionfs/change.ts";
import type { Disk, Layers } from "./machine.ts";

export class ImageLayers {
  readonly #disk: Disk;
  readonly #layers: Layers;
  readonly #hasher: Hasher;
  #unowned: ReadonlySet<DiffId>;

  private constructor(disk: Disk, layers: Layers, hasher: Hasher, unowned: ReadonlySet<DiffId>) {
    this.#disk = disk;
    this.#layers = layers;
    this.#hasher = hasher;
    this.#unowned = unowned;
  }

  static async open(disk: Disk, layers: Layers, hasher: Hasher): Promise<ImageLayers> {
    const file = fileOf(disk);
    const known = (await disk.stat(file)) === null ? [] : (JSON.parse(decodeBytes(await disk.read(file))) as DiffId[]);
    return new ImageLayers(disk, layers, hasher, new Set(known));
  }

  /** To be called before layers are made, and before their image goes. */
  async disown(layers: Iterable<DiffId>): Promise<void> {
    await this.#save(new Set([...this.#unowned, ...layers]));
  }

  /** Removes the listed layers that nobody needs; those of images leave the list. */
  async collect(ofImages: ReadonlySet<DiffId>, ofContainers: ReadonlySet<DiffId>): Promise<void> {
    const rest = new Set<DiffId>();
    for (const layer of this.#unowned) {
      if (ofImages.has(layer)) continue;
      if (ofContainers.has(layer)) rest.add(layer);
      else await this.#layers.remove(layer);
    }
    await this.#save(rest);
  }

  get isTidy(): boolean {
    return this.#unowned.size === 0;
  }

  /**
   * Unpacks a layer's uncompressed tar, or only checks it when the layer is there already. Returns
   * the bytes of its files. `verify`: the tar's digest is not known yet to be the diff id.
   * Throws TsboxError "corrupt" naming the layer; then nothing of it is left.
   */
  async make(layer: DiffId, tar: ByteStream, verify: boolean): Promise<number> {
    const what = `layer ${layer}`;
    const counter = { bytes: 0 };
    const changes = counted(changesOfTar(verify ? this.#verified(tar, layer, what) : tar, what), counter);
    if (!(await this.#layers.has(layer))) await this.#layers.apply(layer, changes);
    else for await (const _ of changes);
    return counter.bytes;
  }

  async *#verified(tar: ByteStream, layer: DiffId, what: string): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = this.#hasher.sha256();
    for await (const chunk of tar) {
      hash.update(chunk);
      yield chunk;
    }
    const found = `sha256:${hex(hash.digest())}`;
    if (found !== layer)
      throw new TsboxError("corrupt", `${what}: its uncompressed content has the digest ${found}`, {
        expected: layer,
        found,
      });
  }

  async #save(unowned: ReadonlySet<DiffId>): Promise<void> {
    const isSame = unowned.size === this.#unowned.size && [...unowned].every((layer) => this.#unowned.has(layer));
    if (isSame) return;
    await this.#disk.writeAtomically(fileOf(this.#disk), encodeText(JSON.stringify([...unowned])));
    this.#unowned = unowned;
  }
}

function fileOf(disk: Disk): HostPath {
  return `${disk.dataRoot}/image/unowned.json` as HostPath;
}

async function* counted(
  changes: AsyncIterable<Change>,
  counter: { bytes: number },
): AsyncGenerator<Change, void, undefined> {
  for await (const change of changes) {
    if (change.kind === "file") counter.bytes += change.size;
    yield change;
  }
}
