/**
 * After a restart of the engine: what the earlier one left is read, and every record is made true
 * again. A task that still runs is taken over; one that ended meanwhile is finished now; a start
 * that was cut off is undone. Directories without a record are removed.
 */
import { parseTime, zeroTime } from "../base/time.ts";
import type { ContainerRecord } from "../container/record.ts";
import { filesOf } from "../container/records.ts";
import { startsWithEngine } from "../container/restart.ts";
import { isUp } from "../container/state.ts";
import type { ContainerId } from "../base/brand.ts";
import type { Context } from "./context.ts";
import { finish } from "./exit.ts";
import { Live } from "./live.ts";
import { removeNow } from "./remove.ts";
import { restartLater, start, watch } from "./start.ts";

export async function recover(context: Context): Promise<void> {
  const { records, rubbish, unreadable } = await context.records.load();
  for (const error of unreadable) await context.attempt("reading a container", Promise.reject(error));
  await Promise.all(rubbish.map((id) => cleanUp(context, id)));
  const oldestFirst = [...records].sort((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
  const all = oldestFirst.map((record) => register(context, record));
  await Promise.all(all.map((live) => live.serial.run(() => settle(context, live))));
  for (const live of all) if (context.containers.has(live)) restartWithEngine(context, live);
}

function createdAt(record: ContainerRecord): bigint {
  return parseTime(record.createdAt) ?? 0n;
}

async function cleanUp(context: Context, id: ContainerId): Promise<void> {
  await context.attempt("discarding a layer", context.machine.layers.discard(id));
  const { directory } = filesOf(context.machine.disk.dataRoot, id);
  await context.attempt("removing a directory", context.machine.disk.remove(directory));
}

function register(context: Context, record: ContainerRecord): Live {
  const live = new Live(record);
  context.containers.reserve(record.name, record.id);
  context.containers.add(live);
  return live;
}

async function settle(context: Context, live: Live): Promise<void> {
  const { state, hostConfig } = live.record;
  if (isUp(state)) await takeOver(context, live);
  else if (hostConfig.autoRemove && live.record.startedAt !== zeroTime)
    await context.attempt("removing a container", removeNow(context, live, { volumes: true }));
}

/** A start that was cut off before its program ran counts as lost: the machine ends it. */
async function takeOver(context: Context, live: Live): Promise<void> {
  const found = await context.machine.recover({ container: live.record.id, exec: null });
  if (found === "lost" || "code" in found) {
    if ((await finish(context, live, found)) === "restart") restartLater(context, live);
    return;
  }
  live.task = found;
  live.record = { ...live.record, pid: found.pid };
  watch(context, live, found);
}

/** Those that the policy wants up and that do not run: the engine was stopped, or the machine. */
function restartWithEngine(context: Context, live: Live): void {
  const { state, hostConfig, startedAt } = live.record;
  if (state === "restarting") return live.backOff === null ? restartLater(context, live) : undefined;
  const wanted = startsWithEngine(hostConfig.restartPolicy, live.record, startedAt !== zeroTime);
  if (state === "exited" && wanted) context.background(`the start of ${live.record.name}`, start(context, live));
}
