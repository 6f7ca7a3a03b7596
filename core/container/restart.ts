/**
 * Restart policies (moby: restartmanager): whether a container that ended starts again, and after
 * how long. The delay begins at 100 ms, doubles with each end up to a minute, and begins anew
 * once the container has stayed up for ten seconds.
 */
import { TsboxError } from "../base/error.ts";
import type { RestartPolicy } from "./config.ts";

const firstDelayMs = 100;
const longestDelayMs = 60_000;
const longEnoughMs = 10_000;

export interface Ending {
  readonly exitCode: number;
  readonly restartCount: number;
  /** The user stopped or killed it. */
  readonly stoppedByUser: boolean;
}

export function restartsAfter(policy: RestartPolicy, ending: Ending): boolean {
  if (ending.stoppedByUser) return false;
  switch (policy.name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure": {
      const limit = policy.maximumRetryCount;
      return ending.exitCode !== 0 && (limit === 0 || ending.restartCount < limit);
    }
  }
}

/** Whether a container that does not run is started when the engine opens: "always" forgets that the user stopped it. */
export function startsWithEngine(policy: RestartPolicy, ending: Ending, hasRun: boolean): boolean {
  if (!hasRun) return false;
  return restartsAfter(policy, policy.name === "always" ? { ...ending, stoppedByUser: false } : ending);
}

/** How long to wait, from the delay before (0: there was none) and how long it was up. */
export function nextDelayMs(previousMs: number, upMs: number): number {
  if (previousMs === 0 || upMs >= longEnoughMs) return firstDelayMs;
  return Math.min(previousMs * 2, longestDelayMs);
}

/** Throws TsboxError "invalid" in docker's words. */
export function checkRestartPolicy(policy: RestartPolicy, autoRemove: boolean): void {
  if (policy.maximumRetryCount < 0)
    throw new TsboxError("invalid", "invalid restart policy: maximum retry count cannot be negative");
  if (policy.maximumRetryCount > 0 && policy.name !== "on-failure")
    throw new TsboxError("invalid", "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  if (autoRemove && policy.name !== "no")
    throw new TsboxError("invalid", "can't create 'AutoRemove' container with restart policy");
}
