/**
 * Stack: the IPv4 of one network namespace: its devices, routes, neighbours, filter and sockets, and
 * the way of a packet between them.
 *
 *   send      a socket's packet: output filter → route → postrouting → neighbour → device
 *   receive   a device's frame:  ARP, or prerouting → ours? input → socket : forward → postrouting → device
 *
 * A new namespace has a loopback device that is down and nothing else (network_namespaces(7)).
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import {
  broadcastMac,
  broadcastOf,
  contains,
  formatIpv4,
  type Ipv4,
  isLoopback,
  limitedBroadcast,
  networkOf,
  noMac,
  type Prefix,
} from "./address.ts";
import { type Device, Loopback, Veth } from "./device.ts";
import { Bridge } from "./bridge.ts";
import { type Chain, Filter, type Tracked } from "./filter.ts";
import { NeighbourTable } from "./neighbours.ts";
import type { Hop, Network } from "./network.ts";
import {
  type Arp,
  defaultTtl,
  type Frame,
  type IcmpError,
  type Packet,
  packetBytes,
  type Unreachable,
} from "./packet.ts";
import { type Route, RouteTable } from "./routes.ts";
import { SocketTable } from "./socket-table.ts";

/** Where a packet goes: by which device, to whom on that link, and which source it gets if it has none. */
export interface Way {
  readonly device: Device;
  readonly nextHop: Ipv4;
  readonly source: Ipv4;
}

/** A packet on its way through this namespace, with the connection it belongs to. */
interface Passage {
  readonly packet: Packet;
  readonly tracked: Tracked | null;
}

/** What is settable beneath /proc/sys/net/ipv4. */
export interface Settings {
  forward: boolean;
  firstUnprivilegedPort: number;
  /** Groups that may open ICMP sockets; "1 0" is nobody. */
  pingGroups: readonly [number, number];
}

export class Stack {
  readonly network: Network;
  /** The namespace's number. */
  readonly number: number;
  readonly routes = new RouteTable();
  readonly neighbours: NeighbourTable;
  readonly filter: Filter;
  readonly sockets: SocketTable;
  readonly settings: Settings = { forward: false, firstUnprivilegedPort: 1024, pingGroups: [1, 0] };
  #devices: readonly Device[] = [];

  constructor(network: Network, number: number) {
    this.network = network;
    this.number = number;
    this.filter = new Filter(network.clock);
    this.neighbours = new NeighbourTable((packet) => this.#cannotDeliver(packet));
    this.sockets = new SocketTable(this);
    this.#devices = [new Loopback(this)];
  }

  // Devices and addresses

  /** In the order of their numbers, as `ip link` lists them. */
  get devices(): readonly Device[] {
    return this.#devices.toSorted((a, b) => a.index - b.index);
  }

  /** ENODEV when there is none of that name. */
  device(name: string): Device {
    const found = this.#devices.find((device) => device.name === name);
    if (found === undefined) throw new Errno("ENODEV", name);
    return found;
  }

  /** EEXIST when the name is taken. */
  attach(device: Device): void {
    if (this.#devices.some(({ name }) => name === device.name)) throw new Errno("EEXIST", device.name);
    if (this.#devices.some(({ index }) => index === device.index)) device.index = this.network.newIndex();
    this.#devices = [...this.#devices, device];
  }

  /** Takes a device out, with its routes and neighbours; a cable's other end stays where it is. */
  detach(device: Device): void {
    this.setUp(device, false);
    device.master?.unplug(device);
    if (device instanceof Bridge) for (const port of device.ports) device.unplug(port);
    this.#devices = this.#devices.filter((other) => other !== device);
  }

  /** Deletes a device; a cable goes with both its ends. EOPNOTSUPP for the loopback device. */
  delete(device: Device): void {
    if (device instanceof Loopback) throw new Errno("EOPNOTSUPP", device.name);
    this.detach(device);
    if (!(device instanceof Veth)) return;
    const { peer } = device;
    device.unplug();
    peer?.stack.detach(peer);
  }

  /** The namespace is gone, and with it what was in it. */
  destroy(): void {
    this.sockets.closeAll();
    for (const device of this.devices) if (!(device instanceof Loopback)) this.delete(device);
  }

  /** Up: its addresses' networks can be reached by it. Down: nothing goes by it, its routes are gone. */
  setUp(device: Device, up: boolean): void {
    if (device.up === up) return;
    device.up = up;
    if (!up) {
      this.routes.dropDevice(device);
      this.neighbours.dropDevice(device);
      return;
    }
    if (device instanceof Loopback && device.addresses.length === 0)
      device.addresses = [{ address: 0x7f000001 as Ipv4, length: 8 }];
    for (const prefix of device.addresses) this.#addConnectedRoute(device, prefix);
  }

  /** EEXIST when the device has it already. */
  addAddress(device: Device, prefix: Prefix): void {
    if (device.addresses.some((other) => other.address === prefix.address && other.length === prefix.length))
      throw new Errno("EEXIST");
    device.addresses = [...device.addresses, prefix];
    if (device.up) this.#addConnectedRoute(device, prefix);
  }

  /** EADDRNOTAVAIL when the device has it not. */
  removeAddress(device: Device, prefix: Prefix): void {
    const kept = device.addresses.filter((other) => other.address !== prefix.address || other.length !== prefix.length);
    if (kept.length === device.addresses.length) throw new Errno("EADDRNOTAVAIL");
    device.addresses = kept;
    const network = networkOf(prefix);
    const connected = (route: Route): boolean =>
      route.device === device &&
      route.by === "kernel" &&
      route.destination.address === network.address &&
      route.destination.length === network.length;
    if (this.routes.list().some(connected)) this.routes.remove(connected);
  }

  /** Not for the loopback device (its addresses are in the local table) and not for single addresses. */
  #addConnectedRoute(device: Device, prefix: Prefix): void {
    if (device instanceof Loopback || prefix.length === 32) return;
    const route = { device, gateway: null, source: prefix.address, metric: 0, by: "kernel" as const };
    try {
      this.routes.add({ ...route, destination: prefix });
    } catch (thrown) {
      if (!(thrown instanceof Errno && thrown.errno === "EEXIST")) throw thrown;
    }
  }

  /** Whether an address is this namespace's own: of a device that is up. All of 127/8 is lo's. */
  isLocal(address: Ipv4): boolean {
    return this.#devices.some(
      ({ up, addresses }) =>
        up && addresses.some((own) => own.address === address || (isLoopback(own.address) && contains(own, address))),
    );
  }

  /** An address everybody on a link of ours listens to. */
  isBroadcast(address: Ipv4): boolean {
    if (address === limitedBroadcast) return true;
    return this.#devices.some(({ addresses }) => addresses.some((own) => broadcastOf(own) === address));
  }

  // The way out

  /** ENETUNREACH when no route leads there. */
  route(destination: Ipv4): Way {
    if (this.isLocal(destination)) return this.#localWay(destination);
    const route = this.routes.lookup(destination);
    if (route === null) throw new Errno("ENETUNREACH", formatIpv4(destination));
    const { device, gateway } = route;
    return { device, nextHop: gateway ?? destination, source: route.source ?? this.#sourceFor(route) };
  }

  /** By the loopback device, even when that is down: then nothing arrives. */
  #localWay(destination: Ipv4): Way {
    const loopback = this.#devices.find((device) => device instanceof Loopback);
    assert(loopback !== undefined, "every namespace has a loopback device");
    return { device: loopback, nextHop: destination, source: destination };
  }

  /** The address on the gateway's network, else the device's first, else any (inet_select_addr()). */
  #sourceFor({ device, gateway, destination }: Route): Ipv4 {
    const wanted = gateway ?? destination.address;
    const near = device.addresses.find((own) => contains(own, wanted)) ?? device.addresses[0];
    const any = near ?? this.#devices.flatMap(({ addresses }) => addresses).find(({ address }) => !isLoopback(address));
    if (any === undefined) throw new Errno("EADDRNOTAVAIL");
    return any.address;
  }

  /** Sends a socket's packet. ENETUNREACH, EPERM when the filter drops it, EMSGSIZE. */
  send(packet: Packet): void {
    const way = this.route(packet.destination);
    if (packetBytes(packet) > way.device.mtu) throw new Errno("EMSGSIZE");
    const tracked = this.filter.track(packet);
    const filtered = this.#filter("output", { packet, tracked }, null, way.device);
    if (filtered === null) throw new Errno("EPERM");
    const moved = filtered.packet.destination !== packet.destination;
    this.#leave(filtered, moved ? this.route(filtered.packet.destination) : way, null);
  }

  /** Answers with an ICMP error; never about an error, nor to what went to many (RFC 1122, 3.2.2). */
  refuse(about: Packet, type: IcmpError["type"], code: Unreachable | "ttl"): void {
    if (about.payload.protocol === "icmp" && "about" in about.payload) return;
    if (this.isBroadcast(about.destination)) return;
    const source = this.isLocal(about.destination) ? about.destination : this.#answerFrom(about.source);
    if (source === null) return;
    this.#try({
      protocol: "ipv4",
      source,
      destination: about.source,
      ttl: defaultTtl,
      payload: { protocol: "icmp", type, code, about },
    });
  }

  #answerFrom(destination: Ipv4): Ipv4 | null {
    try {
      return this.route(destination).source;
    } catch (thrown) {
      if (thrown instanceof Errno) return null;
      throw thrown;
    }
  }

  /** Sends what nobody waits for: no way, no packet. */
  #try(packet: Packet): void {
    try {
      this.send(packet);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      this.#note("dropped", "", packet, thrown.message);
    }
  }

  #leave(passage: Passage, way: Way, from: Device | null): void {
    const { device, nextHop } = way;
    const leaving = this.#filter("postrouting", passage, from, device)?.packet;
    if (leaving === undefined) return;
    if (device instanceof Loopback) return device.transmit({ source: noMac, destination: noMac, payload: leaving });
    if (this.isBroadcast(nextHop))
      return device.transmit({ source: device.mac, destination: broadcastMac, payload: leaving });
    this.neighbours.send(device, way.source, nextHop, leaving);
  }

  /** A next hop that does not answer: the sender learns that the host is unreachable. */
  #cannotDeliver(packet: Packet): void {
    this.#note("dropped", "", packet, "nobody answers for the next hop");
    if (!this.isLocal(packet.source)) return this.refuse(packet, "unreachable", "host");
    this.sockets.fail(packet, "EHOSTUNREACH");
  }

  // The way in

  /** A frame came up from a device. */
  receive(device: Device, frame: Frame): void {
    const isOurs = frame.destination === device.mac || frame.destination === broadcastMac;
    if (!isOurs && !(device instanceof Loopback)) return;
    if (frame.payload.protocol === "arp") this.#receiveArp(device, frame.payload);
    else this.#receivePacket(device, frame.payload);
  }

  #receiveArp(device: Device, arp: Arp): void {
    const isForUs = this.isLocal(arp.target);
    this.neighbours.learn(device, arp, isForUs);
    if (arp.operation !== "request" || !isForUs) return;
    const { mac } = device;
    const answer = { protocol: "arp", operation: "reply", senderMac: mac, sender: arp.target } as const;
    device.transmit({
      source: mac,
      destination: arp.senderMac,
      payload: { ...answer, targetMac: arp.senderMac, target: arp.sender },
    });
  }

  #receivePacket(device: Device, received: Packet): void {
    if (isLoopback(received.destination) && !(device instanceof Loopback))
      return this.#note("dropped", device.name, received, "a loopback address from outside");
    const tracked = this.filter.track(received);
    const passage = this.#filter("prerouting", { packet: received, tracked }, device, null);
    if (passage === null) return;
    const { packet } = passage;
    if (this.isLocal(packet.destination) || this.isBroadcast(packet.destination)) this.#deliver(device, passage);
    else if (this.settings.forward) this.#forward(device, passage);
    else this.#note("dropped", device.name, packet, "not for this host, and net.ipv4.ip_forward is 0");
  }

  #deliver(device: Device, passage: Passage): void {
    const packet = this.#filter("input", passage, device, null)?.packet;
    if (packet === undefined) return;
    this.#note("delivered", device.name, packet, "");
    this.sockets.deliver(packet);
  }

  #forward(device: Device, { packet, tracked }: Passage): void {
    if (packet.ttl <= 1) return this.refuse(packet, "time-exceeded", "ttl");
    const way = this.#wayOrRefuse(packet);
    if (way === null) return;
    const older = { packet: { ...packet, ttl: packet.ttl - 1 }, tracked };
    const passed = this.#filter("forward", older, device, way.device);
    if (passed === null) return;
    this.#note("routed", device.name, passed.packet, `to ${way.device.name}`);
    this.#leave(passed, way, device);
  }

  #wayOrRefuse(packet: Packet): Way | null {
    try {
      return this.route(packet.destination);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      this.refuse(packet, "unreachable", "network");
      return null;
    }
  }

  #filter(chain: Chain, { packet, tracked }: Passage, from: Device | null, to: Device | null): Passage | null {
    const place = {
      inDevice: from?.name ?? "",
      outDevice: to?.name ?? "",
      outAddress: to?.addresses[0]?.address ?? null,
      destinationIsLocal: this.isLocal(packet.destination),
    };
    const passed = this.filter.pass(chain, packet, place, tracked);
    const device = (to ?? from)?.name ?? "";
    if (passed === null) this.#note("dropped", device, packet, `by a rule of ${chain}`);
    else if (passed !== packet) this.#note("translated", device, passed, `in ${chain}`);
    return passed === null ? null : { packet: passed, tracked };
  }

  #note(event: Hop["event"], device: string, packet: Packet, note: string): void {
    this.network.record({ namespace: this.number, device, event, packet, note });
  }
}
