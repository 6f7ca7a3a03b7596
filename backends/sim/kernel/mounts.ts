/**
 * The mount table of a mount namespace: which file system is seen where. A *location* is an inode
 * seen through a mount; a mount hides the location it is mounted on. The table is an immutable
 * value: a new namespace starts as a copy of its maker's, which costs nothing.
 *
 * Invariants: every mount but the root's and those that were detached has a parent in the table; a
 * location carries at most one mount (a second one is mounted on the first one's root, as Linux
 * stacks them).
 *
 * A detached mount (umount2(2), MNT_DETACH) is in no place any more, but whoever stands in it goes on
 * seeing it. How mounts of several namespaces share events is propagation.ts's subject.
 */
import { Map as PersistentMap } from "immutable";
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { IdMaps, MountFlag } from "../../../core/runtime/plan.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";

export interface Location {
  readonly mount: number;
  readonly inode: Inode;
  /** The name by which it was reached: of what is no directory, the only way back to its place. */
  readonly entry?: { readonly directory: Inode; readonly name: string };
}

/** mount_namespaces(7), shared subtrees. */
export interface Sharing {
  /** Mounts of one group see each other's events; null: private. */
  readonly group: number | null;
  /** The group whose events arrive here, without ours arriving there. */
  readonly master: number | null;
  readonly unbindable: boolean;
}

export const unshared: Sharing = { group: null, master: null, unbindable: false };

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
  readonly sharing: Sharing;
  /** Came from a more privileged namespace: it cannot be taken away by itself. */
  readonly isLocked: boolean;
  /** Ids are shown through these maps (an id-mapped mount). */
  readonly idMaps: IdMaps | null;
}

export type NewMount = Omit<Mount, "id" | "on" | "isLocked" | "sharing"> & { readonly sharing?: Sharing };

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
  return {
    mounts: PersistentMap([[id, { sharing: unshared, ...root, id, on: null, isLocked: false }]]),
    covers: PersistentMap(),
    root: id,
    newId,
  };
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
  const mounts = table.mounts.set(id, { sharing: unshared, ...mount, id, on: seen, isLocked: false });
  return { id, table: { ...table, mounts, covers: table.covers.set(keyOf(seen), id) } };
}

export function changeMount(table: MountTable, id: number, change: Partial<Omit<Mount, "id" | "on">>): MountTable {
  return { ...table, mounts: table.mounts.set(id, { ...mountAt(table, id), ...change }) };
}

/** A mount with what is mounted on it, parents before children. */
export type MountTree = readonly [Mount, ...Mount[]];

/** What a bind of `source` brings along: its mount, and with `recursive` those beneath it that may be bound. */
export function boundTree(table: MountTable, source: Location, recursive: boolean): MountTree {
  const origin = mountAt(table, source.mount);
  const top = { ...origin, root: source.inode, sharing: { ...origin.sharing, unbindable: false } };
  if (!recursive) return [top];
  const carried = childrenWithin(table, source).filter(({ sharing }) => !sharing.unbindable);
  return [top, ...carried.flatMap((child) => subtree(table, child.id))];
}

/** Puts a copy of a tree in place; `sharing` says how each copy shares, by the original. */
export function graft(
  table: MountTable,
  on: Location,
  [top, ...rest]: MountTree,
  sharing: (original: Mount) => Sharing,
): { table: MountTable; id: number } {
  const grafted = addMount(table, on, { ...top, sharing: sharing(top) });
  const ids = new Map([[top.id, grafted.id]]);
  let grown = grafted.table;
  for (const mount of rest) {
    const parent = mount.on === null ? undefined : ids.get(mount.on.mount);
    if (mount.on === null || parent === undefined) continue;
    const added = addMount(grown, { ...mount.on, mount: parent }, { ...mount, sharing: sharing(mount) });
    ids.set(mount.id, added.id);
    grown = added.table;
  }
  return { table: grown, id: grafted.id };
}

/** Takes a mount out with all that is mounted on it; detached, it is kept for those who stand in it. EINVAL for the root. */
export function removeMount(table: MountTable, id: number, detach: boolean): MountTable {
  const mount = mountAt(table, id);
  if (mount.on === null) throw new Errno("EINVAL");
  const covers = table.covers.remove(keyOf(mount.on));
  if (detach) return { ...table, covers, mounts: table.mounts.set(id, { ...mount, on: null }) };
  const gone = new Set(subtree(table, id).map((each) => each.id));
  return { ...table, mounts: table.mounts.deleteAll(gone), covers: covers.filterNot((cover) => gone.has(cover)) };
}

/** Forgets detached mounts that nobody stands in. */
export function forgetDetached(table: MountTable, isUsed: (id: number) => boolean): MountTable {
  const placed = new Set(listMounts(table).map(({ id }) => id));
  const detached = [...table.mounts.values()].filter(({ id, on }) => on === null && !placed.has(id));
  const trees = detached.map(({ id }) => subtree(table, id)).filter((tree) => !tree.some(({ id }) => isUsed(id)));
  const gone = new Set(trees.flat().map(({ id }) => id));
  if (gone.size === 0) return table;
  return { ...table, mounts: table.mounts.deleteAll(gone), covers: table.covers.filterNot((id) => gone.has(id)) };
}

/** pivot_root(2): one mount becomes the root, and the old root stands at `putOld`. The caller has checked that it may. */
export function pivotTable(table: MountTable, newRoot: Location, putOld: Location): MountTable {
  const mount = mountAt(table, newRoot.mount);
  assert(mount.on !== null, "the new root is mounted on something");
  const { isLocked, ...old } = mountAt(table, table.root);
  const mounts = table.mounts
    .set(mount.id, { ...mount, on: null, isLocked: isLocked || mount.isLocked })
    .set(old.id, { ...old, on: putOld, isLocked: false });
  const covers = table.covers.remove(keyOf(mount.on)).set(keyOf(putOld), old.id);
  return { ...table, mounts, covers, root: mount.id };
}

/** All mounts that are in place, in the order they were made. */
export function listMounts(table: MountTable): Mount[] {
  return subtree(table, table.root).toSorted((a, b) => a.id - b.id);
}

/** A mount and all that is mounted on it, parents before children. */
export function subtree(table: MountTable, id: number): Mount[] {
  const children = new Map<number, Mount[]>();
  for (const mount of table.mounts.values()) {
    if (mount.on === null) continue;
    const known = children.get(mount.on.mount);
    if (known === undefined) children.set(mount.on.mount, [mount]);
    else known.push(mount);
  }
  const found = [mountAt(table, id)];
  for (const mount of found) found.push(...(children.get(mount.id) ?? []).toSorted((a, b) => a.id - b.id));
  return found;
}

function childrenOf(table: MountTable, id: number): Mount[] {
  return [...table.mounts.values()].filter((mount) => mount.on?.mount === id).sort((a, b) => a.id - b.id);
}

export function hasChildren(table: MountTable, id: number): boolean {
  return [...table.mounts.values()].some((mount) => mount.on?.mount === id);
}

/** The mounts whose place lies at or below a location of their parent mount. */
function childrenWithin(table: MountTable, location: Location): Mount[] {
  return childrenOf(table, location.mount).filter(
    ({ on }) => on !== null && isWithin(mountAt(table, location.mount), on, location.inode),
  );
}

/** Whether a place of a mount lies at or below a directory or file of its file system. */
export function isWithin({ fileSystem, root }: Mount, place: Location, above: Inode): boolean {
  if (place.inode === above) return true;
  for (let at = place.entry?.directory ?? place.inode; ; at = fileSystem.parent(at)) {
    if (at === above) return true;
    if (at === root || at === fileSystem.root) return false;
  }
}

function keyOf({ mount, inode }: Location): string {
  return `${mount}:${inode}`;
}
