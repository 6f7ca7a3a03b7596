/**
 * What may be rubbish. Blobs, unpacked layers and broken-off downloads come before the image that
 * needs them, and layers may outlive it beneath a container. Each such thing is noted in
 * <data root>/image/unowned.json *before* it is made or loses its image, so that no crash leaves one
 * behind for ever; `collect` goes through the list. Whoever is at work with a thing holds it
 * meanwhile, and a thing may be kept until a time, for one who tries again.
 */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Clock } from "../base/ports.ts";
import type { Digest } from "../image/digest.ts";
import type { Disk } from "./machine.ts";
import { Serial } from "./serial.ts";

export type ThingKind = "blob" | "layer" | "part";
/** "blob sha256:…". */
export type Thing = `${ThingKind} ${Digest}`;

/** Who decides on the things, and removes them. */
export interface Keeper {
  /** "owned": an image needs it; "used": something else does. */
  need(thing: Thing): "owned" | "used" | "nobody";
  remove(thing: Thing): Promise<void>;
}

const second = 1_000_000_000n;

export class Leases {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #keeper: Keeper;
  /** Until when each is kept, in seconds since the epoch; 0: not at all. */
  #unowned: ReadonlyMap<Thing, number>;
  /** What the file says. */
  #written: ReadonlyMap<Thing, number>;
  readonly #held = new Map<Thing, number>();
  readonly #writes = new Serial();

  private constructor(disk: Disk, clock: Clock, keeper: Keeper, unowned: ReadonlyMap<Thing, number>) {
    this.#disk = disk;
    this.#clock = clock;
    this.#keeper = keeper;
    this.#unowned = unowned;
    this.#written = unowned;
  }

  static async open(disk: Disk, clock: Clock, keeper: Keeper): Promise<Leases> {
    const file = fileOf(disk);
    const text = (await disk.stat(file)) === null ? "{}" : decodeBytes(await disk.read(file));
    return new Leases(disk, clock, keeper, new Map(Object.entries(parse(text, file)) as [Thing, number][]));
  }

  /** Until it is released as often, the thing is not removed. */
  hold(thing: Thing): void {
    this.#held.set(thing, (this.#held.get(thing) ?? 0) + 1);
  }

  isHeld(thing: Thing): boolean {
    return this.#held.has(thing);
  }

  release(thing: Thing): void {
    const left = (this.#held.get(thing) ?? 1) - 1;
    if (left > 0) this.#held.set(thing, left);
    else this.#held.delete(thing);
  }

  /** To be called before the things are made, and before their image goes. Longer leases stay. */
  async disown(things: readonly Thing[], keepSeconds = 0): Promise<void> {
    const until = keepSeconds === 0 ? 0 : this.#now() + keepSeconds;
    const unowned = new Map(this.#unowned);
    for (const thing of things) unowned.set(thing, Math.max(until, unowned.get(thing) ?? 0));
    await this.#save(unowned);
  }

  /** Removes what nobody needs; what is an image's leaves the list. `all`: also what waits for a second try. */
  async collect(all = false): Promise<void> {
    const gone: Thing[] = [];
    for (const [thing, until] of this.#unowned) {
      const need = this.#keeper.need(thing);
      const waits = this.#held.has(thing) || need === "used" || (!all && until > this.#now());
      if (need !== "owned" && waits) continue;
      if (need === "nobody") await this.#keeper.remove(thing);
      gone.push(thing);
    }
    const unowned = new Map(this.#unowned);
    for (const thing of gone) if (!this.#held.has(thing)) unowned.delete(thing);
    await this.#save(unowned);
  }

  get isTidy(): boolean {
    return this.#unowned.size === 0;
  }

  list(): Thing[] {
    return [...this.#unowned.keys()];
  }

  #now(): number {
    return Number(this.#clock.now() / second);
  }

  async #save(unowned: ReadonlyMap<Thing, number>): Promise<void> {
    const isSame =
      unowned.size === this.#unowned.size && [...unowned].every(([thing, until]) => this.#unowned.get(thing) === until);
    if (!isSame) this.#unowned = unowned;
    await this.#writes.run(() => this.#write());
  }

  async #write(): Promise<void> {
    const unowned = this.#unowned;
    if (unowned === this.#written) return;
    await this.#disk.writeAtomically(fileOf(this.#disk), encodeText(JSON.stringify(Object.fromEntries(unowned))));
    this.#written = unowned;
  }
}

export function thing(kind: ThingKind, digest: Digest): Thing {
  return `${kind} ${digest}`;
}

export function partsOf(thing: Thing): [kind: ThingKind, digest: Digest] {
  const blank = thing.indexOf(" ");
  return [thing.slice(0, blank) as ThingKind, thing.slice(blank + 1) as Digest];
}

function fileOf(disk: Disk): HostPath {
  return `${disk.dataRoot}/image/unowned.json` as HostPath;
}

function parse(text: string, file: HostPath): object {
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new TsboxError("corrupt", `${file} is not JSON; remove it, and run tsbox system check`, {}, { cause });
  }
}
