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
  const { plan, bootId } = live.record;
  const sameBoot = bootId === context.bootId;
  live.task = null;
  const oomKilled = plan !== null && sameBoot && (await oomKills(context, live)) > 0;
  if (live.record.undo !== null && sameBoot)
    await context.attempt(`undoing container ${live.record.name}`, context.machine.carryOut(live.record.undo));
  const ended = endedRecord(context, live.record, exit, oomKilled);
  const restarts = restartsAfter(ended.hostConfig.restartPolicy, ended) && context.open();
  live.record = restarts ? restarting(live, ended) : ended;
  return told(context, live, exit, restarts);
}

async function oomKills(context: Context, live: Live): Promise<number> {
  if (live.record.plan === null) return 0;
  return context.machine.oomKills(live.record.plan).catch(() => 0);
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

/** A record that is not written loses nothing: the exit file on disk still says how it ended. */
async function told(
  context: Context,
  live: Live,
  exit: TaskExit | "lost",
  restarts: boolean,
): Promise<"restart" | "done"> {
  const { exitCode, hostConfig, oomKilled } = live.record;
  const removes = hostConfig.autoRemove && !live.keep;
  if (!removes) await context.attempt("writing a record", context.records.save(live.record));
  if (oomKilled) emit(context, live, "oom");
  const signal = exit !== "lost" && exit.signal !== 0 ? { signal: String(exit.signal) } : {};
  emit(context, live, "die", { exitCode: String(exitCode), ...signal });
  emitMounts(context, live, "unmount");
  live.waits.tellExit({ code: exitCode, error: null });
  if (restarts) return "restart";
  dropPending(live);
  if (removes) await removeNow(context, live, { volumes: true });
  return "done";
}
