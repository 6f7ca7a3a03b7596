/** Pausing: the freezer stops all processes of a container's control group; they do not notice. */
import { after, allow } from "../container/state.ts";
import { freezeSteps } from "../runtime/cgroups.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";

/** Throws TsboxError "conflict" for one that does not run or is paused, "unsupported" without a freezer. */
export function pause(context: Context, live: Live): Promise<void> {
  return change(context, live, "pause");
}

export function unpause(context: Context, live: Live): Promise<void> {
  return change(context, live, "unpause");
}

function change(context: Context, live: Live, event: "pause" | "unpause"): Promise<void> {
  return live.serial.run(async () => {
    allow(event, live.record);
    await freeze(context, live, event === "pause");
    live.record = { ...live.record, state: after(live.record.state, event) };
    await context.attempt("writing a record", context.records.save(live.record));
    emit(context, live, event);
  });
}

async function freeze(context: Context, { record }: Live, frozen: boolean): Promise<void> {
  if (record.plan !== null)
    await context.machine.carryOut({ steps: freezeSteps(record.plan, context.machine.traits, frozen) });
}

/**
 * Inside a job of the container's serial: a frozen process takes no signal, also none that ends it, before it is let
 * go. One that was meant to end a paused container therefore unpauses it (moby: daemon/kill.go).
 */
export async function thaw(context: Context, live: Live): Promise<void> {
  if (live.record.state !== "paused") return;
  await freeze(context, live, false);
  live.record = { ...live.record, state: after("paused", "unpause") };
  emit(context, live, "unpause");
}
