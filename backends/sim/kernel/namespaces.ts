/**
 * Making and joining namespaces (namespaces(7)). A pid namespace takes effect for children only; a
 * new mount namespace is a copy of the maker's table; a new network namespace has a lo that is down;
 * a cgroup namespace's root is the maker's group at that moment.
 */
import type { IdMaps, Namespace } from "../../../core/runtime/plan.ts";
import { Errno } from "../../../core/base/errno.ts";
import { capabilityNumbers, type Capability } from "../../../core/runtime/capabilities.ts";
import { Stack } from "../net/stack.ts";
import { UnixNames } from "../net/unix-socket.ts";
import { groupsOf } from "./cgroup/group.ts";
import { seenIn } from "./ids.ts";
import type { Kernel } from "./kernel.ts";
import { copiedTable } from "./propagation.ts";
import { newIpcNamespace } from "./ipc/namespace.ts";
import { takeBack } from "./ipc/semaphores.ts";
import { rootOf } from "./mounts.ts";
import { isCapable, mayInspect } from "./permission.ts";
import { isAlive, type NetworkNamespace, type PidNamespace, type Process, type UserNamespace } from "./process.ts";
import type { Sys } from "./sys.ts";

/** EINVAL for a second pid namespace before a child was born into the first. */
export function unshareNamespaces(kernel: Kernel, process: Process, namespaces: readonly Namespace[]): void {
  if (namespaces.includes("pid") && process.childPids !== process.namespaces.pid) throw new Errno("EINVAL");
  // The user namespace comes first: it owns the others made with it.
  for (const namespace of namespaces.toSorted((a, b) => Number(b === "user") - Number(a === "user")))
    unshareOne(kernel, process, namespace);
}

function unshareOne(kernel: Kernel, process: Process, namespace: Namespace): void {
  const own = process.namespaces;
  const number = kernel.newNumber();
  const owner = own.user;
  switch (namespace) {
    case "mount":
      own.mount.users.delete(process);
      own.mount = {
        number,
        owner,
        users: new Set([process]),
        table: copiedTable(own.mount, owner !== own.mount.owner),
      };
      return;
    case "uts":
      own.uts = { ...own.uts, number, owner };
      return;
    case "ipc":
      takeBack(process.undos, process.pid);
      own.ipc = newIpcNamespace({ number, owner });
      return;
    case "pid":
      process.childPids = childPidNamespace(kernel, process.childPids, owner);
      return;
    case "network":
      own.network = networkNamespace(kernel, number, owner);
      return;
    case "cgroup":
      own.cgroup = { number, owner, roots: new Map(groupsOf(process).map((group) => [group.hierarchy, group])) };
      return;
    case "user":
      own.user = childUserNamespace(kernel, process);
      process.capabilities = allCapabilities();
      return;
    case "time":
      own.time = { number, owner };
      return;
  }
}

/** Its loopback device is down, and there is nothing else in it. */
export function networkNamespace(kernel: Kernel, number: number, owner: UserNamespace): NetworkNamespace {
  return { number, owner, stack: new Stack(kernel.network, number), abstractNames: new UnixNames() };
}

/** MAX_PID_NS_LEVEL, and as many for users. */
const nestedMax = 32;

export interface CloneFlags {
  readonly namespaces: readonly Namespace[];
  /** The pid namespace to be born into; null: a new one when it is among the namespaces, else the parent's. */
  readonly pids: PidNamespace | null;
  /** Of a new user namespace. */
  readonly idMaps: IdMaps | null;
}

/** clone3(2): a child that is born in new namespaces, without asking whether the parent may. */
export function clone(
  kernel: Kernel,
  parent: Process,
  { namespaces, pids, idMaps }: CloneFlags,
  body: (sys: Sys) => Promise<number>,
): Process {
  const user = namespaces.includes("user") ? childUserNamespace(kernel, parent) : null;
  if (user !== null && idMaps !== null) Object.assign(user, idMaps);
  const owner = user ?? parent.namespaces.user;
  const own = namespaces.includes("pid") ? childPidNamespace(kernel, parent.childPids, owner) : parent.childPids;
  const child = kernel.fork(parent, body, pids ?? own);
  if (user !== null) {
    child.namespaces.user = user;
    child.capabilities = allCapabilities();
  }
  const rest = namespaces.filter((each) => each !== "user" && each !== "pid");
  unshareNamespaces(kernel, child, rest);
  return child;
}

/** ENOSPC for too many within each other. */
function childPidNamespace(kernel: Kernel, parent: PidNamespace, owner: UserNamespace): PidNamespace {
  if (depthOf(parent) >= nestedMax) throw new Errno("ENOSPC");
  return { number: kernel.newNumber(), owner, parent, next: 1, init: null };
}

/** create_user_ns(): ENOSPC for too many within each other, EPERM after chroot(2), and for who has no id in the one it is in. */
function childUserNamespace(kernel: Kernel, process: Process): UserNamespace {
  const { namespaces, uid, gid } = process;
  const parent = namespaces.user;
  if (depthOf(parent) > nestedMax) throw new Errno("ENOSPC");
  const isKnown = seenIn(parent, "uids", uid) !== null && seenIn(parent, "gids", gid) !== null;
  if (!isKnown || isChrooted(process)) throw new Errno("EPERM");
  const { mayDropGroups } = parent;
  return { number: kernel.newNumber(), parent, ownerUid: uid, ownerGid: gid, mayDropGroups, uids: [], gids: [] };
}

/** The first one's is 0. */
function depthOf(namespace: { readonly parent: PidNamespace | UserNamespace | null }): number {
  let depth = 0;
  for (let at = namespace.parent; at !== null; at = at.parent) depth++;
  return depth;
}

function isChrooted({ root, namespaces }: Process): boolean {
  const { mount, inode } = rootOf(namespaces.mount.table);
  return root.mount !== mount || root.inode !== inode;
}

/** In the order in which the kernel looks at them. */
const order: readonly Namespace[] = ["user", "mount", "uts", "ipc", "pid", "cgroup", "network", "time"];

/**
 * What setns(2) asks for: EPERM unless the process may look into the other and administers the namespaces and its own;
 * EINVAL for its own user namespace, and for a pid namespace that is not its own or beneath.
 */
export function checkEntering(process: Process, target: Process, namespaces: readonly Namespace[]): void {
  if (namespaces.length === 0) throw new Errno("EINVAL");
  if (!mayInspect(process, target)) throw new Errno("EPERM");
  if (!isAlive(target)) throw new Errno("ESRCH");
  const user = namespaces.includes("user") ? target.namespaces.user : process.namespaces.user;
  for (const kind of order) if (namespaces.includes(kind)) checkOne(process, target, kind, user);
}

function checkOne(process: Process, target: Process, kind: Namespace, user: UserNamespace): void {
  const isAdmin = (over: UserNamespace): boolean => isCapable(process, "CAP_SYS_ADMIN", over);
  if (kind === "user") {
    if (user === process.namespaces.user) throw new Errno("EINVAL");
    if (!isAdmin(user)) throw new Errno("EPERM");
    return;
  }
  const mayRoot = kind !== "mount" || isCapable(process, "CAP_SYS_CHROOT", user);
  if (!isAdmin(target.namespaces[kind].owner) || !isAdmin(user) || !mayRoot) throw new Errno("EPERM");
  if (kind !== "pid") return;
  for (let at: PidNamespace | null = target.namespaces.pid; at !== process.namespaces.pid; at = at.parent)
    if (at.parent === null) throw new Errno("EINVAL");
}

/** setns(2): joins those of another process; joining a mount namespace moves to its root. */
export function enterNamespaces(process: Process, target: Process, namespaces: readonly Namespace[]): void {
  if (target.state === "zombie") throw new Errno("ESRCH");
  for (const namespace of namespaces) {
    if (namespace === "mount") process.namespaces.mount.users.delete(process);
    if (namespace === "pid") process.childPids = target.namespaces.pid;
    else Object.assign(process.namespaces, { [namespace]: target.namespaces[namespace] });
    if (namespace === "mount") {
      process.namespaces.mount.users.add(process);
      process.root = rootOf(target.namespaces.mount.table);
      process.directory = process.root;
    }
    if (namespace === "user") process.capabilities = allCapabilities();
  }
}

function allCapabilities(): Process["capabilities"] {
  const every = Object.keys(capabilityNumbers) as Capability[];
  return { bounding: every, permitted: every, effective: every, inheritable: [], ambient: [] };
}
