/** declare, local, export, readonly and unset: variables and what is declared of them. */
import type { Run } from "../../run.ts";
import type { Builtin } from "../builtin.ts";
import type { Interpreter } from "../interpret.ts";
import { textWord } from "../lower.ts";
import type { Shell } from "../shell.ts";
import { isName, type Variable } from "../variables.ts";
import { elementsOf, fitted, keyOf, meant, setElements } from "./arrays.ts";
import { ansiQuoted } from "./parameters.ts";
import { refuse } from "./saying.ts";

const marks: Readonly<Record<string, Partial<Variable>>> = {
  a: {},
  A: { associative: true },
  i: { integer: true },
  l: { letters: "lower" },
  n: { reference: true },
  r: { readonly: true },
  u: { letters: "upper" },
  x: { exported: true },
};

export function* declare(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const { variables } = shell;
  const options = args.filter((arg) => /^[-+][a-zA-Z]/.test(arg));
  const operands = args.filter((arg) => !/^[-+][a-zA-Z]/.test(arg) && arg !== "--");
  const letters = options.filter((each) => each.startsWith("-")).join("");
  const off = options.filter((each) => each.startsWith("+")).join("");
  if (/[fF]/.test(letters)) return yield* functions(interpreter, operands, letters.includes("F"));
  if (letters.includes("p") || operands.length === 0) return yield* printDeclared(interpreter, operands, letters);
  const isLocal = shell.command === "local" || (variables.inFunction && !letters.includes("g"));
  let status = 0;
  for (const operand of operands) {
    const [, name = "", plus = "", value] = /^([^=+]*)(\+?)(?:=(.*))?$/s.exec(operand) ?? [];
    if (!isName(name)) {
      status = yield* refuse(shell, `\`${operand}': not a valid identifier`);
      continue;
    }
    if (isLocal) makeLocal(shell, name);
    yield* mark(interpreter, name, letters, off);
    if (value !== undefined) {
      const text = yield* fitted(interpreter, name, value, plus === "+" ? (variables.get(name) ?? "") : null);
      if (letters.includes("n")) variables.put(name, { ...variableOf(shell, name), value });
      else variables.set(name, text);
    }
    if (letters.includes("r")) variables.mark(name, { readonly: true });
  }
  return status;
}

function variableOf({ variables }: Shell, name: string): Variable {
  return variables.find(name) ?? { value: null, exported: false, readonly: false };
}

function makeLocal({ variables }: Shell, name: string): void {
  variables.makeLocal(name);
  variables.put(name, { value: null, exported: false, readonly: false });
}

function* mark({ shell }: Interpreter, name: string, letters: string, off: string): Run<void> {
  yield* [];
  const given = Object.entries(marks).filter(([letter]) => letter !== "r" && letters.includes(letter));
  const variable = Object.assign({ ...variableOf(shell, name) }, ...given.map(([, each]) => each)) as Variable;
  if (/[aA]/.test(letters)) variable.elements ??= new Map(variable.value === null ? [] : [["0", variable.value]]);
  if (off.includes("x")) variable.exported = false;
  if (off.includes("i")) variable.integer = false;
  if (/[lu]/.test(off)) variable.letters = undefined;
  if (variable.readonly && given.length > 0) return;
  shell.variables.put(name, variable);
}

function* printDeclared(interpreter: Interpreter, names: readonly string[], letters: string): Run<number> {
  const { shell } = interpreter;
  const wanted = Object.keys(marks).find((letter) => letters.includes(letter));
  const isWanted = (variable: Variable): boolean =>
    wanted === undefined || (wanted === "a" ? variable.elements !== undefined : lettersOf(variable).includes(wanted));
  const all = names.length > 0 ? names : shell.variables.names().sort((a, b) => (a < b ? -1 : 1));
  let status = 0;
  for (const name of all) {
    const variable = shell.variables.find(name);
    if (variable === null) status = yield* refuse(shell, `${name}: not found`);
    else if (names.length > 0 || isWanted(variable)) yield* shell.print(1, declaration(shell, name, variable));
  }
  return status;
}

function lettersOf(variable: Variable): string {
  const { elements, associative, integer, letters, reference, readonly, exported } = variable;
  return [
    elements === undefined ? "" : associative === true ? "A" : "a",
    integer === true ? "i" : "",
    letters === undefined ? "" : letters.charAt(0),
    reference === true ? "n" : "",
    readonly ? "r" : "",
    exported ? "x" : "",
  ].join("");
}

function declaration({ variables }: Shell, name: string, variable: Variable): string {
  const value =
    variable.elements === undefined
      ? variable.value === null
        ? ""
        : `=${doubleQuoted(variable.value)}`
      : `=(${elementsOf(variables, name)
          .map(([key, text]) => `[${key}]=${doubleQuoted(text)}`)
          .join(" ")}${variable.associative === true && variable.elements.size > 0 ? " " : ""})`;
  return `declare -${lettersOf(variable) || "-"} ${name}${value}\n`;
}

function doubleQuoted(text: string): string {
  // eslint-disable-next-line no-control-regex
  return /[\x00-\x1f]/.test(text) ? ansiQuoted(text) : `"${text.replace(/[\\"$`]/g, "\\$&")}"`;
}

/** Of a function its name is known; its text is not kept as bash would print it. */
function* functions({ shell }: Interpreter, names: readonly string[], onlyNames: boolean): Run<number> {
  const known = names.length > 0 ? names : [...shell.functions.keys()].sort();
  let status = 0;
  for (const name of known) {
    if (!shell.functions.has(name)) status = 1;
    else if (onlyNames) yield* shell.print(1, names.length > 0 ? `${name}\n` : `declare -f ${name}\n`);
    else status = yield* refuse(shell, `${name}: printing functions is not supported here`);
  }
  return status;
}

export function* local(interpreter: Interpreter, args: readonly string[]): Run<number> {
  if (!interpreter.shell.variables.inFunction)
    return yield* refuse(interpreter.shell, "can only be used in a function");
  return yield* declare(interpreter, args);
}

/** "unset a[1]" takes one element away. */
export function* unset(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const { variables } = shell;
  let status = 0;
  const isReference = args.includes("-n");
  const isFunction = args.includes("-f");
  for (const arg of args.filter((each) => !/^-[fvn]$/.test(each))) {
    const [, name = "", key] = /^([A-Za-z_]\w*)(?:\[(.*)\])?$/s.exec(arg) ?? [];
    const target = isReference ? name : meant(variables, name);
    if (isFunction) shell.functions.delete(arg);
    else if (name === "") continue;
    else if (variables.find(target)?.readonly === true)
      status = yield* refuse(shell, `${name}: cannot unset: readonly variable`);
    else if (key === undefined || key === "@" || key === "*") {
      if (variables.find(target) === null) shell.functions.delete(name);
      variables.unset(target);
    } else {
      const elements = new Map(elementsOf(variables, target));
      elements.delete(yield* keyOf(interpreter, target, textWord(key)));
      setElements(variables, target, elements);
    }
  }
  return status;
}

/** `export` and `readonly`: what is no name is said, and the others have their turn. */
export function marking(name: "export" | "readonly"): Builtin {
  return function* (interpreter, args): Run<number> {
    const { shell } = interpreter;
    if (args.includes("-f")) return 0;
    const wrong = args.filter((arg) => !arg.startsWith("-") && !isName(/^[^=+]*/.exec(arg)?.[0] ?? ""));
    for (const each of wrong) yield* shell.complain(`\`${each}': not a valid identifier`);
    const rest = args.filter((arg) => !wrong.includes(arg));
    if (args.filter((arg) => !arg.startsWith("-")).length === 0)
      return yield* printDeclared(interpreter, [], name === "export" ? "x" : "r");
    if (rest.length > 0) yield* declare(interpreter, [name === "export" ? "-gx" : "-gr", ...rest]);
    return wrong.length > 0 ? 1 : 0;
  };
}
