/** A plan that failed at one step: which, what the kernel said, on what path. */
import type { PlanFailure } from "./plan.ts";

export class PlanError extends Error {
  override readonly name = "PlanError";
  readonly failure: PlanFailure;

  constructor(failure: PlanFailure) {
    super(`step ${failure.step} (${failure.op})${failure.path === "" ? "" : ` on ${failure.path}`}: ${failure.errno}`);
    this.failure = failure;
  }
}
