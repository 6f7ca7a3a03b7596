/**
 * How much of a file system is taken, and how much may be: of the whole (ENOSPC, tmpfs's size= and
 * nr_inodes=) and by user (EDQUOT, quotactl(2)). Content counts in pages of 4 KiB. A limit of n inodes
 * is one of n KiB, as on tmpfs (mm/shmem.c): an inode takes one, each further name of a file another,
 * an extended attribute its bytes and a little more. Users are charged for pages and inodes alone.
 */
import { Errno } from "../base/errno.ts";
import { encodedLength } from "./node.ts";

export interface Usage {
  readonly pages: number;
  /** Further names of files count. */
  readonly inodes: number;
  readonly xattrBytes: number;
}

export interface Limit {
  readonly bytes?: number;
  readonly inodes?: number;
}

export interface Limits extends Limit {
  /** By user id; who is not named has no limit of their own. */
  readonly users?: ReadonlyMap<number, Limit>;
}

interface Share {
  readonly pages: number;
  readonly inodes: number;
}

const pageBytes = 4096;
/** What an inode takes of the room for inodes (BOGO_INODE_SIZE). */
const inodeBytes = 1024;
/** What an extended attribute takes beside its name and value (simple_xattr_space). */
const xattrOverhead = 40;
const none: Share = { pages: 0, inodes: 0 };

/** Keeps count. A copy is a value of its own. */
export class Accounts {
  readonly limits: Limits;
  /** Whether any count can be refused: else nobody needs to ask before. */
  readonly isLimited: boolean;
  #pages = 0;
  #inodes = 0;
  #xattrBytes = 0;
  /** Only of those who have a limit. */
  #users: ReadonlyMap<number, Share> = new Map();

  constructor(limits: Limits) {
    this.limits = limits;
    this.isLimited = limits.bytes !== undefined || limits.inodes !== undefined || limits.users !== undefined;
  }

  copy(): Accounts {
    const copy = new Accounts(this.limits);
    copy.#pages = this.#pages;
    copy.#inodes = this.#inodes;
    copy.#xattrBytes = this.#xattrBytes;
    copy.#users = this.#users;
    return copy;
  }

  get usage(): Usage {
    return { pages: this.#pages, inodes: this.#inodes, xattrBytes: this.#xattrBytes };
  }

  /** Whether so much surely finds room, whoever it is for. */
  hasRoom(bytes: number, inodes: number): boolean {
    const { bytes: most = Number.POSITIVE_INFINITY, users } = this.limits;
    return users === undefined && this.#pages * pageBytes + bytes <= most && this.#inodeRoom >= inodes * inodeBytes;
  }

  /** Adds (or, below 0, takes back). Throws Errno EDQUOT or ENOSPC, and then nothing has changed. */
  count(uid: number, pages: number, inodes: number): void {
    if (this.isLimited) this.#checkLimits(uid, pages, inodes);
    this.#pages += pages;
    this.#inodes += inodes;
  }

  #checkLimits(uid: number, pages: number, inodes: number): void {
    const limit = this.limits.users?.get(uid);
    if (limit !== undefined) this.#countUser(uid, limit, pages, inodes);
    const { bytes = Number.POSITIVE_INFINITY } = this.limits;
    const isFull = pages > 0 && (this.#pages + pages) * pageBytes > bytes;
    if (!isFull && (inodes <= 0 || this.#inodeRoom >= inodes * inodeBytes)) return;
    if (limit !== undefined) this.#countUser(uid, {}, -pages, -inodes);
    throw new Errno("ENOSPC");
  }

  /** A further name comes (1) or goes (-1). Throws Errno ENOSPC. */
  countName(change: 1 | -1): void {
    if (change > 0 && this.#inodeRoom < inodeBytes) throw new Errno("ENOSPC");
    this.#inodes += change;
  }

  /** An extended attribute comes in the place of the one there is; null: none is there, or it goes. Throws Errno ENOSPC. */
  countXattr(name: string, old: Uint8Array | null, value: Uint8Array | null): void {
    const room = value === null ? 0 : xattrRoom(name, value);
    if (room > 0 && room >= this.#inodeRoom) throw new Errno("ENOSPC"); // the old one still takes its room
    this.#xattrBytes += room - (old === null ? 0 : xattrRoom(name, old));
  }

  get #inodeRoom(): number {
    const { inodes = Number.POSITIVE_INFINITY } = this.limits;
    return (inodes - this.#inodes) * inodeBytes - this.#xattrBytes;
  }

  #countUser(uid: number, limit: Limit, pages: number, inodes: number): void {
    const used = this.#users.get(uid) ?? none;
    const next = { pages: used.pages + pages, inodes: used.inodes + inodes };
    const isFull = pages > 0 && next.pages * pageBytes > (limit.bytes ?? Number.POSITIVE_INFINITY);
    if (isFull || (inodes > 0 && next.inodes > (limit.inodes ?? Number.POSITIVE_INFINITY))) throw new Errno("EDQUOT");
    this.#users = new Map(this.#users).set(uid, next);
  }
}

export function isNoRoom(thrown: unknown): boolean {
  return thrown instanceof Errno && (thrown.errno === "ENOSPC" || thrown.errno === "EDQUOT");
}

export function xattrRoom(name: string, value: Uint8Array): number {
  return xattrOverhead + encodedLength(name) + value.length;
}
