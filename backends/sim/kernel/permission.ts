/**
 * Who may do what (capabilities(7), user_namespaces(7)). Every namespace has an owner, the user
 * namespace it was made in; a capability holds in the user namespace it was gained in and in those
 * below. Whoever made a user namespace has every capability in it. Over a file it holds only when
 * the file's ids are mapped into the process's user namespace.
 */
import type { Actor as FileActor } from "../../../core/unionfs/access.ts";
import type { Guarded } from "../../../core/unionfs/walk.ts";
import type { Capability } from "../../../core/runtime/capabilities.ts";
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
function isCapableOver(actor: Actor, capability: Capability, { uid, gid }: Guarded): boolean {
  const { user } = actor.namespaces;
  const isMapped = seenIn(user, "uids", uid) !== null && seenIn(user, "gids", gid) !== null;
  return isMapped && actor.capabilities.effective.includes(capability);
}

/** A process as the rules about files know it (core/unionfs/access.ts). What is no file's affair is the first user namespace's. */
export function actorOf(process: Actor): FileActor {
  const { uid, gid, groups } = process;
  return {
    uid,
    gid,
    groups,
    may: (capability, file) =>
      file === null
        ? isCapable(process, capability, outermost(process.namespaces.user))
        : isCapableOver(process, capability, file),
  };
}

function outermost(namespace: UserNamespace): UserNamespace {
  return namespace.parent === null ? namespace : outermost(namespace.parent);
}

/** ptrace_may_access(): the same ids and no more capabilities, or CAP_SYS_PTRACE over the other. */
export function mayInspect(actor: Actor, { uid, gid, capabilities, namespaces }: Actor): boolean {
  const own = actor.capabilities.permitted;
  const isSame = uid === actor.uid && gid === actor.gid && namespaces.user === actor.namespaces.user;
  if (isSame && capabilities.permitted.every((each) => own.includes(each))) return true;
  return isCapable(actor, "CAP_SYS_PTRACE", namespaces.user);
}
