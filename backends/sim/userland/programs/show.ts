/** Files as they are: cat, tac, head, tail, tee, wc, nl, rev, fold, expand, split. */
import { encodeText } from "../../../../core/base/bytes.ts";
import type { Fd } from "../../kernel/sys.ts";
import {
  allLines,
  applet,
  batchesOf,
  chunksOf,
  type Context,
  eachInput,
  Failure,
  isErrno,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { countWithin, type Options, parseOptions } from "../options.ts";

const pollNanos = 1_000_000_000n;

const cantOpen = (name: string, reason: string): string => `can't open '${name}': ${reason}`;

// cat

const cat = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "benvtuAET" });
  const isPlain = !["b", "n", "v", "t", "A", "E", "T", "e"].some((letter) => options.has(letter));
  const numbering = { line: 0 };
  for (const name of options.operands.length === 0 ? ["-"] : options.operands) {
    await catOne(context, name, (fd) => (isPlain ? copyAll(context, fd) : showLines(context, fd, options, numbering)));
  }
  return context.code;
});

async function catOne(context: Context, name: string, use: (fd: Fd) => Promise<void>): Promise<void> {
  let fd: Fd = 0;
  const isOpen = await context.attempt(
    async () => {
      if (name !== "-") fd = await context.sys.open(name, { access: "read" });
    },
    (reason) => cantOpen(name, reason),
  );
  if (!isOpen) return;
  await context.attempt(
    () => use(fd),
    (reason) => `read error: ${reason}`,
  );
  if (name !== "-") context.sys.close(fd);
}

async function copyAll(context: Context, fd: Fd): Promise<void> {
  for await (const chunk of chunksOf(context.sys, fd)) {
    const isWritten = await context.attempt(
      async () => {
        await context.out.write(chunk);
        await context.out.flush();
      },
      (reason) => `write error: ${reason}`,
    );
    if (!isWritten) return;
  }
}

async function showLines(context: Context, fd: Fd, options: Options, numbering: { line: number }): Promise<void> {
  const all = options.has("A");
  const marksEnd = all || options.has("E") || options.has("e");
  const marksTabs = all || options.has("T") || options.has("t");
  const marksRest = all || options.has("v") || options.has("e") || options.has("t");
  for await (const { lines, ended } of batchesOf(context.sys, fd)) {
    for (const [index, line] of lines.entries()) {
      const isNumbered = options.has("b") ? line !== "" : options.has("n");
      const number = isNumbered ? `${String(++numbering.line).padStart(6)}\t` : "";
      const text = marksRest || marksTabs ? visible(line, marksTabs, marksRest) : line;
      const isLast = index === lines.length - 1 && !ended;
      context.out.put(`${number}${text}${isLast ? "" : `${marksEnd ? "$" : ""}\n`}`);
    }
    await context.out.settle();
  }
}

/** Control characters as ^X, bytes over 127 as M-x. */
function visible(line: string, tabs: boolean, rest: boolean): string {
  if (!rest) return line.replaceAll("\t", "^I");
  return Array.from(encodeText(line), (byte) => visibleByte(byte, tabs)).join("");
}

function visibleByte(byte: number, tabs: boolean): string {
  if (byte >= 128) return `M-${visibleByte(byte - 128, true)}`;
  if (byte === 127) return "^?";
  if (byte < 32 && (byte !== 9 || tabs)) return `^${String.fromCharCode(byte + 64)}`;
  return String.fromCharCode(byte);
}

const tac = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "" });
  await eachInput(context, operands, async (fd) => {
    const { lines, ended } = await allLines(context.sys, fd);
    const texts = lines.map((line, index) => (index === lines.length - 1 && !ended ? line : `${line}\n`));
    await context.out.print(texts.reverse().join(""));
  });
  return context.code;
});

// head and tail

/** "10", "10k", "+3", "-3". */
function countOf(text: string): number {
  const [, sign = "", digits, suffix = ""] = /^([+-]?)(\d+)([bkm]?)$/.exec(text) ?? [];
  if (digits === undefined) throw new Failure(`invalid number '${text}'`);
  return Number(sign + digits) * ({ b: 512, k: 1024, m: 1024 * 1024 }[suffix] ?? 1);
}

/** "-5" stands for "-n 5". */
function withOldCount(args: readonly string[]): string[] {
  return args.flatMap((arg, index) =>
    /^-\d+$/.test(arg) && !/^-[nc]$/.test(args[index - 1] ?? "") ? ["-n", arg.slice(1)] : [arg],
  );
}

const head = applet(async (context) => {
  const options = parseOptions(withOldCount(context.args), { flags: "qv", valued: "nc" });
  const letter = options.last("nc") ?? "n";
  const text = options.value(letter) ?? "10";
  const count = countOf(text);
  const shows = titles(options);
  await eachInput(
    context,
    options.operands,
    async (fd, name) => {
      shows(context, name);
      const isFromEnd = text.startsWith("-");
      if (letter === "c") await headBytes(context, fd, count, isFromEnd);
      else await headLines(context, fd, count, isFromEnd);
    },
    (name, reason) => `${name}: ${reason === "Is a directory" ? "Input/output error" : reason}`,
  );
  return context.code;
});

/** "==> name <==" before each of several files. */
function titles(options: Options): (context: Context, name: string) => void {
  const isShown = options.last("qv") === "v" || (options.operands.length > 1 && !options.has("q"));
  return (context, name) => {
    if (!isShown) return;
    context.out.put(
      `${options.operands.indexOf(name) < 1 ? "" : "\n"}==> ${name === "-" ? "standard input" : name} <==\n`,
    );
  };
}

async function headLines(context: Context, fd: Fd, count: number, isFromEnd: boolean): Promise<void> {
  if (isFromEnd) {
    const { lines, ended } = await allLines(context.sys, fd);
    const kept = lines.slice(0, Math.max(0, lines.length + count));
    await context.out.print(
      kept.map((line, index) => (index === lines.length - 1 && !ended ? line : `${line}\n`)).join(""),
    );
    return;
  }
  let left = count;
  while (left > 0) {
    const chunk = await context.sys.read(fd, 4096);
    if (chunk.length === 0) return;
    let end = 0;
    for (; end < chunk.length && left > 0; end++) if (chunk[end] === 10) left--;
    await context.out.write(chunk.subarray(0, end));
    if (end < chunk.length) giveBack(context, fd, chunk.length - end);
  }
}

/** What was read too far of a file is there for who reads on, as stdio leaves it. */
function giveBack({ sys }: Context, fd: Fd, count: number): void {
  try {
    sys.seek(fd, -count, "current");
  } catch (thrown) {
    isErrno(thrown, "ESPIPE");
  }
}

async function headBytes(context: Context, fd: Fd, count: number, isFromEnd: boolean): Promise<void> {
  if (isFromEnd) {
    const chunks = await bytesOf(context, fd);
    await context.out.write(chunks.subarray(0, Math.max(0, chunks.length + count)));
    return;
  }
  for (let left = count; left > 0; ) {
    const chunk = await context.sys.read(fd, Math.min(left, 4096));
    if (chunk.length === 0) return;
    await context.out.write(chunk);
    left -= chunk.length;
  }
}

async function bytesOf(context: Context, fd: Fd): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(context.sys, fd)) {
    chunks.push(chunk);
    context.sys.allocate(chunk.length);
  }
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

const tail = applet(async (context) => {
  const args = withOldCount(context.args).flatMap((arg, index, whole) =>
    /^\+\d+$/.test(arg) && !/^-[nc]$/.test(whole[index - 1] ?? "") ? ["-n", arg] : [arg],
  );
  const options = parseOptions(args, { flags: "fqvF", valued: "ncs" });
  const letter = options.last("nc") ?? "n";
  const text = options.value(letter) ?? "10";
  const count = Math.abs(countOf(text));
  const shows = titles(options);
  const open: { fd: Fd; name: string }[] = [];
  for (const name of options.operands.length === 0 ? ["-"] : options.operands) {
    await context.attempt(
      async () => void open.push({ name, fd: name === "-" ? 0 : await context.sys.open(name, { access: "read" }) }),
      (reason) => cantOpen(name, reason),
    );
  }
  if (open.length === 0) throw new Failure("no files");
  for (const { fd, name } of open) {
    shows(context, name);
    const bytes = await bytesOf(context, fd);
    await context.out.write(bytes.subarray(startOf(bytes, letter, count, text.startsWith("+"))));
  }
  if (options.has("f") || options.has("F")) await follow(context, open, shows);
  return context.code;
});

function startOf(bytes: Uint8Array, letter: string, count: number, isFromStart: boolean): number {
  if (letter === "c") return isFromStart ? Math.max(0, count - 1) : Math.max(0, bytes.length - count);
  if (isFromStart) {
    let at = 0;
    for (let left = count - 1; left > 0; left--) {
      const end = bytes.indexOf(10, at);
      if (end === -1) return bytes.length;
      at = end + 1;
    }
    return at;
  }
  if (count === 0) return bytes.length;
  let at = bytes.length - 1;
  for (let left = count; left > 0 && at > 0; left--) {
    const before = bytes.lastIndexOf(10, at - 1);
    if (before === -1) return 0;
    if (left === 1) return before + 1;
    at = before;
  }
  return 0;
}

async function follow(
  context: Context,
  open: readonly { fd: Fd; name: string }[],
  shows: (context: Context, name: string) => void,
): Promise<void> {
  let last = open.at(-1)?.name;
  for (;;) {
    await context.out.flush();
    await context.sys.sleep(pollNanos);
    for (const { fd, name } of open) {
      const bytes = await bytesOf(context, fd);
      if (bytes.length === 0) continue;
      if (name !== last) shows(context, name);
      last = name;
      await context.out.write(bytes);
    }
  }
}

const tee = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "ai" });
  if (options.has("i")) context.sys.onSignal(2, "ignore");
  const targets: Fd[] = [];
  for (const name of options.operands) {
    await context.attempt(
      async () => {
        const isAdded = options.has("a");
        targets.push(
          await context.sys.open(name, { access: "write", create: true, append: isAdded, truncate: !isAdded }),
        );
      },
      (reason) => `${name}: ${reason}`,
    );
  }
  for await (const chunk of chunksOf(context.sys, 0)) {
    await context.sys.write(1, chunk);
    for (const fd of targets) await context.sys.write(fd, chunk);
  }
  return context.code;
});

// wc

interface Counts {
  l: number;
  w: number;
  c: number;
  /** In the C locale a character is a byte. */
  m: number;
  L: number;
}

const wc = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "lwcmL" });
  const wanted = (["l", "w", "m", "c", "L"] as const).filter((letter) => options.has(letter));
  const columns = wanted.length === 0 ? (["l", "w", "c"] as const) : wanted;
  const width = columns.length === 1 && options.operands.length < 2 ? 0 : 9;
  const total: Counts = { l: 0, w: 0, c: 0, m: 0, L: 0 };
  const line = (counts: Counts, name: string): string => {
    const numbers = columns.map((letter) => String(counts[letter]).padStart(width)).join(" ");
    return `${numbers}${name === "" ? "" : ` ${name}`}\n`;
  };
  for (const name of options.operands.length === 0 ? [""] : options.operands) {
    const counts = await countFile(context, name);
    if (counts === null) continue;
    context.out.put(line(counts, name));
    for (const letter of ["l", "w", "c", "m"] as const) total[letter] += counts[letter];
    total.L = Math.max(total.L, counts.L);
  }
  if (options.operands.length > 1) context.out.put(line(total, "total"));
  return context.code;
});

async function countFile(context: Context, name: string): Promise<Counts | null> {
  const counts: Counts = { l: 0, w: 0, c: 0, m: 0, L: 0 };
  let isOpen = false;
  await context.attempt(
    () =>
      withInput(context.sys, name === "" ? "-" : name, async (fd) => {
        isOpen = true;
        await countInto(context, fd, counts);
      }),
    (reason) => `${name}: ${reason}`,
  );
  return isOpen ? counts : null;
}

async function countInto({ sys }: Context, fd: Fd, counts: Counts): Promise<void> {
  let inWord = false;
  let column = 0;
  for await (const chunk of chunksOf(sys, fd)) {
    counts.c += chunk.length;
    counts.m += chunk.length;
    for (const byte of chunk) {
      if (byte === 10) counts.l++;
      const isSpace = byte === 32 || (byte >= 9 && byte <= 13);
      if (!isSpace && !inWord) counts.w++;
      inWord = !isSpace;
      column = byte === 10 ? 0 : byte === 9 ? (column | 7) + 1 : byte >= 32 && byte >> 6 !== 2 ? column + 1 : column;
      counts.L = Math.max(counts.L, column);
    }
  }
}

// Lines made over

/** A program that makes each line over. */
function perLine(flags: string, valued: string, make: (options: Options) => (line: string) => string) {
  return applet(async (context) => {
    const options = parseOptions(context.args, { flags, valued });
    const change = make(options);
    await eachInput(context, options.operands, async (fd) => {
      for await (const { lines, ended } of batchesOf(context.sys, fd)) {
        context.out.put(lines.map(change).join("\n") + (ended ? "\n" : ""));
        await context.out.settle();
      }
    });
    return context.code;
  });
}

const rev = perLine("", "", () => (line) => Array.from(line).reverse().join(""));

const fold = perLine("bs", "w", (options) => {
  const width = countWithin(options.value("w") ?? "80", 1, 10_000);
  return (line) => foldLine(line, width, options.has("s")).join("\n");
});

function foldLine(line: string, width: number, atBlanks: boolean): string[] {
  const parts: string[] = [];
  let rest = Array.from(line);
  while (rest.length > width) {
    const blank = atBlanks ? rest.slice(0, width).lastIndexOf(" ") + 1 : 0;
    const end = blank > 0 ? blank : width;
    parts.push(rest.slice(0, end).join(""));
    rest = rest.slice(end);
  }
  return [...parts, rest.join("")];
}

const expand = perLine("i", "t", (options) => {
  const stop = Number(options.value("t") ?? 8);
  return (line) => {
    let text = "";
    for (const [index, char] of Array.from(line).entries()) {
      const isInitial = !options.has("i") || line.slice(0, index).trim() === "";
      text += char === "\t" && isInitial ? " ".repeat(stop - (text.length % stop)) : char;
    }
    return text;
  };
});

const unexpand = perLine("fa", "t", (options) => {
  const stop = Number(options.value("t") ?? 8);
  const everywhere = options.has("a") || options.value("t") !== undefined;
  return (line) => {
    const columns = expandTabs(line, stop);
    const initial = /^ */.exec(columns)?.[0].length ?? 0;
    const head = "\t".repeat(Math.floor(initial / stop)) + " ".repeat(initial % stop);
    const rest = columns.slice(initial);
    return head + (everywhere ? tabsIn(rest, initial, stop) : rest);
  };
});

function expandTabs(line: string, stop: number): string {
  let text = "";
  for (const char of line) text += char === "\t" ? " ".repeat(stop - (text.length % stop)) : char;
  return text;
}

function tabsIn(text: string, start: number, stop: number): string {
  let result = "";
  let pending = "";
  for (const [index, char] of Array.from(text).entries()) {
    pending += char;
    const isStop = (start + index + 1) % stop === 0;
    if (char !== " ") {
      result += pending;
      pending = "";
    } else if (isStop) {
      result += pending.length > 1 && pending.trim() === "" ? "\t" : pending;
      pending = "";
    }
  }
  return result + pending;
}

const nl = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "p", valued: "bhfiwsvdln" });
  const width = Number(options.value("w") ?? 6);
  const step = Number(options.value("i") ?? 1);
  const all = options.value("b") === "a";
  let number = Number(options.value("v") ?? 1);
  await eachInput(context, options.operands, async (fd) => {
    for await (const { lines } of batchesOf(context.sys, fd)) {
      for (const line of lines) {
        const isNumbered = options.value("b") !== "n" && (all || line !== "");
        const separator = options.value("s") ?? "\t";
        context.out.put(
          isNumbered
            ? `${String(number).padStart(width)}${separator}${line}\n`
            : `${" ".repeat(width + separator.length)}${line}\n`,
        );
        if (isNumbered) number += step;
      }
      await context.out.settle();
    }
  });
  return context.code;
});

// split

const split = applet(async (context) => {
  const options = parseOptions(
    withOldCount(context.args).map((arg) => (arg === "-n" ? "-l" : arg)),
    { flags: "d", valued: "lba", operandsMax: 2 },
  );
  const [name = "-", prefix = "x"] = options.operands;
  const length = Number(options.value("a") ?? 2);
  const bytes = await withInput(context.sys, name, (fd) => bytesOf(context, fd));
  const parts = options.has("b")
    ? byBytes(bytes, countOf(options.value("b") ?? ""))
    : byLines(bytes, countOf(options.value("l") ?? "1000"));
  for (const [index, part] of parts.entries()) {
    const fd = await context.sys.open(prefix + suffix(index, length), {
      access: "write",
      create: true,
      truncate: true,
    });
    await context.sys.write(fd, part);
    context.sys.close(fd);
  }
  return 0;
});

function byBytes(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function byLines(bytes: Uint8Array, count: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    for (let left = count; left > 0 && end < bytes.length; left--) {
      const next = bytes.indexOf(10, end);
      end = next === -1 ? bytes.length : next + 1;
    }
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}

function suffix(index: number, length: number): string {
  let text = "";
  let rest = index;
  for (let place = 0; place < length; place++) {
    text = String.fromCharCode(97 + (rest % 26)) + text;
    rest = Math.floor(rest / 26);
  }
  if (rest > 0) throw new Failure("suffixes exhausted");
  return text;
}

const strings = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "afo", valued: "nt" });
  const least = Number(options.value("n") ?? 4);
  if (!(least > 0)) throw new UsageFailure("");
  await eachInput(context, options.operands, async (fd) => {
    const text = Array.from(await bytesOf(context, fd), (byte) =>
      (byte >= 32 && byte < 127) || byte === 9 ? String.fromCharCode(byte) : "\n",
    ).join("");
    context.out.put(
      text
        .split("\n")
        .filter(({ length }) => length >= least)
        .map((line) => `${line}\n`)
        .join(""),
    );
    await context.out.settle();
  });
  return context.code;
});

export const programs = { cat, expand, fold, head, nl, rev, split, strings, tac, tail, tee, unexpand, wc };
