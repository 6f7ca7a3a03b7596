/**
 * Ids of users and groups. The kernel counts them as the outermost user namespace does; a process
 * sees them through the maps of its own (user_namespaces(7)), and an id-mapped mount shows its files'
 * through maps too. What no map holds is shown as the overflow id.
 */
import type { IdMapping } from "../../../core/runtime/plan.ts";
import type { UserNamespace } from "./process.ts";

const overflowId = 65534;

/** The id outside that an id inside stands for. */
export function outsideOf(maps: readonly IdMapping[], id: number): number {
  const map = maps.find(({ inside, count }) => inside <= id && id < inside + count);
  return map === undefined ? overflowId : map.outside + (id - map.inside);
}

/** The id inside that stands for one outside; null when there is none. */
export function insideOf(maps: readonly IdMapping[], id: number): number | null {
  const map = maps.find(({ outside, count }) => outside <= id && id < outside + count);
  return map === undefined ? null : map.inside + (id - map.outside);
}

type Kind = "uids" | "gids";

/** The kernel's id as a user namespace sees it; null when it does not. */
export function seenIn(namespace: UserNamespace, kind: Kind, id: number): number | null {
  const outside = namespace.parent === null ? id : seenIn(namespace.parent, kind, id);
  return outside === null ? null : insideOf(namespace[kind], outside);
}

export function shownIn(namespace: UserNamespace, kind: Kind, id: number): number {
  return seenIn(namespace, kind, id) ?? overflowId;
}

/** The kernel's id that one of a user namespace stands for; null when it maps none. */
export function meantBy(namespace: UserNamespace, kind: Kind, id: number): number | null {
  const map = namespace[kind].find(({ inside, count }) => inside <= id && id < inside + count);
  if (map === undefined) return null;
  const outside = map.outside + (id - map.inside);
  return namespace.parent === null ? outside : meantBy(namespace.parent, kind, outside);
}
