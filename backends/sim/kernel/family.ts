/**
 * The family of processes: who is told of a child's end (wait(2)), who inherits its children, and what becomes of
 * process groups that nobody is tied to any more (exit(3), setpgid(2)).
 *
 *   end → its children go to the namespace's init → a zombie, and news for the parent → reaped when that waits
 */
import { assert } from "../../../core/base/assert.ts";
import type { Kernel } from "./kernel.ts";
import { isAlive, type PidNamespace, type Process } from "./process.ts";
import { SIGCHLD, SIGCONT, SIGHUP, type SignalCode } from "./signals.ts";
import type { Pid, WaitStatus } from "./sys.ts";

const codes: Readonly<Record<WaitStatus["kind"], SignalCode>> = {
  exited: "CLD_EXITED",
  killed: "CLD_KILLED",
  stopped: "CLD_STOPPED",
  continued: "CLD_CONTINUED",
};

export class Family {
  readonly #kernel: Kernel;
  /** Ends of which groups and sessions are still named, by their numbers in the namespaces. */
  readonly #leaders = new Map<Pid, Process>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A process that is gone and by whose number a group or session is still called. */
  formerLeader(pid: Pid): Process | null {
    return this.#leaders.get(pid) ?? null;
  }

  inGroup(group: Pid): Process[] {
    return [...this.#kernel.processes.values()].filter((process) => process.group === group && isAlive(process));
  }

  /** A process has ended: its children find another parent, its groups may be orphaned. */
  bereave(process: Process): void {
    const groups = groupsHeld(process);
    this.#orphan(process);
    for (const group of groups) this.#wakeOrphaned(group);
  }

  /** A parent that ignores SIGCHLD (and the host's init) has its children reaped for it. */
  tellParent(process: Process, exit: { code: number; signal: number }): void {
    const { parent } = process;
    if (parent === null || parent === this.#kernel.init || parent.actions.get(SIGCHLD) === "ignore")
      return this.reap(process);
    const kind = exit.signal === 0 ? "exited" : "killed";
    this.#tell(parent, process, { pid: process.pid, kind, value: exit.signal === 0 ? exit.code : exit.signal });
  }

  tellOfChange(process: Process, news: WaitStatus): void {
    const { parent } = process;
    if (parent === null) return;
    // A child has stopped or goes on, not both: what was not asked for in time is not told any more.
    const stale = parent.news.findIndex(
      ({ pid, kind }) => pid === news.pid && (kind === "stopped" || kind === "continued"),
    );
    if (stale !== -1) parent.news.splice(stale, 1);
    this.#tell(parent, process, news);
  }

  #tell(parent: Process, child: Process, news: WaitStatus): void {
    parent.news.push(news);
    parent.changes.tell();
    this.#kernel.signals.send(parent, SIGCHLD, { code: codes[news.kind], process: child, status: news.value });
  }

  reap(process: Process): void {
    const { processes, cgroups } = this.#kernel;
    assert(process.state === "zombie", `process ${process.pid} has ended`);
    process.parent?.children.delete(process);
    process.parent?.changes.tell();
    processes.delete(process.pid);
    cgroups.reaped(process);
    this.#leaders.set(process.pid, process);
    for (const pid of this.#leaders.keys()) if (!this.#isNamed(pid)) this.#leaders.delete(pid);
  }

  #isNamed(pid: Pid): boolean {
    for (const { group, session } of this.#kernel.processes.values()) if (group === pid || session === pid) return true;
    return false;
  }

  /** A group that has just become orphaned and has stopped members is hung up, and goes on. */
  #wakeOrphaned(group: Pid): void {
    const { signals, init } = this.#kernel;
    const members = this.inGroup(group);
    const isHeld = members.some(
      ({ parent, session }) =>
        parent !== null && parent !== init && parent.group !== group && parent.session === session,
    );
    if (isHeld || !members.some(({ state }) => state === "stopped")) return;
    signals.sendGroup(group, SIGHUP);
    signals.sendGroup(group, SIGCONT);
  }

  #orphan(process: Process): void {
    const heir = heirOf(process);
    for (const child of [...process.children]) {
      child.parent = heir;
      heir?.children.add(child);
      process.children.delete(child);
      if (child.state === "zombie") this.tellParent(child, child.exit ?? { code: 0, signal: 0 });
    }
  }
}

/** The groups whose tie to the rest of their session the process is: its own, and its children's. */
function groupsHeld({ parent, children, group, session }: Process): Set<Pid> {
  const own = parent !== null && parent.group !== group && parent.session === session ? [group] : [];
  const others = [...children].filter((child) => child.group !== group && child.session === session);
  return new Set([...own, ...others.map((child) => child.group)]);
}

function heirOf(process: Process): Process | null {
  for (let at: PidNamespace | null = process.namespaces.pid; at !== null; at = at.parent) {
    if (at.init !== null && at.init !== process && isAlive(at.init)) return at.init;
  }
  return null;
}
