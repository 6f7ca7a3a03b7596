/**
 * A bridge: a switch with a device of its own, by which the namespace it is in takes part
 * (ip-link(8), type bridge). It learns which port a MAC is behind from the frames that come from
 * there; a frame for a MAC it does not know goes to all other ports.
 */
import { broadcastMac, type Mac } from "./address.ts";
import { Device } from "./device.ts";
import type { Frame } from "./packet.ts";

interface Learnt {
  readonly port: Device;
  readonly at: bigint;
}

/** BR_DEFAULT_AGEING_TIME. */
const ageingNanos = 300_000_000_000n;
/** Linux lets a loop of bridges storm until somebody cuts it; a tab has nobody who can. */
const crossingsMax = 32;

export class Bridge extends Device {
  readonly kind = "bridge";
  readonly #ports = new Set<Device>();
  #hadPorts = false;
  readonly #learnt = new Map<Mac, Learnt>();

  get ports(): readonly Device[] {
    return [...this.#ports];
  }

  /** Until it gets its first port a bridge does not know better. */
  get carrier(): boolean {
    return !this.#hadPorts || this.ports.some((port) => port.up && port.carrier);
  }

  /** Which MACs are known to be behind which ports (bridge(8) fdb). */
  get forwarding(): readonly { mac: Mac; port: Device }[] {
    return [...this.#learnt].flatMap(([mac, { port, at }]) => (this.#isFresh(at) ? [{ mac, port }] : []));
  }

  plug(port: Device): void {
    port.master?.unplug(port);
    this.#ports.add(port);
    this.#hadPorts = true;
    port.master = this;
  }

  unplug(port: Device): void {
    this.#ports.delete(port);
    port.master = null;
    for (const [mac, { port: behind }] of this.#learnt) if (behind === port) this.#learnt.delete(mac);
  }

  /** A frame came in by a port. */
  input(port: Device, frame: Frame): void {
    if (!this.up) return port.note("dropped", frame, `${this.name} is down`);
    const crossed = (frame.crossed ?? 0) + 1;
    if (crossed > crossingsMax) return port.note("dropped", frame, "it goes in circles: these bridges form a loop");
    this.#learnt.set(frame.source, { port, at: this.network.clock.now() });
    if (frame.destination === this.mac) return this.receive(frame);
    if (frame.destination === broadcastMac) this.receive(frame);
    this.#forward({ ...frame, crossed }, port);
  }

  /** The namespace's own frames go out by the ports. */
  protected carry(frame: Frame): void {
    this.#forward(frame, null);
  }

  #forward(frame: Frame, from: Device | null): void {
    const learnt = this.#learnt.get(frame.destination);
    if (learnt === undefined || !this.#isFresh(learnt.at)) return this.#flood(frame, from);
    if (learnt.port === from) return;
    this.note("switched", frame, `to ${learnt.port.name}`);
    learnt.port.transmit(frame);
  }

  #flood(frame: Frame, from: Device | null): void {
    this.note("flooded", frame);
    for (const port of this.#ports) if (port !== from && port.up) port.transmit(frame);
  }

  #isFresh(at: bigint): boolean {
    return this.network.clock.now() - at < ageingNanos;
  }
}
