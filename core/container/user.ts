/**
 * Who a container's program runs as: "user", "uid", "user:group", "uid:gid", looked up in the
 * container's own /etc/passwd and /etc/group (moby/sys/user: GetExecUser). A number need not stand
 * in either file; a name must.
 */
import { TsboxError } from "../base/error.ts";
import type { ProcessUser } from "../runtime/spec-for.ts";

export interface AccountFiles {
  /** The text of /etc/passwd, "" when there is none. */
  readonly passwd: string;
  readonly group: string;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const largestId = 2 ** 31 - 1;

/**
 * The ids, groups and home of a user as asked for; "" is root. `groupAdd` holds names and numbers.
 * Throws TsboxError "invalid" with docker's text for a name that is not in its file.
 */
export function resolveUser(asked: string, files: AccountFiles, groupAdd: readonly string[]): ProcessUser {
  const [userPart = "", groupPart = ""] = asked.split(":", 2);
  const groups = parseGroups(files.group);
  const account = findAccount(userPart, parsePasswd(files.passwd));
  const gid = groupPart === "" ? account.gid : findGroup(groupPart, groups);
  const member = groupPart === "" && account.name !== "" ? groupsOf(account.name, groups) : [];
  const added = groupAdd.map((group) => findAddedGroup(group, groups));
  // The primary group is among the supplementary ones, so that a setgid program cannot shed it.
  return { uid: account.uid, gid, additionalGids: [...new Set([gid, ...member, ...added])], home: account.home };
}

function findAccount(asked: string, accounts: readonly Account[]): Account {
  const uid = asked === "" ? 0 : idOf(asked);
  const found = accounts.find((account) => (uid === null ? account.name === asked : account.uid === uid));
  if (found !== undefined) return found;
  if (uid === null) throw new TsboxError("invalid", `unable to find user ${asked}: no matching entries in passwd file`);
  return { name: "", uid, gid: 0, home: "/" };
}

function findGroup(asked: string, groups: readonly Group[]): number {
  const gid = idOf(asked);
  if (gid !== null) return gid;
  const found = groups.find((group) => group.name === asked);
  if (found === undefined)
    throw new TsboxError("invalid", `unable to find group ${asked}: no matching entries in group file`);
  return found.gid;
}

function findAddedGroup(asked: string, groups: readonly Group[]): number {
  const found = groups.find((group) => group.name === asked)?.gid ?? idOf(asked);
  if (found === null) throw new TsboxError("invalid", `Unable to find group ${asked}`);
  return found;
}

function groupsOf(name: string, groups: readonly Group[]): number[] {
  return groups.filter((group) => group.members.includes(name)).map((group) => group.gid);
}

/** The number a text is, null when it is a name. */
function idOf(text: string): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const id = Number(text);
  if (id < 0 || id > largestId) throw new TsboxError("invalid", `uids and gids must be in range 0-${largestId}`);
  return id;
}

/** passwd(5): name:password:uid:gid:comment:home:shell */
function parsePasswd(text: string): Account[] {
  return rows(text).map(([name = "", , uid = "", gid = "", , home = ""]) => ({
    name,
    uid: numberOr0(uid),
    gid: numberOr0(gid),
    home,
  }));
}

/** group(5): name:password:gid:members */
function parseGroups(text: string): Group[] {
  return rows(text).map(([name = "", , gid = "", members = ""]) => ({
    name,
    gid: numberOr0(gid),
    members: members.split(","),
  }));
}

function rows(text: string): string[][] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(":"));
}

function numberOr0(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : 0;
}
