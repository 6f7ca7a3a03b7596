/** Restarting at the user's wish: stop, if it runs, and start. `--rm` does not take it away in between. */
import { isUp } from "../container/state.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import { start } from "./start.ts";
import { stop, type StopOptions } from "./stop.ts";

export async function restart(context: Context, live: Live, options: StopOptions): Promise<void> {
  live.keep = true;
  try {
    if (isUp(live.record.state) || live.record.state === "restarting") await stop(context, live, options);
  } finally {
    live.keep = false;
  }
  await start(context, live);
  emit(context, live, "restart");
}
