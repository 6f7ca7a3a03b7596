/** Builtins that decide what runs next: eval, exec, exit, return, break, trap, command, type and their kin. */
import { Errno } from "../../../../core/base/errno.ts";
import { encodeText } from "../../../../core/base/bytes.ts";
import { readText } from "../applet.ts";
import { signalName, signalNumber } from "../signals.ts";
import type { Builtin } from "./builtin.ts";
import type { Interpreter } from "./interpret.ts";
import { type Run, settled } from "../run.ts";
import { Exit, ShellError, type Skip } from "./shell.ts";
import { quote } from "./variables.ts";

export function isKeyword(name: string): boolean {
  return keywords.has(name);
}

const keywords = new Set("! case do done elif else esac fi for if in then until while { }".split(" "));

/** A non-negative number, as dash wants it. */
export function numberOf(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 2 ** 31 - 1) throw new ShellError(`Illegal number: ${text}`);
  return Number(text);
}

function leave(kind: Skip["kind"]): Builtin {
  return ({ shell }, [text]) => {
    const wanted = text === undefined ? 1 : numberOf(text);
    if (wanted < 1) throw new ShellError(`Illegal number: ${text}`);
    if (shell.loops > 0) shell.skip = { kind, count: Math.min(wanted, shell.loops) };
    return 0;
  };
}

function exit({ shell }: Interpreter, [text]: readonly string[]): number {
  throw new Exit(text === undefined ? shell.status : numberOf(text));
}

function returns({ shell }: Interpreter, [text]: readonly string[]): number {
  const status = text === undefined ? shell.status : numberOf(text);
  shell.skip = { kind: "return", count: 0 };
  shell.status = status;
  return status;
}

function evaluates(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  return interpreter.source(args.join(" "), interpreter.shell.line, flags & 1);
}

function* dot(interpreter: Interpreter, [name, ...args]: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const { positional } = shell;
  if (name === undefined) return 0;
  const text = yield* sourceText(interpreter, name);
  const { line, functionLine, loops } = shell;
  const lends = args.length > 0 && shell.dialect !== "dash";
  if (lends) shell.positional = args;
  shell.functionLine = 0;
  try {
    return yield* interpreter.source(text, 1, flags & 1);
  } finally {
    if (shell.skip?.kind === "return" && !shell.variables.inFunction) shell.skip = null;
    Object.assign(shell, { line, functionLine, loops });
    if (lends) shell.positional = positional;
  }
}

function* sourceText(interpreter: Interpreter, name: string): Run<string> {
  for (const path of interpreter.candidates(name)) {
    try {
      return yield* settled(readText(interpreter.shell.sys, path));
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
    }
  }
  throw new ShellError(name.includes("/") ? `cannot open ${name}: No such file` : `${name}: not found`);
}

function* exec(interpreter: Interpreter, args: readonly string[]): Run<number> {
  if (args.length === 0) return 0;
  return yield* interpreter.execute(args);
}

function* trap({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const { traps } = shell;
  const operands = args[0] === "--" ? args.slice(1) : args;
  if (operands.length === 0) {
    for (const [signal, action] of traps.list())
      yield* shell.print(1, `trap -- ${quote(action)} ${signalName(signal)}\n`);
    return 0;
  }
  const [first = "", ...rest] = operands;
  const isReset = first === "-" || (rest.length === 0 && signalNumber(first) !== null) || /^\d+$/.test(first);
  const names = isReset && first !== "-" ? operands : rest;
  for (const name of names) {
    const signal = signalNumber(name);
    if (signal === null) {
      yield* shell.print(2, `trap: ${name}: bad trap\n`);
      return 1;
    }
    if (isReset) traps.reset(signal);
    else traps.set(signal, first);
  }
  return 0;
}

function* times({ shell }: Interpreter): Run<number> {
  const fields = (yield* settled(readText(shell.sys, "/proc/self/stat"))).replace(/^.*\) /s, "").split(" ");
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  const text = (ticks: number): string => `${Math.floor(ticks / 6000)}m${((ticks % 6000) / 100).toFixed(6)}s`;
  yield* shell.print(1, `${text(user)} ${text(system)}\n${text(childUser)} ${text(childSystem)}\n`);
  return 0;
}

/** `command -v`, `command -V` and `command -p`; plain `command` is the interpreter's. */
function* command(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const [option = "", ...names] = args;
  const { shell } = interpreter;
  if (option === "-v") return yield* describe(interpreter, names.slice(0, 1), short);
  if (option === "-V") return yield* describe(interpreter, names.slice(0, 1), long);
  if (option !== "-p") return 0;
  const [name = "", ...rest] = names;
  const builtin = interpreter.builtin(name);
  if (builtin !== undefined) {
    const result = builtin(interpreter, rest, 0);
    return typeof result === "number" ? result : yield* result;
  }
  shell.variables.enterFunction();
  shell.variables.makeLocal("PATH");
  shell.variables.set("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
  try {
    return yield* interpreter.source(names.map(quote).join(" "), shell.line, 0);
  } finally {
    shell.variables.leaveFunction();
  }
}

function type(interpreter: Interpreter, args: readonly string[]): Run<number> {
  return describe(interpreter, args, long);
}

interface Description {
  readonly name: string;
  readonly kind: "alias" | "keyword" | "function" | "special" | "builtin" | "path" | "hashed";
  readonly detail: string;
}

function* describe(
  interpreter: Interpreter,
  names: readonly string[],
  word: (found: Description) => string,
): Run<number> {
  let status = 0;
  for (const name of names) {
    const found = lookUp(interpreter, name);
    if (found !== null) yield* interpreter.shell.print(1, `${word(found)}\n`);
    else {
      status = 127;
      if (word === long) yield* interpreter.shell.print(1, `${name}: not found\n`);
    }
  }
  return status;
}

function lookUp(interpreter: Interpreter, name: string): Description | null {
  const { aliases, functions } = interpreter.shell;
  const alias = aliases.get(name);
  if (keywords.has(name)) return { name, kind: "keyword", detail: "" };
  if (alias !== undefined) return { name, kind: "alias", detail: alias };
  if (interpreter.isSpecial(name)) return { name, kind: "special", detail: "" };
  if (functions.has(name)) return { name, kind: "function", detail: "" };
  if (interpreter.builtin(name) !== undefined) return { name, kind: "builtin", detail: "" };
  const path = findProgram(interpreter, name);
  if (path === null) return null;
  return { name, kind: interpreter.shell.hashed.has(name) ? "hashed" : "path", detail: path };
}

/** The file that a command's name would run. */
export function findProgram(interpreter: Interpreter, name: string): string | null {
  const { sys } = interpreter.shell;
  for (const path of interpreter.candidates(name)) {
    try {
      if (sys.stat(path).kind !== "file") continue;
      sys.access(path, { execute: true });
      return path;
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
    }
  }
  return null;
}

function short({ name, kind, detail }: Description): string {
  return kind === "alias" ? `alias ${name}=${quote(detail)}` : kind === "path" || kind === "hashed" ? detail : name;
}

function long({ name, kind, detail }: Description): string {
  switch (kind) {
    case "alias":
      return `${name} is an alias for ${detail}`;
    case "keyword":
      return `${name} is a shell keyword`;
    case "function":
      return `${name} is a shell function`;
    case "special":
      return `${name} is a special shell builtin`;
    case "builtin":
      return `${name} is a shell builtin`;
    case "path":
      return `${name} is ${detail}`;
    case "hashed":
      return `${name} is a tracked alias for ${detail}`;
  }
}

const commandBuckets = 31;

/** In the order of dash's tables, which are of so many buckets. */
export function inBuckets(table: ReadonlyMap<string, string>, buckets: number): [string, string][] {
  const bucketOf = (name: string): number =>
    Array.from(encodeText(name)).reduce((sum, byte, index) => sum + byte + (index === 0 ? byte << 4 : 0), 0) % buckets;
  return [...table].sort(([a], [b]) => bucketOf(a) - bucketOf(b));
}

function* hash(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  if (args[0] === "-r") shell.hashed.clear();
  else if (args.length === 0)
    for (const [, path] of inBuckets(shell.hashed, commandBuckets)) yield* shell.print(1, `${path}\n`);
  for (const name of args.filter((arg) => !arg.startsWith("-"))) {
    const path = findProgram(interpreter, name);
    if (path === null) {
      yield* shell.complain(`${name}: not found`);
      return 1;
    }
    shell.hashed.set(name, path);
  }
  return 0;
}

export const controlSpecials: Readonly<Record<string, Builtin>> = {
  ".": dot,
  ":": () => 0,
  break: leave("break"),
  continue: leave("continue"),
  eval: evaluates,
  exec,
  exit,
  return: returns,
  times,
  trap,
};

export const controlBuiltins: Readonly<Record<string, Builtin>> = {
  command,
  false: () => 1,
  hash,
  true: () => 0,
  type,
};
