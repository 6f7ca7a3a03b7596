/**
 * Seccomp profiles: which system calls a container may make. A profile is data in the shape of the
 * OCI runtime-spec's `linux.seccomp`, already narrowed to the container's capabilities; the
 * machine that performs the plan turns it into a filter.
 */
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
