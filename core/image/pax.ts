/**
 * Pax records: what a ustar header cannot say (long or non-ASCII names, large numbers, nanoseconds,
 * extended attributes) stands before the entry as lines "LENGTH KEY=VALUE\n" (POSIX pax(1),
 * "pax Extended Header"). LENGTH counts the whole line, so a value may hold any byte.
 */
import { concat, decodeBytes, encodeText } from "../base/bytes.ts";
import type { TsboxError } from "../base/error.ts";
import type { TarHeader } from "./tar.ts";

/** The records that mean something to us; others are passed over. */
export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Nanoseconds since the epoch. */
  readonly mtime?: bigint;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  /** GNU tar's records of a file with holes. */
  readonly sparse?: boolean;
}

type Fail = (message: string) => TsboxError;

const xattrPrefix = "SCHILY.xattr.";
const newline = 0x0a;
const space = 0x20;
const equals = 0x3d;

/** Reads records; those of `base` stay unless overridden. */
export function parsePax(bytes: Uint8Array, base: PaxRecords | null, fail: Fail): PaxRecords {
  const records: { -readonly [Key in keyof PaxRecords]: PaxRecords[Key] } = { ...base };
  const xattrs = new Map(base?.xattrs);
  for (let at = 0; at < bytes.length; ) {
    const { key, value, next } = parseRecord(bytes, at, fail);
    at = next;
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
    else if (key.startsWith("GNU.sparse.")) records.sparse = true;
    else Object.assign(records, meaningOf(key, decodeBytes(value), fail));
  }
  return xattrs.size === 0 ? records : { ...records, xattrs };
}

interface Record {
  readonly key: string;
  readonly value: Uint8Array;
  readonly next: number;
}

function parseRecord(bytes: Uint8Array, at: number, fail: Fail): Record {
  const gap = bytes.indexOf(space, at);
  const digits = gap < 0 || gap - at > 10 ? "" : decodeBytes(bytes.subarray(at, gap));
  const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
  const next = at + length;
  const middle = bytes.indexOf(equals, gap);
  if (length === 0 || next > bytes.length || bytes[next - 1] !== newline || middle < 0 || middle >= next)
    throw fail("a pax header whose records do not add up");
  return { key: decodeBytes(bytes.subarray(gap + 1, middle)), value: bytes.slice(middle + 1, next - 1), next };
}

function meaningOf(key: string, text: string, fail: Fail): PaxRecords {
  switch (key) {
    case "path":
    case "linkpath":
      if (text.includes("\0")) throw fail(`a pax header whose ${key} has a zero byte`);
      return { [key]: text };
    case "size":
    case "uid":
    case "gid":
      if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
        throw fail(`a pax header whose ${key} is ${JSON.stringify(text)}`);
      return { [key]: Number(text) };
    case "mtime":
      return { mtime: parseTime(text, fail) };
    default:
      return {};
  }
}

/** Decimal seconds to nanoseconds; digits behind the ninth are dropped. */
function parseTime(text: string, fail: Fail): bigint {
  const [, sign, seconds, fraction = ""] = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(text) ?? [];
  if (seconds === undefined) throw fail(`a pax header whose mtime is ${JSON.stringify(text)}`);
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -nanoseconds : nanoseconds;
}

/** The header as the records correct it. An empty text takes a record back (POSIX). */
export function applyPax<Header extends TarHeader>(header: Header, records: PaxRecords | null, fail: Fail): Header {
  if (records === null) return header;
  if (records.sparse === true) throw fail("a sparse file, told by a global pax header");
  const { path, linkpath, size, uid, gid, mtime, xattrs } = records;
  return {
    ...header,
    name: path === undefined || path === "" ? header.name : path,
    linkName: linkpath === undefined || linkpath === "" ? header.linkName : linkpath,
    size: size ?? header.size,
    uid: uid ?? header.uid,
    gid: gid ?? header.gid,
    mtime: mtime ?? header.mtime,
    xattrs: xattrs ?? header.xattrs,
  };
}

/** One record as bytes: its length counts itself. */
export function formatRecord(key: string, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const rest = concat([encodeText(` ${key}=`), value, Uint8Array.of(newline)]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return concat([encodeText(String(length)), rest]);
}
