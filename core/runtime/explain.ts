/**
 * A plan in words: one step for each op, host steps and child steps in the order they are
 * performed, with what happens and why, the system calls, and the manual page.
 */
import { explainOp } from "./ops.ts";
import type { Explanation, SystemCall } from "./ops/row.ts";
import type { OpKind, Plan } from "./plan.ts";

export interface PlanStep extends Explanation {
  /** "3" for a host step, "7.12" for step 12 of the spawn that is step 7. */
  readonly step: string;
  readonly op: OpKind;
}

export function explainPlan(plan: Plan): PlanStep[] {
  return plan.steps.flatMap((op, index): PlanStep[] => {
    const own = { step: String(index), op: op.op, ...explainOp(op) };
    if (op.op !== "spawn") return [own];
    const user = op.create.includes("user");
    return [own, ...op.child.map((inner, at) => ({ step: `${index}.${at}`, op: inner.op, ...explainOp(inner, user) }))];
  });
}

/** For a terminal: the sentence, and beneath it the calls. Ends in a newline. */
export function formatExplanation(steps: readonly PlanStep[]): string {
  const width = Math.max(0, ...steps.map(({ step }) => step.length));
  return steps.map((step) => formatStep(step, width)).join("");
}

function noteOf({ when, by }: SystemCall): string {
  const notes = [
    ...(by === undefined ? [] : [`by the ${by}, before the child is born`]),
    ...(when === undefined ? [] : [when]),
  ];
  return notes.length === 0 ? "" : `  # ${notes.join(", ")}`;
}

function formatStep({ step, sentence, syscalls, man }: PlanStep, width: number): string {
  const margin = " ".repeat(width + 2);
  const calls = syscalls.map((call) => `${margin}  ${call.text}${noteOf(call)}\n`);
  return `${step.padEnd(width)}  ${sentence}  [${man}]\n${calls.join("")}`;
}
