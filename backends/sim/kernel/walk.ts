/**
 * Paths among mounts: what core's walk (core/unionfs/walk.ts) needs to know of a mount table. A name
 * leads to the topmost mount on it, ".." at the root of a mount leads to what that is mounted on, and
 * some symlinks of /proc lead where no path would.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Wanted } from "../../../core/unionfs/access.ts";
import type { FileSystem, Inode, Stat } from "../../../core/unionfs/file-system.ts";
import { type Guarded, type Space, type Spot, walk, type WalkOptions } from "../../../core/unionfs/walk.ts";
import { outsideOf } from "./ids.ts";
import {
  beneath,
  isWithin,
  mountAt,
  mountOf,
  rootOf,
  topmost,
  type Location,
  type Mount,
  type MountTable,
} from "./mounts.ts";
import { OpenFile } from "./open-file.ts";
import { Synthetic } from "./synthetic.ts";

/** Where a walk starts and what it may see. */
export interface View {
  readonly table: MountTable;
  readonly root: Location;
  readonly directory: Location;
  /** Throws EACCES when the process may not do this to a file. */
  readonly permit: (file: Guarded, wanted: Wanted) => void;
}

export function fileSystemAt(table: MountTable, location: Location): FileSystem {
  return mountOf(table, location).fileSystem;
}

/** With the ids as the kernel counts them: an id-mapped mount shows others than are stored. */
export function statAt(table: MountTable, location: Location): Stat {
  if (location.opened !== undefined) return location.opened.channel.stat();
  const { fileSystem, idMaps } = mountOf(table, location);
  const stat = fileSystem.stat(location.inode);
  if (idMaps === null) return stat;
  return { ...stat, uid: outsideOf(idMaps.uids, stat.uid), gid: outsideOf(idMaps.gids, stat.gid) };
}

function lookThrough({ fileSystem, idMaps }: Mount, inode: Inode): Guarded {
  const file = fileSystem.peek(inode);
  if (idMaps === null) return file;
  const { kind, mode, uid, gid } = file;
  return { kind, mode, uid: outsideOf(idMaps.uids, uid), gid: outsideOf(idMaps.gids, gid) };
}

/** The location a path names. ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG. */
export function resolve(view: View, path: string, options: WalkOptions = {}): Location {
  const { found } = locate(view, path, options);
  if (found === null) throw new Errno("ENOENT", path);
  return found;
}

/** The directory a path's last name is in, and what the name stands for; the last symlink is followed unless told not to. */
export function locate(view: View, path: string, options: WalkOptions = {}): Spot<Location> {
  return walk(new Locations(view), path, options);
}

/** What is mounted where, as a view sees it. */
export class Locations implements Space<Location> {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  get root(): Location {
    return this.#view.root;
  }

  get directory(): Location {
    return this.#view.directory;
  }

  get table(): MountTable {
    return this.#view.table;
  }

  look(location: Location): Guarded {
    const { inode, opened } = location;
    return opened === undefined ? lookThrough(mountOf(this.table, location), inode) : opened.channel.stat();
  }

  /** `look`, when this table may be another one. */
  looking(location: Location): () => Guarded {
    const on = mountOf(this.table, location);
    return () => lookThrough(on, location.inode);
  }

  enter(directory: Location, name: string): Location | null {
    const found = this.child(directory, name);
    return found === null ? null : topmost(this.table, found);
  }

  child(directory: Location, name: string): Location | null {
    const inode = mountOf(this.table, directory).fileSystem.find(directory.inode, name);
    return inode === 0 ? null : this.made(directory, name, inode);
  }

  made({ mount, inode: directory, table }: Location, name: string, inode: Inode): Location {
    const entry = { directory, name };
    return table === undefined ? { mount, inode, entry } : { mount, inode, entry, table };
  }

  above(directory: Location): Location {
    const at = this.#foot(directory);
    if (at === null) return directory;
    const mount = mountOf(this.table, at);
    const inode = mount.fileSystem.parent(at.inode);
    const above = at.table === undefined ? { mount: at.mount, inode } : { mount: at.mount, inode, table: at.table };
    // A directory was moved out of the part that is mounted: it has no parent there.
    const isConnected = mount.root === mount.fileSystem.root || isWithin(mount, above, mount.root);
    if (!isConnected) throw new Errno("ENOENT");
    return topmost(this.table, above);
  }

  /** What it lies on where it is the root of a mount; null at the end of what is seen: the process's root, or the namespace's. */
  #foot(directory: Location): Location | null {
    let at = directory;
    while (at.inode === mountOf(this.table, at).root) {
      const below = beneath(this.table, at);
      if (below === null || this.isSame(below, this.root)) return null;
      at = below;
    }
    return at;
  }

  isSame(one: Location, other: Location): boolean {
    return one.inode === other.inode && one.mount === other.mount;
  }

  follow(symlink: Location): string | Location {
    const fileSystem = fileSystemAt(this.table, symlink);
    const goal = fileSystem instanceof Synthetic ? fileSystem.goal(symlink.inode) : null;
    if (goal !== null && !(goal instanceof OpenFile)) return goal.table === this.table ? ownPlace(goal) : goal;
    const place = goal?.location ?? null;
    if (place !== null && (place.table ?? this.table).mounts.has(place.mount)) return place;
    return goal instanceof OpenFile ? { ...symlink, opened: goal } : fileSystem.readlink(symlink.inode);
  }

  permitSearch(directory: Guarded): void {
    this.#view.permit(directory, "execute");
  }
}

function ownPlace({ mount, inode, entry }: Location): Location {
  return entry === undefined ? { mount, inode } : { mount, inode, entry };
}

/** The path of a location as seen from the root, for getcwd(2) and mountinfo. "(unreachable)" in front when it is outside. */
export function pathOf(view: Pick<View, "table" | "root">, location: Location): string {
  const { table } = location;
  if (table !== undefined && table !== view.table) return pathOf({ table, root: rootOf(table) }, ownPlace(location));
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

/** By the name it was reached by, if it still has that. */
function entryOf(fileSystem: FileSystem, { inode, entry }: Location): { directory: Inode; name: string } {
  const isDirectory = fileSystem.peek(inode).kind === "directory";
  const directory = isDirectory ? fileSystem.parent(inode) : entry?.directory;
  if (directory === undefined) return { directory: fileSystem.root, name: "(deleted)" };
  const isAsReached = entry?.directory === directory && fileSystem.find(directory, entry.name) === inode;
  if (isAsReached) return entry;
  const found = fileSystem.list(directory).find((each) => each.inode === inode);
  return { directory, name: found?.name ?? entry?.name ?? "(deleted)" };
}
