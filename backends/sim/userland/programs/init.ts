/**
 * docker-init: a container's first process for a program that knows nothing of being one. It hands on the signals it gets,
 * takes in orphans, and ends as its program does. On Linux it is backends/linux/native/init.c.
 */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { isErrno, isTerminal } from "../applet.ts";
import type { Pid, Program, Sys, WaitStatus } from "../../kernel/sys.ts";
import { codeOf, firstOf } from "./run.ts";

/** What the kernel sends for a mistake of the process's own (SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS), what nobody catches, and SIGCHLD. */
const kept = new Set([4, 5, 6, 7, 8, 9, 11, 17, 19, 31]);
const signals = Array.from({ length: 31 }, (_, at) => at + 1).filter((number) => !kept.has(number));
const stderr = 2;

const dockerInit: Program = async (sys, [, dashes, ...words], environment) => {
  if (dashes !== "--" || words.length === 0) return complain(sys, "usage: docker-init -- PROGRAM [ARGUMENT]...", 126);
  let main: Pid | null = null;
  for (const signal of signals)
    sys.onSignal(signal, () => {
      if (main !== null) handOn(sys, main, signal);
    });
  const [name = ""] = words;
  try {
    const options = { group: 0, foreground: isTerminal(sys, 0) };
    main = await firstOf(name, environment, (path) => sys.spawn(path, words, environment, options));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    return complain(sys, `cannot run ${name}: ${errnoText(thrown.errno)}`, thrown.errno === "ENOENT" ? 127 : 126);
  }
  for (;;) {
    const status = await anyEnd(sys);
    if (status?.pid === main) return codeOf(status);
  }
};

async function complain(sys: Sys, what: string, code: number): Promise<number> {
  await sys.write(stderr, new TextEncoder().encode(`tsbox-init: ${what}\n`));
  return code;
}

/** The program may have ended, and not been waited for yet. */
function handOn(sys: Sys, main: Pid, signal: number): void {
  try {
    sys.kill(main, signal);
  } catch (thrown) {
    if (!isErrno(thrown, "ESRCH")) throw thrown;
  }
}

/** null: a signal came in between. */
async function anyEnd(sys: Sys): Promise<WaitStatus | null> {
  try {
    return await sys.wait(-1);
  } catch (thrown) {
    if (isErrno(thrown, "EINTR")) return null;
    throw thrown;
  }
}

export const programs: Readonly<Record<string, Program>> = { "docker-init": dockerInit };
