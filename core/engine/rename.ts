/** Renaming a container (moby: daemon/rename.go). */
import { TsboxError } from "../base/error.ts";
import { parseName } from "../container/names.ts";
import { allow } from "../container/state.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";

export function rename(context: Context, live: Live, asked: string): Promise<void> {
  return live.serial.run(async () => {
    const before = live.record;
    allow("rename", before);
    const name = parseName(asked);
    if (name === before.name)
      throw new TsboxError("invalid", "Renaming a container with the same name as its current name");
    context.containers.reserve(name, before.id);
    try {
      await context.records.save({ ...before, name });
    } catch (error) {
      context.containers.release(name);
      throw error;
    }
    context.containers.release(before.name);
    live.record = { ...live.record, name };
    emit(context, live, "rename", { oldName: `/${before.name}` });
  });
}
