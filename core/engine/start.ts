/**
 * Starting a container. The order is what makes a crash at any point harmless: the record with plan
 * and undo is written as "running" before the plan is performed, so whoever finds it asks the
 * machine for the task, and undoes when there is none. At the gate those who attached before are
 * connected; then the program runs.
 */
import { messageOf } from "../base/error.ts";
import { formatTime, zeroTime } from "../base/time.ts";
import { rotationOf } from "../container/log-options.ts";
import { commandOf } from "../container/merge.ts";
import type { ContainerRecord } from "../container/record.ts";
import { filesOf } from "../container/records.ts";
import { after, allow } from "../container/state.ts";
import type { Plan } from "../runtime/plan.ts";
import { connectPending, dropPending } from "./attach.ts";
import { type Context, emit } from "./context.ts";
import { finish } from "./exit.ts";
import { exitCodeOf, startFailure } from "./failure.ts";
import type { Live } from "./live.ts";
import type { Stdio, Task } from "./machine.ts";
import { planFor, type StartPlan } from "./plan-for.ts";
import { removeNow } from "./remove.ts";
import { emitMounts } from "./volumes.ts";

/** Throws not-modified, conflict, cannot-start, or what kept it from starting. */
export function start(context: Context, live: Live): Promise<void> {
  return live.serial.run(() => startNow(context, live));
}

/** Inside a job of the container's serial. */
export async function startNow(context: Context, live: Live): Promise<void> {
  allow("start", live.record);
  live.backOff?.abort();
  live.backOff = null;
  const before = live.record;
  let planned: StartPlan | null = null;
  try {
    planned = await planFor(context, before);
    const record = startedRecord(context, before, planned);
    if (before.startedAt !== zeroTime) await forgetExit(context, before);
    await context.records.save(record);
    const task = await perform(context, live, record, planned.plan);
    live.record = { ...record, pid: task.pid };
  } catch (error) {
    throw await startFailed(context, live, before, planned, error);
  }
  emitMounts(context, live, "mount");
  emit(context, live, "start");
}

/** An exit file of an earlier run would be taken for this one's. */
async function forgetExit(context: Context, { id }: ContainerRecord): Promise<void> {
  await context.machine.disk.remove(filesOf(context.machine.disk.dataRoot, id).exit);
}

function startedRecord(context: Context, before: ContainerRecord, planned: StartPlan): ContainerRecord {
  return {
    ...before,
    ...planned,
    state: after(before.state, "start"),
    exitCode: 0,
    error: "",
    oomKilled: false,
    restartCount: before.state === "restarting" ? before.restartCount : 0,
    stoppedByUser: false,
    startedAt: formatTime(context.ports.clock.now()),
    finishedAt: zeroTime,
    bootId: context.bootId,
  };
}

async function perform(context: Context, live: Live, record: ContainerRecord, plan: Plan): Promise<Task> {
  const key = { container: record.id, exec: null };
  const beforeRelease = (task: Task): Promise<void> => connectPending(live, task);
  const attaching = live.pending.size === 0 ? { unattended: true } : { beforeRelease };
  const task = await context.machine.perform({ key, plan, stdio: stdioOf(context, record), ...attaching });
  live.task = task;
  await beforeRelease(task);
  await task.release();
  watch(context, live, task);
  return task;
}

function stdioOf(context: Context, record: ContainerRecord): Stdio {
  const { tty, openStdin, stdinOnce } = record.config;
  const { log, exit } = filesOf(context.machine.disk.dataRoot, record.id);
  // A terminal has no end of input: a client that detaches must find the program as it left it.
  const stdio = { terminal: tty, stdin: openStdin, stdinOnce: stdinOnce && !tty, log, exit };
  const rotation = rotationOf(record.hostConfig.logOptions);
  return rotation === null ? stdio : { ...stdio, rotation };
}

/** Puts everything back to before the start, but for the error; gives the error to throw. */
async function startFailed(
  context: Context,
  live: Live,
  before: ContainerRecord,
  planned: StartPlan | null,
  error: unknown,
): Promise<unknown> {
  const [argv0] = commandOf(before.config);
  const failure = startFailure(`cannot start container ${before.name}`, error, planned?.plan ?? null, argv0);
  live.task = null;
  dropPending(live);
  if (planned !== null) await context.attempt("undoing a start", context.machine.carryOut(planned.undo));
  const exitCode = exitCodeOf(failure);
  const state = before.state === "restarting" ? after(before.state, "give-up") : before.state;
  live.record = { ...before, state, exitCode, error: messageOf(failure) };
  const removes = before.hostConfig.autoRemove && !live.keep;
  if (!removes) await context.attempt("writing a record", context.records.save(live.record));
  live.waits.tellExit({ code: exitCode, error: null });
  if (removes) await context.attempt("removing a container", removeNow(context, live, { volumes: true }));
  return failure;
}

/** Takes care of the task's end, whenever it comes. */
export function watch(context: Context, live: Live, task: Task): void {
  const ended = task.exited.then((exit) =>
    live.serial.run(async () => {
      if (live.task === task && (await finish(context, live, exit)) === "restart") restartLater(context, live);
    }),
  );
  context.background(`the end of container ${live.record.name}`, ended);
}

/** The restart policy's: starts the container after its delay, unless somebody stops or starts it meanwhile. */
export function restartLater(context: Context, live: Live): void {
  const backOff = new AbortController();
  live.backOff = backOff;
  const restarted = context.ports.clock.sleep(live.delayMs, backOff.signal).then(() =>
    live.serial.run(async () => {
      if (live.backOff === backOff && context.open()) await startNow(context, live);
    }),
  );
  context.background(`the restart of container ${live.record.name}`, restarted);
}
