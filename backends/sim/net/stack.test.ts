import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeText } from "../../../core/base/bytes.ts";
import { wouldBlock } from "../kernel/open-file.ts";
import { formatIpv4 } from "./address.ts";
import { Bridge } from "./bridge.ts";
import { Veth } from "./device.ts";
import { formatHop } from "./network.ts";
import { PingSocket } from "./ping-socket.ts";
import type { Stack } from "./stack.ts";
import { address, Lab, prefix } from "./testing/lab.ts";

const hi = encodeText("hi");

function pinged(lab: Lab, from: Stack, to: string, { ttl = 64, seconds = 5 } = {}): string {
  const socket = new PingSocket(from);
  socket.send(address(to), 1, hi, ttl);
  lab.run(seconds);
  const answer = socket.receive();
  socket.close();
  return answer === wouldBlock ? "nothing" : `${answer.kind} from ${formatIpv4(answer.from)} ttl ${answer.ttl}`;
}

test("a new namespace has a loopback device that is down and reaches nothing", () => {
  const lab = new Lab();
  const stack = lab.stack();
  stack.setUp(stack.device("lo"), false);
  assert.throws(() => pinged(lab, stack, "127.0.0.1"), { errno: "ENETUNREACH" });
  stack.setUp(stack.device("lo"), true);
  assert.equal(pinged(lab, stack, "127.0.0.1"), "reply from 127.0.0.1 ttl 64");
  assert.throws(() => pinged(lab, stack, "10.0.0.1"), { errno: "ENETUNREACH" });
});

test("two containers on a bridge reach each other; the bridge learns where they are", () => {
  const lab = new Lab();
  const { bridge, containers } = lab.bridged(3);
  const [first, second] = containers as [Stack, Stack, Stack];
  assert.equal(pinged(lab, first, "172.17.0.3"), "reply from 172.17.0.3 ttl 64");
  const ports = new Map(bridge.forwarding.map(({ mac, port }) => [mac, port.name]));
  assert.equal(ports.get(first.device("eth0").mac), "veth0");
  assert.equal(ports.get(second.device("eth0").mac), "veth1");
});

test("every hop of a first ping can be seen: the question for the MAC, the switching, the answer", () => {
  const lab = new Lab();
  const { containers } = lab.bridged(2);
  pinged(lab, containers[0] as Stack, "172.17.0.3");
  const seen = lab.network.hops.map((hop) => `${hop.device} ${hop.event} ${hop.packet.protocol}`);
  assert.deepEqual(seen.slice(0, 5), [
    "eth0 sent arp",
    "veth0 received arp",
    "docker0 received arp",
    "docker0 flooded arp",
    "veth1 sent arp",
  ]);
  assert.match(
    formatHop(lab.network.hops[0] ?? assert.fail()),
    /^eth0 +sent +ARP, Request who-has 172.17.0.3 tell 172.17.0.2$/,
  );
  assert.equal(lab.network.hops.filter(({ event }) => event === "dropped").length, 0);
});

test("an address nobody has is unreachable after three questions", () => {
  const lab = new Lab();
  const { containers } = lab.bridged(1);
  const container = containers[0] as Stack;
  assert.equal(pinged(lab, container, "172.17.0.99", { seconds: 2.9 }), "nothing");
  assert.equal(pinged(lab, container, "172.17.0.98"), "unreachable from 172.17.0.2 ttl 64");
  const states = container.neighbours.list().map(({ state }) => state);
  assert.deepEqual(states, ["FAILED", "FAILED"]);
  assert.equal(lab.network.hops.filter((hop) => hop.event === "sent" && hop.device === "eth0").length, 6);
});

test("a host forwards between networks only when it is told to, and counts the time to live down", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(1);
  const container = containers[0] as Stack;
  const far = lab.stack();
  lab.connect(host, "10.0.0.1/24", far, "10.0.0.2/24", "wan0");
  const device = far.device("wan0");
  const back = { destination: prefix("172.17.0.0/16"), device, gateway: address("10.0.0.1"), source: null };
  far.routes.add({ ...back, metric: 0, by: "boot" });
  assert.equal(pinged(lab, container, "10.0.0.2"), "nothing");
  host.settings.forward = true;
  assert.equal(pinged(lab, container, "10.0.0.2"), "reply from 10.0.0.2 ttl 63");
  assert.equal(pinged(lab, container, "10.0.0.2", { ttl: 1 }), "time-exceeded from 172.17.0.1 ttl 64");
});

test("what a router cannot pass on comes back as an error", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(1);
  host.settings.forward = true;
  assert.equal(pinged(lab, containers[0] as Stack, "192.168.9.9"), "unreachable from 172.17.0.1 ttl 64");
});

test("masquerading lets a container out under the host's address, and its answers in again", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(2);
  const far = lab.stack();
  lab.connect(host, "10.0.0.1/24", far, "10.0.0.2/24", "wan0");
  host.settings.forward = true;
  const match = { source: prefix("172.17.0.0/16"), notOutDevice: "docker0" };
  host.filter.add({ chain: "postrouting", match, verdict: { kind: "masquerade" }, comment: "test" });
  assert.equal(pinged(lab, containers[0] as Stack, "10.0.0.2"), "reply from 10.0.0.2 ttl 63");
  assert.equal(pinged(lab, containers[1] as Stack, "10.0.0.2"), "reply from 10.0.0.2 ttl 63");
  assert.ok(lab.network.hops.some((hop) => hop.event === "translated" && hop.note === "in postrouting"));
  assert.equal(host.filter.connections.length, 2);
});

test("a rule that drops lets nothing through and says so", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(1);
  host.filter.add({ chain: "input", match: { protocol: "icmp" }, verdict: { kind: "drop" }, comment: "test" });
  assert.equal(pinged(lab, containers[0] as Stack, "172.17.0.1"), "nothing");
  assert.ok(lab.network.hops.some((hop) => hop.event === "dropped" && hop.note === "by a rule of input"));
});

test("a device that goes down takes its routes along; one that is deleted takes its other end", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(1);
  const container = containers[0] as Stack;
  assert.equal(container.routes.list().length, 2);
  container.setUp(container.device("eth0"), false);
  assert.deepEqual(container.routes.list(), []);
  host.delete(host.device("veth0"));
  assert.throws(() => container.device("eth0"), { errno: "ENODEV" });
  assert.throws(() => host.delete(host.device("lo")), { errno: "EOPNOTSUPP" });
});

test("the longest prefix wins, then the smaller metric", () => {
  const lab = new Lab();
  const stack = lab.stack();
  for (const [at, name] of ["a0", "b0", "c0"].entries())
    lab.connect(stack, `10.${at}.0.1/24`, lab.stack(), `10.${at}.0.2/24`, name);
  const add = (destination: string, device: string, metric: number): void =>
    stack.routes.add({
      destination: prefix(destination),
      device: stack.device(device),
      gateway: null,
      source: null,
      metric,
      by: "boot",
    });
  add("192.168.0.0/16", "a0", 0);
  add("192.168.7.0/24", "b0", 5);
  add("192.168.7.0/24", "c0", 1);
  assert.equal(stack.route(address("192.168.7.7")).device.name, "c0");
  assert.equal(stack.route(address("192.168.8.7")).device.name, "a0");
  assert.throws(() => add("192.168.7.9/24", "a0", 1), { errno: "EEXIST" });
});

test("two bridges that form a loop do not storm for ever", () => {
  const lab = new Lab();
  const { host, containers } = lab.bridged(1);
  const other = new Bridge(host, "docker1");
  host.attach(other);
  host.setUp(other, true);
  for (const name of ["a", "b"]) {
    const ends = Veth.pair({ stack: host, name: `${name}0` }, { stack: host, name: `${name}1` });
    for (const [at, end] of ends.entries()) {
      host.attach(end);
      (at === 0 ? (host.device("docker0") as Bridge) : other).plug(end);
      host.setUp(end, true);
    }
  }
  assert.equal(pinged(lab, containers[0] as Stack, "172.17.0.99"), "unreachable from 172.17.0.2 ttl 64");
  assert.ok(lab.network.hops.some(({ note }) => note.includes("form a loop")));
});
