/**
 * The packet filter of one namespace, with address translation and connection tracking, after
 * nf_tables and nf_conntrack: rules in chains at the five hooks, tried in order.
 *
 *   in ─▶ prerouting ─▶ (route) ─▶ forward ─▶ postrouting ─▶ out
 *                          │                      ▲
 *                          ▼                      │
 *                        input ─▶ socket ─▶ output (route)
 *
 * A connection is known by the tuple of its first packet and by that of its answers. Only the first
 * packet meets the translating rules; what they decided then holds for the connection, both ways.
 */
import { contains, type Ipv4, type Prefix } from "./address.ts";
import type { NetworkClock } from "./network.ts";
import type { Icmp, Packet, Tcp } from "./packet.ts";

export type Chain = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** All that is given must fit. */
export interface Match {
  readonly protocol?: "icmp" | "udp" | "tcp";
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly destinationPort?: number;
  readonly inDevice?: string;
  readonly outDevice?: string;
  readonly notOutDevice?: string;
  /** The destination is an address of this namespace (fib daddr type local). */
  readonly destinationIsLocal?: boolean;
  readonly state?: readonly ("new" | "established")[];
}

export type Verdict =
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  | { readonly kind: "dnat"; readonly address: Ipv4; readonly port: number | null }
  /** The source becomes the address of the device by which the packet leaves. */
  | { readonly kind: "masquerade" };

export interface Rule {
  readonly chain: Chain;
  readonly match: Match;
  readonly verdict: Verdict;
  /** Whose rule it is, for removing and for listing. */
  readonly comment: string;
}

export interface Place {
  readonly inDevice: string;
  readonly outDevice: string;
  /** The address of the device by which it leaves: what masquerading uses. */
  readonly outAddress: Ipv4 | null;
  readonly destinationIsLocal: boolean;
}

/** Who talks to whom. Of ICMP echo the id stands for both ports. */
export interface Tuple {
  readonly protocol: "icmp" | "udp" | "tcp";
  readonly source: Ipv4;
  readonly sourcePort: number;
  readonly destination: Ipv4;
  readonly destinationPort: number;
}

export interface Connection {
  readonly original: Tuple;
  /** The tuple its answers have. */
  reply: Tuple;
  answered: boolean;
  confirmed: boolean;
  translated: boolean;
  expires: bigint;
}

/** Which connection a packet belongs to, and which way it goes. */
export interface Tracked {
  readonly connection: Connection;
  readonly direction: "original" | "reply";
}

const second = 1_000_000_000n;
/** nf_conntrack_*_timeout. */
const lifetimes = { icmp: 30n * second, udp: 30n * second, udpStream: 120n * second, tcp: 432_000n * second };
const closedNanos = 10n * second;
const connectionsMax = 65_536;
const firstEphemeralPort = 1024;

export class Filter {
  readonly #clock: NetworkClock;
  readonly #connections = new Map<string, Tracked>();
  #rules: readonly Rule[] = [];

  constructor(clock: NetworkClock) {
    this.#clock = clock;
  }

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  add(rule: Rule): void {
    this.#rules = [...this.#rules, rule];
  }

  remove(fits: (rule: Rule) => boolean): void {
    this.#rules = this.#rules.filter((rule) => !fits(rule));
  }

  /** What is being tracked (/proc/net/nf_conntrack). */
  get connections(): readonly Connection[] {
    return [...new Set([...this.#connections.values()].map(({ connection }) => connection))];
  }

  /** The packet as it goes on, or null when it ends here. `tracked` is what `track` said when it came into this namespace. */
  pass(chain: Chain, packet: Packet, place: Place, tracked: Tracked | null): Packet | null {
    if (this.#rules.length === 0) return packet;
    const verdict = this.#verdict(chain, packet, place, tracked);
    if (verdict?.kind === "drop") return null;
    if (tracked === null) return this.#passError(packet);
    if (!tracked.connection.confirmed && verdict !== null) this.#decide(tracked.connection, verdict, place);
    if (chain === "input" || chain === "postrouting") this.#confirm(tracked.connection);
    return translate(chain, packet, tracked);
  }

  #verdict(chain: Chain, packet: Packet, place: Place, tracked: Tracked | null): Verdict | null {
    const isNew = tracked === null || (!tracked.connection.answered && tracked.direction === "original");
    const tuple = tupleOf(packet);
    for (const { chain: at, match, verdict } of this.#rules) {
      if (at !== chain || !fits(match, packet, tuple, place, isNew)) continue;
      const translates = verdict.kind === "dnat" || verdict.kind === "masquerade";
      if (!translates || tracked?.connection.confirmed === false) return verdict;
    }
    return null;
  }

  /** The connection a packet that just came, or was just made, belongs to: a new one if need be. */
  track(packet: Packet): Tracked | null {
    const tuple = tupleOf(packet);
    if (tuple === null || this.#rules.length === 0) return null;
    const known = this.#known(keyOf(tuple));
    if (known !== null) return this.#refresh(known, packet);
    const connection = {
      original: tuple,
      reply: inverse(tuple),
      answered: false,
      confirmed: false,
      translated: false,
      expires: this.#clock.now() + lifetimes[tuple.protocol],
    };
    const tracked: Tracked = { connection, direction: "original" };
    this.#connections.set(keyOf(tuple), tracked);
    this.#makeRoom();
    return tracked;
  }

  #known(key: string): Tracked | null {
    const known = this.#connections.get(key);
    if (known === undefined) return null;
    if (known.connection.expires > this.#clock.now()) return known;
    this.#forget(known.connection);
    return null;
  }

  #refresh(tracked: Tracked, { payload }: Packet): Tracked {
    const { connection } = tracked;
    if (tracked.direction === "reply") connection.answered = true;
    connection.expires = this.#clock.now() + lifetimeOf(connection, payload);
    return tracked;
  }

  #makeRoom(): void {
    if (this.#connections.size <= 2 * connectionsMax) return;
    const [oldest] = this.#connections.values();
    if (oldest !== undefined) this.#forget(oldest.connection);
  }

  #forget({ original, reply }: Connection): void {
    this.#connections.delete(keyOf(original));
    this.#connections.delete(keyOf(reply));
  }

  #decide(connection: Connection, verdict: Verdict, { outAddress }: Place): void {
    const { reply } = connection;
    if (verdict.kind === "dnat") {
      connection.translated = true;
      connection.reply = { ...reply, source: verdict.address, sourcePort: verdict.port ?? reply.sourcePort };
    } else if (verdict.kind === "masquerade" && outAddress !== null) {
      connection.translated = true;
      connection.reply = this.#unique({ ...reply, destination: outAddress });
    }
  }

  /** Keeps the port where it can; takes the next free one where another connection has it. */
  #unique(reply: Tuple): Tuple {
    let candidate = reply;
    while (this.#known(keyOf(candidate)) !== null) {
      const port = candidate.destinationPort >= 65_535 ? firstEphemeralPort : candidate.destinationPort + 1;
      candidate = { ...reply, destinationPort: port, sourcePort: reply.protocol === "icmp" ? port : reply.sourcePort };
    }
    return candidate;
  }

  #confirm(connection: Connection): void {
    if (connection.confirmed) return;
    connection.confirmed = true;
    this.#connections.set(keyOf(connection.reply), { connection, direction: "reply" });
  }

  /** An ICMP error goes to whoever sent the packet it is about, under the address that one knows itself by. */
  #passError(packet: Packet): Packet {
    const { payload } = packet;
    if (payload.protocol !== "icmp" || !("about" in payload)) return packet;
    const quoted = tupleOf(payload.about);
    const tracked = quoted === null ? null : this.#known(keyOf(inverse(quoted)));
    if (tracked === null || !tracked.connection.translated) return packet;
    const first = tracked.direction === "reply" ? tracked.connection.original : inverse(tracked.connection.reply);
    return { ...packet, destination: first.source, payload: { ...payload, about: readdressed(payload.about, first) } };
  }
}

function lifetimeOf({ original, answered }: Connection, payload: Packet["payload"]): bigint {
  if (payload.protocol === "tcp" && (payload.fin || payload.rst)) return closedNanos;
  return original.protocol === "udp" && answered ? lifetimes.udpStream : lifetimes[original.protocol];
}

/** Destinations are translated where packets come in, sources where they leave. */
function translate(chain: Chain, packet: Packet, { connection, direction }: Tracked): Packet {
  if (!connection.translated) return packet;
  const wanted = inverse(direction === "original" ? connection.reply : connection.original);
  const now = tupleOf(packet);
  if (now === null) return packet;
  switch (chain) {
    case "prerouting":
    case "output":
      return readdressed(packet, { ...now, destination: wanted.destination, destinationPort: wanted.destinationPort });
    case "input":
    case "postrouting":
      return readdressed(packet, { ...now, source: wanted.source, sourcePort: wanted.sourcePort });
    case "forward":
      return packet;
  }
}

function readdressed(packet: Packet, tuple: Tuple): Packet {
  const { source, destination, sourcePort, destinationPort } = tuple;
  return { ...packet, source, destination, payload: withPorts(packet.payload, sourcePort, destinationPort) };
}

function withPorts<P extends Packet["payload"]>(payload: P, sourcePort: number, destinationPort: number): P {
  if (payload.protocol === "icmp")
    return "id" in payload
      ? { ...payload, id: payload.type === "echo-request" ? sourcePort : destinationPort }
      : payload;
  return { ...payload, sourcePort, destinationPort };
}

/** null for what belongs to no connection of its own: ICMP errors. */
function tupleOf({ source, destination, payload }: Packet): Tuple | null {
  if (payload.protocol === "icmp") return echoTuple(source, destination, payload);
  const { protocol, sourcePort, destinationPort } = payload;
  return { protocol, source, sourcePort, destination, destinationPort };
}

function echoTuple(source: Ipv4, destination: Ipv4, icmp: Icmp): Tuple | null {
  if (!("id" in icmp)) return null;
  return { protocol: "icmp", source, sourcePort: icmp.id, destination, destinationPort: icmp.id };
}

function inverse({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Tuple {
  return {
    protocol,
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
  };
}

function keyOf({ protocol, source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

function fits(match: Match, packet: Packet, tuple: Tuple | null, place: Place, isNew: boolean): boolean {
  const { protocol, source, destination, destinationPort, state } = match;
  return (
    (protocol === undefined || packet.payload.protocol === protocol) &&
    (source === undefined || contains(source, packet.source)) &&
    (destination === undefined || contains(destination, packet.destination)) &&
    (destinationPort === undefined || portOf(packet.payload) === destinationPort) &&
    (state === undefined || state.includes(isNew && tuple !== null ? "new" : "established")) &&
    fitsPlace(match, place)
  );
}

function fitsPlace(match: Match, place: Place): boolean {
  return (
    (match.inDevice === undefined || match.inDevice === place.inDevice) &&
    (match.outDevice === undefined || match.outDevice === place.outDevice) &&
    (match.notOutDevice === undefined || match.notOutDevice !== place.outDevice) &&
    (match.destinationIsLocal === undefined || match.destinationIsLocal === place.destinationIsLocal)
  );
}

function portOf(payload: Icmp | Tcp | Packet["payload"]): number | null {
  return payload.protocol === "icmp" ? null : payload.destinationPort;
}
