/**
 * How much of a file system is taken, and how much may be: of the whole (ENOSPC, tmpfs's size= and
 * nr_inodes=) and by user (EDQUOT, quotactl(2)). Content counts in pages of 4 KiB.
 */
import { Errno } from "../base/errno.ts";

export interface Usage {
  readonly pages: number;
  readonly inodes: number;
}

export interface Limit {
  readonly bytes?: number;
  readonly inodes?: number;
}

export interface Limits extends Limit {
  /** By user id; who is not named has no limit of their own. */
  readonly users?: ReadonlyMap<number, Limit>;
}

const pageBytes = 4096;
const none: Usage = { pages: 0, inodes: 0 };

/** Keeps count. A copy is a value of its own. */
export class Accounts {
  readonly limits: Limits;
  #pages = 0;
  #inodes = 0;
  /** Only of those who have a limit. */
  #users: ReadonlyMap<number, Usage> = new Map();

  constructor(limits: Limits) {
    this.limits = limits;
  }

  copy(): Accounts {
    const copy = new Accounts(this.limits);
    copy.#pages = this.#pages;
    copy.#inodes = this.#inodes;
    copy.#users = this.#users;
    return copy;
  }

  get usage(): Usage {
    return { pages: this.#pages, inodes: this.#inodes };
  }

  /** Whether any count can be refused: else nobody needs to ask before. */
  get isLimited(): boolean {
    return this.limits.bytes !== undefined || this.limits.users !== undefined;
  }

  /** Adds (or, below 0, takes back). Throws Errno EDQUOT or ENOSPC, and then nothing has changed. */
  count(uid: number, pages: number, inodes: number): void {
    const limit = this.limits.users?.get(uid);
    if (limit !== undefined) this.#countUser(uid, limit, pages, inodes);
    if (exceeds(this.limits, this.#pages + pages, this.#inodes + inodes, pages, inodes)) {
      if (limit !== undefined) this.#countUser(uid, {}, -pages, -inodes);
      throw new Errno("ENOSPC");
    }
    this.#pages += pages;
    this.#inodes += inodes;
  }

  #countUser(uid: number, limit: Limit, pages: number, inodes: number): void {
    const used = this.#users.get(uid) ?? none;
    const next = { pages: used.pages + pages, inodes: used.inodes + inodes };
    if (exceeds(limit, next.pages, next.inodes, pages, inodes)) throw new Errno("EDQUOT");
    this.#users = new Map(this.#users).set(uid, next);
  }
}

function exceeds(limit: Limit, pages: number, inodes: number, morePages: number, moreInodes: number): boolean {
  const bytesMax = limit.bytes ?? Number.POSITIVE_INFINITY;
  const isFull = morePages > 0 && pages * pageBytes > bytesMax;
  return isFull || (moreInodes > 0 && inodes > (limit.inodes ?? Number.POSITIVE_INFINITY));
}
