/** The files of /proc/<pid>/net, byte for byte as the kernel formats them (proc(5), net/ipv4/*.c). */
import { anyAddress, formatIpv4, type Ipv4, maskOf, noMac } from "./address.ts";
import type { Device } from "./device.ts";
import type { NeighbourState } from "./neighbours.ts";
import type { Endpoint } from "./packet.ts";
import type { Route } from "./routes.ts";
import type { Stack } from "./stack.ts";
import type { TcpState } from "./tcp-connection.ts";

const devHeader = [
  "Inter-|   Receive                                                |  Transmit",
  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
];

export function devText(stack: Stack): string {
  return lines([...devHeader, ...stack.devices.map(devLine)]);
}

function devLine({ name, counters }: Device): string {
  const { receivedBytes, receivedPackets, receivedDropped, sentBytes, sentPackets, sentDropped } = counters;
  const received = columns([receivedBytes, receivedPackets, 0, receivedDropped, 0, 0, 0, 0], [7, 7, 4, 4, 4, 5, 10, 9]);
  const sent = columns([sentBytes, sentPackets, 0, sentDropped, 0, 0, 0, 0], [8, 7, 4, 4, 4, 5, 7, 10]);
  return `${name.padStart(6)}: ${received} ${sent}`;
}

const routeColumns = ["Iface", "Destination", "Gateway ", "Flags", "RefCnt", "Use", "Metric", "Mask", "", "MTU"];
const routeBytes = 127;
const routeFlags = { up: 1, gateway: 2, host: 4 };

export function routeText(stack: Stack): string {
  const header = [...routeColumns, "Window", "IRTT"].join("\t");
  const routes = stack.routes.list();
  if (routes.length === 0) return "";
  return lines([header.padEnd(routeBytes), ...routes.map((route) => routeLine(route).padEnd(routeBytes))]);
}

function routeLine({ device, destination, gateway, metric }: Route): string {
  const flags =
    routeFlags.up | (gateway === null ? 0 : routeFlags.gateway) | (destination.length === 32 ? routeFlags.host : 0);
  const mask = maskOf(destination.length) as Ipv4;
  return [
    device.name,
    wire(destination.address),
    wire(gateway ?? anyAddress),
    flags.toString(16).toUpperCase().padStart(4, "0"),
    "0\t0",
    metric,
    wire(mask),
    "0\t0\t0",
  ].join("\t");
}

const arpHeader = "IP address       HW type     Flags       HW address            Mask     Device";
const arpFlags: Record<NeighbourState, string> = { INCOMPLETE: "0x0", FAILED: "0x0", REACHABLE: "0x2", STALE: "0x2" };

export function arpText(stack: Stack): string {
  const entries = stack.neighbours.list().map(({ address, mac, state, device }) => {
    const hardware = `0x1         ${arpFlags[state]}         ${(mac ?? noMac).padEnd(17)}`;
    return `${formatIpv4(address).padEnd(16)} ${hardware}     *        ${device.name}`;
  });
  return lines([arpHeader, ...entries]);
}

const tcpHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const tcpBytes = 149;
/** The numbers of include/net/tcp_states.h. */
const tcpStates: Record<TcpState, number> = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSED: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  CLOSING: 11,
};
const listenState = 10;
const nobody: Endpoint = { address: anyAddress, port: 0 };

export function tcpText({ sockets }: Stack): string {
  const listening = [...sockets.listeners.values()].flat().map(({ local }) => ({
    local,
    remote: nobody,
    state: listenState,
    queues: { sending: 0, received: 0 },
  }));
  const connections = [...sockets.connections.values()].map((connection) => ({
    local: connection.local,
    remote: connection.remote,
    state: tcpStates[connection.state],
    queues: connection.queues,
  }));
  const rows = [...listening, ...connections].map(({ local, remote, state, queues }, at) =>
    socketLine(at, local, remote, state, queues).padEnd(tcpBytes),
  );
  return lines([tcpHeader.padEnd(tcpBytes), ...rows]);
}

const udpHeader =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
const udpBytes = 127;
const udpOpen = 7;
const udpConnected = 1;

export function udpText({ sockets }: Stack): string {
  const rows = [...sockets.udp.values()].flat().map(({ local, remote }, at) => {
    const state = remote === null ? udpOpen : udpConnected;
    return ` ${socketLine(at, local, remote ?? nobody, state, { sending: 0, received: 0 })}`.padEnd(udpBytes);
  });
  return lines([udpHeader.padEnd(udpBytes), ...rows]);
}

function socketLine(
  at: number,
  local: Endpoint,
  remote: Endpoint,
  state: number,
  { sending, received }: { sending: number; received: number },
): string {
  const ends = `${endpoint(local)} ${endpoint(remote)} ${hex(state, 2)}`;
  return `${String(at).padStart(4)}: ${ends} ${hex(sending, 8)}:${hex(received, 8)} 00:00000000 00000000     0        0 0 1`;
}

function endpoint({ address, port }: Endpoint): string {
  return `${wire(address)}:${hex(port, 4)}`;
}

/** Addresses are in network order, printed as this little-endian machine reads them. */
function wire(address: Ipv4): string {
  const swapped = [0, 8, 16, 24].map((shift) => hex((address >>> shift) & 255, 2)).join("");
  return swapped;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

function columns(values: readonly number[], widths: readonly number[]): string {
  return values.map((value, at) => String(value).padStart(widths[at] ?? 0)).join(" ");
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
