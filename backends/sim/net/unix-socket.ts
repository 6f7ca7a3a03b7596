/**
 * Unix stream sockets (unix(7)): two byte queues between processes of one machine. Names are files:
 * the kernel gives each bound file's key, and the table here says who listens behind it. Abstract
 * names ("@name") belong to the network namespace.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Inode, Stat } from "../../../core/unionfs/file-system.ts";
import { type Channel, type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import { ByteQueue } from "./byte-queue.ts";

/** Who is at the other end, as SO_PEERCRED tells. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** net.core.wmem_default. */
const queueBytesMax = 212_992;

/** Names that somebody listens behind. */
export class UnixNames {
  readonly #listeners = new Map<string, UnixSocket>();

  /** EADDRINUSE when the name is taken. */
  claim(name: string, socket: UnixSocket): void {
    if (this.#listeners.has(name)) throw new Errno("EADDRINUSE");
    this.#listeners.set(name, socket);
  }

  /** ECONNREFUSED when nobody listens behind the name. */
  find(name: string): UnixSocket {
    const socket = this.#listeners.get(name);
    if (socket === undefined) throw new Errno("ECONNREFUSED");
    return socket;
  }

  release(name: string): void {
    this.#listeners.delete(name);
  }
}

/** One direction of a connection. */
class Half {
  readonly bytes = new ByteQueue();
  /** Nobody writes any more; nobody reads any more. */
  isEnded = false;
  isDeaf = false;

  inspect(): Uint8Array {
    return this.bytes.peek(0, this.bytes.size);
  }
}

export class UnixSocket implements Channel {
  readonly #stat: Stat;
  readonly #owner: PeerCredentials;
  readonly #newInode: () => number;
  #name: { readonly names: UnixNames; readonly key: string } | null = null;
  #backlog: { readonly limit: number; readonly waiting: UnixSocket[] } | null = null;
  #halves: { readonly incoming: Half; readonly outgoing: Half } | null = null;
  #peer: PeerCredentials | null = null;

  /** For a snapshot: its name, who waits, and what is on its way. */
  inspect(): unknown {
    return [this.#name?.key ?? null, this.#backlog, this.#halves];
  }

  constructor(owner: PeerCredentials, newInode: () => number, now: bigint) {
    this.#owner = owner;
    this.#newInode = newInode;
    this.#stat = {
      ...{ inode: newInode() as Inode, kind: "socket", mode: 0o777, uid: owner.uid, gid: owner.gid },
      ...{ links: 1, size: 0, blocks: 0, atime: now, mtime: now, ctime: now, major: 0, minor: 0 },
    };
  }

  /** Two sockets that are connected to each other (socketpair(2)). */
  static pair(owner: PeerCredentials, newInode: () => number, now: bigint): [UnixSocket, UnixSocket] {
    const one = new UnixSocket(owner, newInode, now);
    return [one, one.#connectedTo(owner, now)];
  }

  /** EINVAL when it has a name already. */
  bind(names: UnixNames, key: string): void {
    if (this.#name !== null) throw new Errno("EINVAL");
    names.claim(key, this);
    this.#name = { names, key };
  }

  /** EINVAL when it has no name. */
  listen(limit: number): void {
    if (this.#name === null || this.#halves !== null) throw new Errno("EINVAL");
    this.#backlog ??= { limit: Math.max(limit, 1), waiting: [] };
  }

  accept(): UnixSocket | WouldBlock {
    if (this.#backlog === null) throw new Errno("EINVAL");
    return this.#backlog.waiting.shift() ?? wouldBlock;
  }

  /** Waits while the backlog is full. ECONNREFUSED, EISCONN. */
  connect(names: UnixNames, key: string): true | WouldBlock {
    if (this.#halves !== null) throw new Errno("EISCONN");
    const backlog = names.find(key).#backlog;
    if (backlog === null) throw new Errno("ECONNREFUSED");
    if (backlog.waiting.length >= backlog.limit) return wouldBlock;
    backlog.waiting.push(this.#connectedTo(names.find(key).#owner, this.#stat.ctime));
    return true;
  }

  #connectedTo(owner: PeerCredentials, now: bigint): UnixSocket {
    const other = new UnixSocket(owner, this.#newInode, now);
    const [there, back] = [new Half(), new Half()];
    this.#halves = { incoming: back, outgoing: there };
    other.#halves = { incoming: there, outgoing: back };
    this.#peer = owner;
    other.#peer = this.#owner;
    return other;
  }

  /** ENOTCONN. */
  peer(): PeerCredentials {
    if (this.#peer === null) throw new Errno("ENOTCONN");
    return this.#peer;
  }

  read(length: number): Uint8Array | WouldBlock {
    const { incoming } = this.#connected();
    if (incoming.bytes.size > 0) return incoming.bytes.take(length);
    return incoming.isEnded || incoming.isDeaf ? new Uint8Array(0) : wouldBlock;
  }

  /** EPIPE when nobody reads any more. */
  write(bytes: Uint8Array): number | WouldBlock {
    const { outgoing } = this.#connected();
    if (outgoing.isDeaf || outgoing.isEnded) throw new Errno("EPIPE");
    const taken = bytes.slice(0, queueBytesMax - outgoing.bytes.size);
    if (taken.length === 0 && bytes.length > 0) return wouldBlock;
    outgoing.bytes.put(taken);
    return taken.length;
  }

  readable(): boolean {
    if (this.#backlog !== null) return this.#backlog.waiting.length > 0;
    const incoming = this.#halves?.incoming;
    return incoming !== undefined && (incoming.bytes.size > 0 || incoming.isEnded || incoming.isDeaf);
  }

  writable(): boolean {
    const outgoing = this.#halves?.outgoing;
    return outgoing !== undefined && (outgoing.isDeaf || outgoing.bytes.size < queueBytesMax);
  }

  shutdown(how: "read" | "write" | "both"): void {
    const { incoming, outgoing } = this.#connected();
    if (how !== "write") incoming.isDeaf = true;
    if (how !== "read") outgoing.isEnded = true;
  }

  stat(): Stat {
    return this.#stat;
  }

  /** Who waits to be accepted finds the end. */
  close(): void {
    this.#name?.names.release(this.#name.key);
    for (const waiting of this.#backlog?.waiting ?? []) waiting.close();
    if (this.#halves === null) return;
    this.#halves.incoming.isDeaf = true;
    this.#halves.outgoing.isEnded = true;
  }

  #connected(): { readonly incoming: Half; readonly outgoing: Half } {
    if (this.#halves === null) throw new Errno("ENOTCONN");
    return this.#halves;
  }
}
