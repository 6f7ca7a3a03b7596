/**
 * The mount table of a mount namespace: which file system is seen where. A *location* is an inode
 * seen through a mount; a mount hides the location it is mounted on. The table is an immutable
 * value: a new namespace starts as a copy of its maker's, which costs nothing.
 *
 * Invariants: every mount but the root's has a parent in the table; a location carries at most one
 * mount (a second one is mounted on the first one's root, as Linux stacks them).
 *
 * Propagation is kept as a word for /proc/self/mountinfo; events do not travel between namespaces
 * (plans make everything private or slave, and the simulated host shares nothing).
 */
import { Map as PersistentMap } from "immutable";
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { IdMaps, MountFlag, Propagation } from "../../../core/runtime/plan.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";

export interface Location {
  readonly mount: number;
  readonly inode: Inode;
  /** The name by which it was reached: of what is no directory, the only way back to its place. */
  readonly entry?: { readonly directory: Inode; readonly name: string };
}

export interface Mount {
  readonly id: number;
  /** What it is mounted on; null for the root of the namespace. */
  readonly on: Location | null;
  readonly fileSystem: FileSystem;
  /** The part of the file system that is seen: its root, or a directory or file in it (bind). */
  readonly root: Inode;
  readonly type: string;
  readonly source: string;
  readonly flags: ReadonlySet<MountFlag>;
  /** Of the file system, "lowerdir=…" or "size=65536k". */
  readonly options: string;
  readonly propagation: Propagation;
  /** Ids are shown through these maps (an id-mapped mount). */
  readonly idMaps: IdMaps | null;
}

export type NewMount = Omit<Mount, "id" | "on">;

export interface MountTable {
  readonly mounts: PersistentMap<number, Mount>;
  /** Which mount hides a location. */
  readonly covers: PersistentMap<string, number>;
  readonly root: number;
  /** Numbers are the kernel's: a mount has the same one in every namespace it was copied to, and no other has it. */
  readonly newId: () => number;
}

export function newTable(root: NewMount, newId: () => number): MountTable {
  const id = newId();
  return { mounts: PersistentMap([[id, { ...root, id, on: null }]]), covers: PersistentMap(), root: id, newId };
}

export function mountAt(table: MountTable, id: number): Mount {
  const mount = table.mounts.get(id);
  assert(mount !== undefined, `mount ${id} is in the table`);
  return mount;
}

export function rootOf(table: MountTable): Location {
  return topmost(table, { mount: table.root, inode: mountAt(table, table.root).root });
}

/** The location that is really seen: the root of whatever is mounted there, and on that, … */
export function topmost(table: MountTable, location: Location): Location {
  const cover = table.covers.get(keyOf(location));
  return cover === undefined ? location : topmost(table, { mount: cover, inode: mountAt(table, cover).root });
}

/** Down from the root of a mount to what it stands on; null at the namespace's root. */
export function beneath(table: MountTable, location: Location): Location | null {
  const mount = mountAt(table, location.mount);
  return location.inode === mount.root ? mount.on : null;
}

export function addMount(table: MountTable, on: Location, mount: NewMount): { table: MountTable; id: number } {
  const seen = topmost(table, on);
  const id = table.newId();
  const mounts = table.mounts.set(id, { ...mount, id, on: seen });
  return { id, table: { ...table, mounts, covers: table.covers.set(keyOf(seen), id) } };
}

export function changeMount(table: MountTable, id: number, change: Partial<NewMount>): MountTable {
  return { ...table, mounts: table.mounts.set(id, { ...mountAt(table, id), ...change }) };
}

/** A bind: another view of a location; `recursive` brings the mounts beneath it along. */
export function bindMount(
  table: MountTable,
  source: Location,
  on: Location,
  recursive: boolean,
): { table: MountTable; id: number } {
  const origin = mountAt(table, source.mount);
  const bound = addMount(table, on, { ...origin, root: source.inode, propagation: "private" });
  if (!recursive) return bound;
  const carried = childrenWithin(table, source);
  const grown = carried.reduce((at, child) => {
    const spot = { ...(child.on ?? source), mount: bound.id };
    return bindMount(at, { mount: child.id, inode: child.root }, spot, true).table;
  }, bound.table);
  return { table: grown, id: bound.id };
}

/** Takes a mount away with all that is mounted on it, as MNT_DETACH does. EINVAL for the root. */
export function removeMount(table: MountTable, id: number): MountTable {
  const mount = mountAt(table, id);
  if (mount.on === null) throw new Errno("EINVAL");
  const without = childrenOf(table, id).reduce((at, child) => removeMount(at, child.id), table);
  return { ...without, mounts: without.mounts.remove(id), covers: without.covers.remove(keyOf(mount.on)) };
}

/** pivot_root(2) with the old root let go: `location` must be the root of a mount. */
export function pivotTable(table: MountTable, location: Location): MountTable {
  const mount = mountAt(table, location.mount);
  if (location.inode !== mount.root || mount.on === null) throw new Errno("EINVAL");
  const kept = [mount, ...descendantsOf(table, mount.id)];
  const mounts = PersistentMap(kept.map((each) => [each.id, each] as const)).set(mount.id, { ...mount, on: null });
  const covers = PersistentMap(
    kept.flatMap((each) => (each === mount || each.on === null ? [] : [[keyOf(each.on), each.id] as const])),
  );
  return { ...table, mounts, covers, root: mount.id };
}

/** All mounts, parents before children, in the order they were made. */
export function listMounts(table: MountTable): Mount[] {
  return [...table.mounts.values()].sort((a, b) => a.id - b.id);
}

export function childrenOf(table: MountTable, id: number): Mount[] {
  return listMounts(table).filter((mount) => mount.on?.mount === id);
}

function descendantsOf(table: MountTable, id: number): Mount[] {
  return childrenOf(table, id).flatMap((child) => [child, ...descendantsOf(table, child.id)]);
}

/** The mounts whose place lies at or below a location of their parent mount. */
function childrenWithin(table: MountTable, location: Location): Mount[] {
  const { fileSystem, root } = mountAt(table, location.mount);
  return childrenOf(table, location.mount).filter((child) => {
    if (child.on?.inode === location.inode) return true;
    for (let at = child.on?.entry?.directory ?? child.on?.inode ?? root; ; at = fileSystem.parent(at)) {
      if (at === location.inode) return true;
      if (at === root || at === fileSystem.root) return false;
    }
  });
}

function keyOf({ mount, inode }: Location): string {
  return `${mount}:${inode}`;
}
