/** Changing the limits and the restart policy of a container that exists (moby: daemon/update.go). */
import { Errno, type ErrnoName } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import type { HostConfig } from "../container/config.ts";
import type { Resources } from "../runtime/resources.ts";
import { checkLimits, mergedLimits } from "../container/limits.ts";
import type { ContainerRecord } from "../container/record.ts";
import { checkRestartPolicy } from "../container/restart.ts";
import { isUp } from "../container/state.ts";
import { limitSteps } from "../runtime/cgroups.ts";
import { PlanError } from "../runtime/plan-error.ts";
import { type Context, emit } from "./context.ts";
import type { UpdateRequest } from "./engine.ts";
import type { Live } from "./live.ts";

/** Throws invalid or conflict for what makes no sense, failed for what the kernel refuses: nothing is changed then. */
export function update(context: Context, live: Live, request: UpdateRequest): Promise<void> {
  return live.serial.run(async () => {
    const next = changed(context, live.record, request);
    await limit(context, live, next);
    live.record = { ...live.record, hostConfig: next };
    await context.records.save(live.record);
    emit(context, live, "update");
  });
}

function changed(context: Context, { id, hostConfig: host }: ContainerRecord, request: UpdateRequest): HostConfig {
  const { resources, restartPolicy } = request;
  if (restartPolicy !== null && host.autoRemove)
    throw cannotUpdate(
      id,
      new TsboxError("invalid", "Restart policy cannot be updated because AutoRemove is enabled for the container"),
    );
  checkLimits({ ...host, resources }, context.machine.traits.processors);
  if (restartPolicy !== null) checkRestartPolicy(restartPolicy, host.autoRemove);
  return {
    ...host,
    resources: merged(id, host.resources, resources),
    restartPolicy: restartPolicy ?? host.restartPolicy,
  };
}

function merged(id: string, before: Resources, asked: Resources): Resources {
  try {
    return mergedLimits(before, asked);
  } catch (thrown) {
    throw thrown instanceof TsboxError ? cannotUpdate(id, thrown) : thrown;
  }
}

function cannotUpdate(id: string, cause: TsboxError): TsboxError {
  return new TsboxError(cause.code, `Cannot update container ${id}: ${cause.message}`, cause.data, { cause });
}

/** A container that does not run gets its limits when it starts. */
async function limit(context: Context, { record }: Live, next: HostConfig): Promise<void> {
  if (!isUp(record.state) || record.plan === null) return;
  const { machine } = context;
  try {
    const limits = { before: record.hostConfig.resources, after: next.resources };
    await machine.carryOut({ steps: limitSteps(record.plan, machine.traits, limits) });
  } catch (thrown) {
    if (!(thrown instanceof PlanError)) throw thrown;
    const { errno, path } = thrown.failure;
    const { message } = new Errno(errno as ErrnoName, path);
    throw cannotUpdate(record.id, new TsboxError("failed", message, { errno, path }, { cause: thrown }));
  }
}
