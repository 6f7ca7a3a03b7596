/** What /proc tells of control groups (cgroups(7)): /proc/<pid>/cgroup and /proc/cgroups. */
import type { Process } from "../process.ts";
import type { Cgroups } from "./cgroups.ts";
import {
  type Cgroup,
  cgroupPath,
  type Controller,
  controllers,
  descendants,
  groupOf,
  type Hierarchy,
} from "./group.ts";

const legacyNames: Partial<Record<Controller, string>> = { io: "blkio" };

function nameOf(controller: Controller): string {
  return legacyNames[controller] ?? controller;
}

/** One line a hierarchy, the newest first; as the reader's cgroup namespace shows the groups. */
export function cgroupLines({ legacy, unified }: Cgroups, process: Process, reader: Process): string {
  return [...legacy]
    .reverse()
    .concat(unified)
    .map((hierarchy) => {
      const group = groupOf(process, hierarchy);
      const path = cgroupPath(group, namespaceRoot(reader, hierarchy));
      return `${hierarchy.id}:${labelOf(hierarchy)}:${path}${group.isRemoved ? " (deleted)" : ""}\n`;
    })
    .join("");
}

/** The root of a process's cgroup namespace in one hierarchy. */
export function namespaceRoot({ namespaces: { cgroup } }: Process, hierarchy: Hierarchy): Cgroup {
  return cgroup.roots.get(hierarchy) ?? hierarchy.root;
}

function labelOf({ version, name, controllers: own }: Hierarchy): string {
  if (version === 2) return "";
  const names = controllers.filter((each) => own.has(each)).map(nameOf);
  return [...names, ...(name === null ? [] : [`name=${name}`])].join(",");
}

export function cgroupTable(cgroups: Cgroups): string {
  const rows = controllers.map((controller) => {
    const hierarchy = cgroups.hierarchyOf(controller);
    const count = hierarchy === null ? 1 : 1 + descendants(hierarchy.root);
    return `${nameOf(controller)}\t${hierarchy?.id ?? 0}\t${count}\t1\n`;
  });
  return `#subsys_name\thierarchy\tnum_cgroups\tenabled\n${rows.join("")}`;
}
