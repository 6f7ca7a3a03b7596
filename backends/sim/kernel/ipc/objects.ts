/**
 * What the three kinds of System V IPC share (sysvipc(7)): objects with a key, a number, an owner and a mode, kept in a
 * table a namespace. Numbers are given out as the kernel's ipc_addid() does: places in a cycle, and above them how often
 * the cycle was gone through, so that a stale number finds nothing.
 */
import { Errno } from "../../../../core/base/errno.ts";
import { Changes } from "../changes.ts";
import { isCapable } from "../permission.ts";
import type { Process, UserNamespace } from "../process.ts";

export interface IpcFlags {
  readonly create?: boolean;
  readonly exclusive?: boolean;
  /** Permission bits: of a new object, and what is asked of one that is there. */
  readonly mode?: number;
}

export interface IpcObject {
  readonly id: number;
  /** 0 is IPC_PRIVATE: nobody finds it by its key. */
  key: number;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
  mode: number;
  /** Seconds since the epoch. */
  changedAt: bigint;
  isRemoved: boolean;
  readonly changes: Changes;
}

const cycleLeast = 64;
const cycleShift = 32_768;

export class IpcTable<T extends IpcObject> {
  readonly #objects = new Map<number, T>();
  readonly #most: () => number;
  #last = -1;
  #cycle = 0;

  /** `most`: how many there may be. */
  constructor(most: () => number) {
    this.#most = most;
  }

  inspect(): unknown {
    return [[...this.#objects.values()], this.#last, this.#cycle];
  }

  get all(): readonly T[] {
    return [...this.#objects.values()].sort((a, b) => place(a.id) - place(b.id));
  }

  /** EINVAL for a number that stands for nothing any more. */
  get(id: number): T {
    const object = this.#objects.get(place(id));
    if (object === undefined || object.id !== id) throw new Errno("EINVAL");
    return object;
  }

  byKey(key: number): T | null {
    return key === 0 ? null : (this.all.find((each) => each.key === key) ?? null);
  }

  /** ENOSPC when there are as many as there may be. */
  add(make: (id: number) => T): T {
    if (this.#objects.size >= this.#most()) throw new Errno("ENOSPC");
    const object = make(this.#nextId());
    this.#objects.set(place(object.id), object);
    return object;
  }

  /** Who waits for it is told EIDRM. */
  remove(object: T): void {
    this.#objects.delete(place(object.id));
    object.isRemoved = true;
    object.changes.tell();
  }

  #nextId(): number {
    const places = Math.min(Math.max(Math.floor((this.#objects.size * 3) / 2), cycleLeast), this.#most());
    let at = (this.#last + 1) % places;
    while (this.#objects.has(at)) at = (at + 1) % places;
    if (at <= this.#last) this.#cycle++;
    this.#last = at;
    return this.#cycle * cycleShift + at;
  }
}

function place(id: number): number {
  return id % cycleShift;
}

export type Common = Omit<IpcObject, "id">;

export function newObject({ uid, gid }: Process, key: number, mode: number, now: bigint): Common {
  const owner = { uid, gid, creatorUid: uid, creatorGid: gid };
  return { ...owner, key, mode: mode & 0o777, changedAt: seconds(now), isRemoved: false, changes: new Changes() };
}

export function seconds(now: bigint): bigint {
  return now / 1_000_000_000n;
}

/**
 * The object of a key, or a new one (ipcget()). ENOENT, EEXIST; EACCES when the mode asked for is not granted.
 * `check` is what else has to fit.
 */
export function findOrMake<T extends IpcObject>(
  table: IpcTable<T>,
  request: { readonly key: number; readonly flags: IpcFlags; readonly process: Process; readonly owner: UserNamespace },
  check: (found: T) => void,
  make: () => T,
): number {
  const { key, flags, process, owner } = request;
  const found = table.byKey(key);
  if (found === null) {
    if (key !== 0 && flags.create !== true) throw new Errno("ENOENT");
    return make().id;
  }
  if (flags.create === true && flags.exclusive === true) throw new Errno("EEXIST");
  check(found);
  permitObject(process, owner, found, flags.mode ?? 0);
  return found.id;
}

export const reading = 0o444;
export const writing = 0o222;

/** ipcperms(): EACCES. */
export function permitObject(process: Process, owner: UserNamespace, object: IpcObject, asked: number): void {
  const wanted = (asked >> 6) | (asked >> 3) | asked;
  const isOwner = process.uid === object.uid || process.uid === object.creatorUid;
  const isGroup = [object.gid, object.creatorGid].some((gid) => gid === process.gid || process.groups.includes(gid));
  const granted = object.mode >> (isOwner ? 6 : isGroup ? 3 : 0);
  if ((wanted & ~granted & 7) !== 0 && !isCapable(process, "CAP_IPC_OWNER", owner)) throw new Errno("EACCES");
}

/** Changing or removing is for who made it or owns it. EPERM. */
export function permitChange(process: Process, owner: UserNamespace, object: IpcObject): void {
  if (process.uid === object.uid || process.uid === object.creatorUid) return;
  if (!isCapable(process, "CAP_SYS_ADMIN", owner)) throw new Errno("EPERM");
}

export interface NewOwner {
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

export function changeOwner(object: IpcObject, { uid, gid, mode }: NewOwner, now: bigint): void {
  object.uid = uid ?? object.uid;
  object.gid = gid ?? object.gid;
  object.mode = (object.mode & ~0o777) | ((mode ?? object.mode) & 0o777);
  object.changedAt = seconds(now);
}
