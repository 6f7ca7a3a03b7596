/**
 * Removing a container. Its record goes first: from then on it does not exist, and what a crash
 * leaves of it is cleaned up at the next opening.
 */
import { messageOf, TsboxError } from "../base/error.ts";
import { filesOf } from "../container/records.ts";
import { after, allow } from "../container/state.ts";
import { dropPending } from "./attach.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import { killHard } from "./stop.ts";
import { removeAnonymous } from "./volumes.ts";

export async function remove(
  context: Context,
  live: Live,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const forced = options.force && live.record.state !== "removing";
  if (forced) await killHard(context, live);
  await live.serial.run(async () => {
    if (forced && !context.containers.has(live)) return;
    if (!(forced && live.record.state === "restarting")) allow("remove", live.record);
    await removeNow(context, live, options);
  });
}

/** Inside a job of the container's serial; no process of it runs. `discarded`: its layer is gone already. */
export async function removeNow(
  context: Context,
  live: Live,
  { volumes, discarded = false }: { volumes: boolean; discarded?: boolean },
): Promise<void> {
  const { id, name } = live.record;
  live.record = { ...live.record, state: after(live.record.state, "remove") };
  live.backOff?.abort();
  live.backOff = null;
  dropPending(live);
  try {
    await context.records.forget(id);
    if (!discarded) await context.machine.layers.discard(id);
    await context.machine.disk.remove(filesOf(context.machine.disk.dataRoot, id).directory);
  } catch (error) {
    const message = `unable to remove container ${name}: ${messageOf(error)}`;
    live.record = { ...live.record, state: after(live.record.state, "remove-failed"), error: message };
    live.waits.tellRemoval({ code: live.record.exitCode, error: message });
    throw new TsboxError("failed", message, {}, { cause: error });
  }
  context.containers.remove(live);
  if (volumes) await removeAnonymous(context, live.record.mounts);
  await context.attempt("removing unused layers", context.images.collect());
  emit(context, live, "destroy");
  live.waits.tellRemoval({ code: live.record.exitCode, error: null });
}
