/** Help texts, laid out as Docker's: `tsbox --help`, `tsbox volume`, `tsbox run --help`. */
import { commands, groups, membersOf } from "./catalogue.ts";
import type { Command } from "./command.ts";
import { CliError } from "./errors.ts";
import type { Flag } from "./flags.ts";
import type { Terminal } from "./ports.ts";
import { version } from "./version.ts";

/** What `tsbox`, `tsbox volume` and `tsbox nonsense` say. */
export async function answerWithoutCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first = "", second = ""] = argv;
  if (first === "--version") {
    await terminal.stdout(`tsbox version ${version}\n`);
    return 0;
  }
  if (first === "" || first === "--help" || first === "help") {
    await terminal.stdout(overview());
    return 0;
  }
  const group = groups[first];
  if (group === undefined)
    throw new CliError(`tsbox: unknown command: tsbox ${first}\n\nRun 'tsbox --help' for more information`);
  if (second !== "" && !second.startsWith("-"))
    throw new CliError(
      `tsbox: unknown command: tsbox ${first} ${second}\n\nUsage:  tsbox ${first} COMMAND\n\nRun 'tsbox ${first} --help' for more information`,
    );
  await terminal.stdout(groupHelp(first, group));
  return 0;
}

function overview(): string {
  const single = Object.entries(commands).filter(([name]) => !name.includes(" "));
  return `Usage:  tsbox [OPTIONS] COMMAND

Containers you can see through

Commands:
${list(single.map(([name, { summary }]) => [name, summary]))}

Management Commands:
${list(Object.entries(groups))}

Global Options:
  -H, --host list   Daemon socket to connect to
  -v, --version     Print version information and quit

Run 'tsbox COMMAND --help' for more information on a command.
`;
}

function groupHelp(group: string, summary: string): string {
  const members = membersOf(group).map(([words, each]): [string, string] => [words, each.summary]);
  return `Usage:  tsbox ${group} COMMAND

${summary}

Commands:
${list(members)}

Run 'tsbox ${group} COMMAND --help' for more information on a command.
`;
}

/** `tsbox run --help`. */
export function helpOf(command: Command, path: string): string {
  const usage = `Usage:  ${path} ${command.usage}`.trimEnd();
  const flags = Object.entries<Flag<unknown>>(command.flags);
  const options = flags.length === 0 ? "" : `\nOptions:\n${flagList(flags)}\n`;
  return `${usage}\n\n${command.summary}\n${options}`;
}

function flagList(flags: readonly [string, Flag<unknown>][]): string {
  const rows = flags
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]): [string, string] => [flagName(name, each), each.help + shownDefault(each.initial)]);
  return list(rows);
}

function flagName(name: string, { short, type }: Flag<unknown>): string {
  return `${short === null ? "    " : `-${short}, `}--${name}${type === "" ? "" : ` ${type}`}`;
}

function shownDefault(initial: unknown): string {
  if (typeof initial === "string") return initial === "" ? "" : ` (default ${JSON.stringify(initial)})`;
  return initial === true || (typeof initial === "number" && initial !== 0) ? ` (default ${initial})` : "";
}

function list(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, text]) => `  ${name.padEnd(width)}${text}`).join("\n");
}
