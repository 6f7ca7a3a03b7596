/**
 * The inodes of a tree. Each has a record of 32 words of 32 bits, of which walking a path touches the
 * first few: in a large tree what takes time is waiting for memory. A page has the records of 512 inodes
 * and, beside them, what is no number: contents, extended attributes. Pages are persistent (pages.ts).
 *
 * Times are nanoseconds since the epoch in 64 bits: they go from 1677 to 2262.
 */
import type { Content } from "./content.ts";
import type { DirectoryEntry, Inode, NodeKind, Stat } from "./file-system.ts";
import { nobody, type Owner } from "./owner.ts";
import { type Page, Pages, withRoom } from "./pages.ts";
import { Text, unpacked } from "./text.ts";

export type Guarded = Readonly<Pick<Stat, "kind" | "mode" | "uid" | "gid">>;
export type Xattrs = ReadonlyMap<string, Uint8Array>;
export const noXattrs: Xattrs = new Map();

export const accessed = 0;
export const modified = 1;
export const changed = 2;
export type Time = typeof accessed | typeof modified | typeof changed;

/** A file's content, undefined when it is empty; a symlink's target; a directory's list, until a name comes or goes. */
export type Body = Content | string | readonly DirectoryEntry[] | undefined;

/** Where in its record a word is: what every step of a path asks for comes first. */
export const word = {
  /** Kind in 4 bits (0: no such inode), mode in 12, whether it has extended attributes in 1, the name's length in 6, a directory's `bits` in 5. */
  kind: 0,
  uid: 1,
  gid: 2,
  /** How many names it has, unless it is a directory. */
  links: 3,
  /** Where a directory's table of names is. */
  table: 3,
  /** Its own name (text.ts). */
  text: 4,
  /** The directory that has the inode's own name; 0: that name was taken away. */
  parent: 20,
  /** The last of a file's further names (names.ts), 0 when it has none. */
  lastLink: 21,
  /** How often names came to a directory and went. */
  changes: 21,
  /** Of content or a symlink's target, 4 KiB each. */
  pages: 22,
  /** How many places of a directory's table are not free. */
  used: 22,
  /** The upper half of a size. */
  sizeHigh: 23,
  directoryLinks: 23,
  /** From 24 to 29 three of 64 bits: when it was read, its content was changed, it was changed. */
  times: 24,
  /** Of a file or symlink. */
  size: 30,
  /** How many names are in a directory. */
  count: 30,
  /** Of a device. */
  major: 30,
  minor: 31,
} as const;

const recordBits = 5;
const pageBits = 9;
const mask = (1 << pageBits) - 1;
const recordWords = 1 << recordBits;
const pageWords = 1 << (pageBits + recordBits);
export const blocksAPage = 8;
const kindMask = 15;
const modeShift = 4;
const modeMask = 0o7777 << modeShift;
const xattrsShift = 16;
const xattrsFlag = 1 << xattrsShift;
const lengthShift = 17;
const lengthMask = 63;
/** A length that says that the name is not among the words. */
const notPacked = 63;
const bitsShift = 23;
const bitsMask = 31;

const kinds: readonly NodeKind[] = ["file", "directory", "symlink", "character", "block", "fifo", "socket"];
const directoryKind = 1 + kinds.indexOf("directory");
const characterKind = 1 + kinds.indexOf("character");

/** The name that a record is being given. */
const given = new Text();

/** Bodies by place in the page, the rest by inode. */
interface Beside {
  readonly bodies: Body[];
  readonly xattrs: Map<number, Xattrs>;
  readonly longNames: Map<number, string>;
}

/** Its methods take the number of an inode that is in it. */
export class RecordPage implements Page {
  readonly owner: Owner;
  /** How many inodes there are in it. */
  live: number;
  #words: Int32Array;
  /** The same bytes. */
  #times: BigInt64Array;
  readonly #bodies: Body[];
  readonly #xattrs: Map<number, Xattrs>;
  readonly #longNames: Map<number, string>;

  private constructor(owner: Owner, live: number, words: Int32Array, beside: Beside) {
    this.owner = owner;
    this.live = live;
    this.#words = words;
    this.#times = timesOf(words);
    this.#bodies = beside.bodies;
    this.#xattrs = beside.xattrs;
    this.#longNames = beside.longNames;
  }

  /** With room for all, unless it `grows`. */
  static empty(owner: Owner, grows: boolean): RecordPage {
    const beside = { bodies: [], xattrs: new Map(), longNames: new Map() };
    return new RecordPage(owner, 0, new Int32Array(grows ? recordWords : pageWords), beside);
  }

  copyFor(owner: Owner): RecordPage {
    const longNames = new Map(this.#longNames);
    const beside = { bodies: this.#bodies.slice(), xattrs: new Map(this.#xattrs), longNames };
    return new RecordPage(owner, this.live, this.#words.slice(), beside);
  }

  has(inode: number): boolean {
    const at = recordOf(inode);
    return at < this.#words.length && this.#words[at] !== 0;
  }

  add(inode: number, kind: NodeKind, mode: number): void {
    const at = recordOf(inode);
    this.#makeRoom(at + recordWords);
    this.#words[at] = (1 + kinds.indexOf(kind)) | (mode << modeShift);
    this.live++;
  }

  #makeRoom(length: number): void {
    if (this.#words.length >= length) return;
    this.#words = withRoom(this.#words, length, pageWords);
    this.#times = timesOf(this.#words);
  }

  remove(inode: number): void {
    if (this.xattrs(inode).size > 0) this.#xattrs.delete(inode);
    if (this.#longNames.size > 0) this.#longNames.delete(inode);
    this.setBody(inode, undefined);
    this.set(inode, word.kind, 0); // no inode gets this number again, so the rest may stay
    this.live--;
  }

  kind(inode: number): NodeKind {
    return kinds[(this.get(inode, word.kind) & kindMask) - 1] as NodeKind;
  }

  isDirectory(inode: number): boolean {
    return (this.get(inode, word.kind) & kindMask) === directoryKind;
  }

  mode(inode: number): number {
    return this.#part(inode, modeShift, 0o7777);
  }

  setMode(inode: number, mode: number): void {
    this.#setPart(inode, modeShift, 0o7777, mode);
  }

  /** Bits of the first word. */
  #part(inode: number, shift: number, bits: number): number {
    return (this.get(inode, word.kind) >>> shift) & bits;
  }

  #setPart(inode: number, shift: number, bits: number, value: number): void {
    this.set(inode, word.kind, (this.get(inode, word.kind) & ~(bits << shift)) | (value << shift));
  }

  links(inode: number): number {
    return this.get(inode, this.isDirectory(inode) ? word.directoryLinks : word.links);
  }

  setLinks(inode: number, links: number): void {
    this.set(inode, this.isDirectory(inode) ? word.directoryLinks : word.links, links);
  }

  /** A directory's table has two to that power places; 0: there is none. */
  bits(inode: number): number {
    return this.#part(inode, bitsShift, bitsMask);
  }

  setTable(inode: number, table: number, bits: number): void {
    this.set(inode, word.table, table);
    this.#setPart(inode, bitsShift, bitsMask, bits);
  }

  /** What decides who may do what: one object for all that are alike. */
  guarded(inode: number): Guarded {
    const at = recordOf(inode);
    const kind = (this.#words[at] as number) & (kindMask | modeMask);
    return guardedLike(kind, this.#words[at + word.uid] as number, this.#words[at + word.gid] as number);
  }

  /** `shownAs` is the number it goes by. */
  stat(inode: number, shownAs: Inode): Stat {
    const { kind, mode, uid, gid } = this.guarded(inode);
    const [isDevice, isSized] = [kind === "character" || kind === "block", kind === "file" || kind === "symlink"];
    return {
      inode: shownAs,
      kind,
      mode,
      uid,
      gid,
      links: this.links(inode),
      size: isSized ? this.size(inode) : 0,
      blocks: kind === "file" ? this.get(inode, word.pages) * blocksAPage : 0,
      atime: this.time(inode, accessed),
      mtime: this.time(inode, modified),
      ctime: this.time(inode, changed),
      major: isDevice ? this.get(inode, word.major) : 0,
      minor: isDevice ? this.get(inode, word.minor) : 0,
    };
  }

  /** It is no device 0:0 and has no extended attributes. */
  isPlain(inode: number): boolean {
    const kind = this.get(inode, word.kind);
    if ((kind & xattrsFlag) !== 0) return false;
    return (
      (kind & kindMask) !== characterKind || this.get(inode, word.major) !== 0 || this.get(inode, word.minor) !== 0
    );
  }

  /** It is plain, a file or anything else that is no directory, and has one name. */
  isPlainFile(inode: number): boolean {
    return !this.isDirectory(inode) && this.get(inode, word.links) === 1 && this.isPlain(inode);
  }

  isPlainDirectory(inode: number): boolean {
    return this.isDirectory(inode) && this.isPlain(inode);
  }

  xattrs(inode: number): Xattrs {
    return (this.get(inode, word.kind) & xattrsFlag) === 0 ? noXattrs : (this.#xattrs.get(inode) as Xattrs);
  }

  setXattrs(inode: number, xattrs: Xattrs): void {
    this.#setPart(inode, xattrsShift, 1, xattrs.size === 0 ? 0 : 1);
    if (xattrs.size === 0) this.#xattrs.delete(inode);
    else this.#xattrs.set(inode, xattrs);
  }

  get(inode: number, at: number): number {
    return this.#words[recordOf(inode) + at] as number;
  }

  set(inode: number, at: number, value: number): void {
    this.#words[recordOf(inode) + at] = value;
  }

  name(inode: number): string {
    const length = this.#part(inode, lengthShift, lengthMask);
    if (length === notPacked) return this.#longNames.get(inode) as string;
    return unpacked(this.#words, recordOf(inode) + word.text, length);
  }

  /** `text` is the name as numbers. */
  isCalled(inode: number, name: string, { isPacked, length, words }: Text): boolean {
    if (!isPacked) return this.#longNames.get(inode) === name;
    if (this.#part(inode, lengthShift, lengthMask) !== length) return false;
    const at = recordOf(inode) + word.text;
    for (let each = 0; each << 2 < length; each++) if (this.#words[at + each] !== words[each]) return false;
    return true;
  }

  setName(inode: number, name: string): void {
    given.set(name);
    this.#setPart(inode, lengthShift, lengthMask, given.isPacked ? name.length : notPacked);
    if (!given.isPacked) return void this.#longNames.set(inode, name);
    if (this.#longNames.size > 0) this.#longNames.delete(inode);
    const at = recordOf(inode) + word.text;
    for (let each = 0; each << 2 < name.length; each++) this.#words[at + each] = given.words[each] as number;
  }

  body(inode: number): Body {
    return this.#bodies[inode & mask];
  }

  setBody(inode: number, body: Body): void {
    const place = inode & mask;
    if (body === undefined && place >= this.#bodies.length) return;
    while (this.#bodies.length < place) this.#bodies.push(undefined); // keeps V8's array packed
    this.#bodies[place] = body;
  }

  size(inode: number): number {
    return (this.get(inode, word.size) >>> 0) + this.get(inode, word.sizeHigh) * 2 ** 32;
  }

  setSize(inode: number, size: number): void {
    this.set(inode, word.size, size % 2 ** 32);
    this.set(inode, word.sizeHigh, Math.floor(size / 2 ** 32));
  }

  time(inode: number, which: Time): bigint {
    return this.#times[timeOf(inode, which)] as bigint;
  }

  setTime(inode: number, which: Time, time: bigint): void {
    this.#times[timeOf(inode, which)] = time;
  }

  /** Whether anything of the inode is another in the other page of the same numbers. */
  differs(inode: number, other: RecordPage): boolean {
    const at = recordOf(inode);
    for (let each = at; each < at + recordWords; each++) if (this.#words[each] !== other.#words[each]) return true;
    if (this.#longNames.get(inode) !== other.#longNames.get(inode) || this.xattrs(inode) !== other.xattrs(inode))
      return true;
    return !this.isDirectory(inode) && this.body(inode) !== other.body(inode);
  }
}

interface Alike {
  /** And the mode. */
  readonly kind: number;
  readonly uid: number;
  readonly gid: number;
  readonly guarded: Guarded;
}

/** Nearly all files of a tree are alike: so nothing has to be made to look at one. */
const alikes: Alike[] = [];
const alikesMask = 63;

/** `kind` has the mode too. */
function guardedLike(kind: number, uid: number, gid: number): Guarded {
  const at = (kind ^ (kind >>> 6) ^ Math.imul(uid ^ gid, 7)) & alikesMask;
  const known = alikes[at];
  if (known !== undefined && known.kind === kind && known.uid === uid && known.gid === gid) return known.guarded;
  const mode = (kind & modeMask) >> modeShift;
  const guarded = { kind: kinds[(kind & kindMask) - 1] as NodeKind, mode, uid: uid >>> 0, gid: gid >>> 0 };
  alikes[at] = { kind, uid, gid, guarded };
  return guarded;
}

function recordOf(inode: number): number {
  return (inode & mask) << recordBits;
}

function timeOf(inode: number, which: Time): number {
  return (recordOf(inode) + word.times + 2 * which) >> 1;
}

function timesOf(words: Int32Array): BigInt64Array {
  return new BigInt64Array(words.buffer, 0, words.length >> 1);
}

export class Records {
  readonly #pages: Pages<RecordPage>;
  /** Of the first page. */
  #next = 1;
  /** The next number of one in a later page; at its end another page is begun. */
  #nextDirectory = 0;
  #nextOther = 0;

  private constructor(pages: Pages<RecordPage>) {
    this.#pages = pages;
  }

  static empty(): Records {
    return new Records(Pages.empty());
  }

  copy(): Records {
    const copy = new Records(this.#pages.copy());
    copy.#next = this.#next;
    copy.#nextDirectory = this.#nextDirectory;
    copy.#nextOther = this.#nextOther;
    return copy;
  }

  /** The page that has the inode, undefined when there is no such inode. */
  page(inode: number): RecordPage | undefined {
    const page = this.#pages.get(inode >>> pageBits);
    return page?.has(inode) === true ? page : undefined;
  }

  /** The page of an inode that there is. */
  pageOf(inode: number): RecordPage {
    return this.#pages.get(inode >>> pageBits) as RecordPage;
  }

  /** The page of an inode that there is, to be changed in place. */
  own(owner: Owner, inode: number): RecordPage {
    return this.#pages.own(owner, inode >>> pageBits);
  }

  /** Greater than every inode there is or ever was. */
  get next(): number {
    return this.#pages.length > 1 ? this.#pages.length << pageBits : this.#next;
  }

  add(owner: Owner, kind: NodeKind, mode: number): Inode {
    const inode = this.#number(kind === "directory");
    const number = inode >>> pageBits;
    if (number === this.#pages.length) this.#pages.set(owner, number, RecordPage.empty(owner, number === 0));
    this.#pages.own(owner, number).add(inode, kind, mode);
    return inode;
  }

  /** In a large tree directories lie close together, apart from what is in them: walking touches them more often. */
  #number(isDirectory: boolean): Inode {
    if (this.#next <= mask) return this.#next++ as Inode;
    const next = isDirectory ? this.#nextDirectory : this.#nextOther;
    const inode = (next & mask) === 0 ? this.#pages.length << pageBits : next;
    if (isDirectory) this.#nextDirectory = inode + 1;
    else this.#nextOther = inode + 1;
    return inode as Inode;
  }

  /** The records of a page in which all inodes are gone are let go, unless it is the last. */
  remove(owner: Owner, inode: number): void {
    const page = this.own(owner, inode);
    page.remove(inode);
    const number = inode >>> pageBits;
    if (page.live === 0 && number < this.#pages.length - 1) this.#pages.set(owner, number, noRecords);
  }

  /** Every inode there is from `from` on, in order. */
  *inodes(from = 0): Generator<number, void, undefined> {
    for (let number = from >>> pageBits; number < this.#pages.length; number++)
      for (let inode = Math.max(from, number << pageBits); inode >>> pageBits === number; inode++)
        if (this.#pages.get(number)?.has(inode) === true) yield inode;
  }

  /** Every inode that is in both and not the same; pages that they share are passed over. */
  *changedSince(before: Records): Generator<number, void, undefined> {
    for (const number of this.#pages.differences(before.#pages)) {
      const [now, then] = [this.#pages.get(number), before.#pages.get(number)];
      if (now === undefined || then === undefined) continue;
      for (let inode = number << pageBits; inode >>> pageBits === number; inode++)
        if (now.has(inode) && then.has(inode) && now.differs(inode, then)) yield inode;
    }
  }
}

const noRecords = RecordPage.empty(nobody, true);
