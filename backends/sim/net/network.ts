/**
 * Network: what all network namespaces of one simulated machine share. Nothing here runs by itself:
 * whatever takes time (a frame on a link, a retransmission) is an event on the kernel's virtual
 * clock, so that equal input gives equal packets in equal order.
 *
 *   program → socket → stack (routes, neighbours, filter) → device ═ link ═ device → stack → socket
 *
 * Every step of a packet's way is a Hop; the newest ones are kept for whoever wants to see them.
 */
import { macFrom, type Mac } from "./address.ts";
import { describe, type Arp, type Packet } from "./packet.ts";

export interface NetworkClock {
  /** Nanoseconds of the virtual clock. */
  now(): bigint;
  /** Calls `act` once so many nanoseconds have passed; the returned function takes that back. */
  after(nanos: bigint, act: () => void): () => void;
}

export interface NetworkOptions {
  readonly clock: NetworkClock;
  readonly random: (count: number) => Uint8Array;
}

/** What happened to a packet, where. */
export interface Hop {
  readonly at: bigint;
  /** The number of the network namespace, as /proc/<pid>/ns/net shows it. */
  readonly namespace: number;
  /** The device, "" where none is concerned. */
  readonly device: string;
  readonly event: "sent" | "received" | "flooded" | "switched" | "routed" | "translated" | "delivered" | "dropped";
  readonly packet: Arp | Packet;
  /** Why, for a drop; into what, for a translation. */
  readonly note: string;
}

const hopsMax = 4096;

export class Network {
  readonly clock: NetworkClock;
  readonly #random: (count: number) => Uint8Array;
  #hops: Hop[] = [];
  #devices = 1;

  constructor({ clock, random }: NetworkOptions) {
    this.clock = clock;
    this.#random = random;
  }

  record(hop: Omit<Hop, "at">): void {
    this.#hops.push({ ...hop, at: this.clock.now() });
    if (this.#hops.length >= 2 * hopsMax) this.#hops = this.#hops.slice(-hopsMax);
  }

  /** The newest hops, oldest first. */
  get hops(): readonly Hop[] {
    return this.#hops.slice(-hopsMax);
  }

  newMac(): Mac {
    return macFrom(this.#random(6));
  }

  /** Device numbers are the machine's: a device keeps its own when it moves to another namespace. */
  newIndex(): number {
    return ++this.#devices;
  }

  /** A number below `limit`, at most 2^32. */
  chance(limit: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#random(4);
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % limit;
  }
}

/** A hop as a line: "eth0  sent      IP 172.17.0.2 > 172.17.0.3: ICMP echo request, id 1, seq 1, length 64". */
export function formatHop({ device, event, packet, note }: Hop): string {
  return `${device.padEnd(8)} ${event.padEnd(10)} ${describe(packet)}${note === "" ? "" : ` (${note})`}`;
}
