/** Parameter expansion as bash has it beside POSIX's: elements, slices of lists, indirection, case, quoting. */
import { patternSource } from "../../pattern.ts";
import { type Run } from "../../run.ts";
import type { Values } from "../extension.ts";
import type { Interpreter } from "../interpret.ts";
import { ShellError } from "../shell.ts";
import type { Parameter, ParameterOperation, Word } from "../tree.ts";
import { elementsOf, keyOf, meant } from "./arrays.ts";

/** Null where the shells agree. */
export function* valuesOf(interpreter: Interpreter, segment: Parameter): Run<Values | null> {
  const { operation, index } = segment;
  if (operation?.kind === "names") return namesWith(interpreter, segment.name, operation.apart);
  const all = index === undefined ? null : allMark(index);
  if (segment.indirect === true && all !== null)
    return { texts: elementsOf(interpreter.shell.variables, segment.name).map(([key]) => key), apart: all === "@" };
  if (segment.indirect === true) return yield* indirect(interpreter, segment);
  const list = listOf(interpreter, segment, all);
  if (list !== null) return yield* ofList(interpreter, segment, list, all ?? (segment.name as "@" | "*"));
  const isReference = interpreter.shell.variables.find(segment.name)?.reference === true;
  if (index === undefined && !isReference && !isOwn(operation)) return null;
  const value = yield* valueOf(interpreter, segment);
  return yield* ofOne(interpreter, segment, value);
}

function isOwn(operation: ParameterOperation | null): boolean {
  return operation?.kind === "case" || operation?.kind === "transform";
}

function allMark(index: Word): "@" | "*" | null {
  return index.source === "@" || index.source === "*" ? index.source : null;
}

/** The values of "$@" with an operation, and of all an array's elements. */
function listOf({ shell }: Interpreter, { name, operation }: Parameter, all: "@" | "*" | null): string[] | null {
  if (all !== null) return elementsOf(shell.variables, name).map(([, value]) => value);
  const isPositional = (name === "@" || name === "*") && operation !== null;
  const isLike = operation?.kind === "default" || operation?.kind === "length";
  if (!isPositional || isLike) return null;
  return operation.kind === "slice" ? [shell.name, ...shell.positional] : [...shell.positional];
}

function* valueOf(interpreter: Interpreter, { name, index }: Parameter): Run<string | null> {
  const { variables } = interpreter.shell;
  const target = meant(variables, name);
  if (index === undefined) return variables.get(target);
  const key = yield* keyOf(interpreter, target, index);
  return elementsOf(variables, target).find(([each]) => each === key)?.[1] ?? null;
}

/** "${!x}": the parameter that x names, "a[1]" too. */
function* indirect(interpreter: Interpreter, segment: Parameter): Run<Values> {
  const { variables, positional } = interpreter.shell;
  const reference = variables.find(segment.name);
  if (reference?.reference === true) return one(reference.value ?? "");
  const wanted = (yield* valueOf(interpreter, segment)) ?? "";
  const [, name = "", key] = /^([A-Za-z_]\w*)(?:\[(.*)\])?$/.exec(wanted) ?? [];
  const value = /^\d+$/.test(wanted)
    ? (positional[Number(wanted) - 1] ?? null)
    : key === undefined
      ? variables.get(name)
      : (elementsOf(variables, name).find(([each]) => each === key)?.[1] ?? null);
  return (yield* ofOne(interpreter, segment, value)) ?? one("");
}

const one = (text: string): Values => ({ texts: [text], apart: false });

function namesWith({ shell }: Interpreter, prefix: string, apart: boolean): Values {
  const names = shell.variables.names().filter((name) => name.startsWith(prefix));
  return { texts: names.sort((a, b) => (a < b ? -1 : 1)), apart };
}

function* ofList(
  interpreter: Interpreter,
  segment: Parameter,
  list: readonly string[],
  mark: "@" | "*",
): Run<Values | null> {
  const { operation } = segment;
  const apart = mark === "@";
  if (operation === null) return { texts: list, apart };
  if (operation.kind === "length") return one(String(list.length));
  if (operation.kind === "default") {
    const isThere = list.length > 0 && !(operation.colon && list.join("") === "");
    if (operation.operator === "+" ? !isThere : isThere)
      return { texts: operation.operator === "+" ? [] : list, apart };
    return one(yield* interpreter.expander.text(operation.operand));
  }
  if (operation.kind === "slice") return { texts: yield* slice(interpreter, segment, operation, list), apart };
  const texts: string[] = [];
  for (const value of list) texts.push((yield* changed(interpreter, operation, value)) ?? value);
  return { texts, apart };
}

function* slice(
  interpreter: Interpreter,
  { index, name }: Parameter,
  { offset, length }: Extract<ParameterOperation, { kind: "slice" }>,
  list: readonly string[],
): Run<string[]> {
  const from = Number(yield* interpreter.expander.arithmetic(offset));
  // Of an array the places count, not how many are filled.
  const places =
    index === undefined
      ? list.map((_, at) => at)
      : elementsOf(interpreter.shell.variables, name).map(([key], at) => (/^\d+$/.test(key) ? Number(key) : at));
  const end = (places.at(-1) ?? -1) + 1;
  const start = from < 0 ? end + from : index === undefined && from === 0 ? 0 : from;
  const found = list.filter((_, at) => (places[at] ?? 0) >= start);
  if (length === null) return found;
  return found.slice(0, Math.max(0, Number(yield* interpreter.expander.arithmetic(length))));
}

function* ofOne(interpreter: Interpreter, segment: Parameter, value: string | null): Run<Values | null> {
  const { operation, quoted } = segment;
  if (value === null && operation?.kind !== "default" && interpreter.shell.options.has("u"))
    throw new ShellError(`${segment.name}: parameter not set`, 127);
  if (operation === null) return value === null && !quoted ? { texts: [], apart: true } : one(value ?? "");
  if (operation.kind === "length") return one(String((value ?? "").length));
  if (operation.kind !== "default") return one((yield* changed(interpreter, operation, value ?? "")) ?? value ?? "");
  const isThere = value !== null && !(operation.colon && value === "");
  if (operation.operator === "+") return isThere ? one(yield* interpreter.expander.text(operation.operand)) : one("");
  if (isThere) return one(value);
  const text = yield* interpreter.expander.text(operation.operand);
  if (operation.operator === "?")
    throw new ShellError(`${segment.name}: ${text === "" ? "parameter null or not set" : text}`, 127);
  return one(text);
}

/** A value with the operation done to it; null for one that is done elsewhere. */
function* changed(interpreter: Interpreter, operation: ParameterOperation, value: string): Run<string | null> {
  const { expander } = interpreter;
  switch (operation.kind) {
    case "case": {
      const pattern = operation.pattern === null ? "?" : yield* expander.pattern(operation.pattern);
      return changeCase(value, operation.operator, pattern === "" ? "?" : pattern);
    }
    case "transform":
      return transformed(value, operation.letter);
    case "remove":
      return yield* expander.removed(value, operation);
    case "replace":
      return yield* expander.replaced(value, operation);
    case "slice":
      return yield* expander.slice(value, operation);
    default:
      return null;
  }
}

function changeCase(value: string, operator: "^" | "^^" | "," | ",,", pattern: string): string {
  const regex = new RegExp(`^(?:${patternSource(pattern)})$`, "su");
  const change = (char: string): string =>
    !regex.test(char) ? char : operator.startsWith("^") ? char.toUpperCase() : char.toLowerCase();
  return Array.from(value, (char, at) => (at === 0 || operator.length === 2 ? change(char) : char)).join("");
}

function transformed(value: string, letter: string): string {
  if (letter === "Q") return quoteForReuse(value);
  if (letter === "U") return value.toUpperCase();
  if (letter === "L") return value.toLowerCase();
  if (letter === "u") return value.charAt(0).toUpperCase() + value.slice(1);
  throw new ShellError(`\${…@${letter}} is not supported here`, 1);
}

/** Within single quotes, or $'…' when there are control characters. */
export function quoteForReuse(text: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(text)) return ansiQuoted(text);
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const named: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\x1b": "\\E",
  "'": "\\'",
  "\\": "\\\\",
};

export function ansiQuoted(text: string): string {
  const body = Array.from(text, (char) => {
    const known = named[char];
    return known ?? (char < " " ? `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}` : char);
  });
  return `$'${body.join("")}'`;
}
