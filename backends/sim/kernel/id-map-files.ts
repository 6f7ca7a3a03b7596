/** /proc/<pid>/uid_map, gid_map and setgroups: how a user namespace gets its ids (user_namespaces(7)). */
import { Errno } from "../../../core/base/errno.ts";
import type { IdMapping } from "../../../core/runtime/plan.ts";
import { meantBy } from "./ids.ts";
import { isCapable } from "./permission.ts";
import type { Process, UserNamespace } from "./process.ts";
import { setting, type SyntheticFile } from "./synthetic.ts";

type Kind = "uids" | "gids";

/** UID_GID_MAP_MAX_EXTENTS. */
const linesMax = 340;
const idMax = 4_294_967_295;

/** `writer` is asked when somebody writes. */
export function idMapFiles(
  target: Process,
  writer: () => Process,
): Readonly<Record<"uid_map" | "gid_map" | "setgroups", SyntheticFile>> {
  const user = (): UserNamespace => target.namespaces.user;
  const file = (kind: Kind): SyntheticFile =>
    setting(
      () => user()[kind].map(lineOf).join(""),
      (text) => {
        user()[kind] = permitted(user(), kind, writer(), parse(text));
      },
    );
  return { uid_map: file("uids"), gid_map: file("gids"), setgroups: setgroupsFile(user, writer) };
}

function lineOf({ inside, outside, count }: IdMapping): string {
  return `${[inside, outside, count].map((number) => String(number).padStart(10)).join(" ")}\n`;
}

/** EINVAL for what is no map: not three numbers a line, nothing mapped, or ids mapped twice. */
function parse(text: string): IdMapping[] {
  const lines = text.trimEnd().split("\n");
  if (lines.length > linesMax) throw new Errno("EINVAL");
  const maps = lines.map((line) => {
    const [, inside = "", outside = "", count = ""] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line) ?? [];
    return { inside: Number(inside), outside: Number(outside), count: count === "" ? 0 : Number(count) };
  });
  const isValid = maps.every(
    ({ inside, outside, count }) => count > 0 && Math.max(inside, outside) + count - 1 < idMax,
  );
  const overlap = (key: "inside" | "outside"): boolean =>
    maps.some((one, at) =>
      maps.slice(at + 1).some((other) => one[key] < other[key] + other.count && other[key] < one[key] + one.count),
    );
  if (!isValid || overlap("inside") || overlap("outside")) throw new Errno("EINVAL");
  return maps;
}

/** A map is written once, by somebody of the namespace or its parent; without rights over the parent, only oneself. */
function permitted(user: UserNamespace, kind: Kind, writer: Process, maps: IdMapping[]): IdMapping[] {
  const { parent } = user;
  const own = writer.namespaces.user;
  if (parent === null || user[kind].length > 0 || (own !== user && own !== parent)) throw new Errno("EPERM");
  if (!isCapable(writer, "CAP_SYS_ADMIN", user)) throw new Errno("EPERM");
  if (maps.some(({ outside }) => meantBy(parent, kind, outside) === null)) throw new Errno("EPERM");
  const mayMapAnything = isCapable(writer, kind === "uids" ? "CAP_SETUID" : "CAP_SETGID", parent);
  if (!mayMapAnything && !isOneself(user, parent, kind, writer, maps)) throw new Errno("EPERM");
  return maps;
}

function isOneself(
  user: UserNamespace,
  parent: UserNamespace,
  kind: Kind,
  writer: Process,
  [only, ...more]: readonly IdMapping[],
): boolean {
  if (only === undefined || more.length > 0 || only.count !== 1) return false;
  if (kind === "gids" && user.mayDropGroups) return false;
  return meantBy(parent, kind, only.outside) === (kind === "uids" ? writer.uid : writer.gid);
}

/** Once groups are mapped, or once denied, it stays as it is. */
function setgroupsFile(user: () => UserNamespace, writer: () => Process): SyntheticFile {
  return setting(
    () => (user().mayDropGroups ? "allow\n" : "deny\n"),
    (text) => {
      const word = text.trim();
      if (word !== "allow" && word !== "deny") throw new Errno("EINVAL");
      if (!isCapable(writer(), "CAP_SYS_ADMIN", user())) throw new Errno("EPERM");
      const isLate = word === "deny" ? user().gids.length > 0 : !user().mayDropGroups;
      if (isLate) throw new Errno("EPERM");
      user().mayDropGroups = word === "allow";
    },
  );
}
