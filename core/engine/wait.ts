/** Waiting for a container's end (moby: api/server/router/container postContainersWait). */
import { isUp } from "../container/state.ts";
import type { WaitCondition, WaitResult } from "./engine.ts";
import type { Live } from "./live.ts";

/** Registered when it returns. */
export function wait(live: Live, condition: WaitCondition): { exit: Promise<WaitResult> } {
  switch (condition) {
    case "removed":
      return { exit: live.waits.removal() };
    case "next-exit":
      return { exit: live.waits.nextExit() };
    case "not-running":
      return {
        exit: runs(live) ? live.waits.nextExit() : Promise.resolve({ code: live.record.exitCode, error: null }),
      };
  }
}

function runs({ record }: Live): boolean {
  return isUp(record.state) || record.state === "restarting";
}
