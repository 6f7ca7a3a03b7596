/**
 * Taking memory, and the out-of-memory killer (cgroup-v2.rst, "Memory"; mm/oom_kill.c): over a limit one process of the
 * limited group is killed, or all of a group where memory.oom.group says so.
 */
import { memoryTotalBytes } from "./cgroup/group.ts";
import { countEvent, countsFor, type MemoryState } from "./cgroup/memory.ts";
import type { Kernel } from "./kernel.ts";
import { isAlive, type Process } from "./process.ts";
import { SIGKILL } from "./signals.ts";

/** An oom_score_adj that exempts a process. */
const oomNever = -1000;

export class OutOfMemory {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Takes memory for a process, or gives it back; over a limit somebody in the limited group is killed. */
  take(process: Process, bytes: number): void {
    const { cgroups } = this.#kernel;
    if (bytes < 0) return cgroups.giveBack(process, -bytes);
    for (;;) {
      const full = cgroups.charge(process, bytes);
      if (full === null) return;
      full.failures++;
      countEvent(full, "max");
      this.#killFor(full, process);
      if (!isAlive(process)) return;
    }
  }

  /** A limit was set below what is in use, or lifted. */
  relieve(state: MemoryState): void {
    while (state.max !== null && state.bytes > state.max && this.#victim(state) !== null) this.#killFor(state, null);
  }

  #killFor(full: MemoryState, asker: Process | null): void {
    countEvent(full, "oom");
    const victim = this.#victim(full) ?? asker;
    if (victim === null) return;
    const together = this.#endsWith(victim, full);
    if (together.length > 1) countEvent(full, "oom_group_kill");
    for (const each of together.length > 0 ? together : [victim]) {
      countEvent(each.accounts.memory, "oom_kill");
      this.#kernel.log.add(killedText(each));
      this.#kernel.end(each, { code: 128 + SIGKILL, signal: SIGKILL });
    }
  }

  /** Who is killed with a victim: all in the outermost group below the limit that is killed as one. */
  #endsWith({ accounts }: Process, full: MemoryState): Process[] {
    let group: MemoryState | null = null;
    for (let at: MemoryState | null = accounts.memory; at !== null; at = at.parent) {
      if (at.killsGroup) group = at;
      if (at === full) break;
    }
    const whole = group;
    return whole === null ? [] : this.#candidates(whole);
  }

  /** Who holds the most, as the out-of-memory killer reckons: a thousandth of memory a point of oom_score_adj. */
  #victim(full: MemoryState): Process | null {
    const score = (process: Process): number => process.memoryBytes + (process.oomScore * memoryTotalBytes) / 1000;
    return this.#candidates(full).reduce<Process | null>((a, b) => (a === null || score(b) > score(a) ? b : a), null);
  }

  #candidates(full: MemoryState): Process[] {
    const { processes, init } = this.#kernel;
    const isCandidate = (process: Process): boolean =>
      isAlive(process) && countsFor(process.accounts.memory, full) && process.oomScore > oomNever && process !== init;
    return [...processes.values()].filter(isCandidate);
  }
}

/** As Linux words it (mm/oom_kill.c). */
function killedText({ pid, name, memoryBytes, uid, oomScore }: Process): string {
  const kilobytes = `${memoryBytes >> 10}kB`;
  const memory = `total-vm:${kilobytes}, anon-rss:${kilobytes}, file-rss:0kB, shmem-rss:0kB`;
  const rest = `UID:${uid} pgtables:0kB oom_score_adj:${oomScore}`;
  return `Memory cgroup out of memory: Killed process ${pid} (${name}) ${memory}, ${rest}`;
}
