/** bash's variables beyond plain ones: arrays by number or by text, numbers, letters of one case, references. */
import { type Run } from "../../run.ts";
import type { Interpreter } from "../interpret.ts";
import { textWord } from "../lower.ts";
import { ShellError } from "../shell.ts";
import type { Assignment, Word } from "../tree.ts";
import { ReadOnly, type Variable, type Variables } from "../variables.ts";

const plain: Variable = { value: null, exported: false, readonly: false };

/** The name that a reference stands for. */
export function meant(variables: Variables, name: string): string {
  const found = variables.find(name);
  return found?.reference === true && found.value !== null && found.value !== name
    ? meant(variables, found.value)
    : name;
}

/** Keys in order, with their values; of a plain variable the one "0". */
export function elementsOf(variables: Variables, name: string): [string, string][] {
  const variable = variables.find(meant(variables, name));
  if (variable === null) return [];
  if (variable.elements === undefined) return variable.value === null ? [] : [["0", variable.value]];
  const all = [...variable.elements];
  return variable.associative === true ? all : all.sort(([a], [b]) => Number(a) - Number(b));
}

export function isAssociative(variables: Variables, name: string): boolean {
  return variables.find(meant(variables, name))?.associative === true;
}

/** A subscript as it is kept: evaluated, and counted from the end when it is negative. */
export function* keyOf(interpreter: Interpreter, name: string, index: Word): Run<string> {
  const { variables } = interpreter.shell;
  if (isAssociative(variables, name)) return yield* interpreter.expander.text(index);
  const number = Number(yield* interpreter.expander.arithmetic(index));
  if (number >= 0) return String(number);
  const last = Number(elementsOf(variables, name).at(-1)?.[0] ?? -1);
  if (last + 1 + number < 0) throw new ShellError(`${name}: bad array subscript`, 1);
  return String(last + 1 + number);
}

export function setElements(variables: Variables, name: string, elements: Map<string, string>): void {
  const old = variables.find(name) ?? plain;
  if (old.readonly) throw new ReadOnly(name);
  variables.put(name, { ...old, elements, value: elements.get("0") ?? null });
}

export function listArray(variables: Variables, name: string, values: readonly string[]): void {
  setElements(variables, name, new Map(values.map((value, index) => [String(index), value])));
}

/** Carries out "x=v", "x+=v", "a[i]=v" and "a=(…)"; gives the text for `set -x`. */
export function* assign(interpreter: Interpreter, assignment: Assignment): Run<string> {
  const { variables } = interpreter.shell;
  const name = meant(variables, assignment.name);
  if (assignment.elements !== undefined) return yield* assignAll(interpreter, name, assignment);
  const given = yield* interpreter.expander.text(assignment.value);
  if (assignment.index === undefined) {
    const text = yield* fitted(interpreter, name, given, assignment.append ? (variables.get(name) ?? "") : null);
    variables.set(name, text);
    return text;
  }
  const key = yield* keyOf(interpreter, name, assignment.index);
  const elements = new Map(elementsOf(variables, name));
  const text = yield* fitted(interpreter, name, given, assignment.append ? (elements.get(key) ?? "") : null);
  setElements(variables, name, elements.set(key, text));
  return text;
}

function* assignAll(interpreter: Interpreter, name: string, assignment: Assignment): Run<string> {
  const { variables } = interpreter.shell;
  const old = assignment.append ? elementsOf(variables, name) : [];
  const elements = new Map(old);
  let next = Number(old.at(-1)?.[0] ?? -1) + 1;
  const pending: string[] = [];
  for (const { key, words } of assignment.elements ?? []) {
    if (key !== null) {
      const place = isAssociative(variables, name)
        ? yield* interpreter.expander.text(key)
        : String(yield* interpreter.expander.arithmetic(key));
      const [word] = words;
      elements.set(place, word === undefined ? "" : yield* interpreter.expander.text(word));
      next = Number(place) + 1;
      continue;
    }
    for (const value of yield* interpreter.expander.fields(words)) {
      if (isAssociative(variables, name)) pending.push(value);
      else elements.set(String(next++), value);
    }
  }
  for (let at = 0; at < pending.length; at += 2) elements.set(pending[at] ?? "", pending[at + 1] ?? "");
  setElements(variables, name, elements);
  return `(${[...elements.values()].join(" ")})`;
}

/** What becomes of a value by what was declared of the variable. `before`: it is added to this. */
export function* fitted(
  interpreter: Interpreter,
  name: string,
  given: string,
  before: string | null = null,
): Run<string> {
  const variable = interpreter.shell.variables.find(name);
  if (variable?.integer === true) {
    const text = before === null || before === "" ? given : `${before}+(${given})`;
    return yield* interpreter.expander.arithmetic(textWord(text));
  }
  const text = (before ?? "") + given;
  if (variable?.letters === undefined) return text;
  return variable.letters === "upper" ? text.toUpperCase() : text.toLowerCase();
}
