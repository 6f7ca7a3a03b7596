/**
 * Control groups, version 2 (kernel: admin-guide/cgroup-v2.rst): a tree of groups; every process
 * is in one; a limit holds for a group and all below it. Three controllers: memory (bytes charged
 * by programs), pids, and cpu (fuel, which is processor time).
 */
import { Errno } from "../../../core/base/errno.ts";

/** In the order in which the kernel names them. */
export const controllers = ["cpuset", "cpu", "io", "memory", "pids"] as const;
export type Controller = (typeof controllers)[number];

export interface CgroupNode {
  readonly name: string;
  readonly parent: CgroupNode | null;
  readonly children: Map<string, CgroupNode>;
  /** The controllers that the groups beneath may use: cgroup.subtree_control. */
  readonly delegated: Set<Controller>;
  /** Processes directly in this group. */
  processes: number;
  /** null: no limit. */
  memoryMax: number | null;
  memoryBytes: number;
  memoryPeak: number;
  oomKills: number;
  pidsMax: number | null;
  pidsRefused: number;
  /** Nanoseconds of processor time per period; null: no limit. */
  cpuQuota: bigint | null;
  cpuPeriod: bigint;
  cpuUsed: bigint;
  /** Used in the running period, which began at `periodStart`. */
  cpuUsedInPeriod: bigint;
  periodStart: bigint;
  periods: number;
  throttledPeriods: number;
  throttled: boolean;
  frozen: boolean;
}

/** Of the simulated machine. */
export const memoryTotalBytes = 2 * 1024 ** 3;
const defaultPeriod = 100_000_000n;

export function newCgroup(name: string, parent: CgroupNode | null): CgroupNode {
  const group: CgroupNode = {
    name,
    parent,
    children: new Map(),
    // The host's first process hands all of them down, as systemd does.
    delegated: new Set(parent === null ? controllers : []),
    processes: 0,
    memoryMax: null,
    memoryBytes: 0,
    memoryPeak: 0,
    oomKills: 0,
    pidsMax: null,
    pidsRefused: 0,
    cpuQuota: null,
    cpuPeriod: defaultPeriod,
    cpuUsed: 0n,
    cpuUsedInPeriod: 0n,
    periodStart: 0n,
    periods: 0,
    throttledPeriods: 0,
    throttled: false,
    frozen: false,
  };
  parent?.children.set(name, group);
  return group;
}

/** The group and those around it, innermost first. */
export function lineage(group: CgroupNode): CgroupNode[] {
  return group.parent === null ? [group] : [group, ...lineage(group.parent)];
}

export function cgroupPath(group: CgroupNode, root: CgroupNode): string {
  const names: string[] = [];
  for (let at = group; at !== root; at = at.parent) {
    if (at.parent === null) return `/..${names.length === 0 ? "" : `/${names.join("/")}`}`;
    names.unshift(at.name);
  }
  return `/${names.join("/")}`;
}

/** What a group may use, and hand down: all at the root. */
export function availableIn(group: CgroupNode): readonly Controller[] {
  return controllers.filter((each) => group.parent === null || group.parent.delegated.has(each));
}

/**
 * Changes what is handed down ("+memory -pids"). EINVAL for no controller, ENOENT for one the group does not
 * have, EBUSY where processes would stand beside groups, or where a group beneath hands it down itself.
 */
export function delegate(group: CgroupNode, words: string): void {
  const changes = words.split(/\s+/).filter((word) => word !== "");
  for (const word of changes) checkDelegation(group, word.slice(0, 1), word.slice(1));
  for (const word of changes) {
    if (word.startsWith("+")) group.delegated.add(word.slice(1) as Controller);
    else group.delegated.delete(word.slice(1) as Controller);
  }
}

function checkDelegation(group: CgroupNode, sign: string, name: string): void {
  const controller = controllers.find((each) => each === name);
  if (controller === undefined || (sign !== "+" && sign !== "-")) throw new Errno("EINVAL");
  if (!availableIn(group).includes(controller)) throw new Errno("ENOENT");
  if (sign === "+" && group.parent !== null && group.processes > 0) throw new Errno("EBUSY");
  const isUsed = [...group.children.values()].some((child) => child.delegated.has(controller));
  if (sign === "-" && isUsed) throw new Errno("EBUSY");
}

/** The group at a path below the root; null when there is none. */
export function cgroupAt(root: CgroupNode, path: string): CgroupNode | null {
  const names = path.split("/").filter((name) => name !== "");
  return names.reduce<CgroupNode | null>((at, name) => at?.children.get(name) ?? null, root);
}

/** EBUSY while processes or groups are in it. */
export function removeCgroup(group: CgroupNode): void {
  if (group.processes > 0 || group.children.size > 0) throw new Errno("EBUSY", group.name);
  group.parent?.children.delete(group.name);
}

/** How many processes are in a group and below. */
export function population(group: CgroupNode): number {
  return [...group.children.values()].reduce((sum, child) => sum + population(child), group.processes);
}

/** A process joins: the count moves with it. */
export function enterCgroup(group: CgroupNode): void {
  group.processes++;
}

export function leaveCgroup(group: CgroupNode): void {
  group.processes--;
}

/** EAGAIN when a limit forbids one process more; the refusal is counted where the limit is. */
export function checkPids(group: CgroupNode): void {
  for (const at of lineage(group)) {
    if (at.pidsMax !== null && population(at) >= at.pidsMax) {
      at.pidsRefused++;
      throw new Errno("EAGAIN");
    }
  }
}

/** The root has no limit of its own, but the machine has no more than it has. */
function limitOf({ memoryMax, parent }: CgroupNode): number {
  return memoryMax ?? (parent === null ? memoryTotalBytes : Number.POSITIVE_INFINITY);
}

/** Charges memory to a group and those around it; gives the group whose limit forbids it, else null. */
export function chargeMemory(group: CgroupNode, bytes: number): CgroupNode | null {
  const around = lineage(group);
  const full = around.find((at) => at.memoryBytes + bytes > limitOf(at));
  if (full !== undefined) return full;
  for (const at of around) {
    at.memoryBytes += bytes;
    at.memoryPeak = Math.max(at.memoryPeak, at.memoryBytes);
  }
  return null;
}

export function unchargeMemory(group: CgroupNode, bytes: number): void {
  for (const at of lineage(group)) at.memoryBytes -= bytes;
}

/** A process that moves takes what it is charged for along, over whatever limit (Linux leaves it behind until it is given back). */
export function moveMemory(from: CgroupNode, to: CgroupNode, bytes: number): void {
  unchargeMemory(from, bytes);
  unchargeMemory(to, -bytes);
}

/** The process gives back all its memory. */
export function uncharge(process: { cgroup: CgroupNode; memoryBytes: number }): void {
  unchargeMemory(process.cgroup, process.memoryBytes);
  process.memoryBytes = 0;
}

/** Accounts processor time; a group over its quota is throttled until its period ends. */
export function chargeCpu(group: CgroupNode, nanos: bigint, now: bigint): void {
  for (let at: CgroupNode | null = group; at !== null; at = at.parent) {
    renewPeriod(at, now);
    at.cpuUsed += nanos;
    at.cpuUsedInPeriod += nanos;
    if (at.cpuQuota !== null && at.cpuUsedInPeriod >= at.cpuQuota && !at.throttled) {
      at.throttled = true;
      at.throttledPeriods++;
    }
  }
}

/** When a process of the group may run again: null is now. */
export function throttledUntil(group: CgroupNode, now: bigint): bigint | null {
  let until: bigint | null = null;
  for (let at: CgroupNode | null = group; at !== null; at = at.parent) {
    if (at.cpuQuota === null) continue;
    renewPeriod(at, now);
    const end = at.periodStart + at.cpuPeriod;
    if (at.throttled && (until === null || end > until)) until = end;
  }
  return until;
}

export function isFrozen(group: CgroupNode): boolean {
  for (let at: CgroupNode | null = group; at !== null; at = at.parent) if (at.frozen) return true;
  return false;
}

function renewPeriod(group: CgroupNode, now: bigint): void {
  if (now - group.periodStart < group.cpuPeriod) return;
  const over = group.cpuQuota === null ? 0n : group.cpuUsedInPeriod - group.cpuQuota;
  group.periods++;
  group.periodStart = now - ((now - group.periodStart) % group.cpuPeriod);
  group.cpuUsedInPeriod = over > 0n ? over : 0n;
  group.throttled = group.cpuQuota !== null && group.cpuUsedInPeriod >= group.cpuQuota;
}
