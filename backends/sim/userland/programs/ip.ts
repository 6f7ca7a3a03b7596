/** ip, as busybox has it: link, address, route and neigh over rtnetlink(7). */
import { Errno } from "../../../../core/base/errno.ts";
import {
  broadcastMac,
  contains,
  formatIpv4,
  formatPrefix,
  isLoopback,
  type Mac,
  networkOf,
  noMac,
  parseMac,
  parsePrefix,
  type Prefix,
} from "../../net/address.ts";
import type { LinkChange, LinkInfo, NetlinkChange, RouteInfo, RouteRequest } from "../../net/netlink.ts";
import type { Program } from "../../kernel/sys.ts";
import { applet, type Context, Failure, reasonOf, UsageFailure } from "../applet.ts";

type Verb = (context: Context, words: readonly string[], style: Style) => Promise<void> | void;

interface Style {
  readonly oneLine: boolean;
}

const objects: readonly { readonly name: string; readonly verbs: Readonly<Record<string, Verb>> }[] = [
  { name: "address", verbs: { show: showAddresses, list: showAddresses, add: addAddress, delete: deleteAddress } },
  { name: "link", verbs: { show: showLinks, list: showLinks, add: addLink, delete: deleteLink, set: setLink } },
  { name: "neighbour", verbs: { show: showNeighbours, list: showNeighbours } },
  {
    name: "route",
    verbs: {
      show: showRoutes,
      list: showRoutes,
      add: addRoute,
      delete: deleteRoute,
      replace: replaceRoute,
      get: getRoute,
    },
  },
];

const ip = applet(async (context) => {
  const style = { oneLine: context.args.some((arg) => arg === "-o" || arg === "-oneline") };
  const words = context.args.filter((arg) => !/^-(?:o|oneline|4|f|inet)$/.test(arg));
  const [objectName = "", verbName = "show", ...rest] = words;
  const object = objects.find(({ name }) => objectName !== "" && name.startsWith(objectName));
  if (object === undefined) throw new UsageFailure("");
  const verb = Object.entries(object.verbs).find(([name]) => name.startsWith(verbName));
  if (verb === undefined) throw new Failure(`invalid argument '${verbName}' to '${context.name}'`, 2);
  await answering(() => verb[1](context, rest, style));
  return context.code;
});

/** A request that the kernel refuses is said as busybox says it. */
async function answering(act: () => Promise<void> | void): Promise<void> {
  try {
    await act();
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (thrown.errno === "ENODEV") throw new Failure(`can't find device '${thrown.path}'`);
    throw new Failure(`RTNETLINK answers: ${reasonOf(thrown)}`, 2);
  }
}

function change(context: Context, request: NetlinkChange): void {
  context.sys.changeNetwork(request);
}

/** "dev eth0 via 10.0.0.1" → its pairs; a word that stands alone has the value "". */
function pairsOf(words: readonly string[], known: readonly string[]): { free: string[]; pairs: Map<string, string> } {
  const free: string[] = [];
  const pairs = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!known.includes(word)) free.push(word);
    else pairs.set(word, words[++at] ?? missing(word));
  }
  return { free, pairs };
}

function missing(word: string): never {
  throw new Failure(`missing argument after "${word}"`);
}

// Links

function linksNamed(context: Context, words: readonly string[]): readonly LinkInfo[] {
  const { free, pairs } = pairsOf(words, ["dev"]);
  const name = pairs.get("dev") ?? free[0];
  const { links } = context.sys.network();
  if (name === undefined) return links;
  const found = links.filter((link) => link.name === name);
  if (found.length === 0) throw new Failure(`can't find device '${name}'`, 2);
  return found;
}

async function showLinks(context: Context, words: readonly string[], { oneLine }: Style): Promise<void> {
  for (const link of linksNamed(context, words)) {
    const [first, second] = linkLines(context, link);
    await context.out.print(oneLine ? `${first}\\${second}\n` : `${first}\n${second}\n`);
  }
}

function linkLines(context: Context, link: LinkInfo): [string, string] {
  const isLoopback = link.kind === "loopback";
  const queue = link.up ? "noqueue" : "noop";
  const master = link.master === null ? "" : ` master ${link.master}`;
  const head = `${link.index}: ${link.name}${peerOf(context, link)}: <${flagsOf(link)}> mtu ${link.mtu} qdisc ${queue}`;
  const kind = isLoopback ? "loopback" : "ether";
  const addresses = `link/${kind} ${link.mac} brd ${isLoopback ? noMac : broadcastMac}`;
  return [`${head}${master} qlen 1000`, `    ${addresses}`];
}

/** "@v1" when the other end is here, "@if7" when it is elsewhere. */
function peerOf(context: Context, { peerIndex, peerIsElsewhere }: LinkInfo): string {
  if (peerIndex === null) return "";
  if (peerIsElsewhere) return `@if${peerIndex}`;
  return `@${context.sys.network().links.find(({ index }) => index === peerIndex)?.name ?? `if${peerIndex}`}`;
}

function flagsOf(link: LinkInfo): string {
  const isLoopback = link.kind === "loopback";
  const isMissing = link.up && !link.carrier;
  const flags = [
    isMissing && "NO-CARRIER",
    ...(isLoopback ? ["LOOPBACK"] : ["BROADCAST", "MULTICAST"]),
    link.up && "UP",
    link.up && link.carrier && "LOWER_UP",
    link.kind === "veth" && !link.peerIsElsewhere && !link.carrier && "M-DOWN",
  ];
  return flags.filter(Boolean).join(",");
}

function addLink(context: Context, words: readonly string[]): void {
  const typeAt = words.indexOf("type");
  const kind = words[typeAt + 1];
  const [first = "", second = ""] = words;
  const name = first === "name" || first === "dev" ? second : first;
  if (typeAt === -1 || name === "type") throw new UsageFailure("");
  if (kind === "bridge") return change(context, { do: "link.add", kind, name });
  if (kind !== "veth") throw new Errno("EOPNOTSUPP");
  const peer = words.slice(typeAt + 2);
  const { pairs } = pairsOf(peer, ["name", "netns"]);
  const namespace = pairs.get("netns");
  const elsewhere = namespace === undefined ? {} : { namespaceOf: Number(namespace) };
  change(context, { do: "link.add", kind, name, peer: { name: pairs.get("name") ?? freeName(context), ...elsewhere } });
}

function freeName(context: Context): string {
  const taken = new Set(context.sys.network().links.map(({ name }) => name));
  for (let number = 0; ; number++) if (!taken.has(`veth${number}`)) return `veth${number}`;
}

function deleteLink(context: Context, words: readonly string[]): void {
  const [name = missing("del")] = words.filter((word) => word !== "dev");
  change(context, { do: "link.delete", name });
}

function setLink(context: Context, words: readonly string[]): void {
  const known = ["dev", "mtu", "address", "name", "master", "netns"];
  const { free, pairs } = pairsOf(words, known);
  const states = free.filter((word) => ["up", "down", "nomaster"].includes(word));
  const name = pairs.get("dev") ?? free.find((word) => !states.includes(word));
  if (name === undefined) throw new Failure('need "dev IFACE"');
  // busybox sets these two by ioctl(2), netdevice(7), and says so when it fails.
  if (!context.sys.network().links.some((link) => link.name === name) && pairs.size === 0)
    throw new Failure("SIOCGIFFLAGS: No such device", 2);
  const mtu = pairs.get("mtu");
  if (mtu !== undefined) setMtu(context, name, Number(mtu));
  change(context, { do: "link.set", name, to: changeOf(states, pairs) });
}

function setMtu(context: Context, name: string, mtu: number): void {
  try {
    change(context, { do: "link.set", name, to: { mtu } });
  } catch (thrown) {
    throw new Failure(`SIOCSIFMTU: ${reasonOf(thrown)}`, 2);
  }
}

function changeOf(states: readonly string[], pairs: ReadonlyMap<string, string>): LinkChange {
  const [address, name, master, netns] = ["address", "name", "master", "netns"].map((key) => pairs.get(key));
  return {
    ...(states.includes("up") || states.includes("down") ? { up: states.includes("up") } : {}),
    ...(address === undefined ? {} : { mac: macOf(address) }),
    ...(name === undefined ? {} : { name }),
    ...(master === undefined ? {} : { master }),
    ...(states.includes("nomaster") ? { master: null } : {}),
    ...(netns === undefined ? {} : { namespaceOf: Number(netns) }),
  };
}

function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac === null) throw new Failure(`invalid argument '${text}' to 'address'`);
  return mac;
}

// Addresses

async function showAddresses(context: Context, words: readonly string[], { oneLine }: Style): Promise<void> {
  for (const link of linksNamed(context, words)) {
    if (!oneLine) await context.out.print(`${linkLines(context, link).join("\n")}\n`);
    for (const prefix of link.addresses) {
      const scope = isLoopback(prefix.address) ? "host" : "global";
      const line = `inet ${formatPrefix(prefix)} scope ${scope} ${link.name}`;
      const life = "       valid_lft forever preferred_lft forever";
      if (oneLine) await context.out.print(`${link.index}: ${link.name}    ${line}\\${life}\n`);
      else await context.out.print(`    ${line}\n${life}\n`);
    }
  }
}

function addAddress(context: Context, words: readonly string[]): void {
  const { device, prefix } = addressWords(words);
  change(context, { do: "address.add", device, prefix });
}

function deleteAddress(context: Context, words: readonly string[]): void {
  const { device, prefix } = addressWords(words);
  change(context, { do: "address.remove", device, prefix });
}

function addressWords(words: readonly string[]): { device: string; prefix: Prefix } {
  const { free, pairs } = pairsOf(words, ["dev", "brd", "broadcast", "label", "scope", "local"]);
  const prefix = prefixOf(pairs.get("local") ?? free[0] ?? "", "address");
  const device = pairs.get("dev");
  if (device === undefined) throw new Failure('need "dev IFACE"');
  return { device, prefix };
}

function prefixOf(text: string, what: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) throw new Failure(`invalid ${what} '${text}'`);
  return prefix;
}

// Routes

async function showRoutes(context: Context, words: readonly string[]): Promise<void> {
  const { pairs } = pairsOf(words, ["dev"]);
  const device = pairs.get("dev");
  for (const route of context.sys.network().routes)
    if (device === undefined || route.device === device) await context.out.print(`${routeLine(route)}\n`);
}

function routeLine({ destination, gateway, device, source, metric, linkDown }: RouteInfo): string {
  const where = destination.length === 0 ? "default" : formatDestination(destination);
  const via = gateway === null ? "" : ` via ${formatIpv4(gateway)}`;
  const scope = gateway === null ? " scope link" : "";
  const from = source === null ? "" : ` src ${formatIpv4(source)}`;
  const order = metric === 0 ? "" : ` metric ${metric}`;
  return `${where}${via} dev ${device}${scope} ${from}${order} ${linkDown ? "linkdown " : ""}`.replace(/ {2}$/, " ");
}

function formatDestination(destination: Prefix): string {
  return destination.length === 32 ? formatIpv4(destination.address) : formatPrefix(destination);
}

function addRoute(context: Context, words: readonly string[]): void {
  change(context, { do: "route.add", route: routeWords(words) });
}

function deleteRoute(context: Context, words: readonly string[]): void {
  change(context, { do: "route.remove", route: routeWords(words) });
}

function replaceRoute(context: Context, words: readonly string[]): void {
  const route = routeWords(words);
  const { address, length } = networkOf(route.destination);
  const isThere = context.sys
    .network()
    .routes.some(({ destination }) => destination.address === address && destination.length === length);
  if (isThere) change(context, { do: "route.remove", route: { ...route, gateway: null, device: null } });
  change(context, { do: "route.add", route });
}

function routeWords(words: readonly string[]): RouteRequest {
  const { free, pairs } = pairsOf(words, ["via", "dev", "src", "metric", "proto", "scope", "table"]);
  const [text = "default"] = free;
  const destination = prefixOf(text === "default" ? "0.0.0.0/0" : text, "address");
  const [via, source, metric] = [pairs.get("via"), pairs.get("src"), pairs.get("metric")];
  return {
    destination,
    gateway: via === undefined ? null : prefixOf(via, "address").address,
    device: pairs.get("dev") ?? null,
    ...(source === undefined ? {} : { source: prefixOf(source, "address").address }),
    ...(metric === undefined ? {} : { metric: Number(metric) }),
  };
}

async function getRoute(context: Context, words: readonly string[]): Promise<void> {
  const { address } = prefixOf(words[0] ?? missing("get"), "address");
  const { routes, links } = context.sys.network();
  const best = routes
    .filter(({ destination }) => contains(destination, address))
    .toSorted((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)[0];
  if (best === undefined) throw new Errno("ENETUNREACH");
  const own = links.find(({ name }) => name === best.device)?.addresses[0]?.address;
  const source = best.source ?? own;
  const via = best.gateway === null ? "" : ` via ${formatIpv4(best.gateway)}`;
  const from = source === undefined ? "" : ` src ${formatIpv4(source)}`;
  await context.out.print(`${formatIpv4(address)}${via} dev ${best.device} ${from} \n`);
}

async function showNeighbours(context: Context): Promise<void> {
  for (const { address, device, mac, state } of context.sys.network().neighbours) {
    const where = mac === null ? "" : ` lladdr ${mac}`;
    await context.out.print(`${formatIpv4(address)} dev ${device}${where} used 0/0/0 probes 1 ${state}\n`);
  }
}

export const programs: Readonly<Record<string, Program>> = { ip };
