/**
 * Walking a path (path_resolution(7)): from a process's root or directory, name by name, through
 * mounts and symlinks, to a location. ".." never leads above the root; a symlink's absolute target
 * starts at the root; at most 40 symlinks. Searching a directory needs its x bit.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { FileSystem, Inode, Stat } from "../../../core/unionfs/file-system.ts";
import { outsideOf } from "./ids.ts";
import { beneath, mountAt, topmost, type Location, type MountTable } from "./mounts.ts";
import { OpenFile } from "./open-file.ts";
import { Synthetic } from "./synthetic.ts";

/** Where a walk starts and what it may see. */
export interface View {
  readonly table: MountTable;
  readonly root: Location;
  readonly directory: Location;
  /** Throws EACCES when the process may not do this to a file. */
  readonly permit: (stat: Stat, wanted: "read" | "write" | "execute") => void;
}

/** A name in a directory: it may exist or not. */
export interface Place {
  readonly directory: Location;
  readonly name: string;
  /** null: nothing has that name. */
  readonly found: Location | null;
  /** The path as seen from the root when the walk came straight from there; null: `pathOf` finds it. */
  readonly straight: string | null;
}

const symlinksMax = 40;
const pathMax = 4096;

export function fileSystemAt(table: MountTable, location: Location): FileSystem {
  return mountAt(table, location.mount).fileSystem;
}

/** With the ids as the kernel counts them: an id-mapped mount shows others than are stored. */
export function statAt(table: MountTable, location: Location): Stat {
  const { fileSystem, idMaps } = mountAt(table, location.mount);
  const stat = fileSystem.stat(location.inode);
  if (idMaps === null) return stat;
  return { ...stat, uid: outsideOf(idMaps.uids, stat.uid), gid: outsideOf(idMaps.gids, stat.gid) };
}

/** The open file that a link of /proc/<pid>/fd stands for when it is none of a file system this process sees. */
export function openFileAt(table: MountTable, location: Location): OpenFile | null {
  const fileSystem = fileSystemAt(table, location);
  const goal = fileSystem instanceof Synthetic ? fileSystem.goal(location.inode) : null;
  return goal instanceof OpenFile && !isSeen(table, goal.location) ? goal : null;
}

/** Where a link leads that is more than its text: /proc/<pid>/root, cwd, fd/…. */
function goalOf(table: MountTable, location: Location): Location | null {
  const fileSystem = fileSystemAt(table, location);
  const goal = fileSystem instanceof Synthetic ? fileSystem.goal(location.inode) : null;
  const place = goal instanceof OpenFile ? goal.location : goal;
  return isSeen(table, place) ? place : null;
}

function isSeen(table: MountTable, location: Location | null): location is Location {
  return location !== null && table.mounts.has(location.mount);
}

/** The location a path names. ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG. */
export function resolve(view: View, path: string, options: { noFollow?: boolean } = {}): Location {
  const place = locate(view, path, options);
  if (place.found === null) throw new Errno("ENOENT", path);
  return place.found;
}

/** The directory a path's last name is in, and what the name stands for; the last symlink is followed unless told not to. */
export function locate(view: View, path: string, options: { noFollow?: boolean } = {}): Place {
  if (path === "") throw new Errno("ENOENT", path);
  if (path.length >= pathMax) throw new Errno("ENAMETOOLONG", path);
  return new Walk(view, path, options.noFollow ?? false).go();
}

/** One name after the other; a symlink puts its target's names in front of those that are left. */
class Walk {
  readonly #view: View;
  readonly #path: string;
  readonly #noFollow: boolean;
  #at: Location;
  /** Those that are left, the next one last. */
  #names: string[];
  #symlinks = 0;
  #isStraight: boolean;

  constructor(view: View, path: string, noFollow: boolean) {
    this.#view = view;
    this.#path = path;
    this.#noFollow = noFollow;
    this.#isStraight = path.startsWith("/");
    this.#at = this.#isStraight ? view.root : view.directory;
    this.#names = namesOf(path).reverse();
  }

  go(): Place {
    const { table } = this.#view;
    let directory = this.#at;
    let last = ".";
    let stat = statAt(table, this.#at);
    for (let name = this.#names.pop(); name !== undefined; name = this.#names.pop()) {
      directory = this.#at;
      last = name;
      const found = this.#enter(stat, name);
      if (found === null) return this.#missing({ directory, name });
      stat = statAt(table, found);
      if (stat.kind !== "symlink" || (this.#names.length === 0 && this.#noFollow)) this.#at = found;
      else if (this.#follow(found)) return { directory, name, found, straight: null };
      else {
        directory = this.#at;
        last = ".";
        stat = statAt(table, this.#at);
      }
    }
    return { directory, name: last, found: this.#at, straight: this.#straight() };
  }

  /** Only the last name may be one that is not there. */
  #missing(place: Pick<Place, "directory" | "name">): Place {
    const [left, ...more] = this.#names;
    if (left !== undefined && (left !== "." || more.length > 0)) throw new Errno("ENOENT", this.#path);
    return { ...place, found: null, straight: this.#straight() };
  }

  #enter(stat: Stat, name: string): Location | null {
    const view = this.#view;
    const { mount, inode: directory } = this.#at;
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", this.#path);
    view.permit(stat, "execute");
    if (name === ".") return this.#at;
    if (name === "..") {
      this.#isStraight = false;
      return parentOf(view, this.#at);
    }
    const inode = fileSystemAt(view.table, this.#at).find(directory, name);
    return inode === 0 ? null : topmost(view.table, { mount, inode, entry: { directory, name } });
  }

  /** True when the link itself is what is meant: a link of /proc/<pid>/fd to an open file that has no place. */
  #follow(link: Location): boolean {
    const { table, root } = this.#view;
    if (++this.#symlinks > symlinksMax) throw new Errno("ELOOP", this.#path);
    this.#isStraight = false;
    const goal = goalOf(table, link);
    if (goal === null && this.#names.length === 0 && openFileAt(table, link) !== null) return true;
    if (goal !== null) {
      this.#at = goal;
      return false;
    }
    const target = fileSystemAt(table, link).readlink(link.inode);
    this.#names.push(...namesOf(target).reverse());
    if (target.startsWith("/")) this.#at = root;
    return false;
  }

  /** The path without doubled slashes, dots, and the slash at its end. */
  #straight(): string | null {
    if (!this.#isStraight) return null;
    const names = this.#path.split("/").filter((name) => name !== "" && name !== ".");
    return `/${names.join("/")}`;
  }
}

function parentOf(view: View, location: Location): Location {
  let at = location;
  for (;;) {
    if (at.mount === view.root.mount && at.inode === view.root.inode) return at;
    const below = beneath(view.table, at);
    if (below === null) break;
    at = below;
  }
  return topmost(view.table, { mount: at.mount, inode: fileSystemAt(view.table, at).parent(at.inode) });
}

/** A path's names; one that ends in "/" ends in ".", since it must be a directory. */
function namesOf(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return path.endsWith("/") && names.length > 0 ? [...names, "."] : names;
}

/** The path of a location as seen from the root, for getcwd(2) and mountinfo. "(unreachable)" in front when it is outside. */
export function pathOf(view: Pick<View, "table" | "root">, location: Location): string {
  const names: string[] = [];
  let at = location;
  while (!(at.mount === view.root.mount && at.inode === view.root.inode)) {
    if (!view.table.mounts.has(at.mount)) return `(unreachable)/${names.join("/")}`;
    const below = beneath(view.table, at);
    if (below !== null) at = below;
    else if (at.inode === mountAt(view.table, at.mount).root) return `(unreachable)/${names.join("/")}`;
    else {
      const { directory, name } = entryOf(fileSystemAt(view.table, at), at);
      names.unshift(name);
      at = { mount: at.mount, inode: directory };
    }
  }
  return `/${names.join("/")}`;
}

function entryOf(fileSystem: FileSystem, at: Location): { directory: Inode; name: string } {
  if (fileSystem.stat(at.inode).kind !== "directory")
    return at.entry ?? { directory: fileSystem.root, name: "(deleted)" };
  const directory = fileSystem.parent(at.inode);
  const name = fileSystem.list(directory).find((entry) => entry.inode === at.inode)?.name ?? "(deleted)";
  return { directory, name };
}
