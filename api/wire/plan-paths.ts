/** What inspect reads out of a container's plan: the plan is the only description of what is performed. */
import type { ContainerRecord } from "../../core/container/record.ts";
import { defaultMaskedPaths, defaultReadonlyPaths } from "../../core/runtime/default-spec.ts";
import type { ChildOp, Overlay } from "../../core/runtime/plan.ts";

/** What was masked by the last start; before the first one, what will be. */
export function maskedPathsOf(record: ContainerRecord): readonly string[] {
  return pathsOf(record, "mask") ?? (record.hostConfig.privileged ? [] : defaultMaskedPaths);
}

/** As maskedPathsOf. The root itself is told by ReadonlyRootfs. */
export function readonlyPathsOf(record: ContainerRecord): readonly string[] {
  const performed = pathsOf(record, "readonly")?.filter((path) => path !== "/");
  return performed ?? (record.hostConfig.privileged ? [] : defaultReadonlyPaths);
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
