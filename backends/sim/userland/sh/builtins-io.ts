/** Builtins that print, read and look at files: echo, printf, read, test, cd, pwd, umask, ulimit. */
import { concat, decodeBytes } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Fd, Sys } from "../../kernel/sys.ts";
import {
  type Conversion,
  formatFloat,
  formatInteger,
  firstByte,
  formatString,
  type Piece,
  piecesOf,
  unescape,
} from "../format.ts";
import { changeMode } from "../modes.ts";
import { evaluateTest, type Operators, posixOperators, TestProblem } from "../test-expression.ts";
import { isOutOfRange, parseInteger } from "./arithmetic.ts";
import type { Builtin } from "./builtin.ts";
import type { Interpreter } from "./interpret.ts";
import { type Run, settled } from "../run.ts";
import { type Shell, ShellError } from "./shell.ts";
import { isName } from "./variables.ts";

const echoEscapes = { octalZero: "may", hexadecimal: false, escape: true, end: true } as const;
const formatEscapes = { octalZero: "no", hexadecimal: false, escape: true, end: false } as const;

function* echo({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const isBare = args[0] === "-n";
  const { text, ended } = unescape((isBare ? args.slice(1) : args).join(" "), echoEscapes);
  yield* shell.print(1, isBare || ended ? text : `${text}\n`);
  return 0;
}

// printf

function* printf({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const operands = args[0] === "--" ? args.slice(1) : args;
  const [format, ...values] = operands;
  if (format === undefined) throw new ShellError("usage: printf format [arg ...]");
  if (args[0] === format && /^-./.test(format)) throw new ShellError(`Illegal option ${format.slice(0, 2)}`);
  const printing = new Printing(values);
  const pieces = piecesOf(unescape(format, formatEscapes).text, "");
  try {
    do printing.round(pieces);
    while (!printing.ended && printing.goesOn);
  } finally {
    yield* shell.print(1, printing.output);
  }
  for (const complaint of printing.complaints) yield* shell.complain(complaint);
  return printing.complaints.length > 0 ? 1 : 0;
}

/** The rounds of a format over its arguments. */
class Printing {
  output = "";
  ended = false;
  readonly complaints: string[] = [];
  readonly #values: readonly string[];
  #at = 0;
  #took = false;

  constructor(values: readonly string[]) {
    this.#values = values;
  }

  /** A round took arguments, and some are left. */
  get goesOn(): boolean {
    return this.#took && this.#at < this.#values.length;
  }

  round(pieces: readonly Piece[]): void {
    this.#took = false;
    for (const piece of pieces) {
      if (this.ended) return;
      if (typeof piece === "string") this.output += piece;
      else this.#convert(piece);
    }
  }

  #next(): string | null {
    this.#took = true;
    const value = this.#values[this.#at];
    if (value === undefined) return null;
    this.#at++;
    return value;
  }

  #convert(piece: Exclude<Piece, string>): void {
    const width = this.#size(piece.width);
    const isLeft = width !== null && width < 0;
    const flags = isLeft ? `${piece.flags}-` : piece.flags;
    const precision = piece.precision === null ? null : (this.#size(piece.precision) ?? 0);
    const conversion = { flags, width: width === null ? null : Math.abs(width), precision, type: piece.type };
    this.output += this.#converted(conversion, piece.source);
  }

  #size(text: string): number | null {
    if (text === "*") return Number(this.#integer(this.#next()));
    return text === "" ? null : Number(text);
  }

  #converted(conversion: Conversion, source: string): string {
    switch (conversion.type) {
      case "d":
      case "i":
      case "u":
      case "o":
      case "x":
      case "X":
        return formatInteger(conversion, this.#integer(this.#next()));
      case "e":
      case "E":
      case "f":
      case "F":
      case "g":
      case "G":
        return formatFloat(conversion, this.#float(this.#next()));
      case "c":
        return formatString({ ...conversion, precision: null }, firstByte(this.#next() ?? ""));
      case "s":
        return formatString(conversion, this.#next() ?? "");
      case "b": {
        const { text, ended } = unescape(this.#next() ?? "", { ...echoEscapes });
        this.ended = ended;
        return formatString(conversion, text);
      }
      default:
        throw new ShellError(conversion.type === "" ? "missing format character" : `${source}: invalid directive`);
    }
  }

  #integer(text: string | null): bigint {
    if (text === null || text === "") return 0n;
    if (isOutOfRange(text)) this.complaints.push(`${text}: Numerical result out of range`);
    const quoted = /^["'](.?)/su.exec(text);
    if (quoted !== null) return BigInt(quoted[1]?.codePointAt(0) ?? 0);
    const value = parseInteger(text);
    if (value !== null) return value;
    const prefix = /^\s*[+-]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text)?.[0];
    this.complaints.push(
      prefix === undefined ? `${text}: expected numeric value` : `${text}: not completely converted`,
    );
    return prefix === undefined ? 0n : (parseInteger(prefix) ?? 0n);
  }

  #float(text: string | null): number {
    if (text === null || text === "") return 0;
    const value = Number(text.trim());
    if (text.trim() !== "" && !Number.isNaN(value)) return value;
    const prefix = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/.exec(text)?.[0];
    this.complaints.push(
      prefix === undefined ? `${text}: expected numeric value` : `${text}: not completely converted`,
    );
    return prefix === undefined ? 0 : Number(prefix);
  }
}

// read

function* read({ shell }: Interpreter, args: readonly string[]): Run<number> {
  let at = 0;
  let isRaw = false;
  for (; /^-./.test(args[at] ?? ""); at++) {
    const arg = args[at];
    if (arg === "-r") isRaw = true;
    else if (arg === "-p") {
      const prompt = args[++at] ?? "";
      if (shell.sys.isTerminal(0)) yield* shell.print(2, prompt);
    } else if (arg === "--") break;
    else throw new ShellError(`Illegal option ${arg}`);
  }
  const names = args.slice(args[at] === "--" ? at + 1 : at);
  if (names.length === 0) throw new ShellError("arg count");
  for (const name of names) if (!isName(name)) throw new ShellError(`${name}: bad variable name`);
  return yield* readInto(shell, names, isRaw);
}

/** A line of standard input, split into variables. */
export function* readInto(shell: Shell, names: readonly string[], isRaw: boolean): Run<number> {
  const { line, ended } = yield* readLine(shell.sys, 0, isRaw);
  assignRead(shell, names, line);
  return ended ? 0 : 1;
}

/** A character of the line, and whether a backslash stood before it. */
export interface Read {
  readonly char: string;
  readonly quoted: boolean;
}

/** A line to its end, or so many characters of it. */
export function* readLine(
  sys: Sys,
  fd: Fd,
  isRaw: boolean,
  end = "\n",
  countMax = Infinity,
): Run<{ line: Read[]; ended: boolean }> {
  const line: Read[] = [];
  for (;;) {
    const { text, ended } = yield* readRawLine(sys, fd, end, countMax);
    const chars = Array.from(text);
    for (let at = 0; at < chars.length; at++) {
      const isEscape = !isRaw && chars[at] === "\\";
      if (isEscape && at + 1 === chars.length && ended) break;
      if (isEscape) at++;
      const char = chars[at];
      if (char !== undefined) line.push({ char, quoted: isEscape });
    }
    const isContinued = !isRaw && ended && /(?:^|[^\\])(?:\\\\)*\\$/.test(text);
    if (!isContinued) return { line, ended };
  }
}

/** A line, and not a byte more: others read on from the same descriptor. */
function* readRawLine(sys: Sys, fd: Fd, stop: string, countMax: number): Run<{ text: string; ended: boolean }> {
  const chunks: Uint8Array[] = [];
  const isBounded = countMax !== Infinity || stop !== "\n";
  const size = isBounded ? 1 : canSeek(sys, fd) ? 512 : isLineWise(sys, fd) ? 4096 : 1;
  for (;;) {
    const chunk = yield* settled(sys.read(fd, size));
    if (chunk.length === 0) return { text: decodeBytes(concat(chunks)), ended: false };
    const end = chunk.indexOf(stop.charCodeAt(0));
    if (end === -1) {
      chunks.push(chunk);
      if (chunks.length >= countMax) return { text: decodeBytes(concat(chunks)), ended: true };
      continue;
    }
    chunks.push(chunk.subarray(0, end));
    if (end + 1 < chunk.length) sys.seek(fd, end + 1 - chunk.length, "current");
    return { text: decodeBytes(concat(chunks)).replaceAll("\0", ""), ended: true };
  }
}

function canSeek(sys: Sys, fd: Fd): boolean {
  try {
    sys.seek(fd, 0, "current");
    return sys.statFd(fd).kind === "file";
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

/** A terminal gives a line at a time. */
function isLineWise(sys: Sys, fd: Fd): boolean {
  try {
    return sys.isTerminal(fd) && sys.terminalMode(fd).canonical;
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

/** Splits at IFS; the last name gets the rest. */
export function assignRead(
  shell: Shell,
  names: readonly string[],
  line: readonly Read[],
  set = (name: string, value: string): void => shell.variables.set(name, value),
): void {
  const separators = shell.variables.get("IFS") ?? " \t\n";
  const isSeparator = (read: Read | undefined): boolean =>
    read !== undefined && !read.quoted && separators.includes(read.char);
  const isBlank = (read: Read | undefined): boolean => isSeparator(read) && /[ \t\n]/.test(read?.char ?? "");
  let at = 0;
  while (isBlank(line[at])) at++;
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    const from = at;
    while (at < line.length && !isSeparator(line[at])) at++;
    const next = pastSeparator(line, at, isSeparator, isBlank);
    const end = isLast && next < line.length ? trimmedEnd(line, isBlank) : at;
    set(
      name,
      line
        .slice(from, end)
        .map(({ char }) => char)
        .join(""),
    );
    at = next;
  }
}

function pastSeparator(
  line: readonly Read[],
  start: number,
  isSeparator: (read?: Read) => boolean,
  isBlank: (read?: Read) => boolean,
): number {
  let at = start;
  while (isBlank(line[at])) at++;
  if (isSeparator(line[at])) at++;
  while (isBlank(line[at])) at++;
  return at;
}

function trimmedEnd(line: readonly Read[], isBlank: (read?: Read) => boolean): number {
  let end = line.length;
  while (isBlank(line[end - 1])) end--;
  return end;
}

// test

/** `close`: what its last argument has to be. */
export function condition(close: "" | "]" | "]]", operators?: Operators): Builtin {
  return ({ shell }, args) => {
    if (close !== "" && args.at(-1) !== close) throw new ShellError(`missing ${close}`);
    try {
      const words = close === "" ? args : args.slice(0, -1);
      return evaluateTest(words, shell.sys, operators ?? (shell.dialect === "dash" ? posixOperators : undefined))
        ? 0
        : 1;
    } catch (thrown) {
      if (thrown instanceof TestProblem) throw new ShellError(problemText(thrown, shell.dialect === "ash"));
      throw thrown;
    }
  };
}

function problemText({ kind, word, next }: TestProblem, isAsh: boolean): string {
  switch (kind) {
    case "number":
      return isAsh ? `${word}: bad number` : `Illegal number: ${word}`;
    case "operator":
      return `${isAsh ? next : word}: unexpected operator`;
    case "argument":
      return `${word}: argument expected`;
    case "parenthesis":
      return "closing paren expected";
  }
}

// Directories

function* cd({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const { sys, variables } = shell;
  const physical = args.findLast((arg) => arg === "-L" || arg === "-P") === "-P";
  const [operand] = args.filter((arg) => !/^-[LP]+$|^--$/.test(arg));
  const isBack = operand === "-";
  const wanted = isBack ? (variables.get("OLDPWD") ?? "") : (operand ?? variables.get("HOME") ?? "");
  const before = variables.get("PWD") ?? sys.directory();
  for (const { path, told } of placesFor(shell, wanted)) {
    const target = logical(before, path);
    try {
      sys.changeDirectory(physical ? path : target);
    } catch (thrown) {
      if (thrown instanceof Errno) continue;
      throw thrown;
    }
    variables.set("OLDPWD", before);
    variables.set("PWD", physical ? sys.directory() : target);
    for (const name of ["OLDPWD", "PWD"]) variables.mark(name, { exported: true });
    if (isBack || told) yield* shell.print(1, `${variables.get("PWD")}\n`);
    return 0;
  }
  throw new ShellError(`can't cd to ${wanted}`);
}

/** CDPATH is looked through for a plain name; what it finds is told. */
function placesFor(shell: Shell, wanted: string): { path: string; told: boolean }[] {
  const search = shell.variables.get("CDPATH");
  if (search === null || wanted === "" || /^(?:\/|\.\.?(?:\/|$))/.test(wanted))
    return [{ path: wanted === "" ? "." : wanted, told: false }];
  const found = search
    .split(":")
    .map((base) => ({ path: base === "" ? wanted : `${base}/${wanted}`, told: base !== "" }));
  return [...found, { path: wanted, told: false }];
}

/** "." and ".." taken out by name, as `cd -L` does. */
function logical(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  // What two slashes mean is not POSIX's to say: they stay.
  return `${/^\/\/(?!\/)/.test(path) ? "//" : "/"}${parts.join("/")}`;
}

function* pwd({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const wrong = args.find((arg) => /^-./.test(arg) && !/^-[LP]+$/.test(arg));
  if (wrong !== undefined) throw new ShellError(`Illegal option ${wrong.slice(0, 2)}`);
  const physical = args.findLast((arg) => arg === "-L" || arg === "-P") === "-P";
  yield* shell.print(
    1,
    `${physical ? shell.sys.directory() : (shell.variables.get("PWD") ?? shell.sys.directory())}\n`,
  );
  return 0;
}

// Limits

function* umask({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const { sys } = shell;
  const mask = sys.umask(0);
  sys.umask(mask);
  const operand = args.find((arg) => arg !== "-S");
  if (operand === undefined) {
    const symbolic = ["u", "g", "o"].map((who, index) => `${who}=${permissions(~mask >> (6 - 3 * index))}`).join(",");
    yield* shell.print(1, args.includes("-S") ? `${symbolic}\n` : `${mask.toString(8).padStart(4, "0")}\n`);
    return 0;
  }
  if (/^\d/.test(operand)) {
    if (!/^[0-7]+$/.test(operand)) throw new ShellError(`Illegal number: ${operand}`);
    sys.umask(Number.parseInt(operand, 8));
    return 0;
  }
  const allowed = changeMode(operand, ~mask & 0o777, { umask: 0, directory: false });
  if (allowed === null) throw new ShellError(`Illegal mode: ${operand}`);
  sys.umask(~allowed & 0o777);
  return 0;
}

function permissions(bits: number): string {
  return `${(bits & 4) !== 0 ? "r" : ""}${(bits & 2) !== 0 ? "w" : ""}${(bits & 1) !== 0 ? "x" : ""}`;
}

/** Letter, what `ulimit -a` calls it, the kernel's name, and the unit in bytes. */
const limits: readonly (readonly [string, string, string, number])[] = [
  ["t", "time(seconds)", "cpu", 1],
  ["f", "file(blocks)", "fsize", 512],
  ["d", "data(kbytes)", "data", 1024],
  ["s", "stack(kbytes)", "stack", 1024],
  ["c", "coredump(blocks)", "core", 512],
  ["m", "memory(kbytes)", "rss", 1024],
  ["l", "locked memory(kbytes)", "memlock", 1024],
  ["p", "process", "nproc", 1],
  ["n", "nofiles", "nofile", 1],
  ["v", "vmemory(kbytes)", "as", 1024],
  ["w", "locks", "locks", 1],
  ["r", "rtprio", "rtprio", 1],
];

function* ulimit({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const { sys } = shell;
  const letters = args
    .filter((arg) => arg.startsWith("-"))
    .join("")
    .replaceAll("-", "");
  const value = args.find((arg) => !arg.startsWith("-"));
  const isHard = letters.includes("H");
  const shown = (name: string, unit: number): string => {
    const { soft, hard } = sys.limit(name);
    const limit = isHard ? hard : soft;
    return limit === -1 ? "unlimited" : String(Math.floor(limit / unit));
  };
  if (letters.includes("a")) {
    yield* shell.print(1, limits.map(([, title, name, unit]) => `${title.padEnd(20)} ${shown(name, unit)}\n`).join(""));
    return 0;
  }
  const wanted = letters.replace(/[HS]/g, "").at(-1) ?? "f";
  const limit = limits.find(([letter]) => letter === wanted);
  if (limit === undefined) throw new ShellError(`Illegal option -${wanted}`);
  const [, , name, unit] = limit;
  if (value === undefined) yield* shell.print(1, `${shown(name, unit)}\n`);
  else setLimit(sys, name, unit, value, letters);
  return 0;
}

function setLimit(sys: Sys, name: string, unit: number, value: string, letters: string): void {
  if (value !== "unlimited" && !/^\d+$/.test(value)) throw new ShellError("bad number");
  const old = sys.limit(name);
  const wanted = value === "unlimited" ? -1 : Number(value) * unit;
  const both = !/[HS]/.test(letters);
  try {
    sys.setLimit(
      name,
      both || letters.includes("S") ? wanted : old.soft,
      both || letters.includes("H") ? wanted : old.hard,
    );
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new ShellError(`error setting limit (${errnoText(thrown.errno)})`);
  }
}

export const ioBuiltins: Readonly<Record<string, Builtin>> = {
  "[": condition("]"),
  cd,
  chdir: cd,
  echo,
  printf,
  pwd,
  read,
  test: condition(""),
  ulimit,
  umask,
};
