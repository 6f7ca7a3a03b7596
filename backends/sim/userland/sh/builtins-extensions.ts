/** Builtins as busybox's ash has them, and bash, where dash has others or none: echo, read, let, source. */
import { decodeBytes } from "../../../../core/base/bytes.ts";
import { unescape } from "../format.ts";
import { type Run, settled } from "../run.ts";
import { patternOperators } from "../test-expression.ts";
import type { Builtin } from "./builtin.ts";
import { controlSpecials } from "./builtins-control.ts";
import { condition, readInto } from "./builtins-io.ts";
import type { Interpreter } from "./interpret.ts";
import { textWord } from "./lower.ts";
import { type Shell, ShellError } from "./shell.ts";
import { isName } from "./variables.ts";

const echoEscapes = { octalZero: "may", hexadecimal: true, escape: true, end: true } as const;

/** Backslashes mean something only after -e. */
function* echo({ shell }: Interpreter, args: readonly string[]): Run<number> {
  let at = 0;
  let letters = "";
  for (; /^-[neE]+$/.test(args[at] ?? ""); at++) letters += args[at];
  const text = args.slice(at).join(" ");
  const isEscaped = letters.lastIndexOf("e") > letters.lastIndexOf("E");
  const { text: shown, ended } = isEscaped ? unescape(text, echoEscapes) : { text, ended: false };
  yield* shell.print(1, letters.includes("n") || ended ? shown : `${shown}\n`);
  return 0;
}

function* letArithmetic({ expander }: Interpreter, args: readonly string[]): Run<number> {
  let value = "0";
  for (const arg of args) value = yield* expander.arithmetic(textWord(arg));
  return value === "0" ? 1 : 0;
}

interface ReadOptions {
  raw: boolean;
  silent: boolean;
  prompt: string;
  count: number | null;
  seconds: number | null;
}

function* read({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const options: ReadOptions = { raw: false, silent: false, prompt: "", count: null, seconds: null };
  let at = 0;
  for (; /^-./.test(args[at] ?? "") && args[at] !== "--"; at++)
    at += option(options, (args[at] ?? "").slice(1), args[at + 1]);
  const names = args.slice(args[at] === "--" ? at + 1 : at);
  for (const name of names) if (!isName(name)) throw new ShellError(`${name}: bad variable name`);
  const { sys } = shell;
  if (options.prompt !== "" && sys.isTerminal(0)) yield* shell.print(2, options.prompt);
  if (options.seconds !== null) {
    const ready = yield* settled(
      sys.poll([{ fd: 0, read: true, write: false }], BigInt(Math.round(options.seconds * 1e9))),
    );
    if (ready.length === 0) return 1;
  }
  const wanted = names.length === 0 ? ["REPLY"] : names;
  if (options.count !== null) return yield* readCount(shell, wanted, options.count);
  return yield* quietly(shell, options.silent, () => readInto(shell, wanted, options.raw));
}

/** A cluster of letters; gives how many arguments more it took. */
function option(options: ReadOptions, cluster: string, next: string | undefined): number {
  for (const [index, letter] of Array.from(cluster).entries()) {
    if (letter === "r") options.raw = true;
    else if (letter === "s") options.silent = true;
    else {
      const attached = cluster.slice(index + 1);
      const value = attached === "" ? next : attached;
      if (value === undefined || !/[pntd]/.test(letter)) throw new ShellError(`illegal option -${letter}`);
      if (letter === "p") options.prompt = value;
      if (letter === "n") options.count = Number(value);
      if (letter === "t") options.seconds = Number(value);
      return attached === "" ? 1 : 0;
    }
  }
  return 0;
}

function* readCount(shell: Shell, names: readonly string[], count: number): Run<number> {
  let text = "";
  while (text.length < count) {
    const bytes = yield* settled(shell.sys.read(0, 1));
    if (bytes.length === 0 || bytes[0] === 10) break;
    text += decodeBytes(bytes);
  }
  for (const [index, name] of names.entries()) shell.variables.set(name, index === 0 ? text : "");
  return text.length === 0 ? 1 : 0;
}

/** Without the terminal's echo. */
function* quietly(shell: Shell, silent: boolean, body: () => Run<number>): Run<number> {
  const { sys } = shell;
  if (!silent || !sys.isTerminal(0)) return yield* body();
  sys.setTerminalMode(0, { echo: false });
  try {
    return yield* body();
  } finally {
    sys.setTerminalMode(0, { echo: true });
  }
}

export const extensionBuiltins: Readonly<Record<string, Builtin>> = {
  "[[": condition("]]", patternOperators),
  echo,
  let: letArithmetic,
  read,
  source: controlSpecials["."] ?? (() => 127),
};
