/**
 * A moment of a simulated host: its kernel's state as far as a lens can see it. Taking one costs little
 * (file trees are persistent, rows of processes that stay the same are kept once), so one is taken at
 * every event of a session.
 */
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Namespaces, Process, StandIn } from "../backends/sim/kernel/process.ts";
import type { Plan } from "../core/runtime/plan.ts";
import type { TreeSnapshot } from "../core/unionfs/tree.ts";

export const namespaceKinds = ["mount", "uts", "ipc", "pid", "network", "user", "cgroup", "time"] as const;

export interface ProcessView {
  /** As the host sees it. */
  readonly pid: number;
  readonly parent: number;
  /** As its own pid namespace sees it. */
  readonly ownPid: number;
  readonly command: string;
  /** The TypeScript program that plays its file, null when it is the file itself that runs. */
  readonly standIn: StandIn | null;
  readonly state: Process["state"];
  readonly uid: number;
  /** The number /proc/<pid>/ns shows, for each of namespaceKinds. */
  readonly namespaces: readonly number[];
  /** Its cgroup's path, "/" the root's. */
  readonly cgroup: string;
  /** Bytes of memory it is charged for, and processor time in nanoseconds. */
  readonly memoryBytes: number;
  readonly cpuNanos: number;
}

/** Persistent data, which later changes leave as it is. */
export interface Moment {
  readonly now: bigint;
  readonly turns: number;
  readonly processes: readonly ProcessView[];
  /** The tree in which images and containers lie. */
  readonly files: TreeSnapshot;
  readonly performed: Performed | null;
}

/** The plan that was performed last, and for which container. */
export interface Performed {
  readonly container: string;
  readonly plan: Plan;
}

/** The moment that is now. What is as it was `before` is kept once. */
export function capture(kernel: Kernel, performed: Performed | null, before: Moment | null): Moment {
  return {
    now: kernel.turns.now,
    turns: kernel.turns.step,
    processes: processViews(kernel, before?.processes ?? []),
    files: kernel.tree.snapshot(),
    performed,
  };
}

function processViews(kernel: Kernel, before: readonly ProcessView[]): readonly ProcessView[] {
  let at = 0;
  const views = [...kernel.processes.values()].map((process) => {
    while ((before[at]?.pid ?? process.pid) < process.pid) at++;
    const view = processView(process);
    const known = before[at];
    return known !== undefined && isSame(known, view) ? known : view;
  });
  const isAsBefore = views.length === before.length && views.every((view, index) => view === before[index]);
  return isAsBefore ? before : views;
}

function isSame(one: ProcessView, other: ProcessView): boolean {
  return (
    one.pid === other.pid &&
    one.parent === other.parent &&
    one.ownPid === other.ownPid &&
    one.command === other.command &&
    one.standIn?.program === other.standIn?.program &&
    one.standIn?.file === other.standIn?.file &&
    one.state === other.state &&
    one.uid === other.uid &&
    one.cgroup === other.cgroup &&
    one.memoryBytes === other.memoryBytes &&
    one.cpuNanos === other.cpuNanos &&
    one.namespaces.every((number, index) => number === other.namespaces[index])
  );
}

function processView(process: Process): ProcessView {
  return {
    pid: process.pid,
    parent: process.parent?.pid ?? 0,
    ownPid: process.numbers.get(process.namespaces.pid) ?? process.pid,
    command: process.argv.length > 0 ? process.argv.join(" ") : process.name,
    standIn: process.standIn,
    state: process.state,
    uid: process.uid,
    namespaces: namespaceKinds.map((kind) => numberOf(process.namespaces, kind)),
    cgroup: cgroupPath(process),
    memoryBytes: process.memoryBytes,
    cpuNanos: Number(process.cpuNanos),
  };
}

function numberOf(namespaces: Namespaces, kind: (typeof namespaceKinds)[number]): number {
  return namespaces[kind].number;
}

function cgroupPath({ cgroup }: Process): string {
  const names: string[] = [];
  for (let at: Process["cgroup"] | null = cgroup; at !== null; at = at.parent)
    if (at.name !== "") names.unshift(at.name);
  return `/${names.join("/")}`;
}
