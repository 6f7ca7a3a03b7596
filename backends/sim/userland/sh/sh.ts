/**
 * sh: the shell as a program. `sh -c command`, `sh file`, commands on standard input, or a terminal.
 * Where POSIX leaves a choice it behaves as dash does.
 */
import { concat, decodeBytes } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Program, Sys } from "../../kernel/sys.ts";
import { baseName, isTerminal, readTextOr } from "../applet.ts";
import { setOptions } from "./builtins-variables.ts";
import { canonical } from "../paths.ts";
import { dropPrivileges } from "../privileges.ts";
import type { Dialect } from "./dialect.ts";
import type { Extension, Language } from "./extension.ts";
import { interact } from "./interactive.ts";
import { exiting, Interpreter } from "./interpret.ts";
import { type Parsed, parsePart, parseScript } from "./lower.ts";
import { drive, type Run, settled } from "../run.ts";
import { Shell, ShellError } from "./shell.ts";

const chunkBytes = 8192;
const pieceChars = 65536;

interface Invocation {
  /** Of `-c`. */
  readonly command: string | null;
  readonly file: string | null;
  readonly isLogin: boolean;
}

/** bash, with what it has beside the others. */
export function bashWith(extension: Extension): Program {
  return (sys, argv, environment) => run(sys, argv, environment, "bash", extension);
}

export const sh: Program = (sys, argv, environment) => run(sys, argv, environment, dialectOf(sys, argv[0] ?? ""));

/** The shell of a busybox file, whatever name the file has. */
export const busyboxSh: Program = (sys, argv, environment) => run(sys, argv, environment, "ash");

async function run(
  sys: Sys,
  argv: readonly string[],
  environment: readonly string[],
  dialect: Dialect,
  extension: Extension | null = null,
): Promise<number> {
  const shell = new Shell(sys, argv[0] ?? "sh", []);
  shell.line = 0;
  shell.dialect = dialect;
  shell.extension = extension;
  const interpreter = new Interpreter(shell);
  return drive(interpreter.toEnd(() => live(interpreter, argv, environment)));
}

/** By the name it was called by; "sh" is the shell that the file is of. */
function dialectOf(sys: Sys, name: string): Dialect {
  const called = baseName(name).replace(/^-/, "");
  if (called === "ash" || called === "dash") return called;
  try {
    return baseName(canonical(sys, sys.readlink("/proc/self/exe"))) === "busybox" ? "ash" : "dash";
  } catch (thrown) {
    if (thrown instanceof Errno) return "dash";
    throw thrown;
  }
}

function* live(interpreter: Interpreter, argv: readonly string[], environment: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const invocation = invocationOf(shell, argv);
  if (shell.dialect !== "ash" && !shell.options.has("p")) dropPrivileges(shell.sys);
  shell.begin(environment);
  const reads = invocation.command === null && invocation.file === null;
  if (reads && isTerminal(shell.sys, 0) && isTerminal(shell.sys, 2)) shell.options.add("i");
  if (invocation.isLogin) yield* profiles(interpreter);
  if (shell.interactive) shell.variables.set("PS1", variable(environment, "PS1") ?? "\\w \\$ ");
  shell.line = 1;
  shell.input = invocation.command !== null ? "command" : invocation.file !== null ? "file" : "stream";
  if (invocation.command !== null) return yield* interpreter.source(invocation.command, 1, exiting);
  if (invocation.file !== null) return yield* script(interpreter, yield* scriptText(shell, invocation.file));
  if (shell.interactive) return yield* settled(interact(interpreter));
  return yield* fromInput(interpreter);
}

function variable(environment: readonly string[], name: string): string | null {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
}

function invocationOf(shell: Shell, argv: readonly string[]): Invocation {
  const args = argv.slice(1);
  let command: string | null = null;
  let isCommand = false;
  let isLogin = (argv[0] ?? "").startsWith("-");
  let at = 0;
  for (; at < args.length && /^[-+]./.test(args[at] ?? ""); at++) {
    const arg = args[at] ?? "";
    if (arg === "--" || arg === "-") {
      at++;
      break;
    }
    if (arg === "--login") isLogin = true;
    if (arg.startsWith("--")) continue;
    isCommand ||= /^-[^o]*c/.test(arg);
    isLogin ||= /^-.*l/.test(arg);
    at += setOptions(shell, arg.replace(/[clh]/g, ""), args[at + 1]);
  }
  if (isCommand) {
    const text = args[at++];
    if (text === undefined)
      throw new ShellError(shell.dialect === "bash" ? "-c: option requires an argument" : "-c requires an argument");
    command = text;
  }
  const isFile = command === null && !shell.options.has("s");
  const name = args[at];
  if (name !== undefined && !shell.options.has("s")) {
    shell.name = name;
    at++;
  }
  shell.positional = args.slice(at);
  return { command, file: isFile ? (name ?? null) : null, isLogin };
}

function* scriptText(shell: Shell, path: string): Run<string> {
  shell.line = 0;
  try {
    const fd = yield* settled(shell.sys.open(path, { access: "read" }));
    const text = yield* allOf(shell.sys, fd);
    shell.sys.close(fd);
    shell.line = 1;
    return text;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    const { name } = shell;
    shell.name = "sh";
    const words = errnoText(thrown.errno);
    // dash opens it, and takes the failure to read it for its end.
    if (shell.dialect === "dash" && thrown.errno === "EISDIR") return "";
    if (shell.dialect === "bash") {
      shell.name = "bash";
      throw new ShellError(`${name}: ${words}`, 127);
    }
    if (shell.dialect !== "dash") {
      shell.input = "stream";
      throw new ShellError(`can't open '${name}': ${words}`);
    }
    throw new ShellError(`cannot open ${name}: ${thrown.errno === "ENOENT" ? "No such file" : words}`);
  }
}

function* allOf(sys: Sys, fd: number): Run<string> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = yield* settled(sys.read(fd, 65536));
    if (chunk.length === 0) return decodeBytes(concat(chunks));
    chunks.push(chunk);
    sys.allocate(chunk.length);
  }
}

/** A long script is parsed piece by piece, so that its first command need not wait for its last. */
function* script(interpreter: Interpreter, text: string): Run<number> {
  let line = 1;
  let status = 0;
  for (let at = 0; at < text.length; ) {
    const { end, parsed } = pieceFrom(text, at, line, interpreter.shell);
    const isLast = end === text.length;
    status = yield* interpreter.statements(parsed.statements, parsed.problem, isLast ? exiting : 0);
    if (interpreter.shell.skip !== null) return status;
    line += countLines(text, at, end);
    at = end;
  }
  return status;
}

/** As many whole lines as make whole commands. */
function pieceFrom(text: string, from: number, line: number, language: Language): { end: number; parsed: Parsed } {
  for (let size = pieceChars; ; size *= 2) {
    const end = from + size >= text.length ? text.length : text.indexOf("\n", from + size) + 1 || text.length;
    const piece = text.slice(from, end);
    const parsed = end === text.length ? parseScript(piece, line, language) : parsePart(piece, line, language);
    if (end === text.length || parsed.problem?.incomplete !== true) return { end, parsed };
  }
}

function countLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Commands as they arrive: each whole one runs before more is read. */
function* fromInput(interpreter: Interpreter): Run<number> {
  const { shell } = interpreter;
  let line = 1;
  let text = "";
  let isEnd = false;
  let status = 0;
  while (!isEnd) {
    const chunk = yield* settled(shell.sys.read(0, chunkBytes));
    isEnd = chunk.length === 0;
    text += decodeBytes(chunk);
    const whole = isEnd ? text : text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole === "") continue;
    const parsed = isEnd ? parseScript(whole, line, shell) : parsePart(whole, line, shell);
    if (parsed.problem?.incomplete === true && !isEnd) continue;
    text = text.slice(whole.length);
    line += whole.split("\n").length - 1;
    status = yield* interpreter.statements(parsed.statements, parsed.problem, 0);
  }
  return status;
}

function* profiles(interpreter: Interpreter): Run<void> {
  const home = interpreter.shell.variables.get("HOME");
  for (const path of ["/etc/profile", ...(home === null ? [] : [`${home}/.profile`])]) {
    const text = yield* settled(readTextOr(interpreter.shell.sys, path, ""));
    if (text !== "") yield* interpreter.source(text, 1, 0);
  }
}
