/**
 * All control groups of a machine: version 2's hierarchy, and those of version 1 that somebody mounted. Who is in
 * which group changes here only: by fork, by writing to cgroup.procs, at the end.
 */
import { assert } from "../../../../core/base/assert.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { isAlive, type Process } from "../process.ts";
import {
  type Accounts,
  availableIn,
  type Cgroup,
  type Controller,
  controllers,
  descendants,
  groupOf,
  groupsOf,
  isWithin,
  type Hierarchy,
  lineage,
  memoryTotalBytes,
  nearest,
  newGroup,
  newHierarchy,
  renewStates,
} from "./group.ts";
import { chargeMemory, type MemoryState, unchargeMemory } from "./memory.ts";
import { checkPids, countPid } from "./pids.ts";

const unifiedControllers: readonly Controller[] = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];
const depthMax = 20;

/** What a mount of type "cgroup" asks for. */
export interface LegacyOptions {
  readonly controllers: readonly Controller[];
  readonly none: boolean;
  readonly name: string | null;
}

export class Cgroups {
  readonly unified: Hierarchy = newHierarchy({ id: 0, version: 2, name: null });
  readonly legacy: Hierarchy[] = [];
  readonly #processes: () => Iterable<Process>;
  #nextId = 1;

  constructor(processes: () => Iterable<Process>) {
    this.#processes = processes;
    for (const each of unifiedControllers) {
      this.unified.controllers.add(each);
      // The host's first process hands all of them down, as systemd does.
      this.unified.root.delegated.add(each);
    }
    renewStates(this.unified.root);
  }

  get root(): Cgroup {
    return this.unified.root;
  }

  // Hierarchies

  /** The hierarchy in which a controller is; null: in version 2's, which has it built in. */
  hierarchyOf(controller: Controller): Hierarchy | null {
    if (this.unified.controllers.has(controller)) return this.unified;
    return this.legacy.find((each) => each.controllers.has(controller)) ?? null;
  }

  /**
   * The hierarchy that a mount of version 1 shows (cgroup1_root_to_use() in the kernel): one there is already, or a
   * new one. EBUSY when a controller is in use elsewhere; EINVAL for no controllers and no name; EPERM in a namespace.
   */
  mountLegacy(wanted: LegacyOptions, isFirstNamespace: boolean): Hierarchy {
    const known = this.#known(wanted);
    if (known !== null) return known;
    if (wanted.controllers.length === 0 && !wanted.none) throw new Errno("EINVAL");
    if (!isFirstNamespace) throw new Errno("EPERM");
    if (wanted.controllers.some((each) => this.#isBound(each))) throw new Errno("EBUSY");
    const hierarchy = newHierarchy({ id: this.#nextId++, version: 1, name: wanted.name });
    this.legacy.push(hierarchy);
    this.#bind(wanted.controllers, hierarchy);
    for (const process of this.#processes()) {
      process.legacyCgroups.set(hierarchy, hierarchy.root);
      if (isAlive(process)) hierarchy.root.processes++;
    }
    return hierarchy;
  }

  #known({ controllers: asked, none, name }: LegacyOptions): Hierarchy | null {
    for (const each of this.legacy) {
      if (name !== null && each.name !== name) continue;
      const isSame = asked.length === each.controllers.size && asked.every((one) => each.controllers.has(one));
      if ((asked.length > 0 || none) && !isSame) {
        if (name !== null) throw new Errno("EBUSY");
        continue;
      }
      return each;
    }
    return null;
  }

  /** It has states beside the root's, or is in another hierarchy of version 1. */
  #isBound(controller: Controller): boolean {
    const at = this.hierarchyOf(controller);
    if (at === null) return false;
    return at.version === 1 || [...at.root.children.values()].some((child) => availableIn(child).includes(controller));
  }

  #bind(moved: readonly Controller[], to: Hierarchy): void {
    for (const controller of moved) {
      const from = this.hierarchyOf(controller);
      from?.controllers.delete(controller);
      from?.root.delegated.delete(controller);
      to.controllers.add(controller);
      if (from === null) continue;
      moveState(controller, from.root, to.root);
      renewStates(from.root);
    }
    renewStates(to.root);
    this.#renewAccounts();
  }

  /** Nothing shows it any more: without groups it goes, and its controllers go back. */
  unmountLegacy(hierarchy: Hierarchy): void {
    if (hierarchy.root.children.size > 0) return;
    this.#bind(
      unifiedControllers.filter((each) => hierarchy.controllers.has(each)),
      this.unified,
    );
    this.legacy.splice(this.legacy.indexOf(hierarchy), 1);
    for (const process of this.#processes()) process.legacyCgroups.delete(hierarchy);
  }

  // Groups

  /** mkdir. EAGAIN beyond cgroup.max.depth and cgroup.max.descendants; EEXIST is the file system's business. */
  make(name: string, parent: Cgroup, owner: { uid: number; gid: number; mode: number }): Cgroup {
    if (name.includes("\n")) throw new Errno("EINVAL", name);
    let level = 0;
    for (const at of lineage(parent)) {
      const isFull = Number.isFinite(at.descendantsMax) && descendants(at) >= at.descendantsMax;
      if (isFull || level >= at.depthMax) throw new Errno("EAGAIN", name);
      level++;
    }
    if (level > depthMax) throw new Errno("EAGAIN", name);
    const { uid, gid, mode } = owner;
    const group = newGroup(parent.hierarchy, name, parent, { uid, gid });
    group.attributes.set("", { mode });
    parent.children.set(name, group);
    renewStates(group);
    return group;
  }

  /** rmdir. EBUSY while processes or groups are in it. */
  remove(group: Cgroup): void {
    if (group.processes > 0 || group.children.size > 0) throw new Errno("EBUSY", group.name);
    group.parent?.children.delete(group.name);
    group.isRemoved = true;
  }

  /**
   * Changes what is handed down ("+memory -pids"). EINVAL for no controller, ENOENT for one the group does not
   * have, EBUSY where processes would stand beside groups, or where a group beneath hands it down itself.
   */
  delegate(group: Cgroup, words: string): void {
    const changes = words.split(/\s+/).filter((word) => word !== "");
    const last = new Map(changes.map((word) => [this.#controllerIn(word), word.slice(0, 1)]));
    for (const [controller, sign] of last) this.#checkDelegation(group, sign, controller);
    const changed = [...last].filter(([controller, sign]) => group.delegated.has(controller) !== (sign === "+"));
    if (changed.length === 0) return;
    for (const [controller, sign] of changed) {
      if (sign === "+") group.delegated.add(controller);
      else group.delegated.delete(controller);
    }
    for (const child of group.children.values()) renewStates(child);
    if (group.children.size > 0) this.#renewAccounts(group);
  }

  #controllerIn(word: string): Controller {
    const controller = unifiedControllers.find((each) => each === word.slice(1));
    if (controller === undefined || !/^[+-]/.test(word)) throw new Errno("EINVAL");
    return controller;
  }

  #checkDelegation(group: Cgroup, sign: string, controller: Controller): void {
    if (sign === "+" && !availableIn(group).includes(controller)) throw new Errno("ENOENT");
    if (sign === "+" && group.delegated.has(controller)) return;
    const isUsed = [...group.children.values()].some((child) => child.delegated.has(controller));
    if (sign === "-" && isUsed) throw new Errno("EBUSY");
    if (sign === "+" && group.parent !== null && group.processes > 0) throw new Errno("EBUSY");
  }

  // Processes

  /** Of a process in no group but the roots. */
  rootAccounts(): Accounts {
    return this.#accounts((hierarchy) => hierarchy.root);
  }

  #accounts(groupIn: (hierarchy: Hierarchy) => Cgroup): Accounts {
    const group = (controller: Controller): Cgroup => groupIn(this.hierarchyOf(controller) ?? this.unified);
    const [memory, pids, cpu] = [
      nearest(group("memory"), "memory"),
      nearest(group("pids"), "pids"),
      nearest(group("cpu"), "cpu"),
    ];
    assert(memory !== null && pids !== null && cpu !== null, "each controller is on at the root of some hierarchy");
    return { memory, pids, cpu };
  }

  /** EAGAIN at a limit: before a fork. */
  checkFork(parent: Process): void {
    checkPids(parent.accounts.pids);
  }

  /** A new process: its parent's groups are its own. */
  enter(process: Process): void {
    for (const group of groupsOf(process)) group.processes++;
    countPid(process.accounts.pids, 1);
  }

  /** It has ended: it holds no memory and stands in no group's way, but is counted until somebody waits for it. */
  leave(process: Process): void {
    for (const group of groupsOf(process)) group.processes--;
    this.giveBack(process);
  }

  reaped(process: Process): void {
    countPid(process.accounts.pids, -1);
  }

  /** EBUSY where processes would stand beside groups that controllers are handed down to; ENOSPC in a cpuset of nothing. */
  move(process: Process, group: Cgroup): void {
    const { hierarchy, delegated, states, parent } = group;
    const from = groupOf(process, hierarchy);
    if (hierarchy.version === 2 && parent !== null && delegated.size > 0) throw new Errno("EBUSY");
    const { cpuset } = states;
    if (hierarchy.version === 1 && cpuset !== null && (cpuset.cpus === "" || cpuset.mems === ""))
      throw new Errno("ENOSPC");
    if (from === group) return;
    from.processes--;
    group.processes++;
    if (hierarchy.version === 2) process.cgroup = group;
    else process.legacyCgroups.set(hierarchy, group);
    this.#account(process);
  }

  /** Of those in a group and beneath, or of all. */
  #renewAccounts(around: Cgroup | null = null): void {
    for (const process of this.#processes())
      if (around === null || isWithin(process.cgroup, around)) this.#account(process);
  }

  #account(process: Process): void {
    const [before, after] = [process.accounts, this.#accounts((hierarchy) => groupOf(process, hierarchy))];
    process.accounts = after;
    if (before.cpu !== after.cpu) process.competing.runtime = after.cpu.floor;
    if (before.pids === after.pids) return;
    countPid(before.pids, -1);
    countPid(after.pids, 1);
  }

  // Memory

  /** Charges a process where it is; gives the group whose limit forbids it, else null. */
  charge(process: Process, bytes: number): MemoryState | null {
    const { memory } = process.accounts;
    const full = chargeMemory(memory, bytes, memoryTotalBytes);
    if (full === null) note(process, memory, bytes);
    return full;
  }

  /** All memory of a process, or some: first what it took where it is now. */
  giveBack(process: Process, bytes = process.memoryBytes): void {
    const { charges, accounts } = process;
    let left = bytes;
    for (const state of [accounts.memory, ...charges.keys()]) {
      const part = Math.min(left, charges.get(state) ?? 0);
      if (part === 0) continue;
      unchargeMemory(state, part);
      note(process, state, -part);
      left -= part;
    }
  }
}

function note(process: Process, state: MemoryState, bytes: number): void {
  const now = (process.charges.get(state) ?? 0) + bytes;
  if (now === 0) process.charges.delete(state);
  else process.charges.set(state, now);
  process.memoryBytes += bytes;
}

/** The root's own state goes with its controller. */
function moveState(controller: Controller, from: Cgroup, to: Cgroup): void {
  if (controller === "memory") to.states.memory = from.states.memory;
  if (controller === "pids") to.states.pids = from.states.pids;
  if (controller === "cpu") to.states.cpu = from.states.cpu;
}

export function isController(name: string): name is Controller {
  return controllers.some((each) => each === name);
}
