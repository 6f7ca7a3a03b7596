/**
 * What travels: a frame on a link carries ARP or an IPv4 packet, which carries ICMP, UDP or TCP. They
 * are plain data and never changed in place, so that a hop that was recorded stays what it was.
 */
import { formatIpv4, type Ipv4, type Mac } from "./address.ts";

export interface Frame {
  readonly source: Mac;
  readonly destination: Mac;
  readonly payload: Arp | Packet;
  /** How many bridges it has crossed. */
  readonly crossed?: number;
}

/** RFC 826. */
export interface Arp {
  readonly protocol: "arp";
  readonly operation: "request" | "reply";
  readonly senderMac: Mac;
  readonly sender: Ipv4;
  readonly targetMac: Mac;
  readonly target: Ipv4;
}

/** RFC 791, without options and fragments: links here have one MTU, and a larger datagram is refused (EMSGSIZE). */
export interface Packet {
  readonly protocol: "ipv4";
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly ttl: number;
  readonly payload: Icmp | Udp | Tcp;
}

/** RFC 792. Errors quote the packet they are about. */
export type Icmp =
  | {
      readonly protocol: "icmp";
      readonly type: "echo-request" | "echo-reply";
      readonly id: number;
      readonly sequence: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly protocol: "icmp";
      readonly type: "unreachable" | "time-exceeded";
      readonly code: Unreachable | "ttl";
      readonly about: Packet;
    };

export type IcmpEcho = Extract<Icmp, { type: "echo-request" | "echo-reply" }>;
export type IcmpError = Extract<Icmp, { type: "unreachable" | "time-exceeded" }>;

/** Codes 0, 1, 3 and 13 of ICMP type 3. */
export type Unreachable = "network" | "host" | "port" | "prohibited";

export interface Udp {
  readonly protocol: "udp";
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly bytes: Uint8Array;
}

/** RFC 9293. Sequence numbers count modulo 2^32. */
export interface Tcp {
  readonly protocol: "tcp";
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  /** Of what is expected next; null when the ACK flag is off. */
  readonly acknowledgment: number | null;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  /** How many bytes the sender has room for. */
  readonly window: number;
  readonly bytes: Uint8Array;
}

/** One end of a connection. */
export interface Endpoint {
  readonly address: Ipv4;
  readonly port: number;
}

export const defaultTtl = 64;
export const ethernetBytes = 14;
const ipv4Bytes = 20;
const transportBytes = { icmp: 8, udp: 8, tcp: 20 } as const;
const arpBytes = 28;

/** Bytes of an IPv4 packet with its headers, as the MTU counts. */
export function packetBytes({ payload }: Packet): number {
  const headers = ipv4Bytes + transportBytes[payload.protocol];
  if (payload.protocol !== "icmp") return headers + payload.bytes.length;
  return headers + ("about" in payload ? ipv4Bytes + 8 : payload.bytes.length);
}

/** Bytes of a frame as a device counts them: with the Ethernet header, without the checksum. */
export function frameBytes({ payload }: Frame): number {
  return ethernetBytes + (payload.protocol === "arp" ? arpBytes : packetBytes(payload));
}

/** The text that tcpdump would print of it, roughly: one line for people. */
export function describe(payload: Arp | Packet): string {
  if (payload.protocol === "arp") return describeArp(payload);
  const { source, destination, payload: inner } = payload;
  const from = formatIpv4(source);
  const to = formatIpv4(destination);
  if (inner.protocol === "icmp") return `IP ${from} > ${to}: ${describeIcmp(inner)}`;
  const ports = `IP ${from}.${inner.sourcePort} > ${to}.${inner.destinationPort}:`;
  return inner.protocol === "udp" ? `${ports} UDP, length ${inner.bytes.length}` : `${ports} ${describeTcp(inner)}`;
}

function describeArp({ operation, sender, senderMac, target }: Arp): string {
  if (operation === "reply") return `ARP, Reply ${formatIpv4(sender)} is-at ${senderMac}`;
  return `ARP, Request who-has ${formatIpv4(target)} tell ${formatIpv4(sender)}`;
}

function describeIcmp(icmp: Icmp): string {
  if (!("about" in icmp))
    return `ICMP ${icmp.type.replace("-", " ")}, id ${icmp.id}, seq ${icmp.sequence}, length ${icmp.bytes.length + 8}`;
  const about = formatIpv4(icmp.about.destination);
  return icmp.type === "time-exceeded" ? "ICMP time exceeded in-transit" : `ICMP ${about} ${icmp.code} unreachable`;
}

function describeTcp(tcp: Tcp): string {
  const flags = [tcp.syn && "S", tcp.fin && "F", tcp.rst && "R", tcp.bytes.length > 0 && "P"].filter(Boolean).join("");
  const ack = tcp.acknowledgment === null ? "" : `, ack ${tcp.acknowledgment}`;
  const dot = tcp.acknowledgment === null ? "" : ".";
  return `Flags [${flags}${dot}], seq ${tcp.sequence}${ack}, win ${tcp.window}, length ${tcp.bytes.length}`;
}
