/** What the net-tools show, as busybox has them: netstat, route, arp and ifconfig read /proc/net and the devices. */
import { formatIpv4, type Ipv4, isLoopback, maskOf, parsePrefix } from "../../net/address.ts";
import type { LinkInfo, RouteInfo } from "../../net/netlink.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Program, Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, readText } from "../applet.ts";
import { parseOptions } from "../options.ts";

const states = [
  ...["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT"],
  ...["LAST_ACK", "LISTEN", "CLOSING"],
];
const listen = "LISTEN";

const netstat = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "alntuxrewWp" });
  if (options.has("r")) return showRoutes(context, "MSS Window  irtt");
  const what = options.has("l") ? "only servers" : options.has("a") ? "servers and established" : "w/o servers";
  await context.out.print(`Active Internet connections (${what})\n`);
  await context.out.print("Proto Recv-Q Send-Q Local Address           Foreign Address         State       \n");
  const both = !options.has("t") && !options.has("u");
  const wants = (state: string): boolean => (options.has("a") ? true : (state === listen) === options.has("l"));
  if (both || options.has("t")) await showSockets(context, "tcp", wants);
  if (both || options.has("u")) await showSockets(context, "udp", (state) => wants(state === "" ? listen : state));
  return 0;
});

async function showSockets({ sys, out }: Context, protocol: string, wants: (state: string) => boolean): Promise<void> {
  const [, ...lines] = (await readText(sys, `/proc/net/${protocol}`)).trimEnd().split("\n");
  for (const line of lines) {
    const [, local = "", remote = "", code = "", queues = ""] = line.trim().split(/\s+/);
    const state = protocol === "udp" && code === "07" ? "" : (states[Number.parseInt(code, 16)] ?? "");
    if (!wants(state)) continue;
    const [sending = 0, received = 0] = queues.split(":").map((text) => Number.parseInt(text, 16));
    const numbers = `${String(received).padStart(6)} ${String(sending).padStart(6)}`;
    const ends = [local, remote].map((end) => endpoint(end).padEnd(23)).join(" ");
    await out.print(`${protocol.padEnd(5)} ${numbers} ${ends} ${state.padEnd(11)} \n`);
  }
}

/** "0100007F:0050" → "127.0.0.1:80"; port 0 is "*". */
function endpoint(text: string): string {
  const [address = "", port = ""] = text.split(":");
  const bytes = address.match(/../g)?.toReversed() ?? [];
  const number = Number.parseInt(port, 16);
  return `${bytes.map((byte) => Number.parseInt(byte, 16)).join(".")}:${number === 0 ? "*" : number}`;
}

const route = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "ne", inOrder: true });
  if (operands.length > 0) throw new Failure("only shows routes here: change them with ip route");
  return showRoutes(context, "Metric Ref    Use");
});

async function showRoutes({ sys, out }: Context, columns: string): Promise<number> {
  const isNetstat = columns.startsWith("MSS");
  await out.print("Kernel IP routing table\n");
  await out.print(`Destination     Gateway         Genmask         Flags ${isNetstat ? "  " : ""}${columns} Iface\n`);
  for (const each of sys.network().routes) {
    const fixed = [each.destination.address, each.gateway ?? (0 as Ipv4), maskOf(each.destination.length) as Ipv4];
    const numbers = isNetstat ? "    0 0          0" : `${String(each.metric).padEnd(6)} 0        0`;
    const flags = flagsOf(each).padEnd(isNetstat ? 5 : 5);
    await out.print(
      `${fixed.map((address) => formatIpv4(address).padEnd(15)).join(" ")} ${flags} ${numbers} ${each.device}\n`,
    );
  }
  return 0;
}

function flagsOf({ gateway, destination }: RouteInfo): string {
  return `U${gateway === null ? "" : "G"}${destination.length === 32 ? "H" : ""}`;
}

const arp = applet(async ({ sys, out, args }) => {
  parseOptions(args, { flags: "na" });
  for (const { address, device, mac, state } of sys.network().neighbours) {
    const where = mac === null || state === "FAILED" ? "<incomplete>" : `${mac} [ether]`;
    await out.print(`? (${formatIpv4(address)}) at ${where}  on ${device}\n`);
  }
  return 0;
});

const ifconfig = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "a", inOrder: true });
  const [wanted, ...changes] = operands;
  if (wanted !== undefined && changes.length > 0) return configure(context, wanted, changes);
  const links = context.sys.network().links.filter(({ name, up }) => (wanted === undefined ? up : name === wanted));
  if (wanted !== undefined && links.length === 0)
    throw new Failure(`${wanted}: error fetching interface information: Device not found`);
  for (const link of links.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    await context.out.print(`${describe(link)}\n`);
  return 0;
});

/** "up", "down", an address with its netmask: in the order they are given. */
function configure({ sys }: Context, name: string, words: readonly string[]): number {
  const mask = words[words.indexOf("netmask") + 1];
  try {
    for (const [index, word] of words.entries()) {
      if (word === "up" || word === "down")
        sys.changeNetwork({ do: "link.set", name, to: word === "up" ? { up: true } : { up: false } });
      else if (/^\d/.test(word) && words[index - 1] !== "netmask") setAddress(sys, name, word, mask);
    }
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`SIOCGIFFLAGS: ${errnoText(thrown.errno)}`);
  }
}

/** It takes the place of the one before. Without a mask it has its class's. */
function setAddress(sys: Sys, device: string, text: string, mask: string | undefined): void {
  const first = Number(text.split(".")[0]);
  const ofClass = first < 128 ? 8 : first < 192 ? 16 : 24;
  const length =
    mask === undefined || !mask.includes(".")
      ? ofClass
      : mask.split(".").reduce((sum, part) => sum + Number(part).toString(2).replaceAll("0", "").length, 0);
  const prefix = parsePrefix(text.includes("/") ? text : `${text}/${length}`);
  if (prefix === null) throw new Failure(`bad address '${text}'`);
  const old = sys.network().links.find(({ name }) => name === device)?.addresses[0];
  if (old !== undefined) sys.changeNetwork({ do: "address.remove", device, prefix: old });
  sys.changeNetwork({ do: "address.add", device, prefix });
  sys.changeNetwork({ do: "link.set", name: device, to: { up: true } });
}

function describe(link: LinkInfo): string {
  const { name, kind, mac, counters } = link;
  const head = kind === "loopback" ? "Local Loopback  " : `Ethernet  HWaddr ${mac.toUpperCase()}  `;
  const indent = " ".repeat(10);
  const { receivedPackets, receivedDropped, receivedBytes, sentPackets, sentDropped, sentBytes } = counters;
  const lines = [
    ...link.addresses.slice(0, 1).map(addressLine),
    `${flagNames(link)}  MTU:${link.mtu}  Metric:1`,
    `RX packets:${receivedPackets} errors:0 dropped:${receivedDropped} overruns:0 frame:0`,
    `TX packets:${sentPackets} errors:0 dropped:${sentDropped} overruns:0 carrier:0`,
    "collisions:0 txqueuelen:1000 ",
    `RX bytes:${receivedBytes} (${humanBytes(receivedBytes)})  TX bytes:${sentBytes} (${humanBytes(sentBytes)})`,
  ];
  return `${name.padEnd(9)} Link encap:${head}\n${lines.map((line) => `${indent}${line}\n`).join("")}`;
}

function addressLine({ address, length }: LinkInfo["addresses"][number]): string {
  const broadcast = isLoopback(address) ? "" : "  Bcast:0.0.0.0";
  return `inet addr:${formatIpv4(address)}${broadcast}  Mask:${formatIpv4(maskOf(length) as Ipv4)}`;
}

function flagNames({ kind, up, carrier }: LinkInfo): string {
  const names = kind === "loopback" ? ["LOOPBACK"] : ["BROADCAST"];
  return [up && "UP", ...names, up && carrier && "RUNNING", kind !== "loopback" && "MULTICAST"]
    .filter(Boolean)
    .join(" ");
}

function humanBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

export const programs: Readonly<Record<string, Program>> = { arp, ifconfig, netstat, route };
