/**
 * Ending a container's program: stop asks with its stop signal and kills when it does not listen,
 * kill sends what it is told. The waiting is outside the container's serial, where its end is dealt with.
 */
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import type { Clock } from "../base/ports.ts";
import { parseSignal, SIGKILL, SIGTERM } from "../container/signal.ts";
import { after, allow, isUp } from "../container/state.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import { thaw } from "./pause.ts";

const defaultTimeoutSeconds = 10;
/** A process that SIGKILL has not ended by then hangs in the kernel. */
const killTimeoutSeconds = 10;

export interface StopOptions {
  /** Negative: wait for ever; null: the container's own. */
  readonly timeoutSeconds: number | null;
  readonly signal: string | null;
}

export async function stop(context: Context, live: Live, options: StopOptions): Promise<void> {
  const signal = parseStopSignal(live, options.signal);
  const sent = await live.serial.run(async () => {
    allow("stop", live.record);
    if (live.record.state === "restarting") return giveUp(context, live);
    return deliver(context, live, signal, true);
  });
  if (sent === null) return;
  const seconds = options.timeoutSeconds ?? live.record.config.stopTimeoutSeconds ?? defaultTimeoutSeconds;
  if (!(await endsWithin(context.ports.clock, seconds, sent.exit))) await killHard(context, live);
  emit(context, live, "stop");
}

function parseStopSignal(live: Live, asked: string | null): number {
  const name = asked ?? live.record.config.stopSignal;
  return name === null || name === "" ? SIGTERM : parseSignal(name);
}

/** Stopped while it waits for its restart: it stays down. */
async function giveUp(context: Context, live: Live): Promise<null> {
  live.backOff?.abort();
  live.backOff = null;
  live.record = { ...live.record, state: after(live.record.state, "give-up"), stoppedByUser: true };
  await context.attempt("writing a record", context.records.save(live.record));
  live.waits.tellExit({ code: live.record.exitCode, error: null });
  emit(context, live, "stop");
  return null;
}

export async function kill(context: Context, live: Live, name: string): Promise<void> {
  const signal = parseSignal(name);
  const meantToEnd = signal === SIGKILL || signal === parseStopSignal(live, null);
  const { exit } = await live.serial.run(async () => {
    refuse("kill", live);
    return deliver(context, live, signal, meantToEnd);
  });
  if (signal === SIGKILL) await mustEnd(context, live, exit);
}

/** The API says which container could not be killed; the table only why. */
function refuse(operation: "kill", live: Live): void {
  try {
    allow(operation, live.record);
  } catch (error) {
    if (!(error instanceof TsboxError)) throw error;
    throw new TsboxError(error.code, `cannot kill container: ${live.record.name}: ${error.message}`);
  }
}

/** Kills whatever runs, and returns when its end was dealt with. Nothing running is fine. */
export async function killHard(context: Context, live: Live): Promise<void> {
  const sent = await live.serial.run(async () =>
    isUp(live.record.state) ? deliver(context, live, SIGKILL, true) : null,
  );
  if (sent !== null) await mustEnd(context, live, sent.exit);
}

/** Inside a job of the container's serial. A process that ended a moment ago needs no signal. */
async function deliver(
  context: Context,
  live: Live,
  signal: number,
  meantToEnd: boolean,
): Promise<{ exit: Promise<unknown> }> {
  if (meantToEnd) live.record = { ...live.record, stoppedByUser: true };
  const exit = live.waits.nextExit();
  try {
    await live.task?.signal(signal);
    if (meantToEnd) await thaw(context, live);
  } catch (error) {
    if (!(error instanceof Errno && error.errno === "ESRCH")) throw error;
  }
  emit(context, live, "kill", { signal: String(signal) });
  return { exit };
}

async function mustEnd(context: Context, live: Live, exit: Promise<unknown>): Promise<void> {
  if (await endsWithin(context.ports.clock, killTimeoutSeconds, exit)) return;
  throw new TsboxError(
    "failed",
    `container ${live.record.name} was sent SIGKILL and did not end: a process of it hangs in the kernel`,
  );
}

async function endsWithin(clock: Clock, seconds: number, exit: Promise<unknown>): Promise<boolean> {
  if (seconds < 0) return exit.then(() => true);
  const ended = new AbortController();
  const inTime = exit.then(() => true);
  const late = clock.sleep(seconds * 1000, ended.signal).then(() => false);
  const result = await Promise.race([inTime, late]);
  ended.abort();
  return result;
}
