/** Ways to run something: so that it may fail as a builtin may, and so that its output is caught. */
import type { Run } from "../../run.ts";
import type { Interpreter } from "../interpret.ts";
import { freeFd } from "../redirect.ts";
import { ShellError } from "../shell.ts";

/** A failure is said as `command`'s, and is its status. */
export function* guarded({ shell }: Interpreter, command: string, body: () => Run<number>): Run<number> {
  const outer = shell.command;
  shell.command = command;
  try {
    return yield* body();
  } catch (thrown) {
    if (!(thrown instanceof ShellError)) throw thrown;
    yield* shell.complain(thrown.message);
    return 1;
  } finally {
    shell.command = outer;
  }
}

/** What `body` writes to standard output. It has to fit into a pipe. */
export function* captured(interpreter: Interpreter, body: () => Run<number>): Run<string> {
  const { shell } = interpreter;
  const { sys } = shell;
  const pipe = sys.pipe();
  const kept = freeFd(sys);
  sys.duplicate(1, kept);
  sys.duplicate(pipe.write, 1);
  sys.close(pipe.write);
  try {
    shell.status = yield* body();
  } finally {
    sys.duplicate(kept, 1);
    sys.close(kept);
  }
  const output = yield* interpreter.readAll(pipe.read);
  sys.close(pipe.read);
  return output;
}
