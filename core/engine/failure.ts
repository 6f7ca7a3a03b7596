/**
 * A start that failed, told to the user. A program that cannot be executed is the user's affair and
 * ends in exit code 126 or 127, with the words scripts look for (runc's); every other step names
 * itself, what it was about and what the kernel said.
 */
import { Errno, errnoText, type ErrnoName } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import { explainPlan } from "../runtime/explain.ts";
import { PlanError } from "../runtime/plan-error.ts";
import type { Plan, PlanFailure } from "../runtime/plan.ts";

/** What `docker run` reports of a start that failed before any program ran. */
export const failedStartCode = 128;

/** `what` begins the sentence: "cannot start container x". */
export function startFailure(what: string, error: unknown, plan: Plan | null, argv0: string): unknown {
  if (error instanceof PlanError) return planFailure(what, error, plan, argv0);
  if (error instanceof Errno) return new TsboxError("failed", `${what}: ${error.message}`, {}, { cause: error });
  return error;
}

function planFailure(what: string, error: PlanError, plan: Plan | null, argv0: string): TsboxError {
  const { failure } = error;
  const cannot = cannotExecute(failure, argv0);
  if (cannot !== null)
    return new TsboxError("cannot-start", `${what}: ${cannot.text}`, { exitCode: cannot.code }, { cause: error });
  const data = { step: failure.step, op: failure.op, errno: failure.errno, path: failure.path };
  return new TsboxError("failed", `${what}: ${stepText(failure, plan)}`, data, { cause: error });
}

/** The exit code of an error that kept a program from starting. */
export function exitCodeOf(error: unknown): number {
  const code = error instanceof TsboxError ? error.data["exitCode"] : undefined;
  return typeof code === "number" ? code : failedStartCode;
}

function cannotExecute({ op, errno, path }: PlanFailure, argv0: string): { text: string; code: number } | null {
  if (op === "directory.enter" && (errno === "EACCES" || errno === "ENOTDIR" || errno === "ENOENT"))
    return { text: `chdir to cwd ("${path}"): ${textOf(errno)}`, code: errno === "ENOENT" ? 127 : 126 };
  if (op !== "exec") return null;
  const program = `exec: "${argv0}"`;
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      if (!argv0.includes("/")) return { text: `${program}: executable file not found in $PATH`, code: 127 };
      return { text: `${program}: stat ${argv0}: ${textOf(errno)}`, code: errno === "ENOENT" ? 127 : 126 };
    case "EACCES":
      return {
        text: `${program}: ${textOf(errno)}: it is a directory, or nobody may execute it (chmod +x)`,
        code: 126,
      };
    default:
      return { text: `${program}: ${textOf(errno)}`, code: 126 };
  }
}

function textOf(errno: string): string {
  return errnoText(errno as ErrnoName).toLowerCase();
}

function stepText({ step, op, errno, path }: PlanFailure, plan: Plan | null): string {
  const sentence = plan === null ? undefined : explainPlan(plan).find((row) => row.step === step)?.sentence;
  const where = path === "" ? "" : ` on ${path}`;
  const which = `step ${step} (${op})${where} failed: ${textOf(errno)}`;
  return sentence === undefined ? which : `${which}; the step: ${sentence}`;
}
