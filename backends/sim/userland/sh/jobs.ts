/**
 * Jobs: the pipelines a shell has started and not forgotten yet. A job's processes are told apart by
 * pid; its state is that of its processes together.
 */
import type { Pid, WaitStatus } from "../../kernel/sys.ts";
import { SIGINT, SIGPIPE, signalText } from "../signals.ts";

interface Member {
  readonly pid: Pid;
  /** null: it runs. */
  status: WaitStatus | null;
}

export interface Job {
  readonly number: number;
  readonly members: Member[];
  /** Its process group under job control, else null. */
  group: Pid | null;
  /** Its command under job control, else "". */
  readonly text: string;
  /** Somebody has waited for its end: without job control it is kept until there is another one. */
  waited: boolean;
  /** Its present state was shown to the user. */
  told: boolean;
}

export type JobState = "running" | "stopped" | "done";

/** The columns before a job's command in `jobs`. */
const stateColumns = 33;

export class Jobs {
  /** The current job last. */
  #jobs: Job[] = [];

  add(text: string, isControlled: boolean): Job {
    const used = isControlled ? null : this.#jobs.find((job) => job.waited && stateOf(job) === "done");
    if (used) this.remove(used);
    const numbers = new Set(this.#jobs.map((job) => job.number));
    let number = 1;
    while (numbers.has(number)) number++;
    const job = {
      number,
      members: [],
      group: null,
      text: isControlled ? text : "",
      told: true,
      waited: false,
    };
    this.#jobs.push(job);
    return job;
  }

  remove(job: Job): void {
    this.#jobs = this.#jobs.filter((other) => other !== job);
  }

  /** Makes it the current one. */
  promote(job: Job): void {
    this.remove(job);
    this.#jobs.push(job);
  }

  clear(): void {
    this.#jobs = [];
  }

  /** The current one first. */
  all(): Job[] {
    return this.#jobs.toReversed();
  }

  /** They have been waited for. */
  letGo(jobs: readonly Job[], isControlled: boolean): void {
    for (const job of jobs.filter((each) => stateOf(each) === "done")) {
      if (isControlled) this.remove(job);
      else job.waited = true;
    }
  }

  /** Notes what the kernel says of a process; gives its job. */
  note(status: WaitStatus): Job | null {
    const job = this.ofPid(status.pid);
    const member = job?.members.find(({ pid }) => pid === status.pid);
    if (job === null || member === undefined) return null;
    member.status = status.kind === "continued" ? null : status;
    job.told = false;
    if (status.kind === "stopped") this.promote(job);
    return job;
  }

  ofPid(pid: Pid): Job | null {
    return this.#jobs.findLast((job) => job.members.some((member) => member.pid === pid)) ?? null;
  }

  /** "%%", "%+", "%-", "%2", "%text", "%?text"; null when none is meant. */
  find(text: string): Job | null {
    const name = text.replace(/^%/, "");
    if (name === "" || name === "%" || name === "+") return this.#jobs.at(-1) ?? null;
    if (name === "-") return this.#jobs.at(-2) ?? null;
    if (/^\d+$/.test(name)) return this.#jobs.find((job) => job.number === Number(name)) ?? null;
    if (name.startsWith("?")) return this.#jobs.find((job) => job.text.includes(name.slice(1))) ?? null;
    return this.#jobs.find((job) => job.text.startsWith(name)) ?? null;
  }

  /** A line of `jobs`; ash puts its mark right behind the number. */
  line(job: Job, withPid: boolean, isAsh: boolean): string {
    const mark = job === this.#jobs.at(-1) ? "+" : job === this.#jobs.at(-2) ? "-" : " ";
    const head = `[${job.number}]${isAsh ? `${mark} ` : ` ${mark}`} ${withPid ? `${job.members[0]?.pid} ` : ""}${stateText(job)}`;
    return `${head}${" ".repeat(Math.max(1, stateColumns - head.length))}${job.text}\n`;
  }
}

export function stateOf(job: Job): JobState {
  if (job.members.some(({ status }) => status === null)) return "running";
  return job.members.some(({ status }) => status?.kind === "stopped") ? "stopped" : "done";
}

/** The exit status of a job that does not run: its last process's; with `pipefail` the last that failed. */
export function statusOf(job: Job, pipefail: boolean): number {
  const codes = job.members.map(({ status }) => (status === null ? 0 : codeOf(status)));
  return (pipefail ? codes.findLast((code) => code !== 0) : codes.at(-1)) ?? 0;
}

export function codeOf(status: WaitStatus): number {
  return status.kind === "exited" ? status.value : 128 + status.value;
}

/** What a shell says of a foreground process that a signal ended; "" for the usual ones. */
export function deathText(status: WaitStatus): string {
  if (status.kind !== "killed" || status.value === SIGINT || status.value === SIGPIPE) return "";
  return signalText(status.value);
}

function stateText(job: Job): string {
  const state = stateOf(job);
  if (state === "running") return "Running";
  const last = job.members.findLast(({ status }) => status !== null && (state === "done" || status.kind === "stopped"));
  const status = last?.status ?? null;
  if (status === null) return "Running";
  if (status.kind === "exited") return status.value === 0 ? "Done" : `Done(${status.value})`;
  return signalText(status.value);
}
