/**
 * Push: an image of the store becomes what its name points at in a registry (I1). Layers that came
 * compressed go as they came, so an image that was pulled has the same digest wherever it is pushed;
 * layers made here are compressed on their way, always to the same bytes (image/deflate.ts).
 */
import type { HostPath } from "../base/brand.ts";
import { type ByteStream, hex } from "../base/bytes.ts";
import type { Ports } from "../base/ports.ts";
import { Checked } from "../image/checked.ts";
import { gzipped } from "../image/deflate.ts";
import { type Descriptor, mediaTypes } from "../image/descriptor.ts";
import { type Digest, hexOf } from "../image/digest.ts";
import { blobsOf, type StoredImage } from "../image/layout.ts";
import { formatManifest, parseManifest } from "../image/manifest.ts";
import { formatFamiliar, formatReference, parseReference, type Reference } from "../image/reference.ts";
import type { Asker, RegistryClient } from "../image/registry/client.ts";
import type { OutgoingBlob, Repository } from "../image/registry/repository.ts";
import { uploadBlob } from "../image/registry/upload.ts";
import { layersOf } from "../image/summary.ts";
import type { Intake } from "./image-intake.ts";
import type { ImageStore } from "./image-store.ts";
import type { Disk } from "./machine.ts";
import { inParallel, paced, shortDigest, type Transfer } from "./transfer.ts";

export interface PushParts {
  readonly images: ImageStore;
  readonly client: RegistryClient;
  readonly disk: Disk;
  readonly ports: Ports;
  readonly tell: (transfer: Transfer) => void;
  readonly pushed: (name: string) => void;
}

/** A blob and the layer it is, bottom first. */
interface OutgoingLayer {
  readonly id: string;
  readonly descriptor: Descriptor;
  readonly blob: OutgoingBlob;
}

interface Outgoing {
  readonly manifest: Uint8Array;
  readonly mediaType: string;
  readonly config: OutgoingBlob;
  readonly layers: readonly OutgoingLayer[];
}

export class Push {
  readonly #parts: PushParts;
  readonly #asker: Asker;

  constructor(parts: PushParts, asker: Asker) {
    this.#parts = parts;
    this.#asker = asker;
  }

  /** References of one repository, each with a tag. */
  async run(references: readonly Reference[]): Promise<void> {
    const { client } = this.#parts;
    for (const reference of references) {
      const { domain, path } = reference;
      const stored = await this.#parts.images.stored(formatReference(reference));
      await this.#prepared(stored, async (outgoing, held) => {
        const digest = await client.atHome(domain, this.#asker, (connection) =>
          this.#send(client.repository(connection, path, "pull", "push"), reference, stored, outgoing),
        );
        const digests = [formatReference({ ...reference, tag: null, digest })];
        await held.commit({ manifest: stored.manifest, index: stored.index, names: [], digests });
        this.#parts.pushed(formatFamiliar(reference));
      });
    }
  }

  async #send(
    repository: Repository,
    reference: Reference,
    stored: StoredImage,
    { manifest, mediaType, config, layers }: Outgoing,
  ): Promise<Digest> {
    const { tell, client } = this.#parts;
    const mountFrom = kinOf(stored, reference);
    await inParallel(layers, client.config.uploadsMax, (layer) => this.#layer(repository, layer, mountFrom));
    await uploadBlob(repository, config, { mountFrom: [], onProgress: () => {} });
    const tag = reference.tag ?? "latest";
    const digest = await repository.putManifest(tag, manifest, mediaType);
    tell({ kind: "status", status: `${tag}: digest: ${digest} size: ${manifest.length}` });
    tell({ kind: "pushed", tag, digest, size: manifest.length });
    return digest;
  }

  async #layer(repository: Repository, { id, blob }: OutgoingLayer, mountFrom: readonly string[]): Promise<void> {
    const { tell } = this.#parts;
    const total = blob.size;
    const onProgress = paced(total, (current) =>
      tell({ kind: "layer", id, status: "Pushing", bytes: { current, total } }),
    );
    const brought = await uploadBlob(repository, blob, { mountFrom, onProgress });
    const status = {
      exists: "Layer already exists",
      mounted: `Mounted from ${mountFrom[0] ?? ""}`,
      uploaded: "Pushed",
    }[brought];
    tell({ kind: "layer", id, status });
  }

  /** Hands over what is to be sent, and holds it meanwhile; files that were made for it go away afterwards. */
  async #prepared(stored: StoredImage, send: (outgoing: Outgoing, held: Intake) => Promise<void>): Promise<void> {
    const { disk, ports, images } = this.#parts;
    const directory = `${pushesOf(disk)}/${hex(ports.random.bytes(8))}` as HostPath;
    const held = images.intake();
    await disk.makeDirectory(directory, 0o700);
    try {
      for (const digest of blobsOf(stored)) await held.has(digest);
      await send(await this.#prepare(stored, directory), held);
    } finally {
      await held.close();
      await disk.remove(directory);
    }
  }

  async #prepare({ manifest: descriptor, summary }: StoredImage, directory: HostPath): Promise<Outgoing> {
    const { images, tell } = this.#parts;
    const what = `manifest ${descriptor.digest}`;
    const bytes = await images.document(descriptor.digest, what);
    const manifest = parseManifest(bytes, what);
    const diffIds = layersOf(summary);
    const layers: OutgoingLayer[] = [];
    for (const [at, layer] of manifest.layers.entries()) {
      const id = shortDigest(diffIds[at] ?? layer.digest);
      tell({ kind: "layer", id, status: "Preparing" });
      layers.push({ id, ...(await this.#outgoing(layer, layer.digest === diffIds[at], directory)) });
    }
    const config = this.#stored(manifest.config);
    const isSame = layers.every((layer, at) => layer.descriptor.digest === manifest.layers[at]?.digest);
    if (isSame) return { manifest: bytes, mediaType: descriptor.mediaType, config, layers };
    const made = formatManifest({ ...manifest, layers: layers.map((layer) => layer.descriptor) });
    return { manifest: made, mediaType: mediaTypes.manifest, config, layers };
  }

  /** A layer as it goes out: a plain tar is compressed. */
  async #outgoing(layer: Descriptor, isPlain: boolean, directory: HostPath): Promise<Omit<OutgoingLayer, "id">> {
    if (!isPlain) return { descriptor: layer, blob: this.#stored(layer) };
    const { disk, ports, images } = this.#parts;
    const path = `${directory}/${hexOf(layer.digest)}` as HostPath;
    const checked = new Checked(gzipped(images.blob(layer.digest)), ports.hasher);
    await disk.writeStream(path, checked);
    const [digest, size] = [checked.digest(), checked.size];
    const blob = { digest, size, open: (offset: number): ByteStream => disk.stream(path, offset) };
    return { descriptor: { mediaType: mediaTypes.layerGzip, digest, size }, blob };
  }

  #stored({ digest, size }: Descriptor): OutgoingBlob {
    return { digest, size, open: (offset) => this.#parts.images.blob(digest, offset) };
  }
}

/** Where layers are compressed for a push; what an engine that was killed left there is nobody's. */
export function pushesOf(disk: Pick<Disk, "dataRoot">): HostPath {
  return `${disk.dataRoot}/tmp/push` as HostPath;
}

/** Repositories of the same registry that are known to have the image's blobs. */
function kinOf({ digests }: StoredImage, { domain, path }: Reference): string[] {
  const others = digests.map((digest) => parseReference(digest));
  return others.filter((other) => other.domain === domain && other.path !== path).map((other) => other.path);
}
