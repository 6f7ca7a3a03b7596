/** Pausing: the freezer stops all processes of a container's control group; they do not notice. */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import { after, allow } from "../container/state.ts";
import { frozenMark, freezeSteps } from "../runtime/cgroups.ts";
import type { Plan } from "../runtime/plan.ts";
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
  const { machine } = context;
  if (record.plan === null) return;
  await machine.carryOut({ steps: freezeSteps(record.plan, machine.traits, frozen) });
  if (!frozen || (await comesToRest(context, record.plan))) return;
  await machine.carryOut({ steps: freezeSteps(record.plan, machine.traits, false) });
  throw new TsboxError(
    "failed",
    `cannot pause container ${record.name}: a process of it does not come to rest: it waits for the kernel`,
  );
}

/** Freezing takes as long as its slowest process takes to come out of the kernel. */
const patienceMs = 10_000;

async function comesToRest({ machine, ports }: Context, plan: Plan): Promise<boolean> {
  const mark = frozenMark(plan, machine.traits);
  for (let waitedMs = 0, ms = 1; mark !== null && waitedMs < patienceMs; waitedMs += ms, ms = Math.min(2 * ms, 100)) {
    const text = decodeBytes(await machine.disk.read(mark.file as HostPath));
    if (text.split("\n").includes(mark.line)) return true;
    await ports.clock.sleep(ms);
  }
  return mark === null;
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
