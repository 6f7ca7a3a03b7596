/**
 * Seccomp profiles: which system calls a container may make. A profile is data in the shape of the
 * OCI runtime-spec's `linux.seccomp`, already narrowed to the container's capabilities; the
 * machine that performs the plan turns it into a filter.
 */
import { unreachable } from "../base/assert.ts";

export type SeccompAction = "allow" | "errno" | "kill" | "log";

export interface SeccompArgument {
  readonly index: number;
  readonly operator: "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "masked-eq";
  /** Compared unsigned, as 64 bits. A number, not a bigint: plans are kept and sent as JSON. */
  readonly value: number;
  /** The mask of "masked-eq". */
  readonly mask?: number;
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** The errno of action "errno". */
  readonly errno?: number;
  readonly arguments?: readonly SeccompArgument[];
}

export interface SeccompProfile {
  /** "default", or the name of the file it was read from: what explain prints. */
  readonly name: string;
  readonly defaultAction: SeccompAction;
  readonly defaultErrno: number;
  readonly rules: readonly SeccompRule[];
}

export interface SeccompOutcome {
  readonly action: SeccompAction;
  /** Of action "errno", otherwise 0. */
  readonly errno: number;
}

/**
 * What a profile means for one system call: the first rule for the name without conditions on
 * arguments, wherever it stands; else the first whose conditions all hold; else the default. (So
 * libseccomp has it, whose filters Docker's users know.)
 */
export function seccompOutcome(profile: SeccompProfile, name: string, args: readonly bigint[]): SeccompOutcome {
  const rules = decidingRules(profile.rules.filter(({ names }) => names.includes(name)));
  const rule = rules.find((one) => (one.arguments ?? []).every((argument) => holds(argument, args)));
  return rule === undefined ? outcome(profile.defaultAction, profile.defaultErrno) : outcome(rule.action, rule.errno);
}

/** Of all rules for one system call those that decide: one without conditions, or several with. */
export function decidingRules(rules: readonly SeccompRule[]): readonly SeccompRule[] {
  const unconditional = rules.find((rule) => (rule.arguments?.length ?? 0) === 0);
  return unconditional === undefined ? rules : [unconditional];
}

const EPERM = 1;

function outcome(action: SeccompAction, errno = EPERM): SeccompOutcome {
  return { action, errno: action === "errno" ? errno : 0 };
}

function holds({ index, operator, value, mask = 0 }: SeccompArgument, args: readonly bigint[]): boolean {
  const actual = BigInt.asUintN(64, args[index] ?? 0n);
  const expected = BigInt(value);
  switch (operator) {
    case "eq":
      return actual === expected;
    case "ne":
      return actual !== expected;
    case "lt":
      return actual < expected;
    case "le":
      return actual <= expected;
    case "gt":
      return actual > expected;
    case "ge":
      return actual >= expected;
    case "masked-eq":
      return (actual & BigInt(mask)) === expected;
    default:
      return unreachable(operator);
  }
}
