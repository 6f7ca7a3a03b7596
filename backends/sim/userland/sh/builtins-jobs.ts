/** Builtins on jobs and processes: jobs, fg, bg, wait, kill. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { SIGCONT, SIGINT, signalName, signalNumber, signalNumbers, SIGTERM } from "../signals.ts";
import type { Builtin } from "./builtin.ts";
import type { Interpreter } from "./interpret.ts";
import { codeOf, deathText, type Job, stateOf, statusOf } from "./jobs.ts";
import type { Run } from "../run.ts";
import { settled } from "../run.ts";
import { type Shell, ShellError } from "./shell.ts";

function jobOf(shell: Shell, text: string | undefined): Job {
  const job = shell.jobs.find(text ?? "%%");
  if (job === null) throw new ShellError(text === undefined ? "No current job" : `No such job: ${text}`);
  return job;
}

function* jobs(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  yield* interpreter.collect();
  const names = args.filter((arg) => !arg.startsWith("-"));
  const wrong = args.join(" ").match(/(?:^| )-[lp]*([^lp -])/)?.[1];
  if (wrong !== undefined) throw new ShellError(`Illegal option -${wrong}`);
  const wanted = names.length === 0 ? shell.jobs.all() : names.map((name) => jobOf(shell, name));
  for (const job of wanted) {
    if (args.includes("-p")) yield* shell.print(1, `${job.group ?? job.members[0]?.pid ?? ""}\n`);
    else yield* shell.print(1, shell.jobs.line(job, args.includes("-l"), shell.dialect === "ash"));
    job.told = true;
    if (stateOf(job) === "done") shell.jobs.remove(job);
  }
  return 0;
}

function* fg(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const job = controlled(shell, args[0]);
  yield* shell.print(1, `${job.text}\n`);
  if (shell.terminal !== null && job.group !== null) shell.sys.setForeground(shell.terminal, job.group);
  resume(shell, job);
  const status = yield* interpreter.waitFor(job, true);
  if (stateOf(job) === "done") shell.jobs.remove(job);
  interpreter.takeTerminal();
  return status;
}

function* bg(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  for (const name of args.length === 0 ? [undefined] : args) {
    const job = controlled(shell, name);
    yield* shell.print(1, `[${job.number}] ${job.text}\n`);
    resume(shell, job);
  }
  return 0;
}

function controlled(shell: Shell, name: string | undefined): Job {
  const job = jobOf(shell, name);
  if (job.group === null) throw new ShellError(`job ${name ?? "(null)"} not created under job control`);
  return job;
}

function resume(shell: Shell, job: Job): void {
  for (const member of job.members) if (member.status?.kind === "stopped") member.status = null;
  if (job.group !== null) shell.sys.kill(-job.group, SIGCONT);
}

/** Ends early, with 128 and the signal's number, when a trapped signal comes. */
function* wait(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  if (args.length === 0) {
    while (shell.jobs.all().some((job) => stateOf(job) === "running")) {
      const interrupted = yield* waitOnce(interpreter);
      if (interrupted !== null) return interrupted;
    }
    shell.jobs.letGo(shell.jobs.all(), shell.monitors);
    return 0;
  }
  let status = 0;
  for (const name of args) {
    const job = name.startsWith("%") ? jobOf(shell, name) : shell.jobs.ofPid(numeric(name));
    if (job === null) {
      status = 127;
      continue;
    }
    while (stateOf(job) === "running") {
      const interrupted = yield* waitOnce(interpreter, job);
      if (interrupted !== null) return interrupted;
    }
    const member = job.members.find(({ pid }) => String(pid) === name);
    status = member?.status == null ? statusOf(job, false) : codeOf(member.status);
    job.told = true;
    shell.jobs.letGo([job], shell.monitors);
  }
  return status;
}

function numeric(text: string): number {
  if (!/^\d+$/.test(text)) throw new ShellError(`Illegal number: ${text}`);
  return Number(text);
}

/** How a job that is waited for died is said. */
function* waitOnce({ shell }: Interpreter, wanted: Job | null = null): Run<number | null> {
  try {
    const status = yield* settled(shell.sys.wait(-1, { untraced: shell.monitors, continued: shell.monitors }));
    const changed = status === null ? null : shell.jobs.note(status);
    const text = status === null || changed !== wanted || shell.extension !== null ? "" : deathText(status);
    if (text !== "") yield* shell.print(2, `${text}\n`);
    return interruption(shell);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (thrown.errno === "ECHILD") {
      for (const job of shell.jobs.all()) shell.jobs.remove(job);
      return null;
    }
    return interruption(shell);
  }
}

/** The status with which a signal that has come ends a wait. */
function interruption({ traps }: Shell): number | null {
  const signal = traps.interrupted ? SIGINT : traps.firstPending();
  return signal === null ? null : 128 + signal;
}

const killUsage = "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]";

function* kill({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const [first = "", ...rest] = args;
  if (first === "-l") return yield* listSignals(shell, rest);
  const { signal, targets } = signalAndTargets(args);
  if (targets.length === 0) throw new ShellError(killUsage);
  let status = 0;
  for (const target of targets) {
    const reason = sendTo(shell, target, signal);
    if (reason === null) continue;
    yield* shell.complain(shell.dialect === "ash" ? `can't kill pid ${target}: ${reason}` : `${reason}\n`);
    status = 1;
  }
  // A signal to the shell itself comes before the next command.
  yield* settled(shell.sys.work(1));
  return status;
}

function signalAndTargets(args: readonly string[]): { signal: number; targets: readonly string[] } {
  const [first = "", second = ""] = args;
  if (first === "-s") return { signal: signalOf(second), targets: withoutDashes(args.slice(2)) };
  if (/^-./.test(first) && first !== "--" && signalNumber(first.slice(1)) === null)
    throw new ShellError(`Illegal option -${first.charAt(1)}`);
  if (/^-./.test(first) && first !== "--")
    return { signal: signalOf(first.slice(1)), targets: withoutDashes(args.slice(1)) };
  return { signal: SIGTERM, targets: withoutDashes(args) };
}

function withoutDashes(args: readonly string[]): readonly string[] {
  return args[0] === "--" ? args.slice(1) : args;
}

function signalOf(text: string): number {
  const signal = signalNumber(text);
  if (signal === null) throw new ShellError(`invalid signal number or name: ${text}`);
  return signal;
}

/** null when it was sent, else why not. */
function sendTo(shell: Shell, target: string, signal: number): string | null {
  if (!target.startsWith("%") && !/^-?\d+$/.test(target)) throw new ShellError(`Illegal number: ${target}`);
  const job = target.startsWith("%") ? jobOf(shell, target) : null;
  const pid = job === null ? Number(target) : -(job.group ?? job.members[0]?.pid ?? 0);
  try {
    shell.sys.kill(pid, signal);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    return errnoText(thrown.errno);
  }
}

function* listSignals(shell: Shell, args: readonly string[]): Run<number> {
  const [text] = args;
  if (text === undefined) {
    yield* shell.print(1, ["0", ...signalNumbers.map(signalName)].map((name) => `${name}\n`).join(""));
    return 0;
  }
  const number = numeric(text);
  yield* shell.print(1, `${signalName(number > 128 ? number - 128 : number)}\n`);
  return 0;
}

export const jobBuiltins: Readonly<Record<string, Builtin>> = { bg, fg, jobs, kill, wait };
