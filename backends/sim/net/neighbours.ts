/**
 * Who has which MAC on a link (ARP, RFC 826; the states of arp(7) and ip-neighbour(8)). A packet for
 * an address that is not known yet waits while it is asked for: three questions a second apart, then
 * the address has FAILED and the packets are given back.
 */
import { broadcastMac, noMac, type Ipv4, type Mac } from "./address.ts";
import type { Device } from "./device.ts";
import type { Arp, Packet } from "./packet.ts";

export type NeighbourState = "INCOMPLETE" | "REACHABLE" | "STALE" | "FAILED";

export interface Neighbour {
  readonly address: Ipv4;
  readonly device: Device;
  readonly mac: Mac | null;
  readonly state: NeighbourState;
}

interface Entry {
  readonly address: Ipv4;
  readonly device: Device;
  mac: Mac | null;
  state: "INCOMPLETE" | "RESOLVED" | "FAILED";
  since: bigint;
  waiting: Packet[];
}

const questions = 3;
const questionNanos = 1_000_000_000n;
/** Between 15 and 45 s on Linux (base_reachable_time, halved to one and a half times); here always the middle. */
const reachableNanos = 30_000_000_000n;
/** unres_qlen. */
const waitingMax = 101;
/** gc_thresh3: who scans a large network may not fill the memory. */
const entriesMax = 1024;

export class NeighbourTable {
  readonly #entries = new Map<string, Entry>();
  readonly #unreachable: (packet: Packet) => void;

  /** `unreachable` gets the packets whose next hop did not answer. */
  constructor(unreachable: (packet: Packet) => void) {
    this.#unreachable = unreachable;
  }

  list(): readonly Neighbour[] {
    return [...this.#entries.values()].map((entry) => ({
      address: entry.address,
      device: entry.device,
      mac: entry.mac,
      state: stateOf(entry),
    }));
  }

  dropDevice(device: Device): void {
    for (const [key, entry] of this.#entries) if (entry.device === device) this.#entries.delete(key);
  }

  /** Sends a packet to its next hop, asking for the MAC first where it must. */
  send(device: Device, source: Ipv4, nextHop: Ipv4, packet: Packet): void {
    const entry = this.#entry(device, nextHop);
    if (entry.state === "RESOLVED" && entry.mac !== null) return transmit(device, entry.mac, packet);
    if (entry.waiting.length < waitingMax) entry.waiting.push(packet);
    if (entry.state === "INCOMPLETE") return;
    entry.state = "INCOMPLETE";
    this.#ask(entry, source, questions);
  }

  /** What an ARP packet teaches: the asker is learnt when it asks for us, the answerer always when it was asked. */
  learn(device: Device, arp: Arp, isForUs: boolean): void {
    const known = this.#entries.get(keyOf(device, arp.sender));
    if (known === undefined && !isForUs) return;
    const entry = known ?? this.#entry(device, arp.sender);
    entry.mac = arp.senderMac;
    entry.state = "RESOLVED";
    entry.since = device.network.clock.now();
    for (const packet of entry.waiting.splice(0)) transmit(device, arp.senderMac, packet);
  }

  #ask(entry: Entry, source: Ipv4, left: number): void {
    if (entry.state !== "INCOMPLETE") return;
    if (left === 0) return this.#fail(entry);
    const { device, address } = entry;
    const question = { protocol: "arp", operation: "request", senderMac: device.mac, sender: source } as const;
    device.transmit({
      source: device.mac,
      destination: broadcastMac,
      payload: { ...question, targetMac: noMac, target: address },
    });
    device.network.clock.after(questionNanos, () => this.#ask(entry, source, left - 1));
  }

  #fail(entry: Entry): void {
    entry.state = "FAILED";
    for (const packet of entry.waiting.splice(0)) this.#unreachable(packet);
  }

  #entry(device: Device, address: Ipv4): Entry {
    const key = keyOf(device, address);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= entriesMax) this.#forgetOldest();
    const since = device.network.clock.now();
    const entry: Entry = { address, device, mac: null, state: "FAILED", since, waiting: [] };
    this.#entries.set(key, entry);
    return entry;
  }

  #forgetOldest(): void {
    for (const [key, { state }] of this.#entries) {
      if (state === "INCOMPLETE") continue;
      this.#entries.delete(key);
      return;
    }
  }
}

function transmit(device: Device, mac: Mac, packet: Packet): void {
  device.transmit({ source: device.mac, destination: mac, payload: packet });
}

function stateOf({ state, since, device }: Entry): NeighbourState {
  if (state !== "RESOLVED") return state;
  return device.network.clock.now() - since < reachableNanos ? "REACHABLE" : "STALE";
}

function keyOf(device: Device, address: Ipv4): string {
  return `${device.index}/${address}`;
}
