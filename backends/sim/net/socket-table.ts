/**
 * The sockets of one namespace: who is bound to which port, and who gets a packet that is for us.
 * What nobody wants is answered: a TCP segment with a reset, a UDP datagram with "port unreachable".
 */
import type { ErrnoName } from "../../../core/base/errno.ts";
import { Errno } from "../../../core/base/errno.ts";
import { anyAddress, type Ipv4 } from "./address.ts";
import type { PingSocket } from "./ping-socket.ts";
import { defaultTtl, type Endpoint, type Icmp, type IcmpError, type Packet, type Tcp, type Udp } from "./packet.ts";
import type { Stack } from "./stack.ts";
import type { TcpConnection } from "./tcp-connection.ts";
import type { TcpListener } from "./tcp-listener.ts";
import { sequenceAfter } from "./tcp-sequence.ts";
import type { UdpSocket } from "./udp-socket.ts";

/** ip_local_port_range. */
const firstPort = 32_768;
const lastPort = 60_999;

type Bound = UdpSocket | TcpListener | TcpConnection;

export class SocketTable {
  readonly #stack: Stack;
  readonly udp = new Map<number, UdpSocket[]>();
  readonly listeners = new Map<number, TcpListener[]>();
  readonly connections = new Map<string, TcpConnection>();
  readonly pings = new Map<number, PingSocket>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** A port nobody has, from a place that chance chooses, as Linux does; EADDRINUSE when there is none. */
  freePort(protocol: "udp" | "tcp", address: Ipv4): number {
    const count = lastPort - firstPort + 1;
    const start = this.#stack.network.chance(count);
    for (let offset = 0; offset < count; offset++) {
      const port = firstPort + ((start + offset) % count);
      if (!this.isTaken(protocol, { address, port }, false)) return port;
    }
    throw new Errno("EADDRINUSE");
  }

  /** Whether a bind would be refused. With `reuse`, connections that are closing do not count (SO_REUSEADDR). */
  isTaken(protocol: "udp" | "tcp", wanted: Endpoint, reuse: boolean): boolean {
    if (protocol === "udp") return overlaps(this.udp.get(wanted.port), wanted.address);
    if (overlaps(this.listeners.get(wanted.port), wanted.address)) return true;
    return [...this.connections.values()].some(
      ({ local, state }) => local.port === wanted.port && !(reuse && state === "TIME_WAIT"),
    );
  }

  addUdp(socket: UdpSocket): void {
    this.udp.set(socket.local.port, [...(this.udp.get(socket.local.port) ?? []), socket]);
  }

  removeUdp(socket: UdpSocket): void {
    remove(this.udp, socket);
  }

  addListener(listener: TcpListener): void {
    this.listeners.set(listener.local.port, [...(this.listeners.get(listener.local.port) ?? []), listener]);
  }

  removeListener(listener: TcpListener): void {
    remove(this.listeners, listener);
  }

  /** EADDRNOTAVAIL when there is a connection between these two ends already. */
  addConnection(connection: TcpConnection): void {
    const key = keyOf(connection.local, connection.remote);
    if (this.connections.has(key)) throw new Errno("EADDRNOTAVAIL");
    this.connections.set(key, connection);
  }

  removeConnection(connection: TcpConnection): void {
    this.connections.delete(keyOf(connection.local, connection.remote));
  }

  closeAll(): void {
    for (const connection of [...this.connections.values()]) connection.abandon("ENETDOWN");
    for (const listener of [...this.listeners.values()].flat()) listener.close();
    for (const socket of [...this.udp.values()].flat()) socket.close();
    this.pings.clear();
  }

  /** A packet for this namespace. */
  deliver(packet: Packet): void {
    const { payload } = packet;
    if (payload.protocol === "udp") this.#deliverUdp(packet, payload);
    else if (payload.protocol === "tcp") this.#deliverTcp(packet, payload);
    else this.#deliverIcmp(packet, payload);
  }

  #deliverUdp(packet: Packet, udp: Udp): void {
    const { source, destination } = packet;
    const from = { address: source, port: udp.sourcePort };
    const socket = this.#udpSocket({ address: destination, port: udp.destinationPort }, from);
    if (socket !== null) socket.deliver(udp.bytes, from);
    else this.#stack.refuse(packet, "unreachable", "port");
  }

  /** A connected socket before one that is bound to the address, that before one bound to any. */
  #udpSocket(to: Endpoint, from: Endpoint): UdpSocket | null {
    const candidates = (this.udp.get(to.port) ?? []).filter((socket) => socket.hears(to.address, from));
    const rank = (socket: UdpSocket): number =>
      (socket.remote === null ? 0 : 2) + (socket.local.address === anyAddress ? 0 : 1);
    return candidates.toSorted((a, b) => rank(b) - rank(a))[0] ?? null;
  }

  #deliverTcp(packet: Packet, tcp: Tcp): void {
    const local = { address: packet.destination, port: tcp.destinationPort };
    const remote = { address: packet.source, port: tcp.sourcePort };
    const connection = this.connections.get(keyOf(local, remote));
    if (connection !== undefined) return connection.receive(tcp);
    const listener = this.#listener(local);
    if (listener !== null && tcp.syn && tcp.acknowledgment === null) return listener.receive(local, remote, tcp);
    if (!tcp.rst) this.#reset(packet, tcp);
  }

  #listener({ address, port }: Endpoint): TcpListener | null {
    const here = this.listeners.get(port) ?? [];
    return here.find(({ local }) => local.address === address) ?? here.find(({ local }) => isAny(local)) ?? null;
  }

  /** RFC 9293, 3.10.7.1. */
  #reset({ source, destination }: Packet, tcp: Tcp): void {
    const length = tcp.bytes.length + Number(tcp.syn) + Number(tcp.fin);
    const answer = tcp.acknowledgment === null ? sequenceAfter(tcp.sequence, length) : null;
    const ports = { sourcePort: tcp.destinationPort, destinationPort: tcp.sourcePort };
    const flags = { syn: false, fin: false, rst: true, window: 0, bytes: new Uint8Array(0) };
    const numbers = { sequence: tcp.acknowledgment ?? 0, acknowledgment: answer };
    const payload: Tcp = { protocol: "tcp", ...ports, ...numbers, ...flags };
    this.#sendQuietly({ protocol: "ipv4", source: destination, destination: source, ttl: defaultTtl, payload });
  }

  #deliverIcmp(packet: Packet, icmp: Icmp): void {
    if ("about" in icmp) return this.fail(icmp.about, errnoOf(icmp), packet);
    if (icmp.type === "echo-reply") return this.pings.get(icmp.id)?.deliver(packet);
    if (this.#stack.isBroadcast(packet.destination)) return;
    const { source, destination } = packet;
    const payload: Icmp = { ...icmp, type: "echo-reply" };
    this.#sendQuietly({ protocol: "ipv4", source: destination, destination: source, ttl: defaultTtl, payload });
  }

  /** A packet that one of our sockets sent did not arrive. `report` is the ICMP error that says so, if there is one. */
  fail(sent: Packet, errno: ErrnoName, report: Packet | null = null): void {
    const { source, destination, payload } = sent;
    if (payload.protocol === "icmp") {
      if ("id" in payload) this.pings.get(payload.id)?.fail(errno, report ?? sent);
      return;
    }
    const local = { address: source, port: payload.sourcePort };
    const remote = { address: destination, port: payload.destinationPort };
    if (payload.protocol === "tcp") this.connections.get(keyOf(local, remote))?.hardError(errno);
    else this.#udpSocket(local, remote)?.fail(errno, remote);
  }

  #sendQuietly(packet: Packet): void {
    try {
      this.#stack.send(packet);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
    }
  }
}

/** icmp(7) and icmp_err_convert of net/ipv4/icmp.c. */
function errnoOf({ type, code }: IcmpError): ErrnoName {
  if (type === "time-exceeded") return "EHOSTUNREACH";
  switch (code) {
    case "network":
      return "ENETUNREACH";
    case "port":
      return "ECONNREFUSED";
    case "host":
    case "prohibited":
    case "ttl":
      return "EHOSTUNREACH";
  }
}

function overlaps(bound: readonly Bound[] | undefined, address: Ipv4): boolean {
  return (bound ?? []).some(({ local }) => address === anyAddress || isAny(local) || local.address === address);
}

function isAny({ address }: Endpoint): boolean {
  return address === anyAddress;
}

function remove<S extends { readonly local: Endpoint }>(table: Map<number, S[]>, socket: S): void {
  const { port } = socket.local;
  const rest = (table.get(port) ?? []).filter((other) => other !== socket);
  if (rest.length === 0) table.delete(port);
  else table.set(port, rest);
}

function keyOf(local: Endpoint, remote: Endpoint): string {
  return `${local.address}:${local.port} ${remote.address}:${remote.port}`;
}
