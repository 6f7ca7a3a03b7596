/** What a builtin is. */
import type { Interpreter } from "./interpret.ts";
import type { Run } from "../run.ts";

/** Gives the exit status, at once or as a Run when it has to wait. `args` are without the name. */
export type Builtin = (interpreter: Interpreter, args: readonly string[], flags: number) => number | Run<number>;
