/**
 * All containers, and how what a user typed finds one: a full id, a name with or without "/", an
 * unambiguous beginning of an id, in this order (moby: daemon/container.go GetContainer).
 */
import { assert } from "../base/assert.ts";
import type { ContainerId } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { nameTaken } from "../container/names.ts";
import type { Live } from "./live.ts";

export class ContainerTable {
  readonly #byId = new Map<ContainerId, Live>();
  readonly #names = new Map<string, ContainerId>();

  /** Newest first. */
  list(): Live[] {
    return [...this.#byId.values()].reverse();
  }

  get size(): number {
    return this.#byId.size;
  }

  has(live: Live): boolean {
    return this.#byId.get(live.record.id) === live;
  }

  isTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** Whether the id, or the short form that names sockets, is in use. */
  isIdTaken(id: ContainerId): boolean {
    return [...this.#byId.keys()].some((known) => known.slice(0, 12) === id.slice(0, 12));
  }

  /** Throws conflict when the name is taken. */
  reserve(name: string, id: ContainerId): void {
    const holder = this.#names.get(name);
    if (holder !== undefined) throw nameTaken(name, holder);
    this.#names.set(name, id);
  }

  release(name: string): void {
    this.#names.delete(name);
  }

  /** Its name is reserved already. */
  add(live: Live): void {
    assert(this.#names.get(live.record.name) === live.record.id, "a container is added under its reserved name");
    this.#byId.set(live.record.id, live);
  }

  remove(live: Live): void {
    this.#byId.delete(live.record.id);
    this.#names.delete(live.record.name);
  }

  /** Throws not-found `No such container: X`, or invalid when a prefix fits several. */
  resolve(ref: string): Live {
    const name = ref.startsWith("/") ? ref.slice(1) : ref;
    const id = this.#names.get(name) ?? (ref as ContainerId);
    return this.#byId.get(id) ?? this.#byPrefix(ref);
  }

  #byPrefix(ref: string): Live {
    const found = ref === "" ? [] : [...this.#byId.values()].filter(({ record }) => record.id.startsWith(ref));
    if (found.length > 1) throw new TsboxError("invalid", `multiple IDs found with provided prefix: ${ref}`);
    const [live] = found;
    if (live === undefined) throw new TsboxError("not-found", `No such container: ${ref}`);
    return live;
  }
}
