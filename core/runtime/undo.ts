/**
 * The inverse of a plan, found before the plan is performed and kept in the container's record:
 * whatever happens next, it says what to take away. It is a plan of host steps, safe to carry out
 * twice and safe to carry out on what was never made.
 *
 * A container's mounts and namespaces end with its last process, so the inverse of `spawn` is the
 * end of every process in a cgroup that this plan made. Parents of cgroups are shared and stay.
 */
import type { Cgroup, HostOp, Plan } from "./plan.ts";
import { undoOp } from "./ops.ts";

/** Host steps in reverse order: first the processes end, then what they were in goes. */
export function undo(plan: Plan): Plan {
  const own = ownCgroups(plan);
  return { steps: plan.steps.toReversed().flatMap((step) => undoStep(step, own)) };
}

function undoStep(step: HostOp, own: readonly Cgroup[]): HostOp[] {
  if (step.op === "spawn") return kill(own);
  if (step.op === "cgroup.make" && !own.includes(step.cgroup)) return [];
  const inverse = undoOp(step);
  return inverse === null ? [] : [inverse];
}

/** Those made by the plan which are no other's parent. */
function ownCgroups(plan: Plan): Cgroup[] {
  const made = plan.steps.flatMap((step) => (step.op === "cgroup.make" ? [step.cgroup] : []));
  return made.filter((cgroup) => !made.some((other) => isParent(cgroup, other)));
}

function isParent(cgroup: Cgroup, other: Cgroup): boolean {
  return cgroup.mount === other.mount && other.path.startsWith(`${cgroup.path}/`);
}

/** Any hierarchy knows all of the container's processes; v2 can kill them in one write, even frozen ones. */
function kill(own: readonly Cgroup[]): HostOp[] {
  const cgroup =
    own.find(({ controller }) => controller === "unified") ??
    own.find(({ controller }) => controller === "freezer") ??
    own[0];
  return cgroup === undefined ? [] : [{ op: "cgroup.kill", cgroup }];
}
