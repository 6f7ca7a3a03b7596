import type { Plan } from "./plan.ts";

export function checkPlan(_plan: Plan): void {}
