/**
 * Walking a path (path_resolution(7)): name by name, through symlinks, to a file. ".." never leads
 * above the root; a symlink's absolute target starts at the root; at most 40 symlinks. Searching a
 * directory needs its x bit.
 *
 * What a place is (an inode, or an inode seen through a mount) is the business of the Space, which
 * therefore also is what crosses mounts.
 */
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import type { Stat } from "./file-system.ts";

/** What decides who may do what. */
export type Guarded = Pick<Stat, "kind" | "mode" | "uid" | "gid">;

export interface Space<Place extends object | number> {
  readonly root: Place;
  /** Where a path begins that does not begin with "/". */
  readonly directory: Place;
  look(place: Place): Guarded;
  /** What a directory's name leads to, the root of a mount if one is there; null when there is nothing. */
  enter(directory: Place, name: string): Place | null;
  /** The directory above, also across the edge of a mount. */
  above(directory: Place): Place;
  isSame(one: Place, other: Place): boolean;
  /** Where a symlink leads: a path, or at once a place (a link of /proc to a file, which may have no path). */
  follow(symlink: Place): string | Place;
  /** Throws Errno EACCES when whoever walks may not search the directory. */
  permitSearch(directory: Guarded): void;
}

/** A name in a directory. */
export interface Spot<Place> {
  readonly directory: Place;
  /** "", "." and ".." name no entry: the path ended in a directory on its way. */
  readonly name: string;
  /** null: nothing has that name. */
  readonly found: Place | null;
  /** What was found looks like; null for nothing, and for a name that was not looked up. */
  readonly looked: Guarded | null;
  /** It was written with a slash at the end: it must be a directory. */
  readonly slash: boolean;
}

const symlinksMax = 40;
const pathBytesMax = 4096;
const nameBytesMax = 255;

export interface WalkOptions {
  /** The last symlink is not followed; one before a "/" always is. */
  readonly noFollow?: boolean;
  /** open(2) with O_CREAT: it makes no directories, so a last name before a "/" is EISDIR whatever it is. */
  readonly makesFile?: boolean;
  /** The last name is not looked up. */
  readonly isParent?: boolean;
}

const toTheEnd: WalkOptions = {};

/** ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG. */
export function walk<Place extends object | number>(
  space: Space<Place>,
  path: string,
  options: WalkOptions = toTheEnd,
): Spot<Place> {
  if (path === "") throw new Errno("ENOENT", path);
  checkLength(path, pathBytesMax - 1);
  return new Walk(space, path, options).run();
}

class Walk<Place extends object | number> {
  readonly #space: Space<Place>;
  readonly #path: string;
  readonly #options: WalkOptions;
  #at: Place;
  /** What `#at` is. */
  #looked: Guarded;
  #rest: string;
  /** Where in the rest the next name begins. */
  #from = 0;
  #symlinks = 0;

  constructor(space: Space<Place>, path: string, options: WalkOptions) {
    this.#space = space;
    this.#path = path;
    this.#options = options;
    this.#rest = path;
    this.#at = path.startsWith("/") ? space.root : space.directory;
    this.#looked = space.look(this.#at);
  }

  run(): Spot<Place> {
    for (;;) {
      const name = this.#next();
      const directory = this.#at;
      if (name === "") return { directory, name: "", found: directory, looked: this.#looked, slash: true };
      const isLast = this.#isDone();
      const slash = isLast && this.#from < this.#rest.length;
      this.#permitSearch();
      if (isLast && this.#options.isParent === true && name !== "." && name !== "..")
        return { directory, name, found: null, looked: null, slash };
      let found = this.#enter(directory, name, slash);
      if (found === null) {
        if (isLast) return { directory, name, found, looked: null, slash };
        throw new Errno("ENOENT", this.#path);
      }
      const isFollowed = !isLast || slash || this.#options.noFollow !== true;
      let looked = this.#space.look(found);
      if (isFollowed && looked.kind === "symlink") {
        const goal = this.#follow(found);
        if (typeof goal === "string") {
          this.#goOn(goal, slash);
          continue;
        }
        found = goal;
        looked = this.#space.look(goal);
      }
      if (slash && looked.kind !== "directory") throw new Errno("ENOTDIR", this.#path);
      if (isLast) return { directory, name, found, looked, slash };
      this.#at = found;
      this.#looked = looked;
    }
  }

  #permitSearch(): void {
    if (this.#looked.kind !== "directory") throw new Errno("ENOTDIR", this.#path);
    this.#space.permitSearch(this.#looked);
  }

  #enter(directory: Place, name: string, slash: boolean): Place | null {
    if (name === ".") return directory;
    if (name === "..") return this.#above(directory);
    if (slash && this.#options.makesFile === true) throw new Errno("EISDIR", this.#path);
    checkName(name);
    return this.#space.enter(directory, name);
  }

  #above(directory: Place): Place {
    return this.#space.isSame(directory, this.#space.root) ? directory : this.#space.above(directory);
  }

  #follow(symlink: Place): string | Place {
    if (++this.#symlinks > symlinksMax) throw new Errno("ELOOP", this.#path);
    const goal = this.#space.follow(symlink);
    if (goal === "") throw new Errno("ENOENT", this.#path);
    return goal;
  }

  /** Puts a symlink's target in front of what is left. */
  #goOn(target: string, slash: boolean): void {
    const left = this.#rest.slice(this.#from);
    this.#rest = left === "" ? `${target}${slash ? "/" : ""}` : `${target}/${left}`;
    this.#from = 0;
    if (!target.startsWith("/")) return;
    this.#at = this.#space.root;
    this.#looked = this.#space.look(this.#at);
  }

  /** The next name; "" at the end. */
  #next(): string {
    const rest = this.#rest;
    let from = this.#from;
    while (rest.charCodeAt(from) === 47) from++;
    const slash = rest.indexOf("/", from);
    const end = slash < 0 ? rest.length : slash;
    this.#from = end;
    return rest.slice(from, end);
  }

  #isDone(): boolean {
    for (let at = this.#from; at < this.#rest.length; at++) if (this.#rest.charCodeAt(at) !== 47) return false;
    return true;
  }
}

/** ENAMETOOLONG. */
export function checkName(name: string): void {
  checkLength(name, nameBytesMax);
}

function checkLength(text: string, bytesMax: number): void {
  if (text.length > bytesMax || (text.length * 3 > bytesMax && encodeText(text).length > bytesMax))
    throw new Errno("ENAMETOOLONG", text);
}
