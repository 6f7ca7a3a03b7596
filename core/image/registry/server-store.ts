/**
 * What a registry keeps, on any Disk: blobs once for all repositories, and in each repository which of
 * them it has, which are manifests, and what its tags point at.
 *
 *   blobs/sha256/<hex>                       bytes
 *   repositories/<name>/_blobs/<hex>         the repository has this blob
 *   repositories/<name>/_manifests/<hex>     the media type under which it was pushed
 *   repositories/<name>/_tags/<tag>          a digest
 *   repositories/<name>/_known               it has had a tag, if only once
 *   uploads/<id>.<n>                         parts of what is being uploaded
 *
 * A name cannot begin with "_", so a repository's own directories are never part of another's name.
 * A file gets its name when it is whole: a kill at any moment leaves a registry that works.
 */
import type { HostPath } from "../../base/brand.ts";
import { type ByteStream, decodeBytes, encodeText } from "../../base/bytes.ts";
import { asArray, asObject, parseJson } from "../descriptor.ts";
import { type Digest, hexOf, isDigest } from "../digest.ts";

/** What a registry needs of a Disk (engine/machine.ts). */
export interface RegistryDisk {
  read(path: HostPath): Promise<Uint8Array>;
  stream(path: HostPath, offset?: number, length?: number): ByteStream;
  writeAtomically(path: HostPath, bytes: Uint8Array): Promise<void>;
  writeStream(path: HostPath, bytes: ByteStream): Promise<void>;
  rename(from: HostPath, to: HostPath): Promise<void>;
  makeDirectory(path: HostPath): Promise<void>;
  list(path: HostPath): Promise<string[]>;
  stat(path: HostPath): Promise<{ readonly size: number } | null>;
  remove(path: HostPath): Promise<void>;
}

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export class RegistryStore {
  readonly disk: RegistryDisk;
  readonly #root: string;

  private constructor(disk: RegistryDisk, root: string) {
    this.disk = disk;
    this.#root = root;
  }

  /** Makes the directories; uploads of an earlier run are forgotten. */
  static async open(disk: RegistryDisk, root: string): Promise<RegistryStore> {
    const store = new RegistryStore(disk, root);
    await disk.remove(store.upload(""));
    for (const directory of ["blobs/sha256", "repositories", "uploads"])
      await disk.makeDirectory(store.#path(directory));
    return store;
  }

  /** Where an upload's parts go; "" is the directory of all. */
  upload(part: string): HostPath {
    return this.#path(`uploads${part === "" ? "" : `/${part}`}`);
  }

  /** Bytes of a blob that the repository has; null when it has it not. */
  async blobSize(repository: string, digest: Digest): Promise<number | null> {
    if ((await this.disk.stat(this.#mark(repository, "_blobs", hexOf(digest)))) === null) return null;
    return (await this.disk.stat(this.#blob(digest)))?.size ?? null;
  }

  blob(digest: Digest, offset = 0, length?: number): ByteStream {
    return this.disk.stream(this.#blob(digest), offset, length);
  }

  /** Takes a whole file over as a blob of the repository. */
  async takeBlob(repository: string, digest: Digest, file: HostPath): Promise<void> {
    if ((await this.disk.stat(this.#blob(digest))) === null) await this.disk.rename(file, this.#blob(digest));
    else await this.disk.remove(file);
    await this.linkBlob(repository, digest);
  }

  async linkBlob(repository: string, digest: Digest): Promise<void> {
    await this.#write(repository, "_blobs", hexOf(digest), "");
  }

  /** The bytes stay while another repository may need them: a registry of this kind is small or thrown away whole. */
  async unlinkBlob(repository: string, digest: Digest): Promise<void> {
    await this.disk.remove(this.#mark(repository, "_blobs", hexOf(digest)));
  }

  async manifest(repository: string, digest: Digest): Promise<StoredManifest | null> {
    const mark = this.#mark(repository, "_manifests", hexOf(digest));
    if ((await this.disk.stat(mark)) === null) return null;
    const mediaType = decodeBytes(await this.disk.read(mark));
    return { digest, mediaType, bytes: await this.disk.read(this.#blob(digest)) };
  }

  async putManifest(repository: string, { digest, mediaType, bytes }: StoredManifest): Promise<void> {
    if ((await this.disk.stat(this.#blob(digest))) === null) await this.disk.writeAtomically(this.#blob(digest), bytes);
    await this.#write(repository, "_manifests", hexOf(digest), mediaType);
  }

  /** With the tags that point at it. */
  async deleteManifest(repository: string, digest: Digest): Promise<void> {
    for (const tag of (await this.tags(repository)) ?? [])
      if ((await this.tag(repository, tag)) === digest) await this.deleteTag(repository, tag);
    await this.disk.remove(this.#mark(repository, "_manifests", hexOf(digest)));
  }

  async tag(repository: string, tag: string): Promise<Digest | null> {
    const mark = this.#mark(repository, "_tags", tag);
    if ((await this.disk.stat(mark)) === null) return null;
    const digest = decodeBytes(await this.disk.read(mark));
    return isDigest(digest) ? digest : null;
  }

  async setTag(repository: string, tag: string, digest: Digest): Promise<void> {
    await this.#write(repository, "_tags", tag, digest);
    await this.disk.writeAtomically(this.#known(repository), encodeText(""));
  }

  async deleteTag(repository: string, tag: string): Promise<void> {
    await this.disk.remove(this.#mark(repository, "_tags", tag));
  }

  /** Sorted; null when there is no such repository. */
  async tags(repository: string): Promise<string[] | null> {
    if ((await this.disk.stat(this.#known(repository))) === null) return null;
    return (await this.disk.list(this.#path(`repositories/${repository}/_tags`))).toSorted();
  }

  /** All repositories, in the order of their parts. */
  async repositories(): Promise<string[]> {
    const found: string[] = [];
    await this.#walk("", found);
    return found.toSorted((one, other) => (inParts(one) < inParts(other) ? -1 : 1));
  }

  async #walk(within: string, found: string[]): Promise<void> {
    const names = await this.disk.list(this.#path(`repositories/${within}`));
    if (names.some((name) => name.startsWith("_"))) found.push(within.slice(0, -1));
    for (const name of names) if (!name.startsWith("_")) await this.#walk(`${within}${name}/`, found);
  }

  /** The manifests of the repository that name `subject`, parsed. */
  async referrers(
    repository: string,
    subject: Digest,
  ): Promise<(StoredManifest & { json: Readonly<Record<string, unknown>> })[]> {
    const found: (StoredManifest & { json: Readonly<Record<string, unknown>> })[] = [];
    for (const name of (await this.disk.list(this.#path(`repositories/${repository}/_manifests`))).toSorted()) {
      const manifest = isDigest(`sha256:${name}`) ? await this.manifest(repository, `sha256:${name}` as Digest) : null;
      if (manifest === null) continue;
      const json = parseJson(manifest.bytes, "the manifest");
      const { subject: named } = json;
      if (typeof named === "object" && named !== null && asObject(named, "subject")["digest"] === subject)
        found.push({ ...manifest, json });
    }
    return found;
  }

  async #write(repository: string, kind: string, name: string, text: string): Promise<void> {
    await this.disk.makeDirectory(this.#path(`repositories/${repository}/${kind}`));
    await this.disk.writeAtomically(this.#mark(repository, kind, name), encodeText(text));
  }

  #known(repository: string): HostPath {
    return this.#path(`repositories/${repository}/_known`);
  }

  #mark(repository: string, kind: string, name: string): HostPath {
    return this.#path(`repositories/${repository}/${kind}/${name}`);
  }

  #blob(digest: Digest): HostPath {
    return this.#path(`blobs/sha256/${hexOf(digest)}`);
  }

  #path(rest: string): HostPath {
    return `${this.#root}/${rest}` as HostPath;
  }
}

/** "/" sorts before everything else, as directories are walked. */
function inParts(name: string): string {
  return name.replaceAll("/", "\0");
}

/** The digests a manifest or an index needs to be there. */
export function needsOf(
  json: Readonly<Record<string, unknown>>,
  what: string,
): { blobs: string[]; manifests: string[] } {
  const digestOf = (value: unknown): string => String(asObject(value, what)["digest"]);
  const { config, layers, manifests } = json;
  return {
    blobs: [...(config === undefined ? [] : [config]), ...asArray(layers ?? [], what)].map(digestOf),
    manifests: asArray(manifests ?? [], what).map(digestOf),
  };
}
