/**
 * The cpu controller: processor time by weights and quotas.
 *
 * *Weights* (cpu.weight, cpu.shares): a fair scheduler in a hierarchy, as the kernel's. Whoever may run is a
 * process or a group; each has a *virtual runtime*, its processor time divided by its weight, and of those side by
 * side the one with the least is next. Who has slept comes back with at most a slice of credit, so that sleeping is
 * not saved up.
 *
 * *Quotas* (cpu.max, cpu.cfs_quota_us): a group over its quota does not run until its period ends.
 */
import type { Process } from "../process.ts";
import type { Cgroup } from "./group.ts";

/** Somebody that competes for the processor: a process, or a group against its siblings. */
export interface Competitor {
  /** Weighted nanoseconds. */
  runtime: number;
  /** When its last turn ended, in the run queue's count: of equals the longest waiting is next. */
  ended: number;
}

export interface CpuState extends Competitor {
  readonly parent: CpuState | null;
  /** The least virtual runtime of those in it that may run; it only grows. */
  floor: number;
  /** 1 to 10000, 100 by default; version 1's shares are 1024 for it. */
  weight: number;
  /** Version 1's own number: 2 to 262144. */
  shares: number;
  idle: boolean;
  /** Nanoseconds of processor time per period; null: no limit. */
  quota: bigint | null;
  period: bigint;
  burst: bigint;
  /** Used in the running period, which began at `periodStart`. */
  usedInPeriod: bigint;
  periodStart: bigint;
  periods: number;
  throttledPeriods: number;
  throttledNanos: bigint;
  /** Since when; null: it may run. */
  throttledSince: bigint | null;
}

const defaultPeriod = 100_000_000n;
export const defaultWeight = 100;
export const defaultShares = 1024;
/** What a process may run without another getting its turn. */
export const sliceNanos = 4_000_000n;
const creditNanos = Number(sliceNanos);
const idleWeight = 1;
/** sched_prio_to_weight of nice -20 to 19: a level is a tenth more of the processor, or less. */
const priorityWeights = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991,
  1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];
const plainWeight = 1024;

/** Of a process or, in parts of `plain`, of a group with that nice value. */
export function weightOfNice(nice: number, plain = plainWeight): number {
  return Math.round(((priorityWeights[nice + 20] ?? plainWeight) * plain) / plainWeight);
}

export function newCpuState(parent: CpuState | null): CpuState {
  return {
    parent,
    runtime: parent?.floor ?? 0,
    ended: 0,
    floor: 0,
    weight: defaultWeight,
    shares: defaultShares,
    idle: false,
    quota: null,
    period: defaultPeriod,
    burst: 0n,
    usedInPeriod: 0n,
    periodStart: 0n,
    periods: 0,
    throttledPeriods: 0,
    throttledNanos: 0n,
    throttledSince: null,
  };
}

/** Accounts processor time of a process; a group over its quota is throttled until its period ends. */
export function chargeCpu(process: Process, nanos: bigint, now: bigint): void {
  const { cpu } = process.accounts;
  count(process.cgroup, nanos);
  for (const group of process.legacyCgroups.values()) count(group, nanos);
  const unweighted = Number(nanos);
  process.competing.runtime +=
    process.nice === 0 ? unweighted : (unweighted * plainWeight) / weightOfNice(process.nice);
  for (let at: CpuState | null = cpu; at !== null; at = at.parent) {
    at.runtime += (unweighted * defaultWeight) / weightOf(at);
    if (at.quota !== null) chargeQuota(at, nanos, now);
  }
}

function count(group: Cgroup, nanos: bigint): void {
  for (let at: Cgroup | null = group; at !== null; at = at.parent) at.cpuUsed += nanos;
}

function weightOf({ weight, idle }: CpuState): number {
  return idle ? idleWeight : weight;
}

function chargeQuota(state: CpuState, nanos: bigint, now: bigint): void {
  renewPeriod(state, now);
  state.usedInPeriod += nanos;
  if (state.quota === null || state.usedInPeriod < state.quota || state.throttledSince !== null) return;
  state.throttledSince = now;
  state.throttledPeriods++;
}

/** When a process of the group may run again: null is now. */
export function throttledUntil({ accounts: { cpu } }: Process, now: bigint): bigint | null {
  let until: bigint | null = null;
  for (let at: CpuState | null = cpu; at !== null; at = at.parent) {
    if (at.quota === null) continue;
    renewPeriod(at, now);
    const end = at.periodStart + at.period;
    if (at.throttledSince !== null && (until === null || end > until)) until = end;
  }
  return until;
}

function renewPeriod(state: CpuState, now: bigint): void {
  if (now - state.periodStart < state.period) return;
  const over = state.quota === null ? 0n : state.usedInPeriod - state.quota;
  state.periods++;
  state.periodStart = now - ((now - state.periodStart) % state.period);
  state.usedInPeriod = over > 0n ? over : 0n;
  if (state.throttledSince === null) return;
  state.throttledNanos += state.periodStart - state.throttledSince;
  state.throttledSince = state.quota !== null && state.usedInPeriod >= state.quota ? state.periodStart : null;
}

/** What changing from one process to the next costs, as far as fairness goes. */
const turnNanos = 1000;

/** The process gets the turn: it is the one with the least, so what it has had is the others' floor. */
export function beginTurn({ accounts, competing }: Process): void {
  let competitor: Competitor = competing;
  for (let among: CpuState | null = accounts.cpu; among !== null; among = among.parent) {
    competitor.runtime = Math.max(competitor.runtime, among.floor - creditNanos);
    among.floor = Math.max(among.floor, competitor.runtime);
    competitor = among;
  }
}

/** The process's turn has ended, the `count`-th of all. */
export function endTurn({ accounts, competing }: Process, count: number): void {
  competing.ended = count;
  competing.runtime += turnNanos;
  for (let at: CpuState | null = accounts.cpu; at !== null; at = at.parent) {
    at.ended = count;
    at.runtime += (turnNanos * defaultWeight) / weightOf(at);
  }
}

/** Puts those that may run in the order in which they are to: negative when `a` is first. */
export function compareFairly(a: Process, b: Process): number {
  if (a.accounts.cpu === b.accounts.cpu) return compareCompetitors(a.competing, b.competing);
  const [ways, others] = [wayTo(a), wayTo(b)];
  let at = 0;
  while (ways[at] === others[at] && at < ways.length && at < others.length) at++;
  return compareCompetitors(ways[at] ?? a.competing, others[at] ?? b.competing);
}

function compareCompetitors(a: Competitor, b: Competitor): number {
  return a.runtime - b.runtime || a.ended - b.ended;
}

/** The process, and the groups it competes in, the outermost first. */
function wayTo({ accounts, competing }: Process): Competitor[] {
  const way: Competitor[] = [competing];
  for (let at = accounts.cpu; at.parent !== null; at = at.parent) way.unshift(at);
  return way;
}
