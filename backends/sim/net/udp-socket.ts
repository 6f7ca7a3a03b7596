/** A UDP socket (udp(7)): datagrams keep their bounds; what comes when the buffer is full is lost. */
import { Errno, type ErrnoName } from "../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import { anyAddress, type Ipv4 } from "./address.ts";
import { defaultTtl, type Endpoint } from "./packet.ts";
import type { Stack } from "./stack.ts";

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

/** net.core.rmem_default. */
const receiveBytesMax = 212_992;
const nowhere: Endpoint = { address: anyAddress, port: 0 };

export class UdpSocket {
  readonly #stack: Stack;
  #local = nowhere;
  #remote: Endpoint | null = null;
  #received: Datagram[] = [];
  #receivedBytes = 0;
  #error: ErrnoName | null = null;
  /** SO_BROADCAST: without it, sending to everybody is EACCES. */
  broadcast = false;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  get local(): Endpoint {
    return this.#local;
  }

  get remote(): Endpoint | null {
    return this.#remote;
  }

  /** Port 0 is any free one. EADDRINUSE, EADDRNOTAVAIL, EINVAL when it is bound already. */
  bind(wanted: Endpoint): void {
    if (this.#local.port !== 0) throw new Errno("EINVAL");
    const { sockets } = this.#stack;
    const isOurs = wanted.address === anyAddress || this.#stack.isLocal(wanted.address);
    if (!isOurs && !this.#stack.isBroadcast(wanted.address)) throw new Errno("EADDRNOTAVAIL");
    if (wanted.port !== 0 && sockets.isTaken("udp", wanted, false)) throw new Errno("EADDRINUSE");
    this.#local = { ...wanted, port: wanted.port === 0 ? sockets.freePort("udp", wanted.address) : wanted.port };
    sockets.addUdp(this);
  }

  /** From now on it talks to this one only. ENETUNREACH. */
  connect(remote: Endpoint): void {
    const { source } = this.#stack.route(remote.address);
    if (this.#local.port === 0) this.bind({ address: source, port: 0 });
    else if (this.#local.address === anyAddress) this.#local = { ...this.#local, address: source };
    this.#remote = remote;
  }

  /** EDESTADDRREQ, ENETUNREACH, EMSGSIZE, EACCES; ECONNREFUSED when an earlier datagram was refused. */
  send(bytes: Uint8Array, to: Endpoint | null): void {
    this.#throwError();
    const remote = to ?? this.#remote;
    if (remote === null) throw new Errno("EDESTADDRREQ");
    if (this.#stack.isBroadcast(remote.address) && !this.broadcast) throw new Errno("EACCES");
    if (this.#local.port === 0) this.bind(nowhere);
    const source = this.#sourceFor(remote.address);
    const ports = { sourcePort: this.#local.port, destinationPort: remote.port };
    const payload = { protocol: "udp", ...ports, bytes } as const;
    this.#stack.send({ protocol: "ipv4", source, destination: remote.address, ttl: defaultTtl, payload });
  }

  #sourceFor(destination: Ipv4): Ipv4 {
    return this.#local.address === anyAddress ? this.#stack.route(destination).source : this.#local.address;
  }

  receive(): Datagram | WouldBlock {
    this.#throwError();
    const first = this.#received.shift();
    if (first === undefined) return wouldBlock;
    this.#receivedBytes -= first.bytes.length;
    return first;
  }

  readable(): boolean {
    return this.#received.length > 0 || this.#error !== null;
  }

  /** Whether a datagram is for this socket. */
  hears(address: Ipv4, from: Endpoint): boolean {
    const bound = this.#local.address === anyAddress || this.#local.address === address;
    const remote = this.#remote;
    return bound && (remote === null || (remote.address === from.address && remote.port === from.port));
  }

  deliver(bytes: Uint8Array, from: Endpoint): void {
    if (this.#receivedBytes + bytes.length > receiveBytesMax) return;
    this.#received.push({ bytes, from });
    this.#receivedBytes += bytes.length;
  }

  /** Only a connected socket is told that its datagram was refused (udp(7)). */
  fail(errno: ErrnoName, remote: Endpoint): void {
    if (this.#remote?.address === remote.address && this.#remote.port === remote.port) this.#error = errno;
  }

  close(): void {
    this.#stack.sockets.removeUdp(this);
    this.#received = [];
  }

  #throwError(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw new Errno(error);
  }
}
