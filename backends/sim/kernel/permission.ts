/**
 * Who may do what (capabilities(7), user_namespaces(7)). Every namespace has an owner, the user
 * namespace it was made in; a capability holds in the user namespace it was gained in and in those
 * below. Whoever made a user namespace has every capability in it. Over a file it holds only when
 * the file's ids are mapped into the process's user namespace.
 */
import type { Capability } from "../../../core/runtime/capabilities.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import { seenIn } from "./ids.ts";
import type { Process, UserNamespace } from "./process.ts";

type Actor = Pick<Process, "namespaces" | "capabilities" | "uid" | "gid" | "groups">;

/** ns_capable(): whether the process has a capability in a user namespace. */
export function isCapable(actor: Actor, capability: Capability, target: UserNamespace): boolean {
  const own = actor.namespaces.user;
  for (let at: UserNamespace | null = target; at !== null; at = at.parent) {
    if (at === own) return actor.capabilities.effective.includes(capability);
    if (at.parent === own && at.ownerUid === actor.uid) return true;
  }
  return false;
}

/** Over one file: the capability counts only when the process's user namespace knows the file's ids. */
export function isCapableOver(actor: Actor, capability: Capability, stat: Stat): boolean {
  const { user } = actor.namespaces;
  const isMapped = seenIn(user, "uids", stat.uid) !== null && seenIn(user, "gids", stat.gid) !== null;
  return isMapped && actor.capabilities.effective.includes(capability);
}

export type Wanted = "read" | "write" | "execute";

/** Throws EACCES when the mode bits, or the capabilities that override them, do not let the process. */
export function permit(actor: Actor, stat: Stat, wanted: Wanted): void {
  const bit = { read: 4, write: 2, execute: 1 }[wanted];
  const shift = stat.uid === actor.uid ? 6 : isInGroup(actor, stat.gid) ? 3 : 0;
  if (((stat.mode >> shift) & bit) !== 0) return;
  const mayExecute = wanted !== "execute" || stat.kind === "directory" || (stat.mode & 0o111) !== 0;
  if (mayExecute && isCapableOver(actor, "CAP_DAC_OVERRIDE", stat)) return;
  const looks = wanted === "read" || (wanted === "execute" && stat.kind === "directory");
  if (looks && isCapableOver(actor, "CAP_DAC_READ_SEARCH", stat)) return;
  throw new Errno("EACCES");
}

/** A sticky directory's names may be taken away by the owner of the file or of the directory only. */
export function permitRemoval(actor: Actor, directory: Stat, file: Stat): void {
  if ((directory.mode & 0o1000) === 0 || actor.uid === file.uid || actor.uid === directory.uid) return;
  if (!isCapableOver(actor, "CAP_FOWNER", file)) throw new Errno("EPERM");
}

export function isInGroup(actor: Actor, gid: number): boolean {
  return actor.gid === gid || actor.groups.includes(gid);
}

/** ptrace_may_access(): the same ids and no more capabilities, or CAP_SYS_PTRACE over the other. */
export function mayInspect(actor: Actor, { uid, gid, capabilities, namespaces }: Actor): boolean {
  const own = actor.capabilities.permitted;
  const isSame = uid === actor.uid && gid === actor.gid && namespaces.user === actor.namespaces.user;
  if (isSame && capabilities.permitted.every((each) => own.includes(each))) return true;
  return isCapable(actor, "CAP_SYS_PTRACE", namespaces.user);
}
