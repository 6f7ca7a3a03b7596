/**
 * Control groups: hierarchies of groups, and what a group holds (kernel: admin-guide/cgroup-v2.rst and
 * cgroup-v1/cgroups.rst). Every process is in one group of each hierarchy. A controller belongs to one
 * hierarchy at a time, and keeps a *state* in each group where it is on: everywhere in a hierarchy of
 * version 1, where the group above hands it down in version 2. A state knows the one around it, so what is
 * charged to a group is charged to all around it, whatever becomes of their names.
 */
import type { Process } from "../process.ts";
import type { NodeAttributes } from "../synthetic.ts";
import { type CpuState, newCpuState } from "./cpu.ts";
import { type CpusetState, newCpusetState } from "./cpuset.ts";
import { type MemoryState, newMemoryState } from "./memory.ts";
import { newPidsState, type PidsState } from "./pids.ts";

/** In the order in which the kernel names them. Version 2 knows five of them; the others are its own business there. */
export const controllers = [
  "cpuset",
  "cpu",
  "cpuacct",
  "io",
  "memory",
  "devices",
  "freezer",
  "hugetlb",
  "pids",
] as const;
export type Controller = (typeof controllers)[number];

export interface Hierarchy {
  /** As /proc/<pid>/cgroup shows it: 0 is version 2's. */
  readonly id: number;
  readonly version: 1 | 2;
  /** "name=" of a mount of version 1; null: none. */
  readonly name: string | null;
  readonly controllers: Set<Controller>;
  readonly root: Cgroup;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Cgroup {
  readonly hierarchy: Hierarchy;
  name: string;
  readonly parent: Cgroup | null;
  readonly children: Map<string, Cgroup>;
  /** Who made it: the directory and its files are theirs at first. */
  readonly owner: Owner;
  /** What was changed of the directory ("") and of its files, by name. */
  readonly attributes: Map<string, NodeAttributes>;
  /** The controllers that the groups beneath may use: cgroup.subtree_control. */
  readonly delegated: Set<Controller>;
  readonly states: ControllerStates;
  /** Processes directly in this group that are alive. */
  processes: number;
  /** Processor time used in it and beneath, in nanoseconds. */
  cpuUsed: bigint;
  /** What was written to cgroup.freeze or freezer.state. */
  frozen: boolean;
  isRemoved: boolean;
  depthMax: number;
  descendantsMax: number;
  /** Version 1: notify_on_release and cgroup.clone_children. */
  readonly flags: Set<"notify" | "clone">;
}

/** null: the controller is not on in this group. */
export interface ControllerStates {
  memory: MemoryState | null;
  pids: PidsState | null;
  cpu: CpuState | null;
  cpuset: CpusetState | null;
  io: IoState | null;
  hugetlb: HugetlbState | null;
}

/** What is written is kept: there are neither block devices nor huge pages. */
export interface IoState {
  weight: number;
}

export interface HugetlbState {
  max: number | null;
}

/** What a process is charged to: the nearest state of each controller. */
export interface Accounts {
  readonly memory: MemoryState;
  readonly pids: PidsState;
  readonly cpu: CpuState;
}

/** Of the simulated machine. */
export const memoryTotalBytes = 2 * 1024 ** 3;

export function newHierarchy(options: { id: number; version: 1 | 2; name: string | null }): Hierarchy {
  const hierarchy: { -readonly [K in keyof Hierarchy]?: Hierarchy[K] } = { ...options, controllers: new Set() };
  const root = newGroup(hierarchy as Hierarchy, "", null);
  return Object.assign(hierarchy as Hierarchy, { root });
}

/** A group that no controller is on in yet. */
export function newGroup(
  hierarchy: Hierarchy,
  name: string,
  parent: Cgroup | null,
  owner: Owner = { uid: 0, gid: 0 },
): Cgroup {
  return {
    hierarchy,
    name,
    parent,
    owner,
    children: new Map(),
    attributes: new Map(),
    delegated: new Set(),
    states: { memory: null, pids: null, cpu: null, cpuset: null, io: null, hugetlb: null },
    processes: 0,
    cpuUsed: 0n,
    frozen: false,
    isRemoved: false,
    depthMax: Number.POSITIVE_INFINITY,
    descendantsMax: Number.POSITIVE_INFINITY,
    flags: new Set(parent?.flags),
  };
}

/** What a group may use, and hand down: all at the root. */
export function availableIn({ hierarchy, parent }: Cgroup): readonly Controller[] {
  const all = controllers.filter((each) => hierarchy.controllers.has(each));
  return hierarchy.version === 1 || parent === null ? all : all.filter((each) => parent.delegated.has(each));
}

/** Makes the states of the controllers that are on, and drops those of the ones that are off; of those beneath, too. */
export function renewStates(group: Cgroup): void {
  const { states, parent } = group;
  const on = new Set(availableIn(group));
  const around = parent?.states ?? null;
  states.memory = on.has("memory") ? (states.memory ?? newMemoryState(around?.memory ?? null)) : null;
  states.pids = on.has("pids") ? (states.pids ?? newPidsState(around?.pids ?? null)) : null;
  states.cpu = on.has("cpu") ? (states.cpu ?? newCpuState(around?.cpu ?? null)) : null;
  states.cpuset = on.has("cpuset") ? (states.cpuset ?? newCpusetState(group)) : null;
  states.io = on.has("io") ? (states.io ?? { weight: 100 }) : null;
  states.hugetlb = on.has("hugetlb") ? (states.hugetlb ?? { max: null }) : null;
  for (const child of group.children.values()) renewStates(child);
}

/** The group and those around it, innermost first. */
export function* lineage(group: Cgroup): Generator<Cgroup> {
  for (let at: Cgroup | null = group; at !== null; at = at.parent) yield at;
}

export function isWithin(group: Cgroup, around: Cgroup): boolean {
  for (const at of lineage(group)) if (at === around) return true;
  return false;
}

/** The state of the innermost group in which a controller is on. */
export function nearest<K extends keyof ControllerStates>(
  group: Cgroup,
  controller: K,
): NonNullable<ControllerStates[K]> | null {
  for (const { states } of lineage(group)) {
    const state = states[controller];
    if (state !== null) return state;
  }
  return null;
}

/** The path below a cgroup namespace's root; one that is not below it is shown by the way there. */
export function cgroupPath(group: Cgroup, root: Cgroup): string {
  let up = 0;
  let common = root;
  while (!isWithin(group, common)) {
    if (common.parent === null) break;
    common = common.parent;
    up++;
  }
  const names: string[] = [];
  for (let at = group; at !== common && at.parent !== null; at = at.parent) names.unshift(at.name);
  const path = [...Array.from({ length: up }, () => ".."), ...names].join("/");
  return `/${path}`;
}

/** The group at a path below the root; null when there is none. */
export function cgroupAt(root: Cgroup, path: string): Cgroup | null {
  const names = path.split("/").filter((name) => name !== "");
  return names.reduce<Cgroup | null>((at, name) => at?.children.get(name) ?? null, root);
}

/** How many live processes are in a group and below. */
export function population(group: Cgroup): number {
  let sum = group.processes;
  for (const child of group.children.values()) sum += population(child);
  return sum;
}

export function descendants(group: Cgroup): number {
  let sum = 0;
  for (const child of group.children.values()) sum += 1 + descendants(child);
  return sum;
}

/** The group of a process in a hierarchy. */
export function groupOf({ cgroup, legacyCgroups }: Process, hierarchy: Hierarchy): Cgroup {
  return hierarchy.version === 2 ? cgroup : (legacyCgroups.get(hierarchy) ?? hierarchy.root);
}

/** Every group a process is in, one of each hierarchy. */
export function groupsOf({ cgroup, legacyCgroups }: Process): Cgroup[] {
  return legacyCgroups.size === 0 ? [cgroup] : [cgroup, ...legacyCgroups.values()];
}
