/** How bash words what the interpreter says in dash's words. */
import { reword, type Rule, type Speaker } from "../dialect.ts";

/** A syntax error is said with its line; what a builtin says of itself stays as it is. */
export function sayInBash({ name, line, command, input, source }: Speaker, message: string): string {
  const named = command === null ? "" : `${command}: `;
  const isSyntax = message.startsWith("Syntax error:");
  const text = reword(command === null || isSyntax ? [...commandWords, ...bashWords] : bashWords, message);
  const isAtEnd = isSyntax && text.endsWith("unexpected end of file");
  if (line === 0) return `${name}: ${named}${text}\n`;
  const place = `${name}: ${isSyntax && input === "command" ? "-c: " : ""}line ${line + (isAtEnd ? 1 : 0)}: `;
  const second = text.includes("near unexpected token") && source !== "" ? `${place}\`${source}'\n` : "";
  return `${place}${named}${text}\n${second}`;
}

/** Of what is no builtin. */
const commandWords: readonly Rule[] = [
  [/^([^/]*): not found$/s, "$1: command not found"],
  [/^(.*\/.*): not found$/s, "$1: No such file or directory"],
];

const bashWords: readonly Rule[] = [
  [/^cannot create (.*): File exists$/s, "$1: cannot overwrite existing file"],
  [/^arithmetic expression: division by zero: "(.*?([^/%]*))"$/s, '$1: division by 0 (error token is "$2")'],
  [/^arithmetic expression: expecting EOF: "(0\d*[89]\d*)"$/s, '$1: value too great for base (error token is "$1")'],
  [
    /^arithmetic expression: expecting primary: "(.*?(\S))"$/s,
    '$1: syntax error: operand expected (error token is "$2")',
  ],
  [
    /^arithmetic expression: expecting EOF: "(\S*?)(\.\S*)"$/s,
    '$1$2: syntax error: invalid arithmetic operator (error token is "$2")',
  ],
  [/^arithmetic expression: expecting \S+: "(.*)"$/s, "$1: syntax error in expression"],
  [/^Syntax error: Unterminated quoted string$/, "unexpected EOF while looking for matching `\"'"],
  [/^Syntax error: Missing '}'$/, "unexpected EOF while looking for matching `}'"],
  [/^Syntax error: (.*) is not supported here$/, "$1 is not supported here"],
  [/^(.*): expected numeric value$/s, "$1: invalid number"],
  [/^Illegal option (-.)$/, "$1: invalid option"],
  [/^No such job: (.*)$/s, "$1: no such job"],
  [/^cannot (?:create|open) (.*): (?:Directory nonexistent|No such file)$/s, "$1: No such file or directory"],
  [/^cannot (?:create|open) /, ""],
  [/^can't cd to (.*)$/s, "$1: No such file or directory"],
  [/^Syntax error: end of file unexpected.*$/, "syntax error: unexpected end of file"],
  [/^Syntax error: (?:"?)(.*?)(?:"?) unexpected.*$/, "syntax error near unexpected token `$1'"],
  [/^(.*): parameter not set$/, "$1: unbound variable"],
  [/^(.*): is read only$/, "$1: readonly variable"],
  [/^Bad substitution$/, "bad substitution"],
];
