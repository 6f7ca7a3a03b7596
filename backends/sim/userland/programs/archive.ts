/** tar, gzip, gunzip, zcat: archives and compressed files. Tar's bytes are core's business (core/image/tar.ts). */
import { Gunzip, Gzip } from "fflate";
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { TsboxError } from "../../../../core/base/error.ts";
import { readTar, type TarEntry, type TarKind } from "../../../../core/image/tar.ts";
import { type TarItem, writeTar } from "../../../../core/image/tar-write.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import type { Fd, Sys } from "../../kernel/sys.ts";
import { readGroups, readUsers } from "../accounts.ts";
import {
  applet,
  chunksOf,
  type Context,
  Failure,
  joinPath,
  listDirectory,
  reasonOf,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { strftime } from "../calendar.ts";
import { modeText } from "../modes.ts";
import { type Options, parseOptions } from "../options.ts";
import { lookAt } from "../paths.ts";
import { matchesPattern } from "../pattern.ts";
import { makeParents } from "./files.ts";

const byteFuel = 8;
const gzipLevel = 6;

/** Decompresses or compresses a stream. Bytes that are no gzip make it fail. */
async function* through(
  sys: Sys,
  input: AsyncIterable<Uint8Array>,
  kind: "gzip" | "gunzip",
): AsyncGenerator<Uint8Array, void, undefined> {
  const ready: Uint8Array[] = [];
  const take = (chunk: Uint8Array): void => void ready.push(chunk);
  const codec = kind === "gzip" ? new Gzip({ level: gzipLevel, mtime: 0 }, take) : new Gunzip(take);
  try {
    for await (const chunk of input) {
      await sys.work(chunk.length * byteFuel);
      codec.push(chunk.slice());
      yield* ready.splice(0);
    }
    codec.push(new Uint8Array(0), true);
  } catch (thrown) {
    if (thrown instanceof Errno || thrown instanceof Failure || !(thrown instanceof Error)) throw thrown;
    throw new Failure("corrupted data");
  }
  yield* ready.splice(0);
}

// gzip

const gzip = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "cdfkntvq123456789",
    long: { stdout: "c", decompress: "d", force: "f", keep: "k" },
  });
  const unpacks = context.name !== "gzip" || options.has("d");
  const toOutput = context.name === "zcat" || options.has("c");
  if (options.has("t")) return check(context, options.operands);
  if (options.operands.length === 0) {
    await stream(context, 0, unpacks);
    return context.code;
  }
  for (const name of options.operands) {
    try {
      await one(context, name, { unpacks, toOutput, keeps: options.has("k"), force: options.has("f") });
    } catch (thrown) {
      if (thrown instanceof Failure) await context.complain(thrown.message);
      else await context.complain(`${name}: ${reasonOf(thrown)}`);
    }
  }
  return context.code;
});

/** -t: reads them through. */
async function check(context: Context, names: readonly string[]): Promise<number> {
  for (const name of names.length === 0 ? ["-"] : names) {
    try {
      await withInput(context.sys, name, async (fd) => {
        const unpacked = through(context.sys, checkedInput(context.sys, fd, true), "gunzip");
        while ((await unpacked.next()).done !== true);
      });
    } catch (thrown) {
      if (thrown instanceof Failure)
        await context.complain(thrown.message.startsWith("no gzip") ? "invalid magic" : thrown.message);
      else await context.complain(`${name}: ${reasonOf(thrown)}`);
    }
  }
  return context.code;
}

interface Packing {
  readonly unpacks: boolean;
  readonly toOutput: boolean;
  readonly keeps: boolean;
  readonly force: boolean;
}

async function one(context: Context, name: string, { unpacks, toOutput, keeps, force }: Packing): Promise<void> {
  const { sys } = context;
  if (toOutput || name === "-") return withInput(sys, name, (fd) => stream(context, fd, unpacks));
  const target = unpacks ? unpackedName(name) : `${name}.gz`;
  const stat = sys.stat(name);
  if (target === null) throw new Failure(`${name}: unknown suffix - ignored`);
  if (stat.kind !== "file") throw new Failure(`can't remove file '${name}': Is a directory`);
  if (!force && lookAt(sys, target) !== null) throw new Failure(`can't open '${target}': File exists`);
  const output = await sys.open(target, { access: "write", create: true, truncate: true, mode: stat.mode & 0o777 });
  await withInput(sys, name, async (fd) => {
    for await (const chunk of through(sys, checkedInput(sys, fd, unpacks), unpacks ? "gunzip" : "gzip"))
      await sys.write(output, chunk);
  });
  sys.close(output);
  sys.setAttributes(target, { mtime: stat.mtime });
  if (!keeps) sys.unlink(name);
}

function unpackedName(name: string): string | null {
  if (/\.t(?:ar\.)?gz$/.test(name)) return name.replace(/\.tgz$/, ".tar").replace(/\.gz$/, "");
  return /\.(?:gz|Z|z)$/.test(name) ? name.replace(/\.[a-zA-Z]+$/, "") : null;
}

async function stream(context: Context, fd: Fd, unpacks: boolean): Promise<void> {
  const { sys } = context;
  for await (const chunk of through(sys, checkedInput(sys, fd, unpacks), unpacks ? "gunzip" : "gzip"))
    await context.out.write(chunk);
}

/** What is to be unpacked begins with gzip's magic. */
async function* checkedInput(sys: Sys, fd: Fd, unpacks: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  let isFirst = true;
  for await (const chunk of chunksOf(sys, fd)) {
    if (isFirst && unpacks && (chunk[0] !== 0x1f || chunk[1] !== 0x8b)) throw new Failure("no gzip/bzip2/xz magic");
    isFirst = false;
    yield chunk;
  }
  if (isFirst && unpacks) throw new Failure("short read");
}

// tar

const tar = applet(async (context) => {
  const [first = "", ...rest] = context.args;
  const args = first !== "" && !first.startsWith("-") ? [`-${first}`, ...rest] : context.args;
  const options = parseOptions(gathered(args), {
    flags: "cxtzvOkmphajoZJ",
    valued: "fCXTES",
    long: {
      create: "c",
      extract: "x",
      get: "x",
      list: "t",
      file: "f",
      gzip: "z",
      verbose: "v",
      directory: "C",
      exclude: "E",
      "strip-components": "S",
      "to-stdout": "O",
      "numeric-owner": "n",
      "no-same-owner": "o",
      "same-permissions": "p",
    },
  });
  const action = ["c", "x", "t"].find((letter) => options.has(letter));
  if (action === undefined) throw new UsageFailure("");
  const file = options.value("f") ?? "-";
  const output = action === "c" && file !== "-" ? await openFor(context, file) : 1;
  const input = action !== "c" && file !== "-" ? await openIn(context, file) : 0;
  const directory = options.value("C");
  if (directory !== undefined) change(context, directory);
  try {
    if (action === "c") return await create(context, output, options, /\.t(?:ar\.)?gz$/.test(file) && options.has("a"));
    return await unpack(context, input, action, options);
  } catch (thrown) {
    if (thrown instanceof TsboxError)
      throw new Failure(thrown.message.includes("truncated") ? "short read" : "invalid tar magic");
    throw thrown;
  }
});

/** "-cvf name": in tar's old style the values follow the cluster in order. */
function gathered(args: readonly string[]): string[] {
  const [cluster = "", ...rest] = args;
  if (!/^-[a-zA-Z]*[fC][a-zA-Z]+$/.test(cluster)) return [...args];
  const letters = cluster.slice(1);
  const valued = [...letters].filter((letter) => "fCXT".includes(letter));
  const values = rest.slice(0, valued.length);
  const flags = letters.replace(/[fCXT]/g, "");
  return [
    ...(flags === "" ? [] : [`-${flags}`]),
    ...valued.flatMap((letter, index) => [`-${letter}`, values[index] ?? ""]),
    ...rest.slice(valued.length),
  ];
}

async function openFor({ sys }: Context, file: string): Promise<Fd> {
  try {
    return await sys.open(file, { access: "write", create: true, truncate: true });
  } catch (thrown) {
    throw new Failure(`can't open '${file}': ${reasonOf(thrown)}`);
  }
}

async function openIn({ sys }: Context, file: string): Promise<Fd> {
  try {
    return await sys.open(file, { access: "read" });
  } catch (thrown) {
    throw new Failure(`can't open '${file}': ${reasonOf(thrown)}`);
  }
}

function change({ sys }: Context, directory: string): void {
  try {
    sys.changeDirectory(directory);
  } catch (thrown) {
    throw new Failure(`can't change directory to '${directory}': ${reasonOf(thrown)}`);
  }
}

async function create(context: Context, output: Fd, options: Options, compresses: boolean): Promise<number> {
  const { sys } = context;
  if (options.operands.length === 0) throw new Failure("empty archive");
  const items = itemsOf(context, options, sys.statFd(output));
  const bytes = options.has("z") || compresses ? through(sys, writeTar(items), "gzip") : writeTar(items);
  for await (const chunk of bytes) await sys.write(output, chunk);
  if (context.code !== 0) await context.complain("error exit delayed from previous errors");
  return context.code;
}

async function* itemsOf(context: Context, options: Options, archive: Stat): AsyncGenerator<TarItem, void, undefined> {
  const seen = new Map<string, string>();
  let isTold = false;
  for (const operand of options.operands) {
    if (operand.startsWith("/") && !isTold) {
      isTold = true;
      await context.sys.write(2, new TextEncoder().encode("tar: removing leading '/' from member names\n"));
    }
    yield* itemsUnder(context, operand, options, { seen, archive });
  }
}

async function* itemsUnder(
  context: Context,
  path: string,
  options: Options,
  known: { readonly seen: Map<string, string>; readonly archive: Stat },
): AsyncGenerator<TarItem, void, undefined> {
  const { sys } = context;
  const stat = lookAt(sys, path, options.has("h"));
  if (stat === null) return context.complain(`${path}: No such file or directory`);
  const name = path.replace(/^\/+/, "").replace(/\/+$/, "") + (stat.kind === "directory" ? "/" : "");
  if (isExcluded(name, options) || stat.kind === "socket") return;
  const { seen, archive } = known;
  if (stat.kind === "file" && archive.kind === "file" && stat.inode === archive.inode)
    return context.sys.write(2, encodeText(`tar: ${path}: file is the archive; skipping\n`)).then(() => {});
  if (options.has("v")) await say(context, options, name);
  const key = `${sys.device(path)}:${stat.inode}`;
  const original = stat.kind !== "directory" && stat.links > 1 ? seen.get(key) : undefined;
  if (stat.links > 1) seen.set(key, original ?? name);
  yield itemOf(sys, path, name, stat, original);
  if (stat.kind !== "directory") return;
  for (const entry of await listDirectory(sys, path))
    yield* itemsUnder(context, joinPath(path, entry.name), options, known);
}

/** Names go to standard error when the archive goes to standard output. */
async function say(context: Context, options: Options, name: string): Promise<void> {
  if ((options.value("f") ?? "-") === "-") await context.sys.write(2, new TextEncoder().encode(`${name}\n`));
  else await context.out.print(`${name}\n`);
}

function itemOf(sys: Sys, path: string, name: string, stat: Stat, original: string | undefined): TarItem {
  const kind: TarKind = original !== undefined ? "hardlink" : stat.kind === "socket" ? "fifo" : stat.kind;
  const linkName = original ?? (stat.kind === "symlink" ? sys.readlink(path) : "");
  const { mode, uid, gid, major, minor } = stat;
  // ustar's header has whole seconds.
  const mtime = stat.mtime - (stat.mtime % 1_000_000_000n);
  const size = kind === "file" ? stat.size : 0;
  return {
    kind,
    name,
    mode,
    uid,
    gid,
    size,
    mtime,
    linkName,
    major,
    minor,
    xattrs: new Map(),
    content: contentOf(sys, path, size),
  };
}

/** As much as there was when its header was made: what is written to meanwhile may grow as fast as it is read. */
async function* contentOf(sys: Sys, path: string, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  if (size === 0) return;
  const fd = await sys.open(path, { access: "read" });
  let left = size;
  for await (const chunk of chunksOf(sys, fd)) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      break;
    }
    yield chunk;
    left -= chunk.length;
  }
  sys.close(fd);
}

function isExcluded(name: string, options: Options): boolean {
  const plain = name.replace(/\/$/, "");
  return options
    .values("E")
    .some(
      (pattern) => matchesPattern(plain, pattern) || plain.split("/").some((part) => matchesPattern(part, pattern)),
    );
}

async function unpack(context: Context, input: Fd, action: string, options: Options): Promise<number> {
  const { sys } = context;
  const users = await readUsers(sys);
  const groups = await readGroups(sys);
  const wanted = new Set(options.operands.map((operand) => operand.replace(/\/$/, "")));
  const found = new Set<string>();
  const later: (() => void)[] = [];
  for await (const entry of readTar(await archiveOf(context, input, options), "the archive")) {
    const matched = wanted.size === 0 ? "" : [...wanted].find((operand) => isUnder(entry.name, operand));
    if (matched === undefined || isExcluded(entry.name, options)) continue;
    found.add(matched);
    const shown = action === "t" && options.has("v") ? longLine(entry, users, groups) : entry.name;
    if (action === "t" || options.has("v")) await context.out.print(`${shown}\n`);
    if (action === "x") await extract(context, entry, options, later);
  }
  for (const act of later.reverse()) act();
  for (const operand of wanted) {
    if (found.has(operand)) continue;
    throw new Failure(`${operand}: not found in archive`);
  }
  return context.code;
}

function isUnder(name: string, operand: string): boolean {
  const plain = name.replace(/\/$/, "");
  return plain === operand || plain.startsWith(`${operand}/`);
}

/** Compressed or not: the first bytes say. */
async function archiveOf({ sys }: Context, input: Fd, options: Options): Promise<AsyncIterable<Uint8Array>> {
  const first = await sys.read(input, 65536);
  if (first.length === 0) throw new Failure("short read");
  const whole = (async function* () {
    yield first;
    yield* chunksOf(sys, input);
  })();
  const isPacked = first[0] === 0x1f && first[1] === 0x8b;
  if (options.has("z") && !isPacked) throw new Failure("no gzip magic");
  return isPacked ? through(sys, whole, "gunzip") : whole;
}

function longLine(
  entry: TarEntry,
  users: readonly { name: string; uid: number }[],
  groups: readonly { name: string; gid: number }[],
): string {
  const kind = entry.kind === "hardlink" ? "file" : entry.kind;
  const owner = `${users.find(({ uid }) => uid === entry.uid)?.name ?? entry.uid}/${groups.find(({ gid }) => gid === entry.gid)?.name ?? entry.gid}`;
  const link = entry.linkName === "" ? "" : ` -> ${entry.linkName}`;
  return `${modeText(kind, entry.mode)} ${owner} ${String(entry.size).padStart(9)} ${strftime("%Y-%m-%d %H:%M:%S", entry.mtime)} ${entry.name}${link}`;
}

async function extract(context: Context, entry: TarEntry, options: Options, later: (() => void)[]): Promise<void> {
  const strip = Number(options.value("S") ?? 0);
  const parts = entry.name
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .slice(strip);
  if (parts.includes("..")) throw new Failure(`name with '..' encountered: '${entry.name}'`);
  const path = parts.join("/");
  if (options.has("O")) {
    if (entry.kind === "file") for await (const chunk of entry.content) await context.out.write(chunk);
    return;
  }
  if (path === "") return;
  await context.attempt(
    () => make(context, entry, path, options, later),
    (reason) =>
      `can't create ${entry.kind === "directory" ? "directory" : "file"} '${path}': ${reason}`.replace(
        /can't create file/,
        "can't open",
      ),
  );
}

async function make(
  { sys }: Context,
  entry: TarEntry,
  path: string,
  options: Options,
  later: (() => void)[],
): Promise<void> {
  if (path.includes("/")) makeParents(sys, path.slice(0, path.lastIndexOf("/")));
  const old = lookAt(sys, path);
  if (old !== null && entry.kind !== "directory" && options.has("k")) throw new Errno("EEXIST", path);
  if (old !== null && entry.kind !== "directory") sys.unlink(path);
  await makeOne(sys, entry, path, old?.kind === "directory");
  if (entry.kind === "hardlink") return;
  const noFollow = entry.kind === "symlink";
  if (!options.has("o") && sys.credentials().uid === 0)
    sys.setAttributes(path, { uid: entry.uid, gid: entry.gid }, { noFollow });
  if (!noFollow) sys.setAttributes(path, { mode: entry.mode });
  if (options.has("m")) return;
  const stamp = (): void => sys.setAttributes(path, { mtime: entry.mtime }, { noFollow });
  // A directory's time changes with what is still put into it.
  if (entry.kind === "directory") later.push(stamp);
  else stamp();
}

async function makeOne(sys: Sys, entry: TarEntry, path: string, isThere: boolean): Promise<void> {
  switch (entry.kind) {
    case "directory":
      if (!isThere) sys.makeDirectory(path, 0o755);
      return;
    case "symlink":
      return sys.symlink(entry.linkName, path);
    case "hardlink":
      return sys.link(entry.linkName.replace(/^\/+/, ""), path);
    case "file": {
      const fd = await sys.open(path, { access: "write", create: true, exclusive: true, mode: 0o600 });
      for await (const chunk of entry.content) await sys.write(fd, chunk);
      return sys.close(fd);
    }
    default:
      return sys.makeNode(path, entry.kind, entry.mode, entry.major, entry.minor);
  }
}

export const programs = { gunzip: gzip, gzip, tar, zcat: gzip };
