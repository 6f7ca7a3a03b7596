/** Users and groups as /etc/passwd and /etc/group name them (passwd(5), group(5)). */
import type { Sys } from "../kernel/sys.ts";
import { readTextOr } from "./applet.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export async function readUsers(sys: Sys): Promise<User[]> {
  const lines = (await readTextOr(sys, "/etc/passwd", "")).split("\n");
  return lines.flatMap((line) => {
    const [name = "", , uid = "", gid = "", gecos = "", home = "", shell = ""] = line.split(":");
    return /^\d+$/.test(uid) ? [{ name, uid: Number(uid), gid: Number(gid), gecos, home, shell }] : [];
  });
}

export async function readGroups(sys: Sys): Promise<Group[]> {
  const lines = (await readTextOr(sys, "/etc/group", "")).split("\n");
  return lines.flatMap((line) => {
    const [name = "", , gid = "", members = ""] = line.split(":");
    const listed = members.split(",").filter((member) => member !== "");
    return /^\d+$/.test(gid) ? [{ name, gid: Number(gid), members: listed }] : [];
  });
}

/** The user of a name or number; null when there is none. */
export function findUser(users: readonly User[], text: string): User | null {
  const named = users.find(({ name }) => name === text);
  return named ?? users.find(({ uid }) => /^\d+$/.test(text) && uid === Number(text)) ?? null;
}
