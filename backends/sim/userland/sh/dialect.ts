/**
 * Which shell this one stands in for. They agree on what POSIX says and differ in how they word an
 * error; the interpreter speaks dash's words, and here they are put as the others put them.
 */
export type Dialect = "dash" | "ash" | "bash";

/** Where a message comes from. */
export interface Speaker {
  /** $0. */
  readonly name: string;
  readonly line: number;
  /** The builtin that runs. */
  readonly command: string | null;
  /** What is run: the text after -c, a file, or what is read from standard input. */
  readonly input: "command" | "file" | "stream";
  readonly interactive: boolean;
  /** The line of the source that a syntax error is in. */
  readonly source: string;
}

export function sayIn(dialect: Dialect, speaker: Speaker, message: string): string {
  const { name, line, command } = speaker;
  const named = command === null ? "" : `${command}: `;
  if (dialect === "dash") return `${name}: ${line}: ${named}${message}\n`;
  return `${name}: ${ashPlace(speaker)}${reword(ashWords, message).replace(/\n$/, "")}\n`;
}

/** ash names the line of a file's commands and of its own builtins; of the text after -c that is 0. */
function ashPlace({ line, command, input, interactive }: Speaker): string {
  const isForeign = command === null || /^(?:\[\[?|test|printf|kill)$/.test(command);
  if (isForeign) return command === null && input === "file" ? `line ${line}: ` : "";
  return `${command}: ${interactive ? "" : `line ${input === "command" ? 0 : line}: `}`;
}

export type Rule = readonly [RegExp, string];

const ashWords: readonly Rule[] = [
  [/^cannot (create|open) (.*): (?:Directory nonexistent)$/s, "can't $1 $2: nonexistent directory"],
  [/^cannot (create|open) (.*): No such file$/s, "can't $1 $2: no such file"],
  [/^cannot (create|open) /, "can't $1 "],
  [/^Syntax error: (?:Unterminated quoted string)$/, "syntax error: unterminated quoted string"],
  [/^Syntax error: end of file unexpected/, "syntax error: unexpected end of file"],
  [/^Syntax error: (\S+|".*?") unexpected/, "syntax error: unexpected $1"],
  [/^(can't cd to .*)$/s, "$1: No such file or directory"],
  [/^(.*): (?:expected numeric value|not completely converted)$/s, "invalid number '$1'"],
  [/^(.*): unexpected operator$/s, "$1: unknown operand"],
  [/^(%.*): invalid directive$/s, "$1: invalid format"],
  [/^Illegal option/, "illegal option"],
  [/^arithmetic expression: division by zero.*$/s, "divide by zero"],
  [/^arithmetic expression: .*$/s, "arithmetic syntax error"],
  [/^Bad substitution$/, "syntax error: bad substitution"],
];

/** By the first rule that fits. */
export function reword(rules: readonly Rule[], message: string): string {
  const rule = rules.find(([pattern]) => pattern.test(message));
  return rule === undefined ? message : message.replace(rule[0], rule[1]);
}

/** The status of a builtin whose redirection failed. */
export function redirectionStatus(dialect: Dialect): number {
  return dialect === "dash" ? 2 : 1;
}
