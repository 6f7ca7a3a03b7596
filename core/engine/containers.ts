/** The containers as the engine's callers see them: each call finds its container and hands it to its use case. */
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import { allow } from "../container/state.ts";
import { attach } from "./attach.ts";
import { type Context, emit } from "./context.ts";
import { create } from "./create.ts";
import { diff } from "./diff.ts";
import type { Containers } from "./engine.ts";
import { exportFiles } from "./export.ts";
import { readArchive, statPath, writeArchive } from "./files.ts";
import type { Live } from "./live.ts";
import { logs } from "./logs.ts";
import { pause, unpause } from "./pause.ts";
import { planFor } from "./plan-for.ts";
import { remove } from "./remove.ts";
import { rename } from "./rename.ts";
import { restart } from "./restart.ts";
import { start } from "./start.ts";
import { kill, stop } from "./stop.ts";
import { top } from "./top.ts";
import { update } from "./update.ts";
import { usage } from "./usage.ts";
import { wait } from "./wait.ts";

export function containersOf(context: Context): Containers {
  const find = (ref: string): Live => context.containers.resolve(ref);
  return {
    create: (request) => create(context, request),
    start: async (ref) => start(context, find(ref)),
    stop: async (ref, options) => stop(context, find(ref), options),
    restart: async (ref, options) => restart(context, find(ref), options),
    kill: async (ref, signal) => kill(context, find(ref), signal),
    pause: async (ref) => pause(context, find(ref)),
    unpause: async (ref) => unpause(context, find(ref)),
    update: async (ref, request) => update(context, find(ref), request),
    usage: async (ref) => usage(context, find(ref)),
    top: async (ref, options) => top(context, find(ref), options),
    remove: async (ref, options) => remove(context, find(ref), options),
    rename: async (ref, name) => rename(context, find(ref), name),
    resize: async (ref, rows, columns) => resize(context, find(ref), rows, columns),
    list: async () => context.containers.list().map(({ record }) => record),
    get: async (ref) => find(ref).record,
    wait: async (ref, condition) => wait(find(ref), condition),
    attach: async (ref, options) => attach(context, find(ref), options),
    logs: async (ref, options) => logs(context, find(ref), options),
    diff: async (ref) => diff(context, find(ref)),
    export: (ref) => exportFiles(context, find(ref)),
    statPath: async (ref, path) => statPath(context, find(ref), path),
    readArchive: async (ref, path) => readArchive(context, find(ref), path),
    writeArchive: async (ref, path, tar, options) => writeArchive(context, find(ref), path, tar, options),
    plan: async (ref) => {
      const { record } = find(ref);
      return record.plan ?? (await planFor(context, record)).plan;
    },
  };
}

async function resize(context: Context, live: Live, rows: number, columns: number): Promise<void> {
  if (live.task === null) allow("resize", live.record);
  try {
    await live.task?.resize(rows, columns);
  } catch (error) {
    if (error instanceof Errno && error.errno === "ESRCH")
      throw new TsboxError("conflict", `container ${live.record.id} is not running`);
    throw error;
  }
  emit(context, live, "resize", { height: String(rows), width: String(columns) });
}
