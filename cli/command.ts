/**
 * A command: its words, its flags and what it does. The files under commands/ hold one each and
 * are loaded when asked for; index.ts finds them, parses the flags and prints the failures.
 */
import type { Client } from "./client.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import type { CliPorts } from "./ports.ts";

export interface Call<Table> {
  readonly options: FlagValues<Table>;
  /** The names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  readonly ports: CliPorts;
  readonly client: Client;
  /** "tsbox run": how the user called it. */
  readonly path: string;
}

export interface Command<Table extends FlagTable = FlagTable> {
  /** What follows the name in its usage line: "[OPTIONS] IMAGE [COMMAND] [ARG...]". */
  readonly usage: string;
  readonly summary: string;
  readonly flags: Table;
  /** How many arguments it takes. */
  readonly min: number;
  readonly max: number;
  /** Flags end at the first argument: what follows is a program's. */
  readonly passThrough?: boolean;
  /** Returns the exit code; throws CliError, ApiError. */
  perform(call: Call<Table>): Promise<number>;
}

/** Only for its type: the table's types flow into `perform`. */
export function command<const Table extends FlagTable>(described: Command<Table>): Command<Table> {
  return described;
}

/** Does one thing per argument, as Docker does: all are tried, the failures come last, exit code 1. */
export async function forEachArgument(
  call: Pick<Call<unknown>, "args" | "ports">,
  act: (arg: string) => Promise<string | null>,
): Promise<number> {
  const failures: string[] = [];
  for (const arg of call.args) {
    try {
      const line = await act(arg);
      if (line !== null) await call.ports.terminal.stdout(`${line}\n`);
    } catch (thrown) {
      failures.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  if (failures.length > 0) await call.ports.terminal.stderr(`${failures.join("\n")}\n`);
  return failures.length > 0 ? 1 : 0;
}
