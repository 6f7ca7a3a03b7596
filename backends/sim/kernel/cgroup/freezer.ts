/**
 * The freezer: who is in a frozen group gets no turn. Version 2's lets a signal end a frozen process; version 1's, a
 * controller like the others, lets nothing through until the group thaws.
 */
import type { Process } from "../process.ts";
import { type Cgroup, lineage } from "./group.ts";

/** By its own switch or by one around it. */
export function isGroupFrozen(group: Cgroup): boolean {
  for (const { frozen } of lineage(group)) if (frozen) return true;
  return false;
}

export function isFrozen(process: Process): boolean {
  return isGroupFrozen(process.cgroup) || isFrozenHard(process);
}

/** By version 1's. */
export function isFrozenHard({ legacyCgroups }: Process): boolean {
  for (const [{ controllers }, group] of legacyCgroups)
    if (controllers.has("freezer") && isGroupFrozen(group)) return true;
  return false;
}
