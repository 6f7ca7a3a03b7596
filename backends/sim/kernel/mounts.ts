/**
 * The mount table of a mount namespace: which file system is seen where. A *location* is an inode
 * seen through a mount; a mount hides the location it is mounted on. A table is one namespace's, which
 * changes it; a new namespace starts with a copy.
 *
 * Invariants: every mount but the root's and those that were detached has a parent in the table; a
 * location carries at most one mount (a second one is mounted on the first one's root, as Linux
 * stacks them).
 *
 * A detached mount (umount2(2), MNT_DETACH) is in no place any more, but whoever stands in it goes on
 * seeing it. How mounts of several namespaces share events is propagation.ts's subject.
 */
import { assert } from "../../../core/base/assert.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { IdMaps, MountFlag } from "../../../core/runtime/plan.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";
import type { OpenFile } from "./open-file.ts";

export interface Location {
  readonly mount: number;
  readonly inode: Inode;
  /** The name by which it was reached: of what is no directory, the only way back to its place. */
  readonly entry?: { readonly directory: Inode; readonly name: string };
  /** The link of /proc/<pid>/fd that this is stands for an open file that is nowhere to be seen: a pipe, a socket. */
  readonly opened?: OpenFile;
  /** It was reached through a link to another namespace's mount (/proc/<pid>/root): that namespace's table; absent: one's own. */
  readonly table?: MountTable;
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
  /** What is mounted on it, by the inodes that are hidden: several of a file, on its several names. */
  readonly covered: Map<Inode, readonly number[]>;
  readonly fileSystem: FileSystem;
  /** The part of the file system that is seen: its root, or a directory or file in it (bind). */
  readonly root: Inode;
  /** The name of that part, of a file too. */
  readonly entry?: Location["entry"] | undefined;
  readonly type: string;
  readonly source: string;
  readonly flags: ReadonlySet<MountFlag>;
  /** It was mounted read-only: so is the file system itself, by whichever mount it is seen. */
  readonly isSealed?: boolean;
  /** Of the file system, "lowerdir=…" or "size=65536k". */
  readonly options: string;
  readonly sharing: Sharing;
  /** Came from a more privileged namespace: it cannot be taken away by itself. */
  readonly isLocked: boolean;
  /** Ids are shown through these maps (an id-mapped mount). */
  readonly idMaps: IdMaps | null;
}

export type NewMount = Omit<Mount, "id" | "on" | "covered" | "isLocked" | "sharing"> & { readonly sharing?: Sharing };

export interface MountTable {
  readonly mounts: Map<number, Mount>;
  root: number;
  /** Numbers are the kernel's: a mount has the same one in every namespace it was copied to, and no other has it. */
  readonly newId: () => number;
}

export function newTable(root: NewMount, newId: () => number): MountTable {
  const id = newId();
  const mount = { sharing: unshared, ...root, id, on: null, covered: new Map(), isLocked: false };
  return { mounts: new Map([[id, mount]]), root: id, newId };
}

/** For another namespace; `change` is what is different there about each mount. */
export function copyTable(table: MountTable, change: (mount: Mount) => Partial<Mount>): MountTable {
  const mounts = new Map<number, Mount>();
  for (const mount of table.mounts.values())
    mounts.set(mount.id, { ...mount, covered: new Map(mount.covered), ...change(mount) });
  return { ...table, mounts };
}

/** Parts of file systems that were mounted at some time: what never was need not be looked for in all tables. */
const boundParts = new WeakMap<FileSystem, Set<Inode>>();

function noteBound(fileSystem: FileSystem, part: Inode): void {
  const known = boundParts.get(fileSystem) ?? new Set<Inode>();
  boundParts.set(fileSystem, known.add(part));
}

export function mayBeBound(fileSystem: FileSystem, part: Inode): boolean {
  return boundParts.get(fileSystem)?.has(part) ?? false;
}

export function mountAt(table: MountTable, id: number): Mount {
  const mount = table.mounts.get(id);
  assert(mount !== undefined, `mount ${id} is in the table`);
  return mount;
}

/** What a location is seen through: `table` is whoever's own. */
export function mountOf(table: MountTable, location: Location): Mount {
  return mountAt(location.table ?? table, location.mount);
}

export function rootOf(table: MountTable): Location {
  return topmost(table, { mount: table.root, inode: mountAt(table, table.root).root });
}

/** The location that is really seen: the root of whatever is mounted there, and on that, … */
export function topmost(table: MountTable, location: Location): Location {
  let at = location;
  for (;;) {
    const cover = coverOf(table, at);
    if (cover === undefined) return at;
    const root = rootOfMount(mountAt(at.table ?? table, cover));
    at = at.table === undefined ? root : { ...root, table: at.table };
  }
}

function rootOfMount({ id, root, entry }: Mount): Location {
  return entry === undefined ? { mount: id, inode: root } : { mount: id, inode: root, entry };
}

/** Which mount lies on it, by this very name. */
export function coverOf(table: MountTable, place: Location): number | undefined {
  const mount = mountOf(table, place);
  const covers = mount.covered.size === 0 ? undefined : mount.covered.get(place.inode);
  return covers?.find((id) => isSameName(mount.fileSystem, place, mountAt(place.table ?? table, id).on));
}

/** A directory has one name; of a file's the others are not mounted on. */
function isSameName(fileSystem: FileSystem, { inode, entry }: Location, on: Location | null): boolean {
  const other = on?.entry;
  if (entry === undefined || other === undefined) return true;
  if (entry.directory === other.directory && entry.name === other.name) return true;
  return fileSystem.peek(inode).kind === "directory";
}

/** The mount `by` hides what is at `place`, or does no more. */
function cover(table: MountTable, place: Location, by: number, isHidden: boolean): void {
  const { covered } = mountAt(table, place.mount);
  const others = (covered.get(place.inode) ?? []).filter((id) => id !== by);
  if (isHidden) covered.set(place.inode, [...others, by]);
  else if (others.length > 0) covered.set(place.inode, others);
  else covered.delete(place.inode);
}

/** Down from the root of a mount to what it stands on; null at the namespace's root. */
export function beneath(table: MountTable, location: Location): Location | null {
  const { root, on } = mountOf(table, location);
  if (location.inode !== root || on === null) return null;
  return location.table === undefined ? on : { ...on, table: location.table };
}

/** Gives its number. */
export function addMount(table: MountTable, on: Location, mount: NewMount): number {
  const seen = topmost(table, on);
  const id = table.newId();
  table.mounts.set(id, { sharing: unshared, ...mount, id, on: seen, covered: new Map(), isLocked: false });
  if (mount.root !== mount.fileSystem.root) noteBound(mount.fileSystem, mount.root);
  cover(table, seen, id, true);
  return id;
}

export function changeMount(
  table: MountTable,
  id: number,
  change: Partial<Omit<Mount, "id" | "on" | "covered">>,
): void {
  table.mounts.set(id, { ...mountAt(table, id), ...change });
}

/** A mount with what is mounted on it, parents before children. */
export type MountTree = readonly [Mount, ...Mount[]];

/** What a bind of `source` brings along: its mount, and with `recursive` those beneath it that may be bound. */
export function boundTree(table: MountTable, source: Location, recursive: boolean): MountTree {
  const origin = mountAt(table, source.mount);
  const top = { ...origin, root: source.inode, entry: source.entry, sharing: { ...origin.sharing, unbindable: false } };
  if (!recursive) return [top];
  const carried = childrenWithin(table, source).filter(({ sharing }) => !sharing.unbindable);
  return [top, ...carried.flatMap((child) => subtree(table, child.id))];
}

/** Puts a copy of a tree in place and gives its number; `sharing` says how each copy shares, by the original. */
export function graft(
  table: MountTable,
  on: Location,
  [top, ...rest]: MountTree,
  sharing: (original: Mount) => Sharing,
): number {
  const id = addMount(table, on, { ...top, sharing: sharing(top) });
  const ids = new Map([[top.id, id]]);
  for (const mount of rest) {
    const parent = mount.on === null ? undefined : ids.get(mount.on.mount);
    if (mount.on === null || parent === undefined) continue;
    ids.set(mount.id, addMount(table, { ...mount.on, mount: parent }, { ...mount, sharing: sharing(mount) }));
  }
  return id;
}

/** Takes a mount out with all that is mounted on it; detached, it is kept for those who stand in it. EINVAL for the root. */
export function removeMount(table: MountTable, id: number, detach: boolean): void {
  const mount = mountAt(table, id);
  if (mount.on === null) throw new Errno("EINVAL");
  cover(table, mount.on, id, false);
  if (detach) table.mounts.set(id, { ...mount, on: null });
  else for (const gone of subtree(table, id)) table.mounts.delete(gone.id);
}

/** Forgets detached mounts that nobody stands in. */
export function forgetDetached(table: MountTable, isUsed: (id: number) => boolean): void {
  const placed = new Set(listMounts(table).map(({ id }) => id));
  const detached = [...table.mounts.values()].filter(({ id, on }) => on === null && !placed.has(id));
  const trees = detached.map(({ id }) => subtree(table, id)).filter((tree) => !tree.some(({ id }) => isUsed(id)));
  for (const { id } of trees.flat()) table.mounts.delete(id);
}

/** pivot_root(2): one mount becomes the root, and the old root stands at `putOld`. The caller has checked that it may. */
export function pivotTable(table: MountTable, newRoot: Location, putOld: Location): void {
  const mount = mountAt(table, newRoot.mount);
  const old = mountAt(table, table.root);
  assert(mount.on !== null, "the new root is mounted on something");
  cover(table, mount.on, mount.id, false);
  cover(table, putOld, old.id, true);
  table.mounts.set(mount.id, { ...mount, on: null, isLocked: old.isLocked || mount.isLocked });
  table.mounts.set(old.id, { ...old, on: putOld, isLocked: false });
  table.root = mount.id;
}

/** All mounts that are in place, in the order they were made. */
export function listMounts(table: MountTable): Mount[] {
  return subtree(table, table.root).toSorted((a, b) => a.id - b.id);
}

/** A mount and all that is mounted on it, parents before children. */
export function subtree(table: MountTable, id: number): Mount[] {
  const found = [mountAt(table, id)];
  for (const mount of found) found.push(...childrenOf(table, mount));
  return found;
}

/** In the order they were made. */
function childrenOf(table: MountTable, { covered }: Mount): Mount[] {
  if (covered.size === 0) return [];
  return [...covered.values()]
    .flat()
    .sort((a, b) => a - b)
    .map((id) => mountAt(table, id));
}

export function hasChildren(table: MountTable, id: number): boolean {
  return mountAt(table, id).covered.size > 0;
}

/** The mounts whose place lies at or below a location of their parent mount. */
function childrenWithin(table: MountTable, location: Location): Mount[] {
  const mount = mountAt(table, location.mount);
  const isThere = (on: Location): boolean =>
    on.inode === location.inode ? isSameName(mount.fileSystem, location, on) : isWithin(mount, on, location.inode);
  return childrenOf(table, mount).filter(({ on }) => on !== null && isThere(on));
}

/** Whether a place of a mount lies at or below a directory or file of its file system. */
export function isWithin({ fileSystem, root }: Mount, place: Location, above: Inode): boolean {
  if (place.inode === above) return true;
  for (let at = place.entry?.directory ?? place.inode; ; at = fileSystem.parent(at)) {
    if (at === above) return true;
    if (at === root || at === fileSystem.root) return false;
  }
}
