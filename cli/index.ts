/**
 * The command line: words in, exit code out. main finds the command, loads it, parses its flags,
 * performs it and prints how it failed. The same code runs in a terminal on Linux and inside the
 * simulated host; the ports say where it is.
 */
import { findCommand, loadCommand } from "./catalogue.ts";
import { Client } from "./client.ts";
import type { Command } from "./command.ts";
import { CliError, flagError } from "./errors.ts";
import { FlagProblem, helpAsked, type Parsed, parseFlags } from "./flags.ts";
import { parseGlobals } from "./globals.ts";
import type { CliPorts } from "./ports.ts";

/** Runs `tsbox argv…`; everything a user can do wrong ends in a message and a code, not in a throw. */
export async function main(argv: readonly string[], ports: CliPorts): Promise<number> {
  try {
    return await dispatch(parseGlobals(argv).rest, ports);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    await ports.terminal.stderr(`${message}\n`);
    return thrown instanceof CliError ? thrown.exitCode : 1;
  }
}

async function dispatch(argv: readonly string[], ports: CliPorts): Promise<number> {
  const found = findCommand(argv);
  if (found === null) return (await import("./help.ts")).answerWithoutCommand(argv, ports.terminal);
  const command = await loadCommand(found.entry);
  const path = `tsbox ${found.words}`;
  const parsed = parse(command, found.rest, path);
  if (parsed === null) {
    await ports.terminal.stdout((await import("./help.ts")).helpOf(command, path));
    return 0;
  }
  checkCount(command, parsed.args.length, path);
  const { values: options, given, args } = parsed;
  return command.perform({ options, given, args, ports, client: new Client(ports.transport), path });
}

/** null: help was asked for. Throws CliError for a wrong flag. */
function parse(command: Command, words: readonly string[], path: string): Parsed<Command["flags"]> | null {
  try {
    return parseFlags(command.flags, words, command.passThrough !== true);
  } catch (thrown) {
    if (!(thrown instanceof FlagProblem)) throw thrown;
    if (thrown.message === helpAsked) return null;
    throw flagError(thrown.message, path, `${path} ${command.usage}`.trimEnd());
  }
}

function checkCount({ min, max, usage }: Command, count: number, path: string): void {
  if (count >= min && count <= max) return;
  const wanted = countWanted(min, max);
  // Docker's own wording: "See" where there is no upper bound, "Run" elsewhere.
  const verb = max === Number.POSITIVE_INFINITY ? "See" : "Run";
  throw new CliError(
    `tsbox: '${path}' ${wanted}\n\nUsage:  ${`${path} ${usage}`.trimEnd()}\n\n${verb} '${path} --help' for more information`,
  );
}

function countWanted(min: number, max: number): string {
  const counted = (count: number): string => `${count} ${count === 1 ? "argument" : "arguments"}`;
  if (max === 0) return "accepts no arguments";
  if (min === max) return `requires ${counted(min)}`;
  if (max === Number.POSITIVE_INFINITY) return `requires at least ${counted(min)}`;
  if (min === 0) return `requires at most ${counted(max)}`;
  return `requires at least ${min} and at most ${counted(max)}`;
}
