/** The pids controller (cgroup-v2.rst, "PID"): how many processes there are, zombies as well, and may be. */
import { Errno } from "../../../../core/base/errno.ts";

export interface PidsState {
  readonly parent: PidsState | null;
  count: number;
  peak: number;
  /** null: no limit. */
  max: number | null;
  /** How often a fork was refused: by this group's limit, and by it or one beneath. */
  refused: number;
  refusedBeneath: number;
  /** Version 1 counts them where the fork was tried. */
  failedForks: number;
}

export function newPidsState(parent: PidsState | null): PidsState {
  return { parent, count: 0, peak: 0, max: null, refused: 0, refusedBeneath: 0, failedForks: 0 };
}

/** EAGAIN when a limit forbids one process more; the refusal is counted where the limit is. */
export function checkPids(state: PidsState): void {
  for (let at: PidsState | null = state; at !== null; at = at.parent) {
    if (at.max === null || at.count < at.max) continue;
    state.failedForks++;
    at.refused++;
    for (let around: PidsState | null = at; around !== null; around = around.parent) around.refusedBeneath++;
    throw new Errno("EAGAIN");
  }
}

/** One process more or fewer; moving one in is not refused. */
export function countPid(state: PidsState, by: 1 | -1): void {
  for (let at: PidsState | null = state; at !== null; at = at.parent) {
    at.count += by;
    if (at.count > at.peak) at.peak = at.count;
  }
}
