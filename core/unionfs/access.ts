/** Who may do what to a file by its mode bits, and what capabilities override (capabilities(7), path_resolution(7)). */
import { Errno } from "../base/errno.ts";
import type { Guarded } from "./walk.ts";

/** The capabilities that files ask for. */
export type FileCapability =
  | "CAP_CHOWN"
  | "CAP_DAC_OVERRIDE"
  | "CAP_DAC_READ_SEARCH"
  | "CAP_FOWNER"
  | "CAP_FSETID"
  | "CAP_MKNOD"
  | "CAP_SYS_ADMIN";

export interface Actor {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Whether a capability counts for this file: also a matter of user namespaces. */
  readonly may: (capability: FileCapability, file: Guarded | null) => boolean;
}

export type Wanted = "read" | "write" | "execute";

const bits = { read: 4, write: 2, execute: 1 } as const;
const toRead = bits.read;
const toSearch = bits.execute;
const toChangeEntries = bits.write | bits.execute;

/** Throws EACCES when neither the mode bits nor a capability let the actor. */
export function permit(actor: Actor, file: Guarded, wanted: Wanted, path = ""): void {
  permitBits(actor, file, bits[wanted], path);
}

/** Several things at once are not each by itself: a capability must cover all of them (fs/namei.c, generic_permission). */
export function permitAll(actor: Actor, file: Guarded, wanted: readonly Wanted[], path = ""): void {
  permitBits(
    actor,
    file,
    wanted.reduce((all, each) => all | bits[each], 0),
    path,
  );
}

/** To make and take away names in a directory. EACCES. */
export function permitEntries(actor: Actor, directory: Guarded, path = ""): void {
  permitBits(actor, directory, toChangeEntries, path);
}

function permitBits(actor: Actor, file: Guarded, wanted: number, path: string): void {
  if ((bitsFor(actor, file) & wanted) === wanted) return;
  const isDirectory = file.kind === "directory";
  const mayExecute = (wanted & bits.execute) === 0 || isDirectory || (file.mode & 0o111) !== 0;
  if (mayExecute && actor.may("CAP_DAC_OVERRIDE", file)) return;
  const looks = isDirectory ? (wanted & ~(toRead | toSearch)) === 0 : wanted === toRead;
  if (!looks || !actor.may("CAP_DAC_READ_SEARCH", file)) throw new Errno("EACCES", path);
}

/** The three bits of a file's mode that are this actor's. */
function bitsFor(actor: Actor, file: Guarded): number {
  const shift = file.uid === actor.uid ? 6 : isInGroup(actor, file.gid) ? 3 : 0;
  return (file.mode >> shift) & 7;
}

/** In a sticky directory only the owner of the file or of the directory takes a name away: EPERM. */
export function permitRemoval(actor: Actor, directory: Guarded, file: Guarded, path = ""): void {
  if ((directory.mode & 0o1000) === 0 || actor.uid === file.uid || actor.uid === directory.uid) return;
  if (!actor.may("CAP_FOWNER", file)) throw new Errno("EPERM", path);
}

/** EPERM unless it is the actor's own file. */
export function permitOwner(actor: Actor, file: Guarded, path = ""): void {
  if (actor.uid !== file.uid && !actor.may("CAP_FOWNER", file)) throw new Errno("EPERM", path);
}

/** chown(2): one gives a file to nobody, and only to a group one is in. EPERM. */
export function permitChown(
  actor: Actor,
  file: Guarded,
  { uid, gid }: { readonly uid: number | null; readonly gid: number | null },
  path = "",
): void {
  const owns = actor.uid === file.uid;
  const keepsUser = uid === null || (owns && uid === file.uid);
  const keepsGroup = gid === null || (owns && (gid === file.gid || isInGroup(actor, gid)));
  if (!(keepsUser && keepsGroup) && !actor.may("CAP_CHOWN", file)) throw new Errno("EPERM", path);
}

export function isInGroup(actor: Actor, gid: number): boolean {
  return actor.gid === gid || actor.groups.includes(gid);
}

/** The mode chmod(2) gives: the setgid bit goes when the group is not the actor's. */
export function chmodMode(actor: Actor, file: Guarded, mode: number): number {
  const keeps = isInGroup(actor, file.gid) || actor.may("CAP_FSETID", file);
  return keeps ? mode : mode & ~0o2000;
}

/** The mode a new file gets in a directory: with its setgid bit the group, and for directories the bit, are inherited. */
export function createdIn(
  actor: Actor,
  directory: Guarded,
  kind: Guarded["kind"],
  mode: number,
): { mode: number; uid: number; gid: number } {
  if ((directory.mode & 0o2000) === 0) return { mode, uid: actor.uid, gid: actor.gid };
  const { gid } = directory;
  if (kind === "directory") return { mode: mode | 0o2000, uid: actor.uid, gid };
  const isSetgid = (mode & 0o2010) === 0o2010;
  const keeps = !isSetgid || isInGroup(actor, gid) || actor.may("CAP_FSETID", directory);
  return { mode: keeps ? mode : mode & ~0o2000, uid: actor.uid, gid };
}

/** What is left of a mode when somebody who may not keep them writes to a file, or it is given away: no set-id bits. */
export function withoutSetid(actor: Actor, file: Guarded): number {
  const groupExecutes = (file.mode & 0o010) !== 0;
  const dropsGroup = groupExecutes || !(isInGroup(actor, file.gid) || actor.may("CAP_FSETID", file));
  return file.mode & ~0o4000 & (dropsGroup ? ~0o2000 : ~0);
}
