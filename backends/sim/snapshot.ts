/**
 * The state of a kernel at one moment, as a value: what happens later does not change it, so any moment
 * can be looked at, and two can be compared. File trees are kept by reference, which costs nothing;
 * everything else is written out as plain data.
 *
 * What is written out is found by walking from the table of processes and the root of the cgroups:
 * an object that is met again is named by the number of its first meeting, so a field that is new in
 * the kernel is in the state from its first day. Functions are no state. What keeps its state to itself
 * tells it by `inspect()`.
 */
import { hex } from "../../core/base/bytes.ts";
import { Overlay } from "../../core/unionfs/overlay.ts";
import { Tree, type TreeSnapshot } from "../../core/unionfs/tree.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { Synthetic } from "./kernel/synthetic.ts";
import { arpText, devText, routeText, tcpText, udpText } from "./net/proc-net.ts";
import { Stack } from "./net/stack.ts";

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

export interface Snapshot {
  /** How many turns had been taken. */
  readonly step: number;
  /** Nanoseconds since the epoch. */
  readonly now: bigint;
  /** Processes, namespaces, mounts, descriptors, cgroups, the network. */
  readonly state: Plain;
  /** The trees in memory: `{"tree": n}` in the state is the n-th. */
  readonly trees: readonly TreeSnapshot[];
}

export function snapshotOf(kernel: Kernel): Snapshot {
  const writer = new Writer();
  const { turns, processes, cgroups, network } = kernel;
  const state = writer.write({ processes, cgroups, hops: network.hops });
  return { step: turns.step, now: turns.now, state, trees: writer.trees.map((tree) => tree.snapshot()) };
}

interface Inspectable {
  inspect(): unknown;
}

class Writer {
  readonly trees: Tree[] = [];
  readonly #met = new Map<object, number>();

  write(value: unknown): Plain {
    switch (typeof value) {
      case "string":
      case "number":
      case "boolean":
        return value;
      case "bigint":
        return `${value}n`;
      case "object":
        return value === null ? null : this.#object(value);
      default:
        return null;
    }
  }

  #object(value: object): Plain {
    if (value instanceof Uint8Array) return `bytes ${hex(value)}`;
    if (value instanceof Tree) return { tree: this.#tree(value) };
    const known = this.#met.get(value);
    if (known !== undefined) return { "#": known };
    this.#met.set(value, this.#met.size);
    if (value instanceof Overlay) return { overlay: this.#met.size };
    if (value instanceof Synthetic) return { synthetic: this.#met.size };
    if (value instanceof Stack) return this.#fields(told(value));
    if (Array.isArray(value)) return value.map((each) => this.write(each));
    if (isIterable(value)) return [...value].map((each) => this.write(each));
    return this.#fields(isInspectable(value) ? { ...value, inner: value.inspect() } : value);
  }

  #tree(tree: Tree): number {
    const known = this.trees.indexOf(tree);
    return known === -1 ? this.trees.push(tree) - 1 : known;
  }

  #fields(value: object): Plain {
    const entries = Object.entries(value).filter(([, each]) => typeof each !== "function" && each !== undefined);
    return Object.fromEntries(entries.map(([name, each]) => [name, this.write(each)]));
  }
}

/** Maps, sets, and the persistent maps of mount tables. */
function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

function isInspectable(value: object): value is Inspectable {
  return "inspect" in value && typeof value.inspect === "function";
}

/** A network stack as /proc/net tells it. */
function told(stack: Stack): Record<string, unknown> {
  const { number, settings } = stack;
  const texts = [devText, routeText, arpText, tcpText, udpText].map((text) => text(stack));
  return { number, settings, texts };
}
