/** What inspect reads out of a container's plan: the plan is the only description of what is performed. */
import type { ContainerRecord } from "../../core/container/record.ts";
import type { ChildOp, Overlay } from "../../core/runtime/plan.ts";

/** Null until the container was started once. */
export function maskedPathsOf(record: ContainerRecord): string[] | null {
  return pathsOf(record, "mask");
}

/** Null until the container was started once. The root itself is told by ReadonlyRootfs. */
export function readonlyPathsOf(record: ContainerRecord): string[] | null {
  return pathsOf(record, "readonly")?.filter((path) => path !== "/") ?? null;
}

export function overlayOf(record: ContainerRecord): Overlay | null {
  return childOps(record)?.find((op) => op.op === "overlay") ?? null;
}

function pathsOf(record: ContainerRecord, kind: "mask" | "readonly"): string[] | null {
  const ops = childOps(record);
  return ops === null ? null : ops.flatMap((op) => (op.op === kind ? [op.path] : []));
}

function childOps(record: ContainerRecord): readonly ChildOp[] | null {
  const last = record.plan?.steps.at(-1);
  return last?.op === "spawn" ? last.child : null;
}
