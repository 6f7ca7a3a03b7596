/** Programs that need little more than their arguments. */
import { applet, baseName, type Context, Failure, isTerminal, UsageFailure } from "../applet.ts";
import {
  type Conversion,
  formatFloat,
  formatInteger,
  formatString,
  type Piece,
  piecesOf,
  unescape,
} from "../format.ts";
import { parseOptions } from "../options.ts";
import { evaluateTest, TestProblem } from "../test-expression.ts";

const nanosPerSecond = 1e9;

const echoRules = { octalZero: "may", hexadecimal: true, escape: true, end: true } as const;
const formatRules = { octalZero: "no", hexadecimal: true, escape: true, end: true } as const;

const echo = applet(async (context) => {
  let at = 0;
  let letters = "";
  for (; /^-[neE]+$/.test(context.args[at] ?? ""); at++) letters += context.args[at];
  const text = context.args.slice(at).join(" ");
  const isEscaped = letters.lastIndexOf("e") > letters.lastIndexOf("E");
  const { text: shown, ended } = isEscaped ? unescape(text, echoRules) : { text, ended: false };
  await context.out.print(letters.includes("n") || ended ? shown : `${shown}\n`);
  return 0;
});

// printf

const printf = applet(async (context) => {
  const [format, ...values] = context.args[0] === "--" ? context.args.slice(1) : context.args;
  if (format === undefined) throw new UsageFailure("");
  const { text, ended } = unescape(format, formatRules);
  const pieces = piecesOf(text);
  const printing = new Printing(context, format, values);
  do await printing.round(pieces);
  while (!ended && !printing.ended && printing.goesOn);
  return context.code;
});

class Printing {
  readonly #context: Context;
  readonly #format: string;
  readonly #values: readonly string[];
  #at = 0;
  #took = false;
  ended = false;

  constructor(context: Context, format: string, values: readonly string[]) {
    this.#context = context;
    this.#format = format;
    this.#values = values;
  }

  get goesOn(): boolean {
    return this.#took && this.#at < this.#values.length;
  }

  async round(pieces: readonly Piece[]): Promise<void> {
    this.#took = false;
    for (const piece of pieces) {
      if (this.ended) return;
      if (typeof piece === "string") this.#context.out.put(piece);
      else this.#context.out.put(await this.#convert(piece));
    }
    await this.#context.out.settle();
  }

  #next(): string {
    this.#took = true;
    return this.#values[this.#at++] ?? "";
  }

  async #convert(piece: Exclude<Piece, string>): Promise<string> {
    const width = await this.#size(piece.width);
    const precision = piece.precision === null ? null : ((await this.#size(piece.precision)) ?? 0);
    const flags = width !== null && width < 0 ? `${piece.flags}-` : piece.flags;
    const conversion: Conversion = {
      flags,
      width: width === null ? null : Math.abs(width),
      precision,
      type: piece.type,
    };
    if ("diouxX".includes(piece.type) && piece.type !== "")
      return formatInteger(conversion, await this.#integer(this.#next()));
    if ("eEfFgG".includes(piece.type) && piece.type !== "")
      return formatFloat(conversion, await this.#float(this.#next()));
    if (piece.type === "s") return formatString(conversion, this.#next());
    if (piece.type === "c") return formatString({ ...conversion, precision: 1 }, this.#next());
    if (piece.type !== "b")
      throw new Failure(`${this.#format.slice(this.#format.indexOf(`%${piece.type}`))}: invalid format`);
    const { text, ended } = unescape(this.#next(), { ...echoRules, octalZero: "must" });
    this.ended = ended;
    return formatString(conversion, text);
  }

  async #size(text: string): Promise<number | null> {
    if (text === "*") return Number(await this.#integer(this.#next()));
    return text === "" ? null : Number(text);
  }

  async #integer(text: string): Promise<bigint> {
    const quoted = /^["'](.?)/su.exec(text);
    if (quoted !== null) return BigInt(quoted[1]?.codePointAt(0) ?? 0);
    const [, sign, digits] = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text) ?? [];
    if (digits !== undefined) {
      const value = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
      return sign === "-" ? -value : value;
    }
    if (text !== "") await this.#context.complain(`invalid number '${text}'`);
    return 0n;
  }

  async #float(text: string): Promise<number> {
    const value = text === "" ? 0 : Number(text);
    if (!Number.isNaN(value)) return value;
    await this.#context.complain(`invalid number '${text}'`);
    return 0;
  }
}

// test

const test = applet(async (context) => {
  const { args, name } = context;
  if (name === "[" && args.at(-1) !== "]") throw new Failure("missing ]", 2);
  try {
    return evaluateTest(name === "[" ? args.slice(0, -1) : args, context.sys) ? 0 : 1;
  } catch (thrown) {
    if (!(thrown instanceof TestProblem)) throw thrown;
    throw new Failure(problemText(thrown), 2);
  }
});

function problemText({ kind, word }: TestProblem): string {
  if (kind === "number") return `${word}: bad number`;
  if (kind === "operator") return `${word}: unknown operand`;
  return kind === "argument" ? `argument expected` : "closing paren expected";
}

// Numbers and time

const yes = applet(async (context) => {
  const line = `${context.args.length === 0 ? "y" : context.args.join(" ")}\n`;
  const block = line.repeat(Math.max(1, Math.floor(4096 / line.length)));
  for (;;) {
    await context.out.print(block);
    await context.sys.work(block.length);
  }
});

const seq = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "w",
    valued: "s",
    inOrder: true,
    operandsMin: 1,
    operandsMax: 3,
  });
  const texts = options.operands.map((text) => text.trim());
  const numbers = texts.map(Number);
  if (texts.some((text, index) => text === "" || Number.isNaN(numbers[index]))) throw new UsageFailure("");
  const [first = 1, step = 1, last = 1] =
    numbers.length === 1 ? [1, 1, ...numbers] : numbers.length === 2 ? [numbers[0], 1, numbers[1]] : numbers;
  const places = Math.max(...texts.slice(0, Math.max(1, texts.length - 1)).map(decimals), 0);
  const separator = options.value("s") ?? "\n";
  const width = options.has("w") ? Math.max(...[first, last].map((value) => value.toFixed(places).length)) : 0;
  let isFirst = true;
  for (let count = 0; ; count++) {
    const value = first + count * step;
    if (step >= 0 ? value > last : value < last) break;
    const text = value.toFixed(places);
    const padded = text.startsWith("-") ? `-${text.slice(1).padStart(width - 1, "0")}` : text.padStart(width, "0");
    context.out.put((isFirst ? "" : separator) + padded);
    isFirst = false;
    if (count % 512 === 511) await pause(context, 512);
  }
  await context.out.print(isFirst ? "" : "\n");
  return 0;
});

function decimals(text: string): number {
  return text.includes(".") ? text.length - text.indexOf(".") - 1 : 0;
}

async function pause(context: Context, items: number): Promise<void> {
  await context.out.settle();
  await context.sys.work(items * 100);
}

const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400 };

/** "1.5h" in nanoseconds; null when it is no duration. */
export function durationOf(text: string): bigint | null {
  const [, number, unit = ""] = /^(\d+\.?\d*|\.\d+)([smhd]?)$/.exec(text) ?? [];
  if (number === undefined) return null;
  return BigInt(Math.round(Number(number) * (units[unit] ?? 1) * nanosPerSecond));
}

const sleep = applet(async ({ args, sys }) => {
  if (args.length === 0) throw new UsageFailure("");
  if (args.length === 1 && args[0]?.startsWith("inf") === true) for (;;) await sys.pause();
  let total = 0n;
  for (const arg of args) {
    const duration = durationOf(arg);
    if (duration === null) throw new Failure(`invalid number '${arg}'`);
    total += duration;
  }
  await sys.sleep(total);
  return 0;
});

const usleep = applet(async ({ args, sys }) => {
  const [text = ""] = args;
  if (!/^\d+$/.test(text)) throw new UsageFailure("");
  await sys.sleep(BigInt(text) * 1000n);
  return 0;
});

// Names

const basename = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "a", valued: "s", inOrder: true, operandsMin: 1 });
  const suffix = options.value("s");
  const isMany = options.has("a") || suffix !== undefined;
  const names = isMany ? options.operands : options.operands.slice(0, 1);
  if (!isMany && options.operands.length > 2) throw new UsageFailure("");
  const ending = suffix ?? (isMany ? "" : (options.operands[1] ?? ""));
  for (const name of names) {
    const base = baseName(name);
    const cut = ending !== "" && base.endsWith(ending) && base !== ending;
    await context.out.print(`${cut ? base.slice(0, -ending.length) : base}\n`);
  }
  return 0;
});

const dirname = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "", operandsMin: 1, operandsMax: 1 });
  await context.out.print(`${directoryName(operands[0] ?? "")}\n`);
  return 0;
});

/** dirname(3). */
function directoryName(path: string): string {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash === -1) return ".";
  const head = trimmed.slice(0, slash).replace(/\/+$/, "");
  return head === "" ? "/" : head;
}

const pwd = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "LP" });
  const given = context.variable("PWD");
  const here = context.sys.directory();
  await context.out.print(
    `${options.last("LP") !== "P" && given !== undefined && isHere(context, given) ? given : here}\n`,
  );
  return 0;
});

function isHere({ sys }: Context, path: string): boolean {
  try {
    return path.startsWith("/") && sys.stat(path).inode === sys.stat(".").inode;
  } catch {
    return false;
  }
}

const printenv = applet(async (context) => {
  if (context.args.length === 0) context.out.put(context.environment.map((entry) => `${entry}\n`).join(""));
  let code = 0;
  for (const name of context.args) {
    const value = context.variable(name);
    if (value === undefined) code = 1;
    else context.out.put(`${value}\n`);
  }
  return code;
});

const tty = applet(async (context) => {
  const isOne = isTerminal(context.sys, 0);
  if (!context.args.includes("-s"))
    await context.out.print(isOne ? `${context.sys.readlink("/proc/self/fd/0")}\n` : "not a tty\n");
  return isOne ? 0 : 1;
});

const clear = applet(async (context) => {
  await context.out.print("\x1b[H\x1b[J");
  return 0;
});

const reset = applet(async (context) => {
  await context.out.print("\x1bc\x1b(B\x1b[m\x1b[J\x1b[?25h");
  return 0;
});

const nothing = applet(async () => 0);

export const programs = {
  "[": test,
  basename,
  clear,
  dirname,
  echo,
  false: applet(async () => 1),
  printenv,
  printf,
  pwd,
  reset,
  seq,
  sleep,
  sync: nothing,
  test,
  true: nothing,
  tty,
  usleep,
  yes,
};
