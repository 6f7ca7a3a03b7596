/**
 * The table of ops: for each kind its own check, its inverse, and its explanation. The compiler
 * refuses the table while a kind is missing. An explanation names the system calls that the Linux
 * helper makes for the op, in order; a test holds it against strace(1).
 */
import { cgroupRows } from "./ops/cgroups.ts";
import { fileRows } from "./ops/files.ts";
import { mountRows } from "./ops/mounts.ts";
import { namespaceRows } from "./ops/namespaces.ts";
import { processRows } from "./ops/process.ts";
import type { Explanation, Row, Rows } from "./ops/row.ts";
import type { HostOp, Op, OpKind } from "./plan.ts";

const table = {
  ...fileRows,
  ...cgroupRows,
  ...namespaceRows,
  ...mountRows,
  ...processRows,
} satisfies Rows<OpKind>;

/** The row of an op, for code that does not care which kind it is. */
function rowOf(op: Op): Row<Op> {
  const row: unknown = table[op.op];
  return row as Row<Op>;
}

/** What is wrong with an op by itself, null when nothing is. */
export function checkOp(op: Op): string | null {
  return rowOf(op).check(op);
}

/** The host step that takes away what an op left on the host, null when it leaves nothing. */
export function undoOp(op: Op): HostOp | null {
  return rowOf(op).undo?.(op) ?? null;
}

export function explainOp(op: Op, inUserNamespace = false): Explanation {
  return rowOf(op).explain(op, inUserNamespace);
}
