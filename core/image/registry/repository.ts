/**
 * One repository at one endpoint, in the words of the distribution API (OCI distribution-spec 1.1):
 * manifests by tag or digest, blobs by digest, tags, referrers. What comes back is checked: a
 * manifest's bytes against its digest, names and digests against their grammar.
 */
import type { ByteStream } from "../../base/bytes.ts";
import { TsboxError } from "../../base/error.ts";
import type { Hasher } from "../../base/ports.ts";
import { asArray, asObject, asText, corrupt, jsonBytesMax, mediaTypes, parseJson } from "../descriptor.ts";
import { type Digest, digestOf, isDigest } from "../digest.ts";
import type { Ask, Connection, Received } from "./connection.ts";
import { discard, type HttpResponse } from "./http.ts";
import { repositoryScope } from "./scope.ts";

/** A manifest or index as the registry has it. */
export interface RemoteManifest {
  readonly mediaType: string;
  /** Computed from the bytes. */
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A manifest that names another one as its subject. */
export interface Referrer {
  readonly digest: Digest;
  /** "" when it is not told. */
  readonly artifactType: string;
}

/** What HEAD tells of a manifest; a registry may leave out each of it. */
export interface ManifestHead {
  readonly mediaType: string;
  readonly digest: Digest | null;
  readonly size: number | null;
}

const accepted = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
  "*/*;q=0.1",
].join(", ");

const pagesMax = 1000;

/** `path` beneath /v2/<name>, or a target that the registry named. */
type RepositoryAsk = Omit<Ask, "scopes" | "target"> & { readonly path?: string; readonly target?: string };

export class Repository {
  readonly connection: Connection;
  /** "library/busybox". */
  readonly name: string;
  readonly #hasher: Hasher;
  readonly #actions: readonly ("pull" | "push" | "delete")[];

  constructor(
    connection: Connection,
    hasher: Hasher,
    name: string,
    actions: readonly ("pull" | "push" | "delete")[] = ["pull"],
  ) {
    this.connection = connection;
    this.#hasher = hasher;
    this.name = name;
    this.#actions = actions;
  }

  digestOf(bytes: Uint8Array): Digest {
    return digestOf(this.#hasher, bytes);
  }

  send(ask: RepositoryAsk): Promise<HttpResponse> {
    return this.connection.send(this.#whole(ask));
  }

  #read(ask: RepositoryAsk): Promise<Received> {
    return this.connection.read(this.#whole(ask), jsonBytesMax);
  }

  #whole({ path = "", target = `/v2/${this.name}${path}`, ...rest }: RepositoryAsk): Ask {
    return { ...rest, target, scopes: [repositoryScope(this.name, ...this.#actions)] };
  }

  /** Throws TsboxError not-found when there is none, corrupt when it is not what its digest says. */
  async manifest(reference: string): Promise<RemoteManifest> {
    const what = `manifest for ${this.name}${isDigest(reference) ? "@" : ":"}${reference}`;
    const { response, bytes } = await this.#read({
      method: "GET",
      path: `/manifests/${reference}`,
      headers: { accept: accepted },
      expect: [200],
      what,
    });
    const digest = this.digestOf(bytes);
    const said = isDigest(reference) ? reference : response.headers["docker-content-digest"];
    if (said !== undefined && said.startsWith("sha256:") && said !== digest)
      throw corrupt(`${what}: the registry says its digest is ${said}, its content has ${digest}`);
    return { bytes, digest, mediaType: mediaTypeOf(response, bytes, what) };
  }

  /** Null when there is none. */
  async head(reference: string): Promise<ManifestHead | null> {
    const response = await this.send({
      method: "HEAD",
      path: `/manifests/${reference}`,
      headers: { accept: accepted },
      expect: [200, 404],
      what: `manifest for ${this.name}:${reference}`,
    });
    await discard(response);
    if (response.status === 404) return null;
    const digest = response.headers["docker-content-digest"] ?? "";
    const length = response.headers["content-length"] ?? "";
    return {
      mediaType: plainType(response.headers["content-type"] ?? ""),
      digest: isDigest(digest) ? digest : null,
      size: /^\d{1,15}$/.test(length) ? Number(length) : null,
    };
  }

  /** Returns the digest under which it can be found. */
  async putManifest(reference: string, bytes: Uint8Array, mediaType: string): Promise<Digest> {
    const what = `manifest ${this.name}:${reference}`;
    const response = await this.send({
      method: "PUT",
      path: `/manifests/${reference}`,
      headers: { "content-type": mediaType },
      body: () => bytes,
      expect: [200, 201, 202],
      what,
    });
    await discard(response);
    const digest = this.digestOf(bytes);
    const said = response.headers["docker-content-digest"];
    if (said !== undefined && said.startsWith("sha256:") && said !== digest)
      throw corrupt(`${what}: the registry stored it as ${said}, we sent ${digest}`);
    return digest;
  }

  async deleteManifest(digest: Digest): Promise<void> {
    const what = `manifest ${this.name}@${digest}`;
    await discard(await this.send({ method: "DELETE", path: `/manifests/${digest}`, expect: [200, 202], what }));
  }

  /** Its size; null when the repository has no such blob. */
  async blobSize(digest: Digest): Promise<number | null> {
    const what = `blob ${digest}`;
    const response = await this.send({ method: "HEAD", path: `/blobs/${digest}`, expect: [200, 404], what });
    await discard(response);
    return response.status === 404 ? null : Number(response.headers["content-length"] ?? "0");
  }

  /** The answer to a request for the bytes from `offset`: 206, or 200 with all of them. */
  openBlob(digest: Digest, offset: number): Promise<HttpResponse> {
    return this.send({
      method: "GET",
      path: `/blobs/${digest}`,
      headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
      expect: offset > 0 ? [200, 206] : [200],
      what: `blob ${digest}`,
      once: true,
    });
  }

  /** All tags, in the registry's order. */
  async tags(): Promise<string[]> {
    const what = `the tags of ${this.name}`;
    const pages = pagesOf(this.connection, `/v2/${this.name}/tags/list`, (target) =>
      this.#read({ method: "GET", target, expect: [200], what }),
    );
    const tags: string[] = [];
    for await (const page of pages) {
      const { tags: some } = parseJson(page, what);
      for (const tag of asArray(some ?? [], what)) tags.push(asText(tag, what));
    }
    return tags;
  }

  /** The manifests that name `digest` as their subject; by the tag scheme where a registry has no such list. */
  async referrers(digest: Digest): Promise<Referrer[]> {
    const what = `the referrers of ${digest}`;
    const { response, bytes } = await this.#read({
      method: "GET",
      path: `/referrers/${digest}`,
      expect: [200, 404],
      what,
    });
    if (response.status === 200) return referrersIn(bytes, what);
    const tag = digest.replace(":", "-");
    return (await this.head(tag)) === null ? [] : referrersIn((await this.manifest(tag)).bytes, what);
  }
}

function referrersIn(index: Uint8Array, what: string): Referrer[] {
  return asArray(parseJson(index, what)["manifests"] ?? [], what).flatMap((each) => {
    const { digest, artifactType } = asObject(each, what);
    const name = asText(digest, what);
    return isDigest(name) ? [{ digest: name, artifactType: typeof artifactType === "string" ? artifactType : "" }] : [];
  });
}

/** The bodies of a list that comes in pages, each with a Link to the next (RFC 8288). */
export async function* pagesOf(
  connection: Connection,
  first: string,
  get: (target: string) => Promise<Received>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let target: string | null = first;
  for (let pages = 0; target !== null; pages++) {
    if (pages === pagesMax)
      throw new TsboxError("corrupt", `${first}: the registry's list has more than ${pagesMax} pages`);
    const { response, bytes } = await get(target);
    yield bytes;
    const next = /<([^>]*)>[^,]*;\s*rel="?next"?/i.exec(response.headers["link"] ?? "")?.[1];
    target = next === undefined ? null : connection.resolve(next, `${connection.endpoint.base}${first}`);
  }
}

/** What the header says; where it says nothing, what the document says of itself. */
function mediaTypeOf(response: HttpResponse, bytes: Uint8Array, what: string): string {
  const type = plainType(response.headers["content-type"] ?? "");
  if (type.startsWith("application/vnd.")) return type;
  const { mediaType, manifests } = parseJson(bytes, what);
  if (typeof mediaType === "string") return mediaType;
  return manifests === undefined ? mediaTypes.manifest : mediaTypes.index;
}

function plainType(type: string): string {
  return (type.split(";")[0] ?? "").trim();
}

/** A blob to be uploaded: what it is, and its bytes as often as they are wanted. */
export interface OutgoingBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly open: (offset: number) => ByteStream;
}
