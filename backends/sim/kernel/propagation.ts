/**
 * Shared subtrees (mount_namespaces(7)): mounts of one *peer group* see each other's mounts and
 * unmounts, in all namespaces; a *slave* sees its master's, and the master nothing of the slave's.
 *
 *   receivers   who sees what happens on a mount: its peers, their slaves, the slaves' peers …
 *   attach      mounts a tree at a place and wherever that is seen
 *   detach      takes it away again, likewise
 */
import type { Propagation } from "../../../core/runtime/plan.ts";
import {
  changeMount,
  copyTable,
  graft,
  hasChildren,
  isWithin,
  type Location,
  type Mount,
  mountAt,
  type MountTree,
  type NewMount,
  removeMount,
  type Sharing,
  subtree,
  topmost,
  unshared,
} from "./mounts.ts";
import type { MountNamespace } from "./process.ts";

/** What mount(2) can make of a mount's sharing: a plan's words, and that it may not be bound. */
export type SharingMode = Propagation | "unbindable" | "runbindable";

/** A mount in its namespace. */
interface Seen {
  readonly namespace: MountNamespace;
  readonly mount: Mount;
}

/** The group whose events reach it, and so the group that a copy there belongs to or depends on. */
interface Receiver extends Seen {
  readonly isSlave: boolean;
}

/** Everybody but `origin` who sees what happens on a mount of that group. */
function receivers(namespaces: Iterable<MountNamespace>, group: number, origin: Seen): Receiver[] {
  const all = [...namespaces].flatMap((namespace) =>
    [...namespace.table.mounts.values()].map((mount): Seen => ({ namespace, mount })),
  );
  const reached = new Set<number>();
  const found: Receiver[] = [];
  const visit = (of: number, isSlave: boolean): void => {
    if (reached.has(of)) return;
    reached.add(of);
    for (const seen of all) {
      const { sharing } = seen.mount;
      if (sharing.group === of && !isSame(seen, origin)) found.push({ ...seen, isSlave });
      if (sharing.master !== of) continue;
      if (sharing.group === null) found.push({ ...seen, isSlave: true });
      else visit(sharing.group, true);
    }
  };
  visit(group, false);
  return found;
}

function isSame(one: Seen, other: Seen): boolean {
  return one.namespace === other.namespace && one.mount.id === other.mount.id;
}

/** The place that was changed, as seen through another mount of the file system; null when it is outside of that. */
function placeIn({ mount }: Seen, place: Location, original: Mount): Location | null {
  if (mount.fileSystem !== original.fileSystem || !isWithin(mount, place, mount.root)) return null;
  return { ...place, mount: mount.id };
}

/** Mounts a tree. On a shared mount the new one is shared too, and all who see the place get a copy. */
export function attach(
  namespace: MountNamespace,
  namespaces: Iterable<MountNamespace>,
  on: Location,
  tree: MountTree,
): number {
  const place = topmost(namespace.table, on);
  const parent = mountAt(namespace.table, place.mount);
  const { newId } = namespace.table;
  const { group } = parent.sharing;
  const groups = new Map<number, number>();
  const sharingOf = ({ id, sharing }: Mount): Sharing => {
    if (group === null || sharing.group !== null) return sharing;
    const own = groups.get(id) ?? newId();
    groups.set(id, own);
    return { ...sharing, group: own };
  };
  // Who sees it is decided before it is there: a mount is not seen through itself.
  const seers = group === null ? [] : receivers(namespaces, group, { namespace, mount: parent });
  const grafted = graft(namespace.table, place, tree, sharingOf);
  for (const receiver of seers) {
    const there = placeIn(receiver, place, parent);
    if (there === null) continue;
    const copied = (original: Mount): Sharing => copySharing(receiver, sharingOf(original), newId);
    graft(receiver.namespace.table, there, tree, copied);
  }
  return grafted;
}

/** A peer's copy is a peer of the new mount; a slave's copy is its slave, and shared where the slave itself is. */
function copySharing({ isSlave, mount }: Receiver, { group }: Sharing, newId: () => number): Sharing {
  if (!isSlave) return { ...unshared, group };
  return { ...unshared, master: group, group: mount.sharing.group === null ? null : newId() };
}

/** Mounts one file system. */
export function attachOne(
  namespace: MountNamespace,
  namespaces: Iterable<MountNamespace>,
  on: Location,
  mount: NewMount,
): number {
  return attach(namespace, namespaces, on, [
    { sharing: unshared, ...mount, id: 0, on: null, covered: new Map(), isLocked: false },
  ]);
}

/** Takes a mount away, and its copies where nothing is mounted on them. */
export function detach(
  namespace: MountNamespace,
  namespaces: Iterable<MountNamespace>,
  id: number,
  lazily: boolean,
): void {
  const { on } = mountAt(namespace.table, id);
  const parent = on === null ? null : mountAt(namespace.table, on.mount);
  removeMount(namespace.table, id, lazily);
  if (on === null || parent === null || parent.sharing.group === null) return;
  for (const receiver of receivers(namespaces, parent.sharing.group, { namespace, mount: parent })) {
    const there = placeIn(receiver, on, parent);
    const copy = there === null ? null : topmost(receiver.namespace.table, there).mount;
    if (copy === null || copy === receiver.mount.id || hasChildren(receiver.namespace.table, copy)) continue;
    removeMount(receiver.namespace.table, copy, lazily);
  }
}

/** mount(2), MS_SHARED and its like. */
export function setSharing(
  namespace: MountNamespace,
  namespaces: Iterable<MountNamespace>,
  id: number,
  mode: SharingMode,
): void {
  const isRecursive = mode.startsWith("r");
  const wanted = isRecursive ? subtree(namespace.table, id) : [mountAt(namespace.table, id)];
  for (const mount of wanted) {
    const sharing = changed(mount, mode, namespaces, namespace.table.newId);
    if (isEqual(sharing, mount.sharing)) continue;
    changeMount(namespace.table, mount.id, { sharing });
  }
}

function isEqual(one: Sharing, other: Sharing): boolean {
  return one.group === other.group && one.master === other.master && one.unbindable === other.unbindable;
}

function changed(
  { sharing }: Mount,
  mode: SharingMode,
  namespaces: Iterable<MountNamespace>,
  newGroup: () => number,
): Sharing {
  switch (mode) {
    case "private":
    case "rprivate":
      return unshared;
    case "unbindable":
    case "runbindable":
      return { ...unshared, unbindable: true };
    case "shared":
    case "rshared":
      return { ...sharing, group: sharing.group ?? newGroup(), unbindable: false };
    case "slave":
    case "rslave":
      return { group: null, unbindable: false, master: masterAfter(sharing, namespaces) };
  }
}

/** The group it leaves becomes its master; whoever was the group alone keeps the master it had. */
function masterAfter({ group, master }: Sharing, namespaces: Iterable<MountNamespace>): number | null {
  if (group === null) return master;
  let members = 0;
  for (const { table } of namespaces)
    for (const { sharing } of table.mounts.values()) if (sharing.group === group) members++;
  return members > 1 ? group : master;
}

/** The table for a new namespace. In a user namespace of less rights what is shared becomes slave, and stays put. */
export function copiedTable({ table }: MountNamespace, isLessPrivileged: boolean): MountNamespace["table"] {
  if (!isLessPrivileged) return copyTable(table, () => ({}));
  return copyTable(table, ({ id, sharing }) => {
    const { group, master } = sharing;
    return { isLocked: id !== table.root, sharing: { ...sharing, group: null, master: group ?? master } };
  });
}
