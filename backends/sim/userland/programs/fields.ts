/** Lines and their fields: cut, paste, comm, join, sort, uniq, tr, shuf. */
import {
  type Context,
  allLines,
  applet,
  batchesOf,
  chunksOf,
  eachInput,
  failing,
  Failure,
  isErrno,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { concat, decodeBytes, encodeText } from "../../../../core/base/bytes.ts";
import type { Fd, Sys } from "../../kernel/sys.ts";
import { unescape } from "../format.ts";
import { type Options, parseOptions } from "../options.ts";

const lineFuel = 200;

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// cut

interface Range {
  readonly from: number;
  readonly to: number;
}

function rangesOf(text: string): Range[] {
  return text
    .split(",")
    .map((part) => {
      const [, from = "", dash = "", to = ""] = /^(\d*)(-?)(\d*)$/.exec(part) ?? [];
      if (from === "" && to === "")
        throw new Failure(part === "-" || part === "" ? "invalid range" : `invalid number '${part}'`);
      const low = from === "" ? 1 : Number(from);
      return { from: Math.max(1, low), to: dash === "" ? Math.max(1, low) : to === "" ? Infinity : Number(to) };
    })
    .sort((a, b) => a.from - b.from);
}

const inRanges = (ranges: readonly Range[], index: number): boolean =>
  ranges.some(({ from, to }) => index >= from && index <= to);

const cut = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "snD", valued: "bcfdOF", long: { "output-delimiter": "O" } });
  const letter = options.last("bcf");
  if (letter === undefined) throw new Failure("expected a list of bytes, characters, or fields");
  if (new Set([..."bcf"].filter((each) => options.has(each))).size > 1) throw new UsageFailure("");
  const ranges = rangesOf(options.value(letter) ?? "");
  const delimiter = (options.value("d") ?? "\t").slice(0, 1);
  const change = letter === "f" ? cutFields(ranges, delimiter, options) : cutCharacters(ranges);
  await eachInput(context, options.operands, async (fd) => {
    for await (const { lines } of batchesOf(context.sys, fd)) {
      for (const line of lines) {
        const text = change(line);
        if (text !== null) context.out.put(`${text}\n`);
      }
      await context.out.settle();
    }
  });
  return context.code;
});

function cutFields(ranges: readonly Range[], delimiter: string, options: Options): (line: string) => string | null {
  const joiner = options.value("O") ?? delimiter;
  return (line) => {
    if (line === "") return "";
    if (delimiter === "" || !line.includes(delimiter)) return options.has("s") ? null : line;
    return chosenFields(line.split(delimiter), ranges).join(joiner);
  };
}

/** A range that begins behind the last field is one field, an empty one. */
function chosenFields(fields: readonly string[], ranges: readonly Range[]): string[] {
  const chosen: string[] = [];
  let next = 1;
  for (const { from, to } of ranges) {
    if (from > fields.length) chosen.push("");
    for (let at = Math.max(from, next); at <= Math.min(to, fields.length); at++) chosen.push(fields[at - 1] ?? "");
    next = Math.max(next, to + 1);
  }
  return chosen;
}

function cutCharacters(ranges: readonly Range[]): (line: string) => string {
  return (line) =>
    Array.from(line)
      .filter((_, index) => inRanges(ranges, index + 1))
      .join("");
}

// paste, comm, join

async function linesOfFile(context: Context, name: string): Promise<string[]> {
  return withInput(context.sys, name, async (fd) => (await allLines(context.sys, fd)).lines);
}

const paste = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "s", valued: "d" });
  if (options.value("d") === "") throw new Failure("-d '' is not supported");
  const delimiters = Array.from(
    unescape(options.value("d") ?? "\t", { octalZero: "no", hexadecimal: false, escape: false, end: false }).text,
  );
  const between = (index: number): string => {
    const delimiter = delimiters[index % delimiters.length] ?? "";
    return delimiter === "\\0" ? "" : delimiter;
  };
  const join = (parts: readonly string[]): string =>
    parts.map((part, index) => (index === 0 ? part : between(index - 1) + part)).join("");
  const files = await columnsOf(context, options.operands.length === 0 ? ["-"] : options.operands, options.has("s"));
  if (options.has("s")) context.out.put(files.map((lines) => `${join(lines)}\n`).join(""));
  else {
    const rows = Math.max(...files.map(({ length }) => length), 0);
    for (let row = 0; row < rows; row++) context.out.put(rowOf(files, row, between));
  }
  return 0;
});

/** A file that has ended gives nothing, not even what stands behind its column: after the last that is the newline. */
function rowOf(files: readonly (readonly string[])[], row: number, between: (index: number) => string): string {
  let index = 0;
  return files
    .map((lines, column) => {
      if (row >= lines.length) return "";
      return `${lines[row]}${column === files.length - 1 ? "\n" : between(index++)}`;
    })
    .join("");
}

/** Each file's lines; standard input named several times is dealt out line by line. */
async function columnsOf(context: Context, names: readonly string[], serial: boolean): Promise<string[][]> {
  const shares = serial ? 1 : names.filter((name) => name === "-").length;
  const input = shares > 0 ? await linesOfFile(context, "-") : [];
  const files: string[][] = [];
  let share = 0;
  for (const name of names) {
    const own = share;
    if (name === "-") files.push(input.filter((_, index) => index % shares === own % shares));
    else files.push(await linesOfFile(context, name));
    if (name === "-") share++;
  }
  return files;
}

const comm = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "123", operandsMin: 2, operandsMax: 2 });
  const [first = "", second = ""] = options.operands;
  const a = await linesOfFile(context, first);
  const b = await linesOfFile(context, second);
  const shown = ["1", "2", "3"].map((column) => !options.has(column));
  const put = (column: number, line: string): void => {
    if (shown[column] === true)
      context.out.put(`${"\t".repeat(shown.slice(0, column).filter(Boolean).length)}${line}\n`);
  };
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [left, right] = [a[i], b[j]];
    const order = left === undefined ? 1 : right === undefined ? -1 : compareBytes(left, right);
    if (order < 0) put(0, a[i++] ?? "");
    else if (order > 0) put(1, b[j++] ?? "");
    else {
      put(2, left ?? "");
      i++;
      j++;
    }
  }
  return 0;
});

const join = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "i", valued: "12jtaveo", operandsMin: 2, operandsMax: 2 });
  const [first = "", second = ""] = options.operands;
  const separator = options.value("t");
  const split = (line: string): string[] =>
    separator === undefined ? line.trim().split(/\s+/) : line.split(separator);
  const place = (letter: string): number => Number(options.value(letter) ?? options.value("j") ?? 1) - 1;
  const [keyA, keyB] = [place("1"), place("2")];
  const a = (await linesOfFile(context, first)).map(split);
  const b = (await linesOfFile(context, second)).map(split);
  const fold = (key: string | undefined): string => (options.has("i") ? (key ?? "").toLowerCase() : (key ?? ""));
  const alone = new Set(options.values("a").concat(options.values("v")));
  const put = (left: Row | null, right: Row | null): void =>
    context.out.put(`${joined(left, right, options).join(separator ?? " ")}\n`);
  const matchedB = new Set<number>();
  for (const left of a) {
    const matches = [...b.entries()].filter(([, right]) => fold(right[keyB]) === fold(left[keyA]));
    for (const [index, right] of matches) {
      matchedB.add(index);
      if (!options.has("v")) put({ fields: left, key: keyA }, { fields: right, key: keyB });
    }
    if (matches.length === 0 && alone.has("1")) put({ fields: left, key: keyA }, null);
  }
  for (const [index, right] of b.entries())
    if (alone.has("2") && !matchedB.has(index)) put(null, { fields: right, key: keyB });
  return 0;
});

/** A line's fields, and which one joins it. */
interface Row {
  readonly fields: readonly string[];
  readonly key: number;
}

/** The fields of a joined line: those of -o, else the key and then the others. */
function joined(left: Row | null, right: Row | null, options: Options): string[] {
  const empty = options.value("e") ?? "";
  const key = left?.fields[left.key] ?? right?.fields[right.key] ?? "";
  const rest = (row: Row | null): string[] => row?.fields.filter((_, index) => index !== row.key) ?? [];
  const format = options.value("o");
  if (format === undefined) return [key, ...rest(left), ...rest(right)];
  return format.split(/[ ,]/).map((wanted) => {
    const [file, field = "0"] = wanted.split(".");
    const value = wanted === "0" ? key : (file === "1" ? left : right)?.fields[Number(field) - 1];
    return value === undefined || value === "" ? empty : value;
  });
}

// sort

interface SortKey {
  readonly from: Position;
  readonly to: Position | null;
  readonly flags: string;
}

interface Position {
  readonly field: number;
  readonly char: number;
}

function keyOf(text: string): SortKey {
  const match = /^(\d+)(?:\.(\d+))?([bdfghiMnrV]*)(?:,(\d+)(?:\.(\d+))?([bdfghiMnrV]*))?$/.exec(text);
  if (match === null) throw new Failure("bad field specification");
  const [, field = "1", char, flags = "", toField, toChar, toFlags = ""] = match;
  return {
    from: { field: Number(field), char: Number(char ?? 1) },
    to: toField === undefined ? null : { field: Number(toField), char: Number(toChar ?? 0) },
    flags: flags + toFlags,
  };
}

const sort = failing(2, async (context) => {
  const options = parseOptions(context.args, { flags: "ngMucszbrdfihV", valued: "koSTt" });
  const keys = options.values("k").map(keyOf);
  const flags = [..."ngMbrdfihV"].filter((letter) => options.has(letter)).join("");
  const compare = comparing(keys.length === 0 ? [{ ...keyOf("1"), flags }] : keys, flags, options);
  const end = options.has("z") ? "\0" : "\n";
  const lines: string[] = [];
  for (const name of options.operands.length === 0 ? ["-"] : options.operands)
    for (const line of await withInput(context.sys, name, async (fd) => (await allLines(context.sys, fd, end)).lines))
      lines.push(line);
  if (options.has("c")) return checkOrder(context, lines, compare, options);
  await context.sys.work(lines.length * lineFuel);
  lines.sort(compare);
  const sorted = options.has("u")
    ? lines.filter((line, index) => index === 0 || compare(lines[index - 1] ?? "", line) !== 0)
    : lines;
  await write(context, sorted, end, options.value("o"));
  return 0;
});

async function checkOrder(
  context: Context,
  lines: readonly string[],
  compare: (a: string, b: string) => number,
  options: Options,
): Promise<number> {
  for (const [index, line] of lines.entries()) {
    const order = index === 0 ? -1 : compare(lines[index - 1] ?? "", line);
    if (order < 0 || (order === 0 && !options.has("u"))) continue;
    await context.sys.write(2, encodeText(`Check line ${index}\n`));
    return 1;
  }
  return 0;
}

async function write(context: Context, lines: readonly string[], end: string, file: string | undefined): Promise<void> {
  if (file !== undefined) {
    const fd = await context.sys.open(file, { access: "write", create: true, truncate: true });
    await context.sys.write(fd, encodeText(lines.map((line) => line + end).join("")));
    return;
  }
  for (const line of lines) {
    context.out.put(line + end);
    await context.out.settle();
  }
}

/** By each key in turn; what is equal then is ordered as a whole, unless that is not wanted. */
function comparing(keys: readonly SortKey[], flags: string, options: Options): (a: string, b: string) => number {
  const separator = options.value("t");
  return (a, b) => {
    for (const key of keys) {
      const effective = /[dfghiMnV]/.test(key.flags) ? key.flags : key.flags + flags;
      const order = compareBy(effective, keyText(a, key, separator), keyText(b, key, separator));
      if (order !== 0) return effective.includes("r") ? -order : order;
    }
    if (options.has("u") || options.has("s")) return 0;
    const order = compareBytes(a, b);
    return flags.includes("r") ? -order : order;
  };
}

function keyText(line: string, { from, to, flags }: SortKey, separator: string | undefined): string {
  if (from.field === 1 && from.char === 1 && to === null) return flags.includes("b") ? line.trimStart() : line;
  const starts = fieldStarts(line, separator);
  const begin = place(line, starts, from, flags);
  if (to === null) return line.slice(begin);
  const end =
    to.char === 0
      ? (starts[to.field]?.[0] ?? line.length + 1) - (separator === undefined ? 0 : 1)
      : place(line, starts, { field: to.field, char: to.char + 1 }, flags);
  return line.slice(begin, Math.max(begin, Math.min(end, line.length)));
}

/** Where each field begins: a blank before it belongs to it when no separator is given. */
function fieldStarts(line: string, separator: string | undefined): [number][] {
  const starts: [number][] = [[0]];
  const pattern = separator === undefined ? /(?<=\S)(?=\s)/g : null;
  if (pattern !== null) for (const { index } of line.matchAll(pattern)) starts.push([index]);
  else
    for (let at = line.indexOf(separator ?? ""); at !== -1; at = line.indexOf(separator ?? "", at + 1))
      starts.push([at + 1]);
  return starts;
}

function place(line: string, starts: readonly [number][], { field, char }: Position, flags: string): number {
  let at = starts[field - 1]?.[0] ?? line.length;
  if (flags.includes("b") || flags.includes("n")) while (line[at] === " " || line[at] === "\t") at++;
  return Math.min(line.length, at + char - 1);
}

const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const sizeSuffixes = "KMGTPEZY";

function compareBy(flags: string, a: string, b: string): number {
  if (flags.includes("g")) return scientific(a) - scientific(b);
  if (flags.includes("h")) return humanSize(a) - humanSize(b);
  if (flags.includes("n")) return numberAtStart(a) - numberAtStart(b);
  if (flags.includes("M")) return month(a) - month(b);
  if (flags.includes("V")) return compareVersions(a, b);
  return compareBytes(plain(a, flags), plain(b, flags));
}

function plain(text: string, flags: string): string {
  let result = flags.includes("b") ? text.trimStart() : text;
  if (flags.includes("d")) result = result.replace(/[^A-Za-z0-9\s]/g, "");
  if (flags.includes("i")) result = result.replace(/[^\x20-\x7e]/g, "");
  return flags.includes("f") ? result.toUpperCase() : result;
}

function numberAtStart(text: string): number {
  return Number(/^\s*-?(?:\d+\.?\d*|\.\d+)/.exec(text)?.[0] ?? 0);
}

function scientific(text: string): number {
  return Number(/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/.exec(text)?.[0] ?? Number.NEGATIVE_INFINITY);
}

function humanSize(text: string): number {
  const [, number = "0", suffix = ""] = /^\s*(-?\d+\.?\d*)([KMGTPEZYk]?)/.exec(text) ?? [];
  return Number(number) * 1024 ** (suffix === "" ? 0 : sizeSuffixes.indexOf(suffix.toUpperCase()) + 1);
}

function month(text: string): number {
  return months.indexOf(text.trim().slice(0, 3).toUpperCase());
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.match(/\d+|\D+/g) ?? []);
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at++) {
    const [x = "", y = ""] = [left?.[at], right?.[at]];
    const order = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : compareBytes(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

// uniq

const uniq = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "cduiz", valued: "fsw", operandsMax: 2 });
  const [input = "-", output] = options.operands;
  const keyFor = (line: string): string => {
    let key = line;
    for (let left = Number(options.value("f") ?? 0); left > 0; left--) key = key.replace(/^\s*\S*/, "");
    key = key.slice(Number(options.value("s") ?? 0));
    if (options.has("w")) key = key.slice(0, Number(options.value("w")));
    return options.has("i") ? key.toLowerCase() : key;
  };
  const lines = await inputLines(context, input);
  const result: string[] = [];
  for (let at = 0; at < lines.length; ) {
    let end = at + 1;
    while (end < lines.length && keyFor(lines[end] ?? "") === keyFor(lines[at] ?? "")) end++;
    const count = end - at;
    if (!(options.has("d") && count === 1) && !(options.has("u") && count > 1))
      result.push(options.has("c") ? `${String(count).padStart(7)} ${lines[at]}` : (lines[at] ?? ""));
    at = end;
  }
  await write(context, result, "\n", output);
  return 0;
});

async function inputLines(context: Context, name: string): Promise<string[]> {
  try {
    return await linesOfFile(context, name);
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) throw new Failure(`can't open '${name}': No such file or directory`);
    throw thrown;
  }
}

// tr

const trEscapes = { octalZero: "no", hexadecimal: false, escape: false, end: false } as const;
const trClasses: Readonly<Record<string, RegExp>> = {
  alpha: /[A-Za-z]/,
  digit: /[0-9]/,
  alnum: /[0-9A-Za-z]/,
  upper: /[A-Z]/,
  lower: /[a-z]/,
  space: /[\t\n\v\f\r ]/,
  blank: /[ \t]/,
  punct: /[!-/:-@[-`{-~]/,
  print: /[\x20-\x7e]/,
  graph: /[\x21-\x7e]/,
  // eslint-disable-next-line no-control-regex
  cntrl: /[\x00-\x1f\x7f]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** The characters a set of tr(1) names. */
function setOf(text: string): string[] {
  const found: string[] = [];
  const pattern = /\[:(\w+):\]|\[=(.)=\]|(\\[0-7]{1,3}|\\?[^])-(\\[0-7]{1,3}|\\?[^])|\\[0-7]{1,3}|\\?[^]/gu;
  for (const [whole, named, equal, low, high] of text.matchAll(pattern)) {
    if (named !== undefined) found.push(...charactersOf(named));
    else if (equal !== undefined) found.push(equal);
    else if (low !== undefined && high !== undefined) found.push(...between(single(low), single(high)));
    else found.push(single(whole));
  }
  return found;
}

function charactersOf(name: string): string[] {
  const pattern = trClasses[name];
  if (pattern === undefined) throw new Failure(`invalid character class '${name}'`);
  return Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((char) => pattern.test(char));
}

function between(low: string, high: string): string[] {
  const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? 0];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => String.fromCodePoint(from + index));
}

function single(text: string): string {
  if (!text.startsWith("\\") || text.length === 1) return text;
  const plainText = unescape(text, trEscapes).text;
  return plainText.startsWith("\\") && plainText.length > 1 ? plainText.slice(1) : plainText;
}

const tr = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "cCdst", inOrder: true, operandsMin: 1, operandsMax: 2 });
  const [first = "", second] = options.operands;
  const deletes = options.has("d");
  const squeezes = options.has("s");
  const isComplement = options.has("c") || options.has("C");
  const from = new Set(setOf(first));
  const list = [...setOf(first)];
  const to = setOf(second ?? "");
  const isIn = (char: string): boolean => from.has(char) !== isComplement;
  const last = to.at(-1) ?? "";
  const map = new Map(list.map((char, index) => [char, to[index] ?? last]));
  const squeezed = new Set(second === undefined || (deletes && squeezes) ? (second === undefined ? list : to) : to);
  const isSqueezed = (char: string): boolean => (second === undefined ? isIn(char) : squeezed.has(char));
  let previous = "";
  const change = (char: string): string => {
    if (deletes && isIn(char)) return "";
    const changed =
      !deletes && second !== undefined && isIn(char) ? (isComplement ? last : (map.get(char) ?? char)) : char;
    if (squeezes && changed === previous && isSqueezed(changed)) return "";
    previous = changed;
    return changed;
  };
  for await (const text of textsOf(context.sys, 0)) {
    context.out.put(Array.from(text, change).join(""));
    await context.out.settle();
  }
  return 0;
});

/** The input as it comes, in whole characters. */
async function* textsOf(sys: Sys, fd: Fd): AsyncGenerator<string, void, undefined> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunksOf(sys, fd)) {
    const bytes = rest.length === 0 ? chunk : concat([rest, chunk]);
    const end = bytes.length - brokenOff(bytes);
    rest = bytes.slice(end);
    yield decodeBytes(bytes.subarray(0, end));
  }
  yield decodeBytes(rest);
}

/** How many bytes at the end are the beginning of a character of UTF-8. */
function brokenOff(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > count ? count : 0;
  }
  return 0;
}

const shuf = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "ezr", valued: "ino" });
  const [low = 0, high = 0] = (options.value("i") ?? "").split("-").map(Number);
  const items = options.has("i")
    ? Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => String(low + index))
    : options.has("e")
      ? [...options.operands]
      : await linesOfFile(context, options.operands[0] ?? "-");
  const random = await withInput(context.sys, "/dev/urandom", (fd) =>
    context.sys.read(fd, Math.max(1, items.length * 4)),
  );
  const view = new DataView(random.buffer, random.byteOffset, random.byteLength);
  for (let at = items.length - 1; at > 0; at--) {
    const other = view.getUint32(at * 4) % (at + 1);
    [items[at], items[other]] = [items[other] ?? "", items[at] ?? ""];
  }
  await write(context, items.slice(0, Number(options.value("n") ?? items.length)), "\n", options.value("o"));
  return 0;
});

export const programs = { comm, cut, join, paste, shuf, sort, tr, uniq };
