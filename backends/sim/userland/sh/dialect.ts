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
}

export function sayIn(dialect: Dialect, { name, line, command }: Speaker, message: string): string {
  const named = command === null ? "" : `${command}: `;
  if (dialect === "dash") return `${name}: ${line}: ${named}${message}\n`;
  const told = reword(dialect === "ash" ? ashWords : bashWords, message);
  if (dialect === "bash") return `${name}: line ${line}: ${named}${told}\n`;
  const isPlain = command === null || /^(?:\[|test|printf|kill)$/.test(command);
  return `${name}: ${isPlain ? "" : `${named}line ${line}: `}${told.replace(/\n$/, "")}\n`;
}

type Rule = readonly [RegExp, string];

const ashWords: readonly Rule[] = [
  [/^cannot (create|open) (.*): (?:Directory nonexistent)$/s, "can't $1 $2: nonexistent directory"],
  [/^cannot (create|open) (.*): No such file$/s, "can't $1 $2: no such file"],
  [/^cannot (create|open) /, "can't $1 "],
  [/^Syntax error: (?:Unterminated quoted string)$/, "syntax error: unterminated quoted string"],
  [/^Syntax error: end of file unexpected/, "syntax error: unexpected end of file"],
  [/^Syntax error: (\S+|".*?") unexpected/, "syntax error: unexpected $1"],
  [/^(can't cd to .*)$/s, "$1: No such file or directory"],
  [/^Illegal option/, "illegal option"],
  [/^Illegal number: (.*[^\d].*)$/s, "Illegal number: $1"],
  [/^arithmetic expression: division by zero.*$/s, "divide by zero"],
  [/^arithmetic expression: .*$/s, "arithmetic syntax error"],
  [/^Bad substitution$/, "syntax error: bad substitution"],
];

const bashWords: readonly Rule[] = [
  [/^cannot (?:create|open) (.*): (?:Directory nonexistent|No such file)$/s, "$1: No such file or directory"],
  [/^cannot (?:create|open) /, ""],
  [/^can't cd to (.*)$/s, "$1: No such file or directory"],
  [/^([^/]*): not found$/s, "$1: command not found"],
  [/^(.*\/.*): not found$/s, "$1: No such file or directory"],
  [/^Syntax error: end of file unexpected.*$/, "syntax error: unexpected end of file"],
  [/^Syntax error: (?:"?)(.*?)(?:"?) unexpected.*$/, "syntax error near unexpected token `$1'"],
  [/^(.*): parameter not set$/, "$1: unbound variable"],
  [/^(.*): is read only$/, "$1: readonly variable"],
  [/^Bad substitution$/, "bad substitution"],
];

function reword(rules: readonly Rule[], message: string): string {
  const rule = rules.find(([pattern]) => pattern.test(message));
  return rule === undefined ? message : message.replace(rule[0], rule[1]);
}

/** The status of a builtin whose redirection failed. */
export function redirectionStatus(dialect: Dialect): number {
  return dialect === "dash" ? 2 : 1;
}
