/**
 * Uploads in progress. The bytes of each request become a file of their own and are hashed on their
 * way; a request that breaks keeps the bytes that came, so the client can go on after them. They live
 * as long as the server: a client that comes back to another one begins anew.
 */
import type { HostPath } from "../../base/brand.ts";
import { type ByteStream, hex } from "../../base/bytes.ts";
import type { Hash, Hasher, Random } from "../../base/ports.ts";
import type { Digest } from "../digest.ts";
import { refuse } from "./server-reply.ts";
import type { RegistryStore } from "./server-store.ts";

const openMax = 1024;

export interface UploadSession {
  readonly id: string;
  readonly repository: string;
  readonly parts: HostPath[];
  readonly hash: Hash;
  /** Bytes so far. */
  size: number;
  /** A request is writing. */
  busy: boolean;
}

export class Uploads {
  readonly #store: RegistryStore;
  readonly #hasher: Hasher;
  readonly #random: Random;
  readonly #open = new Map<string, UploadSession>();

  constructor(store: RegistryStore, hasher: Hasher, random: Random) {
    this.#store = store;
    this.#hasher = hasher;
    this.#random = random;
  }

  async begin(repository: string): Promise<UploadSession> {
    for (const oldest of this.#open.values()) {
      if (this.#open.size < openMax) break;
      await this.end(oldest);
    }
    const session = {
      id: uuid(this.#random),
      repository,
      parts: [],
      hash: this.#hasher.sha256(),
      size: 0,
      busy: false,
    };
    this.#open.set(session.id, session);
    return session;
  }

  /** Throws the refusal BLOB_UPLOAD_UNKNOWN. */
  find(repository: string, id: string): UploadSession {
    const session = this.#open.get(id);
    if (session?.repository !== repository) throw refuse("BLOB_UPLOAD_UNKNOWN");
    return session;
  }

  /** Takes what comes of a body; a body that breaks off is a shorter one, and an error after that. */
  async append(session: UploadSession, body: ByteStream): Promise<void> {
    if (session.busy) throw refuse("BLOB_UPLOAD_INVALID", "another request writes to this upload");
    session.busy = true;
    const before = session.parts.length;
    try {
      const part = this.#store.upload(`${session.id}.${session.parts.length}`);
      const taken = new Taken(body, session);
      await this.#store.disk.writeStream(part, taken);
      session.parts.push(part);
      if (taken.broken !== null) throw taken.broken;
    } catch (thrown) {
      // What is hashed and not written is lost: such an upload cannot go on.
      if (session.parts.length === before) await this.end(session);
      throw thrown;
    } finally {
      session.busy = false;
    }
  }

  /** The upload becomes a blob, if it is the one it was said to be. Returns its digest. */
  async finish(session: UploadSession, expected: Digest): Promise<void> {
    this.#open.delete(session.id);
    try {
      const found = `sha256:${hex(session.hash.digest())}`;
      if (found !== expected) throw refuse("DIGEST_INVALID", { Digest: expected, Reason: {} });
      await this.#store.takeBlob(session.repository, expected, await this.#whole(session));
    } finally {
      await this.#removeParts(session);
    }
  }

  async end(session: UploadSession): Promise<void> {
    this.#open.delete(session.id);
    await this.#removeParts(session);
  }

  async #whole({ id, parts }: UploadSession): Promise<HostPath> {
    const [first] = parts;
    if (first !== undefined && parts.length === 1) return first;
    const whole = this.#store.upload(id);
    await this.#store.disk.writeStream(whole, joined(parts, this.#store));
    return whole;
  }

  async #removeParts({ parts }: UploadSession): Promise<void> {
    for (const part of parts) await this.#store.disk.remove(part);
  }
}

/** A body on its way into a session; where it breaks, it ends. */
class Taken implements AsyncIterable<Uint8Array> {
  readonly #body: ByteStream;
  readonly #session: UploadSession;
  broken: unknown = null;

  constructor(body: ByteStream, session: UploadSession) {
    this.#body = body;
    this.#session = session;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#body) {
        this.#session.hash.update(chunk);
        this.#session.size += chunk.length;
        yield chunk;
      }
    } catch (thrown) {
      this.broken = thrown;
    }
  }
}

async function* joined(parts: readonly HostPath[], store: RegistryStore): ByteStream {
  for (const part of parts) yield* store.disk.stream(part);
}

/** RFC 9562, version 4. */
function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
