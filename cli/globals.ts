/** Flags before the command: they say which daemon is spoken to, so whoever makes the ports reads them too. */
import { type CliError, flagError } from "./errors.ts";
import { FlagProblem, flag, helpAsked, parseFlags } from "./flags.ts";

export interface Globals {
  /** "" when no --host was given. */
  readonly host: string;
  /** The command and what follows; only "--help" or "--version" when that was asked. */
  readonly rest: readonly string[];
}

const flags = {
  debug: flag.bool("D", "Enable debug mode"),
  host: flag.text("H", "Daemon socket to connect to", "list"),
  version: flag.bool("v", "Print version information and quit"),
};

/** Throws CliError for an unknown flag. */
export function parseGlobals(argv: readonly string[]): Globals {
  if (argv[0]?.startsWith("-") !== true) return { host: "", rest: argv };
  try {
    const { values, args } = parseFlags(flags, argv, false);
    return { host: values.host, rest: values.version ? ["--version"] : args };
  } catch (thrown) {
    if (!(thrown instanceof FlagProblem)) throw thrown;
    if (thrown.message === helpAsked) return { host: "", rest: ["--help"] };
    throw globalFlagError(thrown.message);
  }
}

function globalFlagError(problem: string): CliError {
  return flagError(problem, "tsbox", "tsbox [OPTIONS] COMMAND [ARG...]");
}
