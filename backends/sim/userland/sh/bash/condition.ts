/** "[[ ]]": conditions on words that are neither split nor globbed, with patterns after "==" and numbers that are expressions. */
import { Failure } from "../../applet.ts";
import { matchesPattern } from "../../pattern.ts";
import { compileRegex, escapeRegex } from "../../regex.ts";
import type { Run } from "../../run.ts";
import { evaluateTest, TestProblem } from "../../test-expression.ts";
import type { Interpreter } from "../interpret.ts";
import { textWord } from "../lower.ts";
import { type Shell, ShellError } from "../shell.ts";
import type { Condition, Word } from "../tree.ts";
import { elementsOf, listArray } from "./arrays.ts";

export function* meets(interpreter: Interpreter, condition: Condition, ignoreCase: boolean): Run<boolean> {
  switch (condition.kind) {
    case "not":
      return (yield* meets(interpreter, condition.part, ignoreCase)) !== (condition.times % 2 === 1);
    case "and":
      for (const part of condition.parts) if (!(yield* meets(interpreter, part, ignoreCase))) return false;
      return true;
    case "or":
      for (const part of condition.parts) if (yield* meets(interpreter, part, ignoreCase)) return true;
      return false;
    case "unary": {
      const operand = yield* interpreter.expander.text(condition.operand);
      if (condition.operator === "-v") return isSet(interpreter.shell, operand);
      return test(interpreter.shell, [condition.operator, operand]);
    }
    case "binary":
      return yield* compares(interpreter, condition, ignoreCase);
  }
}

/** "-v name", and "-v name[key]". */
export function isSet({ variables }: Shell, text: string): boolean {
  const [, name = text, key] = /^([A-Za-z_]\w*)\[(.*)\]$/s.exec(text) ?? [];
  if (key === undefined) return variables.get(name) !== null;
  return elementsOf(variables, name).some(([each]) => each === key || key === "@" || key === "*");
}

const numbers: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  "-eq": (a, b) => a === b,
  "-ne": (a, b) => a !== b,
  "-lt": (a, b) => a < b,
  "-le": (a, b) => a <= b,
  "-gt": (a, b) => a > b,
  "-ge": (a, b) => a >= b,
};

function* compares(
  interpreter: Interpreter,
  { operator, left, right }: Extract<Condition, { kind: "binary" }>,
  ignoreCase: boolean,
): Run<boolean> {
  const { expander, shell } = interpreter;
  const text = yield* expander.text(left);
  const number = numbers[operator];
  if (number !== undefined) {
    const operand = yield* expander.text(right);
    const value = function* (of: string): Run<bigint> {
      return BigInt(yield* expander.arithmetic(textWord(of)));
    };
    return number(yield* value(text), yield* value(operand));
  }
  if (operator === "=" || operator === "==" || operator === "!=") {
    const pattern = yield* expander.pattern(right);
    const fold = (each: string): string => (ignoreCase ? each.toLowerCase() : each);
    return matchesPattern(fold(text), fold(pattern)) !== (operator === "!=");
  }
  if (operator === "=~") return matches(shell, text, yield* regexOf(interpreter, right), ignoreCase);
  return test(shell, [text, operator, yield* expander.text(right)]);
}

/** Quoted parts of it are meant as they are. */
function* regexOf({ expander }: Interpreter, word: Word): Run<string> {
  let pattern = "";
  for (const segment of word.segments) {
    const isQuoted = segment.kind !== "process" && segment.quoted;
    const text = yield* expander.text({ segments: [segment], constant: null, source: word.source });
    pattern += isQuoted ? escapeRegex(text) : text;
  }
  return pattern;
}

function matches({ variables }: Shell, text: string, pattern: string, ignoreCase: boolean): boolean {
  try {
    const found = compileRegex(pattern, { extended: true, ignoreCase }).exec(text);
    listArray(variables, "BASH_REMATCH", found === null ? [] : found.map((group) => group ?? ""));
    return found !== null;
  } catch (thrown) {
    if (thrown instanceof Failure) throw new ShellError(thrown.message, 2);
    throw thrown;
  }
}

/** Here a file that is not there is older than one that is. */
function test({ sys }: Shell, words: readonly string[]): boolean {
  const [a = "", operator, b = ""] = words;
  const exists = (path: string): boolean => evaluateTest(["-e", path], sys);
  if (operator === "-nt" && !exists(b)) return exists(a);
  if (operator === "-ot" && !exists(a)) return exists(b);
  try {
    return evaluateTest(words, sys);
  } catch (thrown) {
    if (thrown instanceof TestProblem) throw new ShellError(`${thrown.word}: unary operator expected`, 2);
    throw thrown;
  }
}
