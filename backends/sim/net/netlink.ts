/**
 * What programs tell and ask the network of their namespace: the requests of rtnetlink(7) and
 * nf_tables, as data. `ip`, `bridge` and the performer of plans use nothing else. Who may change
 * anything (CAP_NET_ADMIN over the namespace) is checked before it comes here.
 *
 * Answers are copies: what was told does not change afterwards.
 */
import { Errno } from "../../../core/base/errno.ts";
import { type Ipv4, type Mac, parseIpv4, type Prefix } from "./address.ts";
import { Bridge } from "./bridge.ts";
import { type Counters, type Device, Loopback, Veth } from "./device.ts";
import type { Connection, Rule } from "./filter.ts";
import type { NeighbourState } from "./neighbours.ts";
import type { Stack } from "./stack.ts";

export type NetlinkChange =
  | { readonly do: "link.add"; readonly kind: "bridge"; readonly name: string }
  | {
      readonly do: "link.add";
      readonly kind: "veth";
      readonly name: string;
      readonly peer: { readonly name: string; readonly namespaceOf?: number };
    }
  | { readonly do: "link.delete"; readonly name: string }
  | { readonly do: "link.set"; readonly name: string; readonly to: LinkChange }
  | { readonly do: "address.add" | "address.remove"; readonly device: string; readonly prefix: Prefix }
  | { readonly do: "route.add" | "route.remove"; readonly route: RouteRequest }
  | { readonly do: "rule.add"; readonly rule: Rule }
  | { readonly do: "rule.remove"; readonly comment: string };

/** Only what is given changes. */
export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: Mac;
  readonly name?: string;
  /** The bridge it becomes a port of; null: of none. */
  readonly master?: string | null;
  /** Moves to the network namespace of this process. */
  readonly namespaceOf?: number;
}

export interface RouteRequest {
  readonly destination: Prefix;
  readonly gateway: Ipv4 | null;
  /** null: the one by which the gateway is reached. */
  readonly device: string | null;
  readonly source?: Ipv4;
  readonly metric?: number;
}

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly kind: Device["kind"];
  readonly mac: Mac;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly master: string | null;
  /** Of a veth, the number of the other end; null when it is no veth. */
  readonly peerIndex: number | null;
  /** Whether the other end is in another namespace. */
  readonly peerIsElsewhere: boolean;
  readonly addresses: readonly Prefix[];
  readonly counters: Readonly<Counters>;
}

export interface RouteInfo {
  readonly destination: Prefix;
  readonly gateway: Ipv4 | null;
  readonly device: string;
  readonly source: Ipv4 | null;
  readonly metric: number;
  readonly by: "kernel" | "boot";
  /** The device is up but nobody is at the other end. */
  readonly linkDown: boolean;
}

export interface NeighbourInfo {
  readonly address: Ipv4;
  readonly device: string;
  readonly mac: Mac | null;
  readonly state: NeighbourState;
}

export interface NetworkView {
  readonly links: readonly LinkInfo[];
  readonly routes: readonly RouteInfo[];
  readonly neighbours: readonly NeighbourInfo[];
  readonly forwarding: readonly { readonly mac: Mac; readonly device: string; readonly master: string }[];
  readonly rules: readonly Rule[];
  readonly connections: readonly Connection[];
}

/** Finds the network of another process's namespace. ESRCH. */
export type StackOf = (pid: number) => Stack;

const mtuMin = 68;
const mtuMax = 65_535;

export function change(stack: Stack, request: NetlinkChange, stackOf: StackOf): void {
  switch (request.do) {
    case "link.add":
      return addLink(stack, request, stackOf);
    case "link.delete":
      return stack.delete(stack.device(request.name));
    case "link.set":
      return setLink(stack, stack.device(request.name), request.to, stackOf);
    case "address.add":
      return stack.addAddress(stack.device(request.device), request.prefix);
    case "address.remove":
      return stack.removeAddress(stack.device(request.device), request.prefix);
    case "route.add":
      return addRoute(stack, request.route);
    case "route.remove":
      return removeRoute(stack, request.route);
    case "rule.add":
      return stack.filter.add(request.rule);
    case "rule.remove":
      return stack.filter.remove(({ comment }) => comment === request.comment);
  }
}

export function view(stack: Stack): NetworkView {
  const bridges = stack.devices.filter((device) => device instanceof Bridge);
  return {
    links: stack.devices.map(linkInfo),
    routes: stack.routes.list().map(({ device, ...route }) => ({
      ...route,
      device: device.name,
      linkDown: !device.carrier,
    })),
    neighbours: stack.neighbours.list().map(({ device, ...neighbour }) => ({ ...neighbour, device: device.name })),
    forwarding: bridges.flatMap(({ forwarding, name }) =>
      forwarding.map(({ mac, port }) => ({ mac, device: port.name, master: name })),
    ),
    rules: stack.filter.rules,
    connections: stack.filter.connections.map((connection) => ({ ...connection })),
  };
}

function linkInfo(device: Device): LinkInfo {
  const peer = device instanceof Veth ? device.peer : null;
  const { index, name, kind, mac, mtu, up, carrier, addresses } = device;
  return {
    ...{ index, name, kind, mac, mtu, up, carrier, addresses },
    master: device.master?.name ?? null,
    peerIndex: peer?.index ?? null,
    peerIsElsewhere: peer !== null && peer.stack !== device.stack,
    counters: { ...device.counters },
  };
}

function addLink(stack: Stack, request: NetlinkChange & { do: "link.add" }, stackOf: StackOf): void {
  if (isTaken(stack, request.name)) throw new Errno("EEXIST", request.name);
  if (request.kind === "bridge") return stack.attach(new Bridge(stack, request.name));
  const { namespaceOf, name } = request.peer;
  const other = namespaceOf === undefined ? stack : stackOf(namespaceOf);
  if (isTaken(other, name) || (other === stack && name === request.name)) throw new Errno("EEXIST", name);
  for (const end of Veth.pair({ stack, name: request.name }, { stack: other, name })) end.stack.attach(end);
}

function isTaken(stack: Stack, wanted: string): boolean {
  return stack.devices.some(({ name }) => name === wanted);
}

function setLink(stack: Stack, device: Device, to: LinkChange, stackOf: StackOf): void {
  if (to.namespaceOf !== undefined) move(device, stackOf(to.namespaceOf), to.name ?? device.name);
  else if (to.name !== undefined) rename(stack, device, to.name);
  if (to.mtu !== undefined) setMtu(device, to.mtu);
  if (to.mac !== undefined) device.mac = to.mac;
  if (to.master !== undefined) setMaster(device, to.master);
  if (to.up !== undefined) device.stack.setUp(device, to.up);
}

function move(device: Device, target: Stack, name: string): void {
  if (device instanceof Loopback) throw new Errno("EINVAL", device.name);
  if (target === device.stack) return;
  if (isTaken(target, name)) throw new Errno("EEXIST", name);
  device.stack.detach(device);
  device.moveTo(target);
  device.rename(name);
  target.attach(device);
}

/** Since Linux 6.2 also while it is up. */
function rename(stack: Stack, device: Device, name: string): void {
  if (isTaken(stack, name)) throw new Errno("EEXIST", name);
  device.rename(name);
}

function setMtu(device: Device, mtu: number): void {
  if (!Number.isInteger(mtu) || mtu < mtuMin || mtu > mtuMax) throw new Errno("EINVAL", device.name);
  device.mtu = mtu;
}

/** EOPNOTSUPP for a master that is no bridge, ELOOP for a bridge in a bridge, EINVAL for lo (br_add_if()). */
function setMaster(device: Device, name: string | null): void {
  device.master?.unplug(device);
  if (name === null) return;
  const bridge = device.stack.device(name);
  if (!(bridge instanceof Bridge)) throw new Errno("EOPNOTSUPP", bridge.name);
  if (device instanceof Loopback) throw new Errno("EINVAL", device.name);
  if (device instanceof Bridge) throw new Errno("ELOOP", device.name);
  bridge.plug(device);
}

/** ENETUNREACH when the gateway is not on a link, ENETDOWN when the device is down. */
function addRoute(stack: Stack, request: RouteRequest): void {
  const { destination, gateway, metric = 0 } = request;
  const device = deviceFor(stack, request);
  if (!device.up) throw new Errno("ENETDOWN", device.name);
  if (request.source !== undefined && !stack.isLocal(request.source)) throw new Errno("EINVAL");
  stack.routes.add({ destination, device, gateway, source: request.source ?? null, metric, by: "boot" });
}

function deviceFor(stack: Stack, { gateway, device }: RouteRequest): Device {
  const wanted = device === null ? null : stack.device(device);
  if (gateway === null) {
    if (wanted === null) throw new Errno("ENODEV");
    return wanted;
  }
  if (wanted !== null && !wanted.up) throw new Errno("ENETDOWN", wanted.name);
  const onLink = stack.routes.lookup(gateway);
  if (onLink === null || onLink.gateway !== null || (wanted !== null && onLink.device !== wanted))
    throw new Errno("ENETUNREACH");
  return onLink.device;
}

function removeRoute(stack: Stack, { destination, gateway, device, metric }: RouteRequest): void {
  stack.routes.remove(
    (route) =>
      route.destination.address === destination.address &&
      route.destination.length === destination.length &&
      (gateway === null || route.gateway === gateway) &&
      (device === null || route.device.name === device) &&
      (metric === undefined || route.metric === metric),
  );
}

/** An address that a program was given; EINVAL for what is none. */
export function addressOf(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === null) throw new Errno("EINVAL", text);
  return address;
}
