/**
 * How the command line fails. A CliError carries what to print on stderr, complete, and the exit
 * code; an ApiError is the daemon's answer. Exit codes are Docker's: 125 when tsbox or the daemon
 * failed, 126 when the command cannot be invoked, 127 when it is not found (docker-run(1)).
 */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** The daemon's own words. */
  readonly reason: string;

  constructor(status: number, reason: string) {
    super(`Error response from daemon: ${reason}`);
    this.status = status;
    this.reason = reason;
  }
}

/** A wrong flag: what is wrong, and where help is. */
export function flagError(problem: string, path: string, usage: string): CliError {
  return new CliError(`${problem}\n\nUsage:  ${usage}\n\nRun '${path} --help' for more information`, 125);
}

/** `run` and `create` name themselves before the message and point to their help after it. */
export function startFailure(thrown: unknown, path: string): CliError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const exitCode = thrown instanceof CliError ? thrown.exitCode : startExitCode(message);
  return new CliError(`tsbox: ${message}\n\nRun '${path} --help' for more information`, exitCode);
}

/** The daemon says why a program did not start in words only; the words are runc's. */
export function startExitCode(message: string): 125 | 126 | 127 {
  if (/executable file not found|no such file or directory|system cannot find the file/i.test(message)) return 127;
  if (/permission denied|is a directory|exec format error/i.test(message)) return 126;
  return 125;
}
