/** System V semaphores (semget(2), semop(2), semctl(2)): sets of counters, changed together or not at all. */
import { Errno } from "../../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../open-file.ts";
import type { Pid } from "../sys.ts";
import { type IpcObject, seconds } from "./objects.ts";

export interface SemaphoreOperation {
  readonly number: number;
  readonly change: number;
  readonly noWait?: boolean;
  /** Taken back when the process ends. */
  readonly undo?: boolean;
}

export interface SemaphoreSet extends IpcObject {
  readonly values: number[];
  /** Who changed each last. */
  readonly pids: Pid[];
  operatedAt: bigint;
  /** How many wait for each to grow, and to be zero. */
  readonly waiting: { readonly grow: number[]; readonly zero: number[] };
}

/** What a process has to take back, a semaphore of a set each. */
export type Undos = Map<SemaphoreSet, number[]>;

export const valueMax = 32_767;

/**
 * Tries operations: all are done, or none. Blocks at the first that has to wait; EAGAIN when that one does not wait,
 * ERANGE for a value too large, EIDRM when the set is gone.
 */
export function operate(
  set: SemaphoreSet,
  operations: readonly SemaphoreOperation[],
  by: { readonly pid: Pid; readonly undos: Undos; readonly now: bigint },
): true | WouldBlock {
  if (set.isRemoved) throw new Errno("EIDRM");
  const values = [...set.values];
  for (const { number, change, noWait } of operations) {
    const value = (values[number] ?? 0) + change;
    if (change === 0 ? values[number] !== 0 : value < 0) {
      if (noWait === true) throw new Errno("EAGAIN");
      return wouldBlock;
    }
    if (value > valueMax) throw new Errno("ERANGE");
    values[number] = value;
  }
  for (const { number, change, undo } of operations) {
    set.pids[number] = by.pid;
    if (undo === true && change !== 0) noteUndo(by.undos, set, number, change);
  }
  set.operatedAt = seconds(by.now);
  setValues(set, values);
  return true;
}

/** The first operation that has to wait: on which semaphore, and for what. */
export function waitsFor(
  { values }: SemaphoreSet,
  operations: readonly SemaphoreOperation[],
): { readonly number: number; readonly what: "grow" | "zero" } | null {
  const tried = [...values];
  for (const { number, change } of operations) {
    const value = (tried[number] ?? 0) + change;
    if (change === 0 && tried[number] !== 0) return { number, what: "zero" };
    if (value < 0) return { number, what: "grow" };
    tried[number] = value;
  }
  return null;
}

export function setValues(set: SemaphoreSet, values: readonly number[]): void {
  set.values.splice(0, set.values.length, ...values);
  set.changes.tell();
}

function noteUndo(undos: Undos, set: SemaphoreSet, number: number, change: number): void {
  const own = undos.get(set) ?? set.values.map(() => 0);
  own[number] = (own[number] ?? 0) - change;
  undos.set(set, own);
}

/** SETVAL and SETALL forget what would be taken back. */
export function forgetUndos(all: Iterable<Undos>, set: SemaphoreSet, numbers: readonly number[]): void {
  for (const undos of all) {
    const own = undos.get(set);
    if (own !== undefined) for (const number of numbers) own[number] = 0;
  }
}

/** The process ends (exit_sem()): values stay between nothing and the most. */
export function takeBack(undos: Undos, pid: Pid): void {
  for (const [set, own] of undos) {
    if (set.isRemoved) continue;
    const values = set.values.map((value, at) => Math.min(Math.max(value + (own[at] ?? 0), 0), valueMax));
    for (const [at, change] of own.entries()) if (change !== 0) set.pids[at] = pid;
    setValues(set, values);
  }
  undos.clear();
}
