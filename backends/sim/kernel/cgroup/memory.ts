/**
 * The memory controller: bytes that programs say they hold (Sys.allocate). A process is charged where it is
 * when it takes memory, and what it is charged for stays there when it moves (cgroup-v2.rst, "Memory Ownership").
 * Nothing can be reclaimed or swapped: who reaches memory.max is killed, or somebody around is.
 */

/** As memory.events names them. */
export type MemoryEvent = "low" | "high" | "max" | "oom" | "oom_kill" | "oom_group_kill";

export interface MemoryState {
  /** Of the group around. */
  readonly parent: MemoryState | null;
  bytes: number;
  peak: number;
  /** Limits in bytes; null: none. */
  max: number | null;
  high: number | null;
  swapMax: number | null;
  low: number | null;
  min: number | null;
  /** Version 1's memory.soft_limit_in_bytes; memory and swap together. */
  soft: number | null;
  both: number | null;
  swappiness: number;
  /** All in the group go together: memory.oom.group. */
  killsGroup: boolean;
  /** Version 1: who would be killed waits instead. */
  waitsForMemory: boolean;
  /** Version 1's memory.failcnt: how often the limit was reached. */
  failures: number;
  readonly events: Record<MemoryEvent, number>;
  readonly localEvents: Record<MemoryEvent, number>;
}

const noEvents: Readonly<Record<MemoryEvent, number>> = {
  low: 0,
  high: 0,
  max: 0,
  oom: 0,
  oom_kill: 0,
  oom_group_kill: 0,
};

export function newMemoryState(parent: MemoryState | null): MemoryState {
  return {
    parent,
    bytes: 0,
    peak: 0,
    max: null,
    high: null,
    swapMax: null,
    low: 0,
    min: 0,
    soft: null,
    both: null,
    swappiness: parent?.swappiness ?? 60,
    killsGroup: false,
    waitsForMemory: false,
    failures: 0,
    events: { ...noEvents },
    localEvents: { ...noEvents },
  };
}

/** An event counts for a group and those around it; its root shows none. */
export function countEvent(state: MemoryState, event: MemoryEvent): void {
  state.localEvents[event]++;
  for (let at: MemoryState | null = state; at !== null; at = at.parent) at.events[event]++;
}

/** Charges memory to a group and those around it; gives the one whose limit forbids it, else null. */
export function chargeMemory(state: MemoryState, bytes: number, totalBytes: number): MemoryState | null {
  for (let at: MemoryState | null = state; at !== null; at = at.parent) {
    // The root has no limit of its own, but the machine has no more than it has.
    const max = at.max ?? (at.parent === null ? totalBytes : null);
    if (bytes > 0 && max !== null && at.bytes + bytes > max) return at;
  }
  for (let at: MemoryState | null = state; at !== null; at = at.parent) {
    at.bytes += bytes;
    if (at.bytes > at.peak) at.peak = at.bytes;
    if (at.high !== null && bytes > 0 && at.bytes > at.high) countEvent(at, "high");
  }
  return null;
}

export function unchargeMemory(state: MemoryState, bytes: number): void {
  for (let at: MemoryState | null = state; at !== null; at = at.parent) at.bytes -= bytes;
}

/** Whether a group's memory counts for one around it. */
export function countsFor(state: MemoryState, around: MemoryState): boolean {
  for (let at: MemoryState | null = state; at !== null; at = at.parent) if (at === around) return true;
  return false;
}
