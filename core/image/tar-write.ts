/**
 * Tar, written: ustar where it can say it, a pax header before an entry where it cannot. The same
 * entries always give the same bytes: no clock, no names of users, fields padded one way.
 */
import { type ByteStream, concat, encodeText } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { formatRecord } from "./pax.ts";
import { blockBytes, paddingOf, type TarHeader, type TarKind } from "./tar.ts";

export interface TarItem extends TarHeader {
  readonly content: ByteStream;
}

const types: Readonly<Record<TarKind, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
const idMax = 0o7777777;
const sizeMax = 0o77777777777;
const secondsMax = 0o77777777777n;

/** Throws AssertionError when a file's content is not as long as its size says. */
export async function* writeTar(
  items: AsyncIterable<TarItem> | Iterable<TarItem>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const item of items) {
    yield headerBlocks(item);
    let written = 0;
    for await (const chunk of item.kind === "file" ? item.content : []) {
      written += chunk.length;
      yield chunk;
    }
    assert(
      written === (item.kind === "file" ? item.size : 0),
      `${item.name}: ${written} bytes for a size of ${item.size}`,
    );
    yield new Uint8Array(paddingOf(written));
  }
  yield new Uint8Array(2 * blockBytes);
}

function headerBlocks(item: TarHeader): Uint8Array {
  const records = paxRecords(item);
  const header = headerBlock(item, types[item.kind]);
  if (records.length === 0) return header;
  const pax = concat(records);
  const name = `PaxHeaders/${asciiPrefix(item.name).replace(/\/+$/, "")}`.slice(0, 99);
  const before = headerBlock({ ...item, name, linkName: "", size: pax.length, mtime: 0n }, "x");
  return concat([before, pax, new Uint8Array(paddingOf(pax.length)), header]);
}

/** What does not fit a ustar header. */
function paxRecords(item: TarHeader): Uint8Array[] {
  const records: Uint8Array[] = [];
  const add = (key: string, text: string): void => void records.push(formatRecord(key, encodeText(text)));
  if (splitName(item.name) === null) add("path", item.name);
  if (!fits(item.linkName, 100)) add("linkpath", item.linkName);
  if (item.size > sizeMax) add("size", String(item.size));
  if (item.uid > idMax) add("uid", String(item.uid));
  if (item.gid > idMax) add("gid", String(item.gid));
  if (secondsOf(item.mtime) === null) add("mtime", formatSeconds(item.mtime));
  for (const [name, value] of [...item.xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    records.push(formatRecord(`SCHILY.xattr.${name}`, value));
  return records;
}

function headerBlock(item: TarHeader, type: string): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number): void => block.set(encodeText(text), at);
  const octal = (value: number | bigint, at: number, length: number): void =>
    put(value.toString(8).padStart(length - 1, "0"), at);
  const [prefix, name] = splitName(item.name) ?? ["", asciiPrefix(item.name)];
  put(name, 0);
  octal(item.mode, 100, 8);
  octal(Math.min(item.uid, idMax), 108, 8);
  octal(Math.min(item.gid, idMax), 116, 8);
  octal(item.kind === "file" || type === "x" ? Math.min(item.size, sizeMax) : 0, 124, 12);
  octal(secondsOf(item.mtime) ?? 0n, 136, 12);
  put("        ", 148);
  put(type, 156);
  put(fits(item.linkName, 100) ? item.linkName : asciiPrefix(item.linkName), 157);
  put("ustar\x0000", 257);
  octal(item.major, 329, 8);
  octal(item.minor, 337, 8);
  put(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The name as ustar's prefix and name; null when it takes a pax record. */
function splitName(name: string): [prefix: string, name: string] | null {
  if (fits(name, 100)) return ["", name];
  if (!fits(name, 256)) return null;
  const slash = name.indexOf("/", Math.max(name.length - 101, 1));
  return slash < 0 || slash > 155 || slash === name.length - 1 ? null : [name.slice(0, slash), name.slice(slash + 1)];
}

function fits(text: string, length: number): boolean {
  // oxlint-disable-next-line no-control-regex -- ASCII is the question
  return text.length <= length && /^[\x01-\x7f]*$/.test(text);
}

function asciiPrefix(name: string): string {
  return name.replace(/[^\x20-\x7e]/gu, "_").slice(0, 100);
}

/** Whole seconds that ustar can hold; null for others. */
function secondsOf(mtime: bigint): bigint | null {
  const seconds = mtime / 1_000_000_000n;
  return mtime < 0n || mtime % 1_000_000_000n !== 0n || seconds > secondsMax ? null : seconds;
}

function formatSeconds(mtime: bigint): string {
  const size = mtime < 0n ? -mtime : mtime;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${mtime < 0n ? "-" : ""}${size / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}
