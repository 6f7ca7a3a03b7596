/**
 * Network devices (ip-link(8)). A device belongs to one namespace's stack. The stack hands it frames
 * to `transmit`; what comes in by its link goes to `receive`, and from there to the bridge it is a
 * port of, or up to the stack.
 *
 *   loopback   what is sent comes in again
 *   veth       one end of a cable: what is sent comes in at the other end
 *   bridge     bridge.ts
 */
import { Errno } from "../../../core/base/errno.ts";
import { noMac, type Mac, type Prefix } from "./address.ts";
import type { Bridge } from "./bridge.ts";
import type { Hop, Network } from "./network.ts";
import { frameBytes, type Frame } from "./packet.ts";
import type { Stack } from "./stack.ts";

export interface Counters {
  receivedBytes: number;
  receivedPackets: number;
  receivedDropped: number;
  sentBytes: number;
  sentPackets: number;
  sentDropped: number;
}

/** A frame's time on a cable between two namespaces, and to oneself. Never nothing: what circles must let time pass. */
const linkNanos = 5_000n;
const loopNanos = 1_000n;
const nameBytesMax = 15;

export abstract class Device {
  abstract readonly kind: "loopback" | "veth" | "bridge";
  readonly network: Network;
  index: number;
  mac: Mac;
  mtu = 1500;
  up = false;
  addresses: readonly Prefix[] = [];
  master: Bridge | null = null;
  readonly counters: Counters = {
    receivedBytes: 0,
    receivedPackets: 0,
    receivedDropped: 0,
    sentBytes: 0,
    sentPackets: 0,
    sentDropped: 0,
  };
  #name: string;
  #stack: Stack;

  constructor(stack: Stack, name: string, { mac, index }: { mac?: Mac; index?: number } = {}) {
    this.network = stack.network;
    this.#stack = stack;
    this.#name = checkedName(name);
    this.mac = mac ?? this.network.newMac();
    this.index = index ?? this.network.newIndex();
  }

  get name(): string {
    return this.#name;
  }

  get stack(): Stack {
    return this.#stack;
  }

  /** What the other end of the link thinks: a device is running only when it is up and has a carrier. */
  abstract get carrier(): boolean;

  rename(name: string): void {
    this.#name = checkedName(name);
  }

  /** In another namespace a device starts anew: down, without addresses, no bridge's port. */
  moveTo(stack: Stack): void {
    this.#stack = stack;
    this.up = false;
    this.addresses = [];
    this.master = null;
  }

  transmit(frame: Frame): void {
    if (!this.up) return this.#drop("sentDropped", frame, "the device is down");
    this.counters.sentBytes += frameBytes(frame);
    this.counters.sentPackets++;
    this.note("sent", frame);
    this.carry(frame);
  }

  /** Brings a frame to the other end. */
  protected abstract carry(frame: Frame): void;

  receive(frame: Frame): void {
    if (!this.up) return this.#drop("receivedDropped", frame, "the device is down");
    this.counters.receivedBytes += frameBytes(frame);
    this.counters.receivedPackets++;
    this.note("received", frame);
    if (this.master === null) this.stack.receive(this, frame);
    else this.master.input(this, frame);
  }

  note(event: Hop["event"], frame: Frame, note = ""): void {
    this.network.record({ namespace: this.stack.number, device: this.name, event, packet: frame.payload, note });
  }

  #drop(counter: "sentDropped" | "receivedDropped", frame: Frame, why: string): void {
    this.counters[counter]++;
    this.note("dropped", frame, why);
  }
}

/** What is sent comes in again, at once but not within the sender's call. */
export class Loopback extends Device {
  readonly kind = "loopback";

  constructor(stack: Stack) {
    super(stack, "lo", { mac: noMac, index: 1 });
    this.mtu = 65536;
  }

  get carrier(): boolean {
    return true;
  }

  protected carry(frame: Frame): void {
    this.network.clock.after(loopNanos, () => this.receive(frame));
  }
}

/** One end of a cable (veth(4)); made in pairs. */
export class Veth extends Device {
  readonly kind = "veth";
  #peer: Veth | null = null;

  /** A pair: each end in its stack. */
  static pair(one: { stack: Stack; name: string; mac?: Mac }, other: typeof one): [Veth, Veth] {
    // As the kernel does: the peer is registered first.
    const second = new Veth(other.stack, other.name, other.mac === undefined ? {} : { mac: other.mac });
    const first = new Veth(one.stack, one.name, one.mac === undefined ? {} : { mac: one.mac });
    first.#peer = second;
    second.#peer = first;
    return [first, second];
  }

  /** The other end; null once it is gone. */
  get peer(): Veth | null {
    return this.#peer;
  }

  get carrier(): boolean {
    return this.#peer?.up === true;
  }

  /** Pulls the cable: the other end has to go as well. */
  unplug(): void {
    if (this.#peer !== null) this.#peer.#peer = null;
    this.#peer = null;
  }

  protected carry(frame: Frame): void {
    this.network.clock.after(linkNanos, () => this.#peer?.receive(frame));
  }
}

/** EINVAL as dev_valid_name() of net/core/dev.c decides. */
function checkedName(name: string): string {
  const valid = name !== "" && name.length <= nameBytesMax && name !== "." && name !== ".." && !/[/:\s]/.test(name);
  if (!valid) throw new Errno("EINVAL", name);
  return name;
}
