/**
 * The names in a tree's directories. Each directory has a hash table with open addressing, of 2^n
 * places of two words: the name's hash (0: free, 1: a name was here), and what it names: an inode that
 * calls this its own name, or less than 0 a further name of one, a link. Each table is a run (runs.ts).
 *
 * The text of a name is kept with what it names (records.ts, or the link): it is looked at only where
 * 32 bits of hash agree, and then the inode is wanted too.
 *
 * A name is less than `reach` places from where its hash points. Where it finds no place so near, the
 * table doubles, and when most of that is empty the name is refused with ENOSPC, as ext4's hashed
 * directories do: honest names never come near, and made-up ones cannot make us slow.
 */
import { Errno } from "../base/errno.ts";
import type { Inode } from "./file-system.ts";
import type { Owner } from "./owner.ts";
import { type RecordPage, type Records, word } from "./records.ts";
import { nowhere, Runs } from "./runs.ts";
import { SparseArray } from "./sparse-array.ts";
import { Text } from "./text.ts";

/** A further name of a file; `before` is the one it was given before, 0: none. */
interface Link {
  readonly inode: Inode;
  readonly parent: Inode;
  readonly name: string;
  readonly before: number;
}

export interface Named {
  readonly parent: Inode;
  readonly name: string;
}

const placeBits = 1;
const placeWords = 1 << placeBits;
const bitsMin = 4;
const free = 0;
const gone = 1;
const reach = 256;
/** A table less full than that is not made larger. */
const sparse = 16;

/** A name that was looked for, and its place, or `nowhere`. */
interface Asked {
  directory: Inode | 0;
  name: string;
  hash: number;
  place: number;
  /** If it is not there: where it may go. */
  empty: number;
}

function notAsked(): Asked {
  return { directory: 0, name: "", hash: 0, place: nowhere, empty: nowhere };
}

/** The name that is being looked for. */
const wanted = new Text();

export class Names {
  readonly #records: Records;
  /** Where the tables are. */
  readonly #runs: Runs;
  readonly #links: SparseArray<Link>;
  #nextLink = 1;
  /** What was asked for last: one system call asks for the same one or two names several times. */
  #asked = notAsked();
  #askedBefore = notAsked();

  private constructor(records: Records, runs: Runs, links: SparseArray<Link>) {
    this.#records = records;
    this.#runs = runs;
    this.#links = links;
  }

  static empty(records: Records): Names {
    return new Names(records, Runs.empty(), SparseArray.empty());
  }

  /** Costs nothing; `records` has the inodes of the copy. */
  copy(records: Records): Names {
    const copy = new Names(records, this.#runs.copy(), this.#links.copy());
    copy.#nextLink = this.#nextLink;
    return copy;
  }

  /** What a directory's name stands for, 0 when it has no such name. */
  find(directory: Inode, name: string): Inode | 0 {
    if (this.#records.pageOf(directory).bits(directory) === 0) return 0;
    const { place } = this.#ask(directory, name);
    return place === nowhere ? 0 : this.#inodeOf(this.#runs.get(place + 1));
  }

  count(directory: Inode): number {
    return this.#records.pageOf(directory).get(directory, word.count);
  }

  /** Each name in no particular order. */
  each(directory: Inode, visit: (name: string, inode: Inode) => void): void {
    this.#eachPlace(directory, null, visit);
  }

  /** All names of an inode. */
  *of(inode: Inode): Generator<Named, void, undefined> {
    const page = this.#records.pageOf(inode);
    const parent = page.get(inode, word.parent) as Inode;
    if (parent !== 0) yield { parent, name: page.name(inode) };
    if (page.isDirectory(inode)) return;
    for (let link = page.get(inode, word.lastLink); link !== 0; link = this.#link(link).before) yield this.#link(link);
  }

  /** One of an inode's names; of one that has none any more, its last. */
  nameOf(page: RecordPage, inode: Inode): string {
    return this.#linkInstead(page, inode)?.name ?? page.name(inode);
  }

  /** The directory of that name. */
  parentOf(page: RecordPage, inode: Inode): Inode {
    return this.#linkInstead(page, inode)?.parent ?? (page.get(inode, word.parent) as Inode);
  }

  /** Null as long as the inode has a name of its own. */
  #linkInstead(page: RecordPage, inode: Inode): Link | null {
    const link = page.get(inode, word.parent) === 0 ? page.get(inode, word.lastLink) : 0;
    return link === 0 ? null : this.#link(link);
  }

  /** Makes room for a name that is not there. Throws Errno ENOSPC. */
  reserve(owner: Owner, directory: Inode, name: string): void {
    this.#withRoom(owner, directory, name);
  }

  /** Gives an inode a name in a directory that has none like it, and room for it. */
  add(owner: Owner, directory: Inode, name: string, inode: Inode): void {
    const { empty, hash } = this.#withRoom(owner, directory, name);
    this.#putIn(owner, directory, empty, hash, this.#give(owner, inode, directory, name));
  }

  /** Takes a name away that is there. */
  remove(owner: Owner, directory: Inode, name: string): void {
    const { place } = this.#ask(directory, name);
    const named = this.#runs.get(place + 1);
    this.#takeOut(owner, directory, place);
    this.#take(owner, named);
  }

  /** Moves a name to where there is none like it. Throws Errno ENOSPC, and then nothing has changed. */
  move(owner: Owner, from: Inode, name: string, to: Inode, newName: string): void {
    const { empty, hash } = this.#withRoom(owner, to, newName);
    const { place } = this.#ask(from, name);
    const named = this.#runs.get(place + 1);
    this.#putIn(owner, to, empty, hash, named);
    this.#takeOut(owner, from, place);
    this.#rename(owner, named, to, newName);
  }

  /** Each of two names stands for what the other did. */
  exchange(owner: Owner, from: Inode, name: string, to: Inode, newName: string): void {
    const [place, otherPlace] = [this.#ask(from, name).place, this.#ask(to, newName).place];
    const [named, other] = [this.#runs.get(place + 1), this.#runs.get(otherPlace + 1)];
    this.#runs.set(owner, place + 1, other);
    this.#runs.set(owner, otherPlace + 1, named);
    this.#rename(owner, named, to, newName);
    this.#rename(owner, other, from, name);
    for (const directory of [from, to]) this.#note(this.#records.own(owner, directory), directory);
  }

  /** The names that stand for something else (0: nothing) in a directory than in another one before. Pages that both have are passed over. */
  differences(
    directory: Inode,
    before: Names,
    other: Inode,
    visit: (name: string, now: Inode | 0, then: Inode | 0) => void,
  ): void {
    const isSame = this.#rangeOf(directory).table === before.#rangeOf(other).table;
    this.#eachPlace(directory, isSame ? before.#runs : null, (name, now) => {
      const then = before.find(other, name);
      if (then !== now) visit(name, now, then);
    });
    before.#eachPlace(other, isSame ? this.#runs : null, (name, then) => {
      if (this.find(directory, name) === 0) visit(name, 0, then);
    });
  }

  // Links

  #link(link: number): Link {
    return this.#links.get(link) as Link;
  }

  /** What a place says of a name that an inode gets. */
  #give(owner: Owner, inode: Inode, parent: Inode, name: string): number {
    const page = this.#records.own(owner, inode);
    if (page.links(inode) === 0 || page.get(inode, word.parent) === 0) {
      this.#rename(owner, inode, parent, name);
      return inode;
    }
    const link = this.#nextLink++;
    this.#links.set(owner, link, { inode, parent, name, before: page.get(inode, word.lastLink) });
    page.set(inode, word.lastLink, link);
    return -link;
  }

  #inodeOf(named: number): Inode {
    return (named > 0 ? named : this.#link(-named).inode) as Inode;
  }

  #take(owner: Owner, named: number): void {
    const inode = this.#inodeOf(named);
    const page = this.#records.own(owner, inode);
    if (named < 0) return this.#unchain(owner, page, inode, -named);
    if (page.isDirectory(inode) || page.get(inode, word.lastLink) === 0) return; // its last name stays known
    page.set(inode, word.parent, 0);
    page.setName(inode, "");
  }

  #unchain(owner: Owner, page: RecordPage, inode: Inode, link: number): void {
    const { before } = this.#link(link);
    this.#links.set(owner, link, undefined);
    const last = page.get(inode, word.lastLink);
    if (last === link) return page.set(inode, word.lastLink, before);
    let after = last;
    while (this.#link(after).before !== link) after = this.#link(after).before;
    this.#links.set(owner, after, { ...this.#link(after), before });
  }

  #rename(owner: Owner, named: number, parent: Inode, name: string): void {
    if (named < 0) return this.#links.set(owner, -named, { ...this.#link(-named), parent, name });
    const page = this.#records.own(owner, named);
    page.set(named, word.parent, parent);
    page.setName(named, name);
  }

  // Places

  #text(named: number): string {
    return named > 0 ? this.#records.pageOf(named).name(named) : this.#link(-named).name;
  }

  #isCalled(named: number, name: string): boolean {
    if (named < 0) return this.#link(-named).name === name;
    return this.#records.pageOf(named).isCalled(named, name, wanted);
  }

  #ask(directory: Inode, name: string): Asked {
    const asked = this.#asked;
    if (asked.directory === directory && asked.name === name) return asked;
    const before = this.#askedBefore;
    this.#askedBefore = asked;
    this.#asked = before;
    if (before.directory === directory && before.name === name) return before;
    before.directory = directory;
    before.name = name;
    wanted.set(name);
    before.hash = wanted.hash === free || wanted.hash === gone ? -1 : wanted.hash;
    this.#search(before, directory, name);
    return before;
  }

  /** Places change. */
  #forgetAsked(): void {
    this.#asked.directory = 0;
    this.#askedBefore.directory = 0;
  }

  /** Finds where the name is that is wanted, and the first place on the way that has none. */
  #search(asked: Asked, directory: Inode, name: string): void {
    const page = this.#records.pageOf(directory);
    const bits = page.bits(directory);
    const table = page.get(directory, word.table);
    const steps = stepsIn(bits);
    asked.place = nowhere;
    asked.empty = nowhere;
    for (let step = 0; step < steps; step++) {
      const place = placeIn(table, bits, asked.hash + step);
      const there = this.#runs.get(place);
      if (there === asked.hash) {
        if (!this.#isCalled(this.#runs.get(place + 1), name)) continue;
        asked.place = place;
        return;
      }
      if ((there === free || there === gone) && asked.empty === nowhere) asked.empty = place;
      if (there === free) return;
    }
  }

  /** With an empty place for a name that is not there, in a larger table if need be. Throws Errno ENOSPC. */
  #withRoom(owner: Owner, directory: Inode, name: string): Asked {
    for (;;) {
      const asked = this.#ask(directory, name);
      const { empty } = asked;
      const page = this.#records.pageOf(directory);
      const places = placesOf(page.bits(directory));
      if (empty !== nowhere && (this.#runs.get(empty) === gone || page.get(directory, word.used) * 4 < places * 3))
        return asked;
      const count = page.get(directory, word.count);
      if (empty === nowhere && places > sparse * (count + 1)) throw new Errno("ENOSPC", name);
      const grows = empty === nowhere || count * 2 >= places;
      this.#rebuild(owner, directory, page.bits(directory) + (grows ? 1 : 0));
    }
  }

  /** The first place in a new table that has no name, from where the hash points. */
  #emptyPlace(table: number, bits: number, hash: number): number {
    for (let step = 0; step < stepsIn(bits); step++) {
      const place = placeIn(table, bits, hash + step);
      if (this.#runs.get(place) === free) return place;
    }
    return nowhere;
  }

  #putIn(owner: Owner, directory: Inode, place: number, hash: number, named: number): void {
    const page = this.#records.own(owner, directory);
    if (this.#runs.get(place) === free) page.set(directory, word.used, page.get(directory, word.used) + 1);
    page.set(directory, word.count, page.get(directory, word.count) + 1);
    this.#note(page, directory);
    this.#fill(owner, place, hash, named);
  }

  #fill(owner: Owner, place: number, hash: number, named: number): void {
    this.#runs.set(owner, place, hash);
    this.#runs.set(owner, place + 1, named);
  }

  /** A directory has changed, whether or not its times tell. */
  #note(page: RecordPage, directory: Inode): void {
    this.#forgetAsked();
    page.set(directory, word.changes, page.get(directory, word.changes) + 1);
    page.setBody(directory, undefined);
  }

  #takeOut(owner: Owner, directory: Inode, place: number): void {
    const page = this.#records.own(owner, directory);
    const bits = page.bits(directory);
    const table = page.get(directory, word.table);
    const isLast = this.#runs.get(placeIn(table, bits, ((place - table) >> placeBits) + 1)) === free;
    this.#fill(owner, place, isLast ? free : gone, 0);
    if (isLast) page.set(directory, word.used, page.get(directory, word.used) - 1);
    page.set(directory, word.count, page.get(directory, word.count) - 1);
    this.#note(page, directory);
    if (page.get(directory, word.count) === 0) this.#setTable(owner, directory, 0, 0, 0);
  }

  /** Each name and inode, but for those in pages that `but` has too. */
  #eachPlace(directory: Inode, but: Runs | null, visit: (name: string, inode: Inode) => void): void {
    const { table, end } = this.#rangeOf(directory);
    for (let place = table; place < end; place += placeWords) {
      if (but !== null) place = this.#runs.unsharedFrom(but, place);
      if (place < end && isTaken(this.#runs.get(place))) this.#visit(this.#runs.get(place + 1), visit);
    }
  }

  #visit(named: number, visit: (name: string, inode: Inode) => void): void {
    visit(this.#text(named), this.#inodeOf(named));
  }

  // Tables

  #rangeOf(directory: Inode): { table: number; end: number } {
    const page = this.#records.pageOf(directory);
    const table = page.get(directory, word.table);
    const bits = page.bits(directory);
    return { table, end: bits === 0 ? table : table + (placeWords << bits) };
  }

  #setTable(owner: Owner, directory: Inode, table: number, bits: number, used: number): void {
    const page = this.#records.own(owner, directory);
    const old = page.bits(directory);
    if (old > 0) this.#runs.giveUp(owner, page.get(directory, word.table), old + placeBits);
    page.setTable(directory, table, bits);
    page.set(directory, word.used, used);
  }

  /** Puts a directory's names into a table of that size; a larger one where one has no place near. */
  #rebuild(owner: Owner, directory: Inode, bits: number): void {
    const size = Math.max(bits, bitsMin);
    const table = this.#runs.take(owner, size + placeBits);
    const { table: from, end } = this.#rangeOf(directory);
    for (let place = from; place < end; place += placeWords) {
      const hash = this.#runs.get(place);
      if (!isTaken(hash)) continue;
      const to = this.#emptyPlace(table, size, hash);
      if (to === nowhere) {
        this.#runs.giveUp(owner, table, size + placeBits);
        return this.#rebuild(owner, directory, size + 1);
      }
      this.#fill(owner, to, hash, this.#runs.get(place + 1));
    }
    this.#setTable(owner, directory, table, size, this.count(directory));
    this.#forgetAsked();
  }
}

function placesOf(bits: number): number {
  return bits === 0 ? 0 : 1 << bits;
}

/** How many places are looked at. */
function stepsIn(bits: number): number {
  return Math.min(placesOf(bits), reach);
}

function placeIn(table: number, bits: number, number: number): number {
  return table + ((number & ((1 << bits) - 1)) << placeBits);
}

function isTaken(hash: number): boolean {
  return hash !== free && hash !== gone;
}
