/** Builtins on variables, parameters, options, aliases: export, readonly, local, set, unset, shift, getopts, alias. */
import { isTerminal } from "../applet.ts";
import type { Builtin } from "./builtin.ts";
import { inBuckets, numberOf } from "./builtins-control.ts";
import type { Interpreter } from "./interpret.ts";
import type { Run } from "../run.ts";
import { dropPrivileges } from "../privileges.ts";
import { optionNames, type Shell, ShellError } from "./shell.ts";
import { isName, quote, type Variable } from "./variables.ts";

/** `export` and `readonly`. */
function marking(name: "export" | "readonly", mark: Partial<Variable>): Builtin {
  return function* ({ shell }, args): Run<number> {
    const operands = args.filter((arg) => arg !== "-p" && arg !== "--");
    if (operands.length === 0) {
      const listed = shell.variables.list((variable) => (name === "export" ? variable.exported : variable.readonly));
      const lines = listed.map(([each, value]) => `${name} ${each}${value === null ? "" : `=${quote(value)}`}\n`);
      yield* shell.print(1, lines.join(""));
    }
    for (const operand of operands) assign(shell, operand, (variable) => shell.variables.mark(variable, mark));
    return 0;
  };
}

/** "name" or "name=value". */
function assign(shell: Shell, operand: string, mark: (name: string) => void): void {
  const at = operand.indexOf("=");
  const name = at === -1 ? operand : operand.slice(0, at);
  if (!isName(name)) throw new ShellError(`${name}: bad variable name`);
  if (at !== -1) shell.variables.set(name, operand.slice(at + 1));
  mark(name);
}

function local({ shell }: Interpreter, args: readonly string[]): number {
  if (!shell.variables.inFunction) throw new ShellError("not in a function");
  for (const operand of args) {
    const name = operand.split("=")[0] ?? "";
    if (!isName(name)) throw new ShellError(`${name}: bad variable name`);
    shell.variables.makeLocal(name);
    assign(shell, operand, () => {});
  }
  return 0;
}

function unset({ shell }: Interpreter, args: readonly string[]): number {
  const isFunction = args[0] === "-f";
  for (const name of args[0] === "-f" || args[0] === "-v" ? args.slice(1) : args) {
    if (isFunction) shell.functions.delete(name);
    else if (!isName(name)) throw new ShellError(`${name}: bad variable name`);
    else shell.variables.unset(name);
  }
  return 0;
}

function shift({ shell }: Interpreter, [text]: readonly string[]): number {
  const count = text === undefined ? 1 : numberOf(text);
  if (count > shell.positional.length && shell.dialect !== "dash") return 1;
  if (count > shell.positional.length) throw new ShellError("can't shift that many");
  shell.positional = shell.positional.slice(count);
  return 0;
}

function* set({ shell }: Interpreter, args: readonly string[]): Run<number> {
  if (args.length === 0) {
    const lines = shell.variables
      .list(({ value }) => value !== null)
      .map(([name, value]) => `${name}=${quote(value ?? "")}\n`);
    yield* shell.print(1, lines.join(""));
    return 0;
  }
  const monitored = shell.monitors;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (!/^[-+]./.test(arg)) break;
    if (arg === "--") {
      shell.positional = args.slice(at + 1);
      return 0;
    }
    const name = args[at + 1];
    if (/^[-+]o$/.test(arg) && name === undefined) yield* listOptions(shell, arg === "+o");
    at += setOptions(shell, arg, name);
  }
  if (shell.monitors && !monitored) yield* controlJobs(shell);
  if (args[at] === "-") at++;
  if (at < args.length) shell.positional = args.slice(at);
  return 0;
}

/** Job control needs a terminal whose foreground it can set. */
function* controlJobs(shell: Shell): Run<void> {
  shell.terminal ??= [2, 1, 0].find((fd) => isTerminal(shell.sys, fd)) ?? null;
  if (shell.terminal !== null) return;
  shell.options.delete("m");
  yield* shell.complain("can't access tty; job control turned off");
}

/** Letters in a cluster, "o" with a name after it. Gives how many arguments more it took. */
export function setOptions(shell: Shell, cluster: string, next: string | undefined): number {
  const on = cluster.startsWith("-");
  let taken = 0;
  for (const letter of cluster.slice(1)) {
    if (letter === "o") {
      if (next === undefined) continue;
      const named = optionNames.find(([, name]) => name === next);
      if (named === undefined) throw new ShellError(`Illegal option ${cluster.charAt(0)}o ${next}`);
      setOption(shell, named[0], on);
      taken = 1;
    } else if (unlettered.has(letter) || !optionNames.some(([known]) => known === letter) || isUnknown(shell, letter))
      throw new ShellError(`Illegal option ${cluster.charAt(0)}${letter}`);
    else setOption(shell, letter, on);
  }
  return taken;
}

/** Options that have only a name. */
const unlettered = new Set(["P", "d", "l"]);

/** busybox gives up what a set-user-ID file gave before it is a shell. */
function isUnknown(shell: Shell, letter: string): boolean {
  return letter === "p" && shell.dialect === "ash";
}

function setOption(shell: Shell, letter: string, on: boolean): void {
  if (on) shell.options.add(letter);
  else shell.options.delete(letter);
  if (letter === "a") shell.variables.exportsAll = on;
  if (letter === "p" && !on) dropPrivileges(shell.sys);
}

function* listOptions(shell: Shell, asCommands: boolean): Run<void> {
  const lines = optionNames.map(([letter, name]) => {
    const on = shell.options.has(letter);
    return asCommands ? `set ${on ? "-" : "+"}o ${name}\n` : `${name.padEnd(16)}${on ? "on" : "off"}\n`;
  });
  yield* shell.print(1, (asCommands ? "" : "Current option settings\n") + lines.join(""));
}

function* getopts({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const [letters = "", name = "", ...given] = args;
  if (args.length < 2) throw new ShellError("Usage: getopts optstring var [arg...]");
  const words = given.length > 0 ? given : shell.positional;
  const index = Number(shell.variables.get("OPTIND") ?? "1");
  const word = words[index - 1];
  if (word === undefined || !/^-./.test(word) || word === "--")
    return finish(shell, name, word === "--" ? index + 1 : index);
  const offset = Math.max(1, shell.optionOffset);
  const letter = word.charAt(offset);
  const place = letters.indexOf(letter);
  const isQuiet = letters.startsWith(":");
  const isLast = offset + 1 >= word.length;
  if (letter === ":" || place === -1) {
    advance(shell, isLast ? index + 1 : index, isLast ? 0 : offset + 1);
    return yield* refuse(shell, name, letter, isQuiet ? "?" : null, `Illegal option -${letter}`);
  }
  if (letters[place + 1] !== ":") {
    advance(shell, isLast ? index + 1 : index, isLast ? 0 : offset + 1);
    return found(shell, name, letter, null);
  }
  const value = isLast ? words[index] : word.slice(offset + 1);
  advance(shell, index + (isLast ? 2 : 1), 0);
  if (value === undefined) {
    advance(shell, index + 1, 0);
    return yield* refuse(shell, name, letter, isQuiet ? ":" : null, `No arg for -${letter} option`);
  }
  return found(shell, name, letter, value);
}

function advance(shell: Shell, index: number, offset: number): void {
  shell.variables.set("OPTIND", String(index));
  shell.optionOffset = offset;
}

function found(shell: Shell, name: string, letter: string, value: string | null): number {
  shell.variables.set("OPTARG", value ?? "");
  shell.variables.set(name, letter);
  return 0;
}

function* refuse(shell: Shell, name: string, letter: string, quiet: string | null, message: string): Run<number> {
  shell.variables.set(name, quiet ?? "?");
  if (quiet !== null) shell.variables.set("OPTARG", letter);
  else {
    shell.variables.unset("OPTARG");
    yield* shell.print(2, `${message}\n`);
  }
  return 0;
}

function finish(shell: Shell, name: string, index: number): number {
  advance(shell, index, 0);
  shell.variables.unset("OPTARG");
  shell.variables.set(name, "?");
  return 1;
}

const aliasBuckets = 39;

function* alias({ shell }: Interpreter, args: readonly string[]): Run<number> {
  let status = 0;
  if (args.length === 0)
    for (const [name, value] of inBuckets(shell.aliases, aliasBuckets))
      yield* shell.print(1, `${name}=${quote(value)}\n`);
  for (const arg of args) {
    const at = arg.indexOf("=", 1);
    const value = shell.aliases.get(arg);
    if (at > 0) shell.aliases.set(arg.slice(0, at), arg.slice(at + 1));
    else if (value !== undefined) yield* shell.print(1, `${arg}=${quote(value)}\n`);
    else {
      yield* shell.print(2, `alias: ${arg} not found\n`);
      status = 1;
    }
  }
  return status;
}

function* unalias({ shell }: Interpreter, args: readonly string[]): Run<number> {
  let status = 0;
  if (args[0] === "-a") shell.aliases.clear();
  for (const name of args.filter((arg) => arg !== "-a")) {
    if (shell.aliases.delete(name)) continue;
    yield* shell.print(2, `unalias: ${name} not found\n`);
    status = 1;
  }
  return status;
}

export const variableSpecials: Readonly<Record<string, Builtin>> = {
  export: marking("export", { exported: true }),
  readonly: marking("readonly", { readonly: true }),
  local,
  set,
  shift,
  unset,
};

export const variableBuiltins: Readonly<Record<string, Builtin>> = { alias, getopts, unalias };
