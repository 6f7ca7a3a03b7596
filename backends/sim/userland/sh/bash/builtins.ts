/** bash's builtins, where they are others than the common ones'. */
import { Errno, errnoText } from "../../../../../core/base/errno.ts";
import { strftime } from "../../calendar.ts";
import { type Run, settled } from "../../run.ts";
import { signalName, signalNumber } from "../../signals.ts";
import type { Builtin } from "../builtin.ts";
import { controlBuiltins, controlSpecials, findProgram, isKeyword } from "../builtins-control.ts";
import { ioBuiltins } from "../builtins-io.ts";
import { jobBuiltins } from "../builtins-jobs.ts";
import { variableBuiltins, variableSpecials } from "../builtins-variables.ts";
import type { Interpreter } from "../interpret.ts";
import { codeOf, stateOf } from "../jobs.ts";
import { Exit, type Shell, ShellError } from "../shell.ts";
import { textWord } from "../lower.ts";
import { isSet } from "./condition.ts";
import { declare, local, marking, unset } from "./declare.ts";
import type { Bash } from "./extension.ts";
import { ansiQuoted, quoteForReuse } from "./parameters.ts";
import { mapfile, read } from "./read.ts";
import { captured } from "./running.ts";
import { misused, refuse, usage } from "./saying.ts";

/** It is there only with bash. */
function own({ shell }: Interpreter): Bash {
  return shell.extension as Bash;
}

// Options

const knownShopts =
  "autocd cdspell checkwinsize cmdhist dotglob expand_aliases extglob failglob globstar histappend huponexit inherit_errexit interactive_comments lastpipe login_shell nocaseglob nocasematch nullglob progcomp promptvars sourcepath xpg_echo".split(
    " ",
  );
/** Those that change something here. */
const workingShopts = new Set(["dotglob", "expand_aliases", "failglob", "globstar", "nocasematch", "nullglob"]);

function* shopt(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const { shopts } = own(interpreter);
  const letters = args.filter((arg) => arg.startsWith("-")).join("");
  const names = args.filter((arg) => !arg.startsWith("-"));
  let status = 0;
  for (const name of names.length > 0 ? names : knownShopts) {
    if (!knownShopts.includes(name)) status = yield* refuse(shell, `${name}: invalid shell option name`);
    else if (letters.includes("s") && !workingShopts.has(name) && name !== "checkwinsize")
      status = yield* refuse(shell, `${name}: not supported here`);
    else if (letters.includes("s")) shopts.add(name);
    else if (letters.includes("u")) shopts.delete(name);
    else {
      if (!shopts.has(name) && names.length > 0) status = 1;
      if (!letters.includes("q")) yield* shell.print(1, `${name.padEnd(15)}\t${shopts.has(name) ? "on" : "off"}\n`);
    }
  }
  return status;
}

function* set(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  if (args[0] === "-o" && args[1] === undefined) {
    const names = "allexport errexit monitor noclobber noexec noglob nounset pipefail privileged verbose xtrace".split(
      " ",
    );
    const letters: Readonly<Record<string, string>> = {
      allexport: "a",
      errexit: "e",
      monitor: "m",
      noclobber: "C",
      noexec: "n",
      noglob: "f",
      nounset: "u",
      pipefail: "P",
      privileged: "p",
      verbose: "v",
      xtrace: "x",
    };
    for (const name of names)
      yield* shell.print(1, `${name.padEnd(15)}\t${shell.options.has(letters[name] ?? "") ? "on" : "off"}\n`);
    return 0;
  }
  try {
    const result =
      variableSpecials["set"]?.(
        interpreter,
        args.filter((arg) => arg !== "-h" && arg !== "-B"),
        flags,
      ) ?? 0;
    return typeof result === "number" ? result : yield* result;
  } catch (thrown) {
    if (!(thrown instanceof ShellError)) throw thrown;
    const name = /^Illegal option [-+]o (.*)$/.exec(thrown.message)?.[1];
    if (name !== undefined) return yield* refuse(shell, `${name}: invalid option name`, 2);
    const option = /^Illegal option (.*)$/.exec(thrown.message)?.[1] ?? "";
    return yield* misused(
      shell,
      `${option}: invalid option`,
      "set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]",
    );
  }
}

// Output

function* printf(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const variable = args[0] === "-v" ? args[1] : undefined;
  const rest = variable === undefined ? args : args.slice(2);
  const [format] = rest[0] === "--" ? rest.slice(1) : rest;
  if (format === undefined) return yield* usage(shell, "printf [-v var] format [arguments]");
  if (format.includes("%q")) return yield* printf(interpreter, quotedWhere(format, rest.slice(1)), flags);
  const dates = format.replace(/%\(([^)]*)\)T/g, "%s");
  const given = dates === format ? rest : dated(shell, format, rest.slice(1), dates);
  if (variable === undefined) return yield* runCommon(interpreter, ioBuiltins["printf"], given, flags);
  const text = yield* captured(interpreter, () => runCommon(interpreter, ioBuiltins["printf"], given, flags));
  shell.variables.set(variable, text);
  return shell.status;
}

/** "%q" prints so that the shell can read it in again. */
function quotedWhere(format: string, values: readonly string[]): string[] {
  const kinds = [...format.matchAll(/%[-+ #0]*\d*(?:\.\d+)?([a-zA-Z])/g)].map((match) => match[1]);
  const given = values.length === 0 ? [""] : values;
  const texts = given.map((value, index) => (kinds[index % kinds.length] === "q" ? escaped(value) : value));
  return [format.replace(/(%[-+ #0]*\d*)q/g, "$1s"), ...texts];
}

function escaped(text: string): string {
  if (text === "") return "''";
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(text)) return ansiQuoted(text);
  return text.replace(/[^\w@%+=:./-]/gu, "\\$&");
}

/** "%(format)T" prints a time, of seconds or of now (-1). */
function dated({ sys }: Shell, format: string, values: readonly string[], plain: string): string[] {
  const formats = [...format.matchAll(/%(?:\(([^)]*)\)T|[^%])/g)].map((match) => match[1]);
  const texts = values.length === 0 ? ["-1"] : [...values];
  return [
    plain,
    ...texts.map((value, index) => {
      const time = formats[index % Math.max(1, formats.length)];
      if (time === undefined) return value;
      return strftime(time, Number(value) < 0 ? sys.now() : BigInt(value) * 1_000_000_000n);
    }),
  ];
}

function* runCommon(
  interpreter: Interpreter,
  builtin: Builtin | undefined,
  args: readonly string[],
  flags: number,
): Run<number> {
  const result = builtin?.(interpreter, args, flags) ?? 0;
  return typeof result === "number" ? result : yield* result;
}

// Where one is

function* pushd(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const { directories } = own(interpreter);
  const here = shell.variables.get("PWD") ?? "/";
  const to = args[0] ?? directories.at(-1);
  if (to === undefined) return yield* refuse(shell, "no other directory");
  const status = yield* cd(interpreter, [to], flags);
  if (status !== 0) return status;
  if (args[0] === undefined) directories.pop();
  directories.push(here);
  return yield* dirs(interpreter);
}

function* popd(interpreter: Interpreter, _args: readonly string[], flags: number): Run<number> {
  const { directories } = own(interpreter);
  const to = directories.pop();
  if (to === undefined) return yield* refuse(interpreter.shell, "directory stack empty");
  yield* cd(interpreter, [to], flags);
  return yield* dirs(interpreter);
}

function* dirs(interpreter: Interpreter): Run<number> {
  const { shell } = interpreter;
  const home = shell.variables.get("HOME") ?? "";
  const short = (path: string): string =>
    home.length > 1 && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path;
  const all = [shell.variables.get("PWD") ?? "/", ...own(interpreter).directories.toReversed()];
  yield* shell.print(1, `${all.map(short).join(" ")}\n`);
  return 0;
}

function* cd(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const operands = args.filter((arg) => !/^-[LPe@]+$|^--$/.test(arg));
  if (operands.length > 1) return yield* refuse(shell, "too many arguments");
  const wanted = operands[0] ?? "";
  if (wanted === "-" && shell.variables.get("OLDPWD") === null) return yield* refuse(shell, "OLDPWD not set");
  try {
    return yield* runCommon(interpreter, ioBuiltins["cd"], args, flags);
  } catch (thrown) {
    if (!(thrown instanceof ShellError)) throw thrown;
    return yield* refuse(shell, `${wanted}: ${whyNoDirectory(shell, wanted)}`);
  }
}

function whyNoDirectory({ sys }: Shell, path: string): string {
  try {
    return sys.stat(path).kind === "directory" ? errnoText("EACCES") : errnoText("ENOTDIR");
  } catch (thrown) {
    if (thrown instanceof Errno) return errnoText(thrown.errno);
    throw thrown;
  }
}

// What a name means

function* type(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const letters = args.filter((arg) => arg.startsWith("-")).join("");
  let status = 0;
  for (const name of args.filter((arg) => !arg.startsWith("-"))) {
    const meanings = meaningsOf(interpreter, name);
    if (meanings.length === 0) {
      status = 1;
      if (!/[tpP]/.test(letters)) yield* shell.complain(`${name}: not found`);
    }
    for (const { kind, text } of letters.includes("a") ? meanings : meanings.slice(0, 1)) {
      if (letters.includes("t")) yield* shell.print(1, `${kind}\n`);
      else if (/[pP]/.test(letters)) yield* shell.print(1, kind === "file" ? `${text.slice(name.length + 4)}\n` : "");
      else yield* shell.print(1, `${text}\n`);
    }
  }
  return status;
}

function meaningsOf(interpreter: Interpreter, name: string): { kind: string; text: string }[] {
  const { aliases, functions: known } = interpreter.shell;
  const path = findProgram(interpreter, name);
  const alias = aliases.get(name);
  return [
    ...(alias === undefined ? [] : [{ kind: "alias", text: `${name} is aliased to \`${alias}'` }]),
    ...(isKeyword(name) || /^(?:\[\[|function|select|time|coproc)$/.test(name)
      ? [{ kind: "keyword", text: `${name} is a shell keyword` }]
      : []),
    ...(known.has(name) ? [{ kind: "function", text: `${name} is a function` }] : []),
    ...(interpreter.builtin(name) === undefined ? [] : [{ kind: "builtin", text: `${name} is a shell builtin` }]),
    ...(path === null ? [] : [{ kind: "file", text: `${name} is ${path}` }]),
  ];
}

function* builtin(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const [name, ...rest] = args;
  if (name === undefined) return 0;
  const found = interpreter.builtin(name);
  if (found === undefined) return yield* refuse(interpreter.shell, `${name}: not a shell builtin`);
  return yield* runCommon(interpreter, found, rest, flags);
}

// Control

function* exit({ shell }: Interpreter, [text]: readonly string[]): Run<number> {
  if (text !== undefined && !/^[-+]?\d+$/.test(text)) {
    yield* shell.complain(`${text}: numeric argument required`);
    throw new Exit(2);
  }
  throw new Exit(text === undefined ? shell.status : Number(text) & 255);
}

function* returns(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  if (!shell.variables.inFunction && shell.sourced === 0)
    return yield* refuse(shell, "can only `return' from a function or sourced script", 2);
  const [text] = args;
  if (text !== undefined && !/^[-+]?\d+$/.test(text))
    return yield* refuse(shell, `${text}: numeric argument required`, 2);
  return yield* runCommon(
    interpreter,
    controlSpecials["return"],
    text === undefined ? [] : [String(Number(text) & 255)],
    flags,
  );
}

function leaving(name: "break" | "continue"): Builtin {
  return function* (interpreter, args, flags): Run<number> {
    const { shell } = interpreter;
    if (shell.loops > 0) return yield* runCommon(interpreter, controlSpecials[name], args, flags);
    yield* shell.complain("only meaningful in a `for', `while', or `until' loop");
    return 0;
  };
}

function* source(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const [name] = args;
  if (name === undefined)
    return yield* misused(shell, "filename argument required", `${shell.command} filename [arguments]`);
  const { command } = shell;
  shell.sourced++;
  try {
    const given =
      !name.includes("/") && findProgram(interpreter, name) === null ? [`./${name}`, ...args.slice(1)] : args;
    return yield* runCommon(interpreter, controlSpecials["."], given, flags);
  } catch (thrown) {
    if (!(thrown instanceof ShellError) || !/^cannot open|: not found$/.test(thrown.message)) throw thrown;
    shell.command = null;
    return yield* refuse(shell, `${name}: No such file or directory`);
  } finally {
    shell.sourced--;
    shell.command = command;
  }
}

function* shift({ shell }: Interpreter, [text]: readonly string[]): Run<number> {
  const count = Number(text ?? 1);
  if (!/^-?\d+$/.test(text ?? "1")) return yield* refuse(shell, `${text}: numeric argument required`);
  if (count < 0) return yield* refuse(shell, `${text}: shift count out of range`);
  if (count > shell.positional.length) return 1;
  shell.positional = shell.positional.slice(count);
  return 0;
}

function* trap(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const isListing = args.length === 0 || args[0] === "-p";
  if (isListing) {
    for (const [signal, action] of shell.traps.list())
      if (args.length < 2 || args.slice(1).some((name) => name.replace(/^SIG/, "") === signalName(signal)))
        yield* shell.print(
          1,
          `trap -- ${quoteForReuse(action)} ${signal === 0 ? "EXIT" : `SIG${signalName(signal)}`}\n`,
        );
    return 0;
  }
  const own = args.slice(1).filter((name) => /^(?:ERR|DEBUG|RETURN)$/.test(name));
  if (own.some((name) => name !== "ERR")) return yield* refuse(shell, `${own[0]}: not supported here`);
  if (own.includes("ERR")) shell.onError = args[0] === "-" ? "" : (args[0] ?? "");
  const rest = [...args.slice(0, 1), ...args.slice(1).filter((name) => !own.includes(name))];
  if (own.length > 0 && rest.length === 1) return 0;
  const wrong = rest.slice(1).find((name) => !/^(?:SIG)?[A-Z0-9]+$/i.test(name) || signalNumber(name) === null);
  if (wrong !== undefined) return yield* refuse(shell, `${wrong}: invalid signal specification`);
  return yield* runCommon(interpreter, controlSpecials["trap"], rest, flags);
}

function* alias(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  let status = 0;
  if (args.length === 0 || args[0] === "-p")
    for (const [name, text] of [...shell.aliases].sort(([a], [b]) => (a < b ? -1 : 1)))
      yield* shell.print(1, `alias ${name}=${quoteForReuse(text)}\n`);
  for (const arg of args.filter((each) => each !== "-p")) {
    const text = shell.aliases.get(arg);
    if (arg.includes("=")) yield* runCommon(interpreter, variableBuiltins["alias"], [arg], flags);
    else if (text !== undefined) yield* shell.print(1, `alias ${arg}=${quoteForReuse(text)}\n`);
    else status = yield* refuse(shell, `${arg}: not found`);
  }
  return status;
}

function* unalias({ shell }: Interpreter, args: readonly string[]): Run<number> {
  let status = 0;
  if (args.includes("-a")) shell.aliases.clear();
  for (const arg of args.filter((each) => each !== "-a"))
    if (!shell.aliases.delete(arg)) status = yield* refuse(shell, `${arg}: not found`);
  return status;
}

function* exec(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  try {
    return yield* runCommon(interpreter, controlSpecials["exec"], args, flags);
  } catch (thrown) {
    if (!(thrown instanceof ShellError)) throw thrown;
    yield* interpreter.shell.complain(thrown.message);
    throw new Exit(thrown.status);
  }
}

/** "-v" and "-V" of several names. */
function* command(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const [option = "", ...names] = args;
  if (option === "-V") return yield* type(interpreter, names);
  if (option !== "-v") return yield* runCommon(interpreter, controlBuiltins["command"], args, flags);
  let status = 1;
  for (const name of names)
    if ((yield* runCommon(interpreter, controlBuiltins["command"], ["-v", name], flags)) === 0) status = 0;
  return status;
}

/** test's "-v"; how an error is worded is bash's. */
function testing(close: "" | "]"): Builtin {
  return function* (interpreter, args, flags): Run<number> {
    const words = close === "" ? args : args.slice(0, -1);
    if (words.length === 2 && words[0] === "-v" && (close === "" || args.at(-1) === "]"))
      return isSet(interpreter.shell, words[1] ?? "") ? 0 : 1;
    try {
      return yield* runCommon(interpreter, ioBuiltins[close === "" ? "test" : "["], args, flags);
    } catch (thrown) {
      if (!(thrown instanceof ShellError)) throw thrown;
      return yield* refuse(interpreter.shell, testWords(words, thrown.message), 2);
    }
  };
}

function testWords(words: readonly string[], message: string): string {
  const number = /^Illegal number: (.*)$/.exec(message)?.[1];
  if (number !== undefined) return `${number}: integer expression expected`;
  if (message === "missing ]") return "missing `]'";
  if (words.length === 2) return `${words[0]}: unary operator expected`;
  return words.length === 3 ? `${words[1]}: binary operator expected` : "too many arguments";
}

function* kill(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const [first = "", second] = args;
  if (args.length === 0)
    return yield* usage(shell, "kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]");
  if (first === "-l" && second !== undefined && !/^\d+$/.test(second)) {
    const number = signalNumber(second);
    if (number === null) return yield* refuse(shell, `${second}: invalid signal specification`);
    yield* shell.print(1, `${number}\n`);
    return 0;
  }
  const signal = first === "-s" || first === "-n" ? (second ?? "") : /^-[^l-]/.test(first) ? first.slice(1) : "TERM";
  if (signalNumber(signal) === null) return yield* refuse(shell, `${signal}: invalid signal specification`);
  const targets = first === "-s" || first === "-n" ? args.slice(2) : /^-[^l-]/.test(first) ? args.slice(1) : args;
  if (first === "-l") return yield* runCommon(interpreter, jobBuiltins["kill"], args, flags);
  let status = 0;
  for (const target of targets) {
    const job = target.startsWith("%") ? shell.jobs.find(target) : null;
    const pids = job === null ? [Number(target)] : job.members.map(({ pid }) => pid);
    for (const pid of pids) {
      try {
        shell.sys.kill(pid, signalNumber(signal) ?? 0);
      } catch (thrown) {
        if (!(thrown instanceof Errno)) throw thrown;
        status = yield* refuse(shell, `(${target}) - ${errnoText(thrown.errno)}`);
      }
    }
  }
  yield* settled(shell.sys.work(1));
  return status;
}

/** Without job control there is nothing to bring forward. */
function controlled(name: "fg" | "bg"): Builtin {
  return function* (interpreter, args, flags): Run<number> {
    if (!interpreter.shell.monitors) return yield* refuse(interpreter.shell, "no job control");
    return yield* runCommon(interpreter, jobBuiltins[name], args, flags);
  };
}

function disown({ shell }: Interpreter): number {
  shell.jobs.clear();
  return 0;
}

/** "wait -n" waits for whichever ends next. */
function* wait(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const { shell } = interpreter;
  const [first] = args;
  if (first === "-n") return yield* waitAny(interpreter);
  const stranger = args.find((arg) => /^\d+$/.test(arg) && shell.jobs.ofPid(Number(arg)) === null);
  if (stranger !== undefined) return yield* refuse(shell, `pid ${stranger} is not a child of this shell`, 127);
  return yield* runCommon(interpreter, jobBuiltins["wait"], args, flags);
}

function* waitAny(interpreter: Interpreter): Run<number> {
  const { jobs, sys } = interpreter.shell;
  if (jobs.all().length === 0) return 127;
  const status = yield* settled(sys.wait(-1));
  if (status === null) return 127;
  const job = jobs.note(status);
  if (job !== null && stateOf(job) === "done") jobs.remove(job);
  return codeOf(status);
}

function* letArithmetic(interpreter: Interpreter, args: readonly string[]): Run<number> {
  if (args.length === 0) return yield* refuse(interpreter.shell, "expression expected");
  let value = "0";
  for (const arg of args) value = yield* interpreter.expander.arithmetic(textWord(arg));
  return value === "0" ? 1 : 0;
}

/** A common builtin whose option errors come with how it is used. */
function withUsage(name: string, text: string): Builtin {
  return function* (interpreter, args, flags): Run<number> {
    try {
      return yield* runCommon(interpreter, ioBuiltins[name], args, flags);
    } catch (thrown) {
      const option = thrown instanceof ShellError ? /^Illegal option (-.)$/.exec(thrown.message)?.[1] : undefined;
      if (option === undefined) throw thrown;
      return yield* misused(interpreter.shell, `${option}: invalid option`, text);
    }
  };
}

function* umask(interpreter: Interpreter, args: readonly string[], flags: number): Run<number> {
  const wrong = args.find((arg) => /^\d/.test(arg) && !/^[0-7]+$/.test(arg));
  if (wrong !== undefined) return yield* refuse(interpreter.shell, `${wrong}: octal number out of range`);
  return yield* runCommon(interpreter, ioBuiltins["umask"], args, flags);
}

/** What bash has and this one has not: said, so that nobody takes its silence for an answer. */
function absent(name: string): Builtin {
  return ({ shell }) => refuse(shell, `${name} is not supported here`);
}

const isNot = ["bind", "compgen", "complete", "compopt", "coproc", "fc", "help", "history", "suspend"];

export const bashBuiltins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...isNot.map((name): [string, Builtin] => [name, absent(name)]),
  [".", source],
  ["[", testing("]")],
  ["test", testing("")],
  ["bg", controlled("bg")],
  ["fg", controlled("fg")],
  ["caller", () => 1],
  ["command", command],
  ["disown", disown],
  ["exec", exec],
  ["kill", kill],
  ["let", letArithmetic],
  ["wait", wait],
  ["alias", alias],
  ["break", leaving("break")],
  ["builtin", builtin],
  ["cd", cd],
  ["continue", leaving("continue")],
  ["declare", declare],
  ["dirs", dirs],
  ["enable", () => 0],
  ["exit", exit],
  ["export", marking("export")],
  ["local", local],
  ["mapfile", mapfile],
  ["popd", popd],
  ["printf", printf],
  ["pushd", pushd],
  ["read", read],
  ["readarray", mapfile],
  ["readonly", marking("readonly")],
  ["return", returns],
  ["set", set],
  ["shift", shift],
  ["shopt", shopt],
  ["source", source],
  ["trap", trap],
  ["type", type],
  ["typeset", declare],
  ["ulimit", withUsage("ulimit", "ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]")],
  ["umask", umask],
  ["unalias", unalias],
  ["unset", unset],
]);
