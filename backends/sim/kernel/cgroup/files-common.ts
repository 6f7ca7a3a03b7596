/** What the directories of both versions share: where a file stands, who is in a group, moving in, counts of processes. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Kernel } from "../kernel.ts";
import { permit } from "../../../../core/unionfs/access.ts";
import { actorOf } from "../permission.ts";
import { numberIn, type Process } from "../process.ts";
import { type NodeAttributes, setting, type SyntheticFile, text } from "../synthetic.ts";
import { type Cgroup, groupOf, isWithin, lineage } from "./group.ts";
import { isFrozen } from "./freezer.ts";
import type { PidsState } from "./pids.ts";
import { orMax, parseCount, parseInteger } from "./values.ts";

export interface Place {
  readonly kernel: Kernel;
  readonly group: Cgroup;
}

/** The files of one group by name. */
export type Files = Readonly<Record<string, SyntheticFile>>;

const procsMode = 0o644;
/** PID_MAX_LIMIT. */
const pidsMost = 4_194_304;

export function callerOf(kernel: Kernel): Process {
  return kernel.turns.current ?? kernel.init;
}

/** The numbers of the processes in a group, as the reader sees them: 0 is one it does not. */
export function members({ kernel, group }: Place): number[] {
  const reader = callerOf(kernel);
  return [...kernel.processes.values()]
    .filter((process) => process.state !== "zombie" && groupOf(process, group.hierarchy) === group)
    .map((process) => numberIn(reader.namespaces.pid, process));
}

/**
 * Moves a process in; 0 is the writer itself. ESRCH for nobody, EINVAL for no number; EACCES when the writer may not
 * move processes where both groups meet; ENOENT for a group that its cgroup namespace does not show.
 */
export function join({ kernel, group }: Place, number: string): void {
  const writer = callerOf(kernel);
  const pid = parseInteger(number);
  if (pid < 0) throw new Errno("EINVAL");
  const process = pid === 0 ? writer : kernel.find(writer.namespaces.pid, pid);
  if (process === null || process.state === "zombie") throw new Errno("ESRCH");
  if (group.hierarchy.version === 2) permitMove(writer, groupOf(process, group.hierarchy), group);
  else if (writer.uid !== 0 && writer.uid !== process.uid) throw new Errno("EACCES");
  kernel.cgroups.move(process, group);
  if (isFrozen(process)) kernel.turns.preempt(process);
}

/** cgroup-v2.rst, "Delegation Containment". */
function permitMove(writer: Process, from: Cgroup, to: Cgroup): void {
  const common = [...lineage(to)].find((group) => isWithin(from, group)) ?? to;
  const { uid, gid, mode = procsMode } = attributesOf(common, "cgroup.procs");
  permit(actorOf(writer), { kind: "file", uid, gid, mode }, "write");
}

/** Whose a file or directory of a group is, and its mode when that was changed. */
export function attributesOf(group: Cgroup, name: string): NodeAttributes & { uid: number; gid: number } {
  return { ...group.owner, ...group.attributes.get(name) };
}

export function changeAttributes(group: Cgroup, name: string, change: NodeAttributes): void {
  group.attributes.set(name, { ...group.attributes.get(name), ...change });
}

/** How many processes there are in a group, were, and may be; each version counts its events in its own way. */
export function countedPids(state: PidsState): Files {
  return {
    "pids.current": text(() => `${state.count}\n`),
    "pids.peak": text(() => `${state.peak}\n`),
    "pids.max": setting(
      () => orMax(state.max),
      (value) => {
        state.max = parseCount(value, pidsMost);
      },
    ),
  };
}

/** A file that is written only. */
export function command(act: (text: string) => void): SyntheticFile {
  const read = (): never => {
    throw new Errno("EINVAL");
  };
  return { kind: "file", mode: 0o200, read, write: act };
}
