/** A network for tests: a clock that jumps from event to event, seeded chance, and hosts on a bridge as containers are. */
import { parseIpv4, parsePrefix, type Ipv4, type Prefix } from "../address.ts";
import { Bridge } from "../bridge.ts";
import { Veth } from "../device.ts";
import { Network } from "../network.ts";
import { Stack } from "../stack.ts";

export class Lab {
  now = 0n;
  readonly network: Network;
  #events: { at: bigint; order: number; act: () => void }[] = [];
  #order = 0;
  #seed = 1;
  #inode = 1;
  #stacks = 0;

  constructor() {
    const clock = { now: () => this.now, after: (nanos: bigint, act: () => void) => this.#after(nanos, act) };
    this.network = new Network({ clock, random: (count) => this.#random(count) });
  }

  stack(): Stack {
    const stack = new Stack(this.network, ++this.#stacks);
    stack.setUp(stack.device("lo"), true);
    return stack;
  }

  /** A host with docker0 at 172.17.0.1/16, and so many containers from 172.17.0.2 on. */
  bridged(count: number): { host: Stack; bridge: Bridge; containers: Stack[] } {
    const host = this.stack();
    const bridge = new Bridge(host, "docker0");
    host.attach(bridge);
    host.addAddress(bridge, prefix("172.17.0.1/16"));
    host.setUp(bridge, true);
    const containers = Array.from({ length: count }, (_, at) => this.#container(host, bridge, at));
    return { host, bridge, containers };
  }

  #container(host: Stack, bridge: Bridge, at: number): Stack {
    const container = this.stack();
    const [outer, inner] = Veth.pair({ stack: host, name: `veth${at}` }, { stack: container, name: "eth0" });
    host.attach(outer);
    container.attach(inner);
    bridge.plug(outer);
    host.setUp(outer, true);
    container.addAddress(inner, prefix(`172.17.0.${at + 2}/16`));
    container.setUp(inner, true);
    const destination = prefix("0.0.0.0/0");
    const gateway = address("172.17.0.1");
    container.routes.add({ destination, device: inner, gateway, source: null, metric: 0, by: "boot" });
    return container;
  }

  /** A cable between two stacks, with an address at each end. */
  connect(one: Stack, oneAddress: string, other: Stack, otherAddress: string, name: string): void {
    const ends = Veth.pair({ stack: one, name }, { stack: other, name });
    for (const [at, end] of ends.entries()) {
      end.stack.attach(end);
      end.stack.addAddress(end, prefix(at === 0 ? oneAddress : otherAddress));
      end.stack.setUp(end, true);
    }
  }

  newInode = (): number => this.#inode++;

  /** Lets everything happen that happens within so many seconds. */
  run(seconds = 1): void {
    const end = this.now + BigInt(Math.round(seconds * 1e9));
    for (;;) {
      const next = this.#events.toSorted((a, b) => Number(a.at - b.at) || a.order - b.order)[0];
      if (next === undefined || next.at > end) break;
      this.#events = this.#events.filter((event) => event !== next);
      this.now = next.at;
      next.act();
    }
    this.now = end;
  }

  #after(nanos: bigint, act: () => void): () => void {
    const event = { at: this.now + nanos, order: this.#order++, act };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  #random(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => {
      this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) >>> 0;
      return this.#seed >>> 16;
    });
  }
}

export function address(text: string): Ipv4 {
  const parsed = parseIpv4(text);
  if (parsed === null) throw new RangeError(text);
  return parsed;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === null) throw new RangeError(text);
  return parsed;
}
