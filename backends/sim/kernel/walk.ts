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
  const start = path.startsWith("/") ? view.root : view.directory;
  return step(view, path, { at: start, names: namesOf(path), symlinks: 0, noFollow: options.noFollow ?? false });
}

interface Walk {
  readonly at: Location;
  readonly names: readonly string[];
  readonly symlinks: number;
  readonly noFollow: boolean;
}

/** One name after the other; a symlink puts its target's names in front of those that are left. */
function step(view: View, path: string, start: Walk): Place {
  let { at, names, symlinks } = start;
  let place: Place = { directory: at, name: ".", found: at };
  while (names.length > 0) {
    const [name = "", ...rest] = names;
    place = enter(view, at, name, path);
    const isLast = rest.length === 0;
    if (place.found === null) {
      if (isLast || (rest.length === 1 && rest[0] === ".")) return place;
      throw new Errno("ENOENT", path);
    }
    const stat = statAt(view.table, place.found);
    if (stat.kind === "symlink" && !(isLast && start.noFollow)) {
      if (++symlinks > symlinksMax) throw new Errno("ELOOP", path);
      const goal = goalOf(view.table, place.found);
      if (goal === null && isLast && openFileAt(view.table, place.found) !== null) return place;
      if (goal !== null) {
        at = goal;
        names = rest;
        place = { directory: at, name: ".", found: at };
        continue;
      }
      const target = fileSystemAt(view.table, place.found).readlink(place.found.inode);
      names = [...namesOf(target), ...rest];
      at = target.startsWith("/") ? view.root : at;
      place = { directory: at, name: ".", found: at };
    } else {
      at = place.found;
      names = rest;
    }
  }
  return place;
}

function enter(view: View, at: Location, name: string, path: string): Place {
  const stat = statAt(view.table, at);
  if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
  view.permit(stat, "execute");
  if (name === ".") return { directory: at, name, found: at };
  if (name === "..") return { directory: at, name, found: parentOf(view, at) };
  const inode = lookup(fileSystemAt(view.table, at), at.inode, name);
  const here = { mount: at.mount, inode, entry: { directory: at.inode, name } };
  const found = inode === null ? null : topmost(view.table, { ...here, inode });
  return { directory: at, name, found };
}

function lookup(fileSystem: FileSystem, directory: Inode, name: string): Inode | null {
  const found = fileSystem.find(directory, name);
  return found === 0 ? null : found;
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
