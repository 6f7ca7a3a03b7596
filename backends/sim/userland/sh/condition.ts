/** "[[ ]]": test(1)'s conditions on words that are neither split nor globbed, with patterns after "==". */
import { Failure } from "../applet.ts";
import { matchesPattern } from "../pattern.ts";
import { compileRegex } from "../regex.ts";
import type { Run } from "../run.ts";
import { evaluateTest, TestProblem } from "../test-expression.ts";
import type { Expander } from "./expand.ts";
import { type Shell, ShellError } from "./shell.ts";
import type { Condition } from "./tree.ts";

export function* meets(expander: Expander, shell: Shell, condition: Condition): Run<boolean> {
  switch (condition.kind) {
    case "not":
      return (yield* meets(expander, shell, condition.part)) !== (condition.times % 2 === 1);
    case "and":
      for (const part of condition.parts) if (!(yield* meets(expander, shell, part))) return false;
      return true;
    case "or":
      for (const part of condition.parts) if (yield* meets(expander, shell, part)) return true;
      return false;
    case "unary":
      return test(shell, [condition.operator, yield* expander.text(condition.operand)]);
    case "binary":
      return yield* compares(expander, shell, condition);
  }
}

function* compares(
  expander: Expander,
  shell: Shell,
  { operator, left, right }: Extract<Condition, { kind: "binary" }>,
): Run<boolean> {
  const text = yield* expander.text(left);
  if (operator === "=" || operator === "==" || operator === "!=")
    return matchesPattern(text, yield* expander.pattern(right)) !== (operator === "!=");
  const operand = yield* expander.text(right);
  return operator === "=~" ? matches(text, operand) : test(shell, [text, operator, operand]);
}

function matches(text: string, pattern: string): boolean {
  try {
    return compileRegex(pattern, { extended: true }).test(text);
  } catch (thrown) {
    if (thrown instanceof Failure) throw new ShellError(thrown.message);
    throw thrown;
  }
}

function test(shell: Shell, words: readonly string[]): boolean {
  try {
    return evaluateTest(words, shell.sys);
  } catch (thrown) {
    if (thrown instanceof TestProblem) throw new ShellError(`${thrown.word}: bad number`);
    throw thrown;
  }
}
