/**
 * The routing table of one namespace: the longest prefix wins, among equals the smallest metric, then
 * the one added first (ip-route(8)). A device that goes down takes its routes along.
 */
import { Errno } from "../../../core/base/errno.ts";
import { contains, networkOf, type Ipv4, type Prefix } from "./address.ts";
import type { Device } from "./device.ts";

export interface Route {
  /** Without host bits; length 0 is the default route. */
  readonly destination: Prefix;
  readonly device: Device;
  /** null: the destination is on the link. */
  readonly gateway: Ipv4 | null;
  /** Which source address packets get that have none. */
  readonly source: Ipv4 | null;
  readonly metric: number;
  /** Who made it: the kernel, for an address that was added, or a program. */
  readonly by: "kernel" | "boot";
}

export class RouteTable {
  #routes: readonly Route[] = [];

  /** As `ip route` lists them: the default first, then by address. */
  list(): readonly Route[] {
    return this.#routes.toSorted(
      (a, b) =>
        a.destination.address - b.destination.address ||
        a.destination.length - b.destination.length ||
        a.metric - b.metric,
    );
  }

  /** EEXIST when there is one to that destination with that metric. */
  add(route: Route): void {
    const wanted = { ...route, destination: networkOf(route.destination) };
    if (this.#routes.some((other) => isSame(other, wanted))) throw new Errno("EEXIST");
    this.#routes = [...this.#routes, wanted];
  }

  /** Removes the first one that fits; ESRCH when none does. */
  remove(fits: (route: Route) => boolean): void {
    const gone = this.list().find(fits);
    if (gone === undefined) throw new Errno("ESRCH");
    this.#routes = this.#routes.filter((route) => route !== gone);
  }

  dropDevice(device: Device): void {
    this.#routes = this.#routes.filter((route) => route.device !== device);
  }

  lookup(destination: Ipv4): Route | null {
    let best: Route | null = null;
    for (const route of this.#routes) {
      if (route.device.up && contains(route.destination, destination) && (best === null || isBetter(route, best)))
        best = route;
    }
    return best;
  }
}

function isBetter(one: Route, other: Route): boolean {
  const longer = one.destination.length - other.destination.length;
  return longer > 0 || (longer === 0 && one.metric < other.metric);
}

function isSame(one: Route, other: Route): boolean {
  return (
    one.destination.address === other.destination.address &&
    one.destination.length === other.destination.length &&
    one.metric === other.metric
  );
}
