/** What the table of ops says of one kind: its own check, its inverse, and its explanation. */
import type { HostOp, Op, OpKind } from "../plan.ts";

export interface SystemCall {
  readonly name: string;
  /** As strace(1) would show it, shortened: `mount("proc", "/proc", "proc", MS_NOSUID)`. */
  readonly text: string;
  /** The call is made only then: "when it is missing"; absent: always. */
  readonly when?: string;
  /** Who makes it, before there is a child, because it takes rights that the child of a user namespace has not. */
  readonly by?: "monitor";
}

export interface Explanation {
  /** What happens and why. */
  readonly sentence: string;
  readonly syscalls: readonly SystemCall[];
  /** The manual page to read: "mount(2)". */
  readonly man: string;
}

export interface Row<O extends Op> {
  /** What is wrong with the op by itself, null when nothing is. Order is check.ts's business. */
  check(op: O): string | null;
  /** The step that takes away what the op left on the host; absent: it leaves nothing. */
  undo?(op: O): HostOp;
  /** `inUserNamespace`: whether the child that performs it has a user namespace of its own. */
  explain(op: O, inUserNamespace: boolean): Explanation;
}

export type OpOf<K extends OpKind> = Extract<Op, { op: K }>;

/** The rows of some kinds. */
export type Rows<K extends OpKind> = { readonly [Each in K]: Row<OpOf<Each>> };
