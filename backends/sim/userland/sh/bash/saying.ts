/** How bash's builtins say that something is wrong; each gives the status. */
import type { Run } from "../../run.ts";
import type { Shell } from "../shell.ts";

export function* refuse(shell: Shell, message: string, status = 1): Run<number> {
  yield* shell.complain(message);
  return status;
}

export function* misused(shell: Shell, message: string, usage: string): Run<number> {
  yield* shell.complain(message);
  yield* shell.print(2, `${shell.command}: usage: ${usage}\n`);
  return 2;
}

export function* usage(shell: Shell, text: string): Run<number> {
  yield* shell.print(2, `${shell.command}: usage: ${text}\n`);
  return 2;
}
