/**
 * Sockets as descriptors hold them (socket(7)): one interface for all kinds. Calls that may have to
 * wait give `wouldBlock`, like every channel; the kernel asks again when something has happened.
 *
 *   stream    tcp(7)     fresh → bound → listening, or → connecting → connected
 *   datagram  udp(7)
 *   echo      icmp(7)    ping
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Inode, Stat } from "../../../core/unionfs/file-system.ts";
import { type Channel, type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import { anyAddress, type Ipv4 } from "./address.ts";
import type { Endpoint } from "./packet.ts";
import { type EchoAnswer, PingSocket } from "./ping-socket.ts";
import type { Stack } from "./stack.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { TcpListener } from "./tcp-listener.ts";
import { UdpSocket } from "./udp-socket.ts";

export interface SocketOptions {
  readonly reuseAddress?: boolean;
  readonly broadcast?: boolean;
  /** Of packets sent from now on. */
  readonly ttl?: number;
}

export interface Received {
  readonly bytes: Uint8Array;
  readonly from: Endpoint | null;
}

/** What every socket can be asked; a kind that has no such thing says EOPNOTSUPP. */
export interface Socket extends Channel {
  bind(local: Endpoint): void;
  listen(backlog: number): void;
  accept(): { socket: Socket; from: Endpoint } | WouldBlock;
  /** Asked again until it does not block. ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, EISCONN … */
  connect(remote: Endpoint): true | WouldBlock;
  send(bytes: Uint8Array, to: Endpoint | null): number | WouldBlock;
  receive(length: number): Received | WouldBlock;
  shutdown(how: "read" | "write" | "both"): void;
  set(options: SocketOptions): void;
  local(): Endpoint;
  /** ENOTCONN. */
  remote(): Endpoint;
}

const nowhere: Endpoint = { address: anyAddress, port: 0 };

abstract class InetSocket {
  protected readonly stack: Stack;
  readonly #inode: number;

  constructor(stack: Stack, inode: number) {
    this.stack = stack;
    this.#inode = inode;
  }

  stat(): Stat {
    const now = this.stack.network.clock.now();
    const owner = { mode: 0o777, uid: 0, gid: 0, links: 1 };
    return {
      inode: this.#inode as Inode,
      kind: "socket",
      ...owner,
      size: 0,
      blocks: 0,
      atime: now,
      mtime: now,
      ctime: now,
      major: 0,
      minor: 0,
    };
  }

  listen(_backlog: number): void {
    throw new Errno("EOPNOTSUPP");
  }

  accept(): { socket: Socket; from: Endpoint } | WouldBlock {
    throw new Errno("EOPNOTSUPP");
  }
}

export function isInetSocket(channel: Channel): channel is Socket {
  return channel instanceof StreamSocket || channel instanceof DatagramSocket || channel instanceof EchoSocket;
}

type StreamState =
  | { readonly kind: "fresh"; readonly local: Endpoint }
  | { readonly kind: "listening"; readonly listener: TcpListener }
  | { readonly kind: "connected"; readonly connection: TcpConnection };

export class StreamSocket extends InetSocket implements Socket {
  readonly #newInode: () => number;
  #state: StreamState;
  #reuse = false;
  #isReported = false;
  #isDeaf = false;

  constructor(stack: Stack, newInode: () => number, connection: TcpConnection | null = null) {
    super(stack, newInode());
    this.#newInode = newInode;
    this.#isReported = connection !== null;
    this.#state = connection === null ? { kind: "fresh", local: nowhere } : { kind: "connected", connection };
  }

  /** EADDRINUSE, EADDRNOTAVAIL, EINVAL when it is bound already. */
  bind(wanted: Endpoint): void {
    if (this.#state.kind !== "fresh" || this.#state.local.port !== 0) throw new Errno("EINVAL");
    const { sockets } = this.stack;
    if (wanted.address !== anyAddress && !this.stack.isLocal(wanted.address)) throw new Errno("EADDRNOTAVAIL");
    if (wanted.port !== 0 && sockets.isTaken("tcp", wanted, this.#reuse)) throw new Errno("EADDRINUSE");
    const port = wanted.port === 0 ? sockets.freePort("tcp", wanted.address) : wanted.port;
    this.#state = { kind: "fresh", local: { address: wanted.address, port } };
  }

  override listen(backlog: number): void {
    if (this.#state.kind === "listening") return;
    if (this.#state.kind !== "fresh") throw new Errno("EINVAL");
    if (this.#state.local.port === 0) this.bind(nowhere);
    this.#state = { kind: "listening", listener: new TcpListener(this.stack, this.local(), backlog) };
  }

  override accept(): { socket: Socket; from: Endpoint } | WouldBlock {
    if (this.#state.kind !== "listening") throw new Errno("EINVAL");
    const connection = this.#state.listener.accept();
    if (connection === wouldBlock) return wouldBlock;
    return { socket: new StreamSocket(this.stack, this.#newInode, connection), from: connection.remote };
  }

  connect(remote: Endpoint): true | WouldBlock {
    if (this.#state.kind === "listening") throw new Errno("EISCONN");
    if (this.#state.kind === "fresh") this.#state = { kind: "connected", connection: this.#open(remote) };
    else if (this.#isReported) throw new Errno("EISCONN");
    const opened = this.#outcome(this.#state.connection);
    this.#isReported = opened === true;
    return opened;
  }

  #open(remote: Endpoint): TcpConnection {
    const { source } = this.stack.route(remote.address);
    if (this.local().port === 0) this.bind({ address: this.local().address, port: 0 });
    const { address, port } = this.local();
    // "connect to 0.0.0.0" is to oneself (tcp_v4_connect).
    const target = remote.address === anyAddress ? { ...remote, address: 0x7f000001 as Ipv4 } : remote;
    const local = { address: address === anyAddress ? source : address, port };
    return TcpConnection.connecting(this.stack, { local, remote: target });
  }

  /** After a failure the socket can try again. */
  #outcome(connection: TcpConnection): true | WouldBlock {
    try {
      return connection.connected();
    } catch (thrown) {
      this.#state = { kind: "fresh", local: connection.local };
      throw thrown;
    }
  }

  read(length: number): Uint8Array | WouldBlock {
    return this.#isDeaf ? new Uint8Array(0) : this.#connection().read(length);
  }

  write(bytes: Uint8Array): number | WouldBlock {
    if (this.#state.kind !== "connected") throw new Errno("EPIPE");
    return this.#state.connection.write(bytes);
  }

  send(bytes: Uint8Array): number | WouldBlock {
    return this.write(bytes);
  }

  receive(length: number): Received | WouldBlock {
    const bytes = this.read(length);
    return bytes === wouldBlock ? wouldBlock : { bytes, from: null };
  }

  readable(): boolean {
    if (this.#state.kind === "listening") return this.#state.listener.readable();
    return this.#state.kind === "connected" && this.#state.connection.readable();
  }

  writable(): boolean {
    return this.#state.kind === "connected" && this.#state.connection.writable();
  }

  shutdown(how: "read" | "write" | "both"): void {
    const connection = this.#connection();
    if (how !== "write") this.#isDeaf = true;
    if (how !== "read") connection.endSending();
  }

  set({ reuseAddress }: SocketOptions): void {
    this.#reuse = reuseAddress ?? this.#reuse;
  }

  local(): Endpoint {
    if (this.#state.kind === "fresh") return this.#state.local;
    return this.#state.kind === "listening" ? this.#state.listener.local : this.#state.connection.local;
  }

  remote(): Endpoint {
    return this.#connection().remote;
  }

  close(): void {
    if (this.#state.kind === "listening") this.#state.listener.close();
    else if (this.#state.kind === "connected") this.#state.connection.close();
  }

  #connection(): TcpConnection {
    if (this.#state.kind !== "connected") throw new Errno("ENOTCONN");
    return this.#state.connection;
  }
}

export class DatagramSocket extends InetSocket implements Socket {
  readonly #socket: UdpSocket;

  constructor(stack: Stack, newInode: () => number) {
    super(stack, newInode());
    this.#socket = new UdpSocket(stack);
  }

  bind(local: Endpoint): void {
    this.#socket.bind(local);
  }

  connect(remote: Endpoint): true {
    this.#socket.connect(remote);
    return true;
  }

  send(bytes: Uint8Array, to: Endpoint | null): number {
    this.#socket.send(bytes, to);
    return bytes.length;
  }

  /** What does not fit is lost (udp(7)). */
  receive(length: number): Received | WouldBlock {
    const datagram = this.#socket.receive();
    return datagram === wouldBlock ? wouldBlock : { ...datagram, bytes: datagram.bytes.subarray(0, length) };
  }

  read(length: number): Uint8Array | WouldBlock {
    const received = this.receive(length);
    return received === wouldBlock ? wouldBlock : received.bytes;
  }

  write(bytes: Uint8Array): number {
    return this.send(bytes, null);
  }

  readable(): boolean {
    return this.#socket.readable();
  }

  writable(): boolean {
    return true;
  }

  shutdown(_how: "read" | "write" | "both"): void {
    this.remote();
  }

  set({ broadcast }: SocketOptions): void {
    this.#socket.broadcast = broadcast ?? this.#socket.broadcast;
  }

  local(): Endpoint {
    return this.#socket.local;
  }

  remote(): Endpoint {
    if (this.#socket.remote === null) throw new Errno("ENOTCONN");
    return this.#socket.remote;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Sends echo requests: an endpoint's port is the request's sequence number. */
export class EchoSocket extends InetSocket implements Socket {
  readonly #socket: PingSocket;
  #remote: Endpoint | null = null;
  #ttl: number | undefined;
  #isClosed = false;

  constructor(stack: Stack, newInode: () => number) {
    super(stack, newInode());
    this.#socket = new PingSocket(stack);
  }

  bind(): void {
    throw new Errno("EOPNOTSUPP");
  }

  connect(remote: Endpoint): true {
    this.stack.route(remote.address);
    this.#remote = remote;
    return true;
  }

  send(bytes: Uint8Array, to: Endpoint | null): number {
    const remote = to ?? this.remote();
    this.#socket.send(remote.address, remote.port, bytes, this.#ttl);
    return bytes.length;
  }

  /** The answer with who gave it, its time to live, and what it says. */
  answer(): EchoAnswer | WouldBlock {
    return this.#socket.receive();
  }

  receive(length: number): Received | WouldBlock {
    const answer = this.answer();
    if (answer === wouldBlock) return wouldBlock;
    if (answer.errno !== null) throw new Errno(answer.errno);
    return { bytes: answer.bytes.subarray(0, length), from: { address: answer.from, port: answer.sequence } };
  }

  read(length: number): Uint8Array | WouldBlock {
    const received = this.receive(length);
    return received === wouldBlock ? wouldBlock : received.bytes;
  }

  write(bytes: Uint8Array): number {
    return this.send(bytes, null);
  }

  readable(): boolean {
    return this.#socket.readable();
  }

  writable(): boolean {
    return !this.#isClosed;
  }

  shutdown(): void {
    throw new Errno("EOPNOTSUPP");
  }

  set({ ttl }: SocketOptions): void {
    if (ttl !== undefined && (ttl < 1 || ttl > 255)) throw new Errno("EINVAL");
    this.#ttl = ttl ?? this.#ttl;
  }

  local(): Endpoint {
    return { address: anyAddress, port: this.#socket.id };
  }

  remote(): Endpoint {
    if (this.#remote === null) throw new Errno("EDESTADDRREQ");
    return this.#remote;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }
}
