/**
 * The end of a container's first process: what the plan made is undone, the record says how it
 * ended, whoever waits is told. Its restart policy may want it back; `--rm` removes it.
 */
import { formatTime, parseTime } from "../base/time.ts";
import type { ContainerRecord } from "../container/record.ts";
import { nextDelayMs, restartsAfter } from "../container/restart.ts";
import { after } from "../container/state.ts";
import { dropPending } from "./attach.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import type { TaskExit } from "./machine.ts";
import { removeNow } from "./remove.ts";
import { emitMounts } from "./volumes.ts";

/** The exit code of a container whose end nobody saw: its monitor died, or the machine went down (as dockerd does). */
export const unknownExitCode = 255;

/** Inside a job of the container's serial. "restart": the policy wants it back after live.delayMs. */
export async function finish(context: Context, live: Live, exit: TaskExit | "lost"): Promise<"restart" | "done"> {
  live.task = null;
  const oomKilled = (await oomKills(context, live)) > 0;
  const ended = endedRecord(context, live.record, exit, oomKilled);
  const restarts = restartsAfter(ended.hostConfig.restartPolicy, ended) && context.open();
  const removes = ended.hostConfig.autoRemove && !live.keep;
  // Nothing but the ended process used its layer: it can go while the cgroups do.
  await Promise.all([undo(context, live), removes ? discard(context, live) : undefined]);
  live.record = restarts ? restarting(live, ended) : ended;
  // A record that is not written loses nothing: the exit file still says how it ended.
  if (!removes) await context.attempt("writing a record", context.records.save(live.record));
  tell(context, live, exit);
  if (restarts) return "restart";
  dropPending(live);
  if (removes) await removeNow(context, live, { volumes: true, discarded: true });
  return "done";
}

/** What another boot of the machine made is gone with it. */
async function undo(context: Context, { record }: Live): Promise<void> {
  if (record.undo === null || record.bootId !== context.bootId) return;
  await context.attempt(`undoing container ${record.name}`, context.machine.carryOut(record.undo));
}

async function discard(context: Context, { record }: Live): Promise<void> {
  await context.attempt(`discarding the layer of ${record.name}`, context.machine.layers.discard(record.id));
}

async function oomKills(context: Context, { record }: Live): Promise<number> {
  if (record.plan === null || record.bootId !== context.bootId) return 0;
  return context.machine.oomKills(record.plan).catch(() => 0);
}

function endedRecord(
  context: Context,
  record: ContainerRecord,
  exit: TaskExit | "lost",
  oomKilled: boolean,
): ContainerRecord {
  const lost = exit === "lost";
  return {
    ...record,
    state: after(record.state, "exit"),
    pid: 0,
    exitCode: lost ? unknownExitCode : exit.code,
    oomKilled,
    finishedAt: formatTime(lost ? context.ports.clock.now() : exit.at),
    undo: null,
  };
}

function restarting(live: Live, ended: ContainerRecord): ContainerRecord {
  const up = (parseTime(ended.finishedAt) ?? 0n) - (parseTime(ended.startedAt) ?? 0n);
  live.delayMs = nextDelayMs(live.delayMs, Number(up / 1_000_000n));
  return { ...ended, state: after(ended.state, "back-off"), restartCount: ended.restartCount + 1 };
}

function tell(context: Context, live: Live, exit: TaskExit | "lost"): void {
  const { exitCode, oomKilled } = live.record;
  if (oomKilled) emit(context, live, "oom");
  const signal = exit !== "lost" && exit.signal !== 0 ? { signal: String(exit.signal) } : {};
  emit(context, live, "die", { exitCode: String(exitCode), ...signal });
  emitMounts(context, live, "unmount");
  live.waits.tellExit({ code: exitCode, error: null });
}
