/** Bytes as numbers and codes: od, hexdump, xxd, base64, checksums, cmp. */
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { hex } from "../../../../core/base/bytes.ts";
import {
  allLines,
  applet,
  chunksOf,
  type Context,
  eachInput,
  Failure,
  isErrno,
  readBytes,
  reasonOf,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";

// od and hexdump

interface Format {
  readonly bytes: number;
  readonly width: number;
  readonly text: (bytes: Uint8Array) => string;
}

const octals = (bytes: Uint8Array): string =>
  number(bytes)
    .toString(8)
    .padStart(Math.ceil((bytes.length * 8) / 3), "0");
const hexes = (bytes: Uint8Array): string =>
  number(bytes)
    .toString(16)
    .padStart(bytes.length * 2, "0");

/** What is missing of a last word counts as zero. */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}

/** Little-endian, as the machine is. */
function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

const controlNames: Readonly<Record<number, string>> = {
  0: "\\0",
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
};
const asciiNames =
  "nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp".split(
    " ",
  );

function character([byte = 0]: Uint8Array): string {
  const control = controlNames[byte];
  if (control !== undefined) return control;
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(8).padStart(3, "0");
}

function asciiName([byte = 0]: Uint8Array): string {
  const low = byte & 127;
  return asciiNames[low] ?? (low === 127 ? "del" : String.fromCharCode(low));
}

function formatOf(type: string): Format {
  const [, letter = "", size = ""] = /^([acdoux])(\d*|[CSIL])$/.exec(type) ?? [];
  if (letter === "") throw new Failure(`invalid type string '${type}'`);
  if (letter === "a") return { bytes: 1, width: 4, text: asciiName };
  if (letter === "c") return { bytes: 1, width: 4, text: character };
  const bytes = size === "" ? 4 : ({ C: 1, S: 2, I: 4, L: 8 }[size] ?? Number(size));
  if (letter === "x") return { bytes, width: bytes * 2 + 1, text: hexes };
  if (letter === "o") return { bytes, width: Math.ceil((bytes * 8) / 3) + 1, text: octals };
  const digits = String(2n ** BigInt(bytes * 8)).length;
  if (letter === "u") return { bytes, width: digits + 1, text: (each) => String(number(each)) };
  return {
    bytes,
    width: digits + 2 - (bytes === 1 ? 1 : 0),
    text: (each) => String(BigInt.asIntN(bytes * 8, number(each))),
  };
}

const oldFormats: Readonly<Record<string, string>> = {
  a: "a",
  b: "o1",
  c: "c",
  d: "u2",
  o: "o2",
  s: "d2",
  x: "x2",
  h: "x2",
  i: "d4",
  l: "d8",
};

const od = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "abcdoxshilv", valued: "tANjwS" });
  const types = [
    ...oldKeys(options),
    ...options.values("t").flatMap((text) => text.match(/[acdoux](?:\d+|[CSIL])?/g) ?? [text]),
  ];
  const formats = (types.length === 0 ? ["o2"] : types).map(formatOf);
  const bytes = await joined(context, options.operands);
  if (bytes.length === 0 && context.code !== 0) return context.code;
  const skip = Number(options.value("j") ?? 0);
  const limit = Number(options.value("N") ?? Infinity);
  const width = Number(options.value("w") ?? 16);
  dump(context, bytes.subarray(skip, skip + Math.min(limit, bytes.length)), {
    formats,
    width,
    skip,
    radix: options.value("A") ?? "o",
    all: options.has("v"),
  });
  return context.code;
});

function oldKeys(options: Options): string[] {
  return Object.entries(oldFormats).flatMap(([letter, type]) => (options.has(letter) ? [type] : []));
}

async function joined(context: Context, names: readonly string[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await eachInput(context, names, async (fd) => {
    for await (const chunk of chunksOf(context.sys, fd)) parts.push(chunk);
  });
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

interface Dump {
  readonly formats: readonly Format[];
  readonly width: number;
  readonly skip: number;
  readonly radix: string;
  readonly all: boolean;
}

function dump(context: Context, bytes: Uint8Array, { formats, width, skip, radix, all }: Dump): void {
  const address = (at: number): string =>
    radix === "n" ? "" : (at + skip).toString({ o: 8, d: 10, x: 16 }[radix] ?? 8).padStart(radix === "x" ? 6 : 7, "0");
  let isRepeated = false;
  for (let at = 0; at < bytes.length; at += width) {
    const row = bytes.subarray(at, at + width);
    const isSame = !all && at > 0 && hex(row) === hex(bytes.subarray(at - width, at));
    if (isSame && !isRepeated) context.out.put("*\n");
    isRepeated = isSame;
    if (isSame) continue;
    for (const [index, format] of formats.entries()) {
      const cells: string[] = [];
      for (let place = 0; place < row.length; place += format.bytes)
        cells.push(format.text(padded(row.subarray(place, place + format.bytes), format.bytes)).padStart(format.width));
      context.out.put(`${index === 0 ? address(at) : " ".repeat(address(at).length)}${cells.join("")}\n`);
    }
  }
  if (radix !== "n") context.out.put(`${address(bytes.length)}\n`);
}

const hexdump = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "bcCdovx", valued: "nse" });
  const whole = await joined(context, options.operands);
  const skip = Number(options.value("s") ?? 0);
  const bytes = whole.subarray(skip, skip + Math.min(Number(options.value("n") ?? Infinity), whole.length));
  const isCanonical = options.has("C") || context.name === "hd";
  const address = (at: number): string => (at + skip).toString(16).padStart(isCanonical ? 8 : 7, "0");
  let isRepeated = false;
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const isSame = !options.has("v") && at > 0 && hex(row) === hex(bytes.subarray(at - 16, at));
    if (isSame && !isRepeated) context.out.put("*\n");
    isRepeated = isSame;
    if (!isSame) context.out.put(`${address(at)}${isCanonical ? canonicalRow(row) : wordsRow(row, options)}\n`);
  }
  if (bytes.length > 0) context.out.put(`${address(bytes.length)}\n`);
  return context.code;
});

function canonicalRow(row: Uint8Array): string {
  const cells = Array.from({ length: 16 }, (_, index) =>
    index < row.length ? hexes(row.subarray(index, index + 1)) : "  ",
  );
  const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
  return `  ${cells.slice(0, 8).join(" ")}  ${cells.slice(8).join(" ")}  |${text}|`;
}

function wordsRow(row: Uint8Array, options: Options): string {
  const type = options.last("bcdox");
  if (type === "b" || type === "c")
    return Array.from(
      row,
      (byte) => ` ${type === "b" ? byte.toString(8).padStart(3, "0") : character(Uint8Array.of(byte)).padStart(3)}`,
    )
      .join("")
      .padEnd(64);
  const cells: string[] = [];
  for (let at = 0; at < row.length; at += 2) {
    const value = number(row.subarray(at, at + 2));
    cells.push(
      type === "d"
        ? `   ${String(value).padStart(5, "0")}`
        : type === "o"
          ? `  ${value.toString(8).padStart(6, "0")}`
          : type === "x"
            ? `    ${value.toString(16).padStart(4, "0")}`
            : ` ${value.toString(16).padStart(4, "0")}`,
    );
  }
  return cells.join("").padEnd(type === undefined ? 40 : 64);
}

const xxd = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "pra", valued: "glcs" });
  const [name = "-"] = options.operands;
  if (options.has("r")) return fromHex(context, name, options.has("p"));
  const skip = Number(options.value("s") ?? 0);
  const bytes = (await readBytes(context.sys, name)).subarray(skip, skip + Number(options.value("l") ?? Infinity));
  const width = Number(options.value("c") ?? (options.has("p") ? 30 : 16));
  const group = Number(options.value("g") ?? 2);
  for (let at = 0; at < bytes.length; at += width) {
    const row = bytes.subarray(at, at + width);
    if (options.has("p")) context.out.put(`${hex(row)}\n`);
    else {
      const cells = Array.from(
        row,
        (byte, index) => byte.toString(16).padStart(2, "0") + ((index + 1) % group === 0 ? " " : ""),
      ).join("");
      const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
      context.out.put(
        `${(at + skip).toString(16).padStart(8, "0")}: ${cells.padEnd(width * 2 + Math.ceil(width / group))} ${text}\n`,
      );
    }
  }
  return 0;
});

async function fromHex(context: Context, name: string, isPlain: boolean): Promise<number> {
  const { lines } = await withInput(context.sys, name, (fd) => allLines(context.sys, fd));
  const digits = lines
    .map((line) => (isPlain ? line : line.replace(/^[0-9a-fA-F]+:/, "").replace(/ {2}.*$/, "")))
    .join("")
    .replace(/\s/g, "");
  await context.out.write(Uint8Array.from(digits.match(/[0-9a-fA-F]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16)));
  return 0;
}

// base64

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const base64 = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "d",
    valued: "w",
    long: { decode: "d", wrap: "w" },
    operandsMax: 1,
  });
  const bytes = await readBytes(context.sys, options.operands[0] ?? "-");
  if (options.has("d")) {
    await context.out.write(decode(new TextDecoder().decode(bytes)));
    return 0;
  }
  const width = Number(options.value("w") ?? 76);
  const text = encode(bytes);
  const lines = width === 0 ? [text] : (text.match(new RegExp(`.{1,${width}}`, "g")) ?? []);
  await context.out.print(width === 0 ? text : lines.map((line) => `${line}\n`).join(""));
  return 0;
});

function encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const left = bytes.length - at;
    text += [18, 12, 6, 0]
      .map((shift, index) => (index <= left ? alphabet.charAt((bits >> shift) & 63) : "="))
      .join("");
  }
  return text;
}

function decode(text: string): Uint8Array {
  // What is no digit is passed over, as busybox does.
  const digits = text.replace(/[^A-Za-z0-9+/=]/g, "");
  const bytes: number[] = [];
  for (let at = 0; at < digits.length; at += 4) {
    const four = digits.slice(at, at + 4);
    const values = Array.from(four.replace(/=+$/, ""), (char) => alphabet.indexOf(char));
    if (four.length < 4) throw new Failure("truncated input");
    const bits = values.reduce((sum, value, index) => sum | (value << (18 - 6 * index)), 0);
    bytes.push(...[16, 8, 0].slice(0, values.length - 1).map((shift) => (bits >> shift) & 255));
  }
  return Uint8Array.from(bytes);
}

// Checksums

interface Digest {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

const digests: Readonly<Record<string, () => Digest>> = {
  md5sum: () => md5.create(),
  sha1sum: () => sha1.create(),
  sha256sum: () => sha256.create(),
  sha512sum: () => sha512.create(),
};
const byteFuel = 4;

const checksum = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "csbt", long: { check: "c", status: "s" } });
  if (options.has("c")) return check(context, options);
  for (const name of options.operands.length === 0 ? ["-"] : options.operands) {
    await context.attempt(
      async () => context.out.put(`${await digestOf(context, name)}  ${name}\n`),
      (reason) => (reason === "Is a directory" ? `can't read '${name}': ${reason}` : `can't open '${name}': ${reason}`),
    );
  }
  return context.code;
});

async function digestOf({ sys, name: program }: Context, name: string): Promise<string> {
  const digest = digests[program]?.();
  if (digest === undefined) throw new UsageFailure("");
  await withInput(sys, name, async (fd) => {
    for await (const chunk of chunksOf(sys, fd)) {
      digest.update(chunk);
      await sys.work(chunk.length * byteFuel);
    }
  });
  return hex(digest.digest());
}

async function check(context: Context, options: Options): Promise<number> {
  let failed = 0;
  let count = 0;
  for (const list of options.operands.length === 0 ? ["-"] : options.operands) {
    const { lines } = await withInput(context.sys, list, (fd) => allLines(context.sys, fd));
    for (const line of lines) {
      const [, wanted, name] = /^([0-9a-f]+) [ *](.*)$/i.exec(line) ?? [];
      if (wanted === undefined || name === undefined) {
        failed++;
        count++;
        continue;
      }
      count++;
      const isRight = (await digestOrNull(context, name)) === wanted.toLowerCase();
      if (!isRight) failed++;
      if (!options.has("s")) context.out.put(`${name}: ${isRight ? "OK" : "FAILED"}\n`);
    }
  }
  if (failed > 0 && !options.has("s"))
    await context.complain(`WARNING: ${failed} of ${count} computed checksums did NOT match`);
  return failed > 0 ? 1 : 0;
}

async function digestOrNull(context: Context, name: string): Promise<string | null> {
  try {
    return await digestOf(context, name);
  } catch (thrown) {
    await context.complain(`can't open '${name}': ${reasonOf(thrown)}`);
    return null;
  }
}

/** cksum(1): the CRC of POSIX, which ends with the length. */
const cksum = applet(async (context) => {
  await eachInput(context, context.args, async (fd, name) => {
    let sum = 0;
    let length = 0;
    for await (const chunk of chunksOf(context.sys, fd)) {
      for (const byte of chunk) sum = step(sum, byte);
      length += chunk.length;
    }
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) sum = step(sum, rest & 255);
    context.out.put(`${~sum >>> 0} ${length}${name === "-" ? "" : ` ${name}`}\n`);
  });
  return context.code;
});

function step(sum: number, byte: number): number {
  let value = sum ^ (byte << 24);
  for (let bit = 0; bit < 8; bit++) value = (value & 0x80000000) === 0 ? value << 1 : (value << 1) ^ 0x04c11db7;
  return value;
}

// cmp

const cmp = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "ls", valued: "n", operandsMin: 1, operandsMax: 4 });
  const [first = "", second = "-"] = options.operands;
  const limit = Number(options.value("n") ?? Infinity);
  const a = (await bytesFor(context, first)).subarray(0, limit);
  const b = (await bytesFor(context, second)).subarray(0, limit);
  let line = 1;
  let code = 0;
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) {
      code = 1;
      if (options.has("s")) return 1;
      if (!options.has("l")) {
        await context.out.print(`${first} ${second} differ: char ${at + 1}, line ${line}\n`);
        return 1;
      }
      context.out.put(`${at + 1} ${(a[at] ?? 0).toString(8).padStart(3)} ${(b[at] ?? 0).toString(8).padStart(3)}\n`);
    }
    if (a[at] === 10) line++;
  }
  if (a.length === b.length) return code;
  if (!options.has("s")) await context.complain(`EOF on ${a.length < b.length ? first : second}`);
  return 1;
});

async function bytesFor(context: Context, name: string): Promise<Uint8Array> {
  try {
    return await readBytes(context.sys, name);
  } catch (thrown) {
    if (isErrno(thrown, "EPIPE")) throw thrown;
    throw new Failure(`${name}: ${reasonOf(thrown)}`, 2);
  }
}

export const programs = {
  base64,
  cksum,
  cmp,
  hd: hexdump,
  hexdump,
  md5sum: checksum,
  od,
  sha1sum: checksum,
  sha256sum: checksum,
  sha512sum: checksum,
  xxd,
};
