/** ls and stat: what the kernel says of files. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import { type Group, readGroups, readUsers, type User } from "../accounts.ts";
import { applet, type Context, isTerminal, joinPath, reasonOf } from "../applet.ts";
import { strftime } from "../calendar.ts";
import { modeText } from "../modes.ts";
import { type Options, parseOptions } from "../options.ts";
import { humanSize } from "../sizes.ts";

const blockBytes = 4096;
const halfYearNanos = 15_768_000n * 1_000_000_000n;

/** What a name and what is known of it take in memory. */
const entryBytes = 256;

interface Entry {
  /** As it is shown. */
  readonly name: string;
  readonly path: string;
  readonly stat: Stat;
}

interface Names {
  readonly users: readonly User[];
  readonly groups: readonly Group[];
}

const ls = applet(async (context) => {
  // "--color" takes a word only where one is attached.
  const args = context.args.map((arg) => (arg === "--color" ? "--color=always" : arg));
  const options = parseOptions(args, {
    flags: "1AaCxdLHRFplinshrSXvctukoqgQb",
    valued: "wTI",
    long: { color: "I", "full-time": "l", "group-directories-first": "q" },
  });
  const listing = new Listing(context, options, {
    users: await readUsers(context.sys),
    groups: await readGroups(context.sys),
  });
  await listing.all(options.operands.length === 0 ? ["."] : options.operands);
  return context.code;
});

class Listing {
  readonly #context: Context;
  readonly #options: Options;
  readonly #names: Names;
  #isFirst = true;
  #isTitled = false;

  constructor(context: Context, options: Options, names: Names) {
    this.#context = context;
    this.#options = options;
    this.#names = names;
  }

  async all(operands: readonly string[]): Promise<void> {
    const found: Entry[] = [];
    for (const path of operands) {
      const stat = await this.#statOf(path, this.#follows(path));
      if (stat !== null) found.push({ name: path, path, stat });
    }
    const isDirectory = ({ stat }: Entry): boolean => stat.kind === "directory" && !this.#options.has("d");
    const files = this.#sorted(found.filter((entry) => !isDirectory(entry)));
    this.#isTitled = operands.length > 1 || this.#options.has("R");
    if (files.length > 0) await this.#show(files, false);
    for (const entry of this.#sorted(found.filter(isDirectory))) await this.#directory(entry.path);
  }

  /** A symlink to a directory is followed on the command line, unless details are wanted. */
  #follows(path: string): boolean {
    const { has } = this.#options;
    if (has("L") || has("H")) return true;
    if (has("l") || has("d") || has("F") || has("n") || has("o") || has("g")) return path.endsWith("/");
    return true;
  }

  async #statOf(path: string, follow: boolean): Promise<Stat | null> {
    const { sys } = this.#context;
    await sys.rest();
    try {
      return follow ? sys.stat(path) : sys.lstat(path);
    } catch (thrown) {
      if (follow && thrown instanceof Errno && thrown.errno === "ENOENT" && !this.#options.has("L"))
        return this.#statOf(path, false);
      await this.#context.complain(`${path}: ${reasonOf(thrown)}`);
      return null;
    }
  }

  async #directory(path: string): Promise<void> {
    if (this.#isTitled) {
      this.#context.out.put(`${this.#isFirst ? "" : "\n"}${path}:\n`);
    }
    this.#isFirst = false;
    let entries: Entry[];
    try {
      entries = await this.#entries(path);
    } catch (thrown) {
      return this.#context.complain(`can't open '${path}': ${reasonOf(thrown)}`);
    }
    await this.#show(entries, true);
    if (!this.#options.has("R")) return;
    for (const { path: inner, stat, name } of entries)
      if (stat.kind === "directory" && name !== "." && name !== "..") await this.#directory(inner);
  }

  async #entries(path: string): Promise<Entry[]> {
    const { sys } = this.#context;
    // The directory is open while its files are looked at: in /proc/self/fd that shows.
    const fd = await sys.open(path, { access: "read", directory: true });
    try {
      const names = sys.list(path).map(({ name }) => name);
      sys.allocate(names.length * entryBytes);
      return await this.#looked(path, names);
    } finally {
      sys.close(fd);
    }
  }

  async #looked(path: string, listed: readonly string[]): Promise<Entry[]> {
    const { has } = this.#options;
    const names = [
      ...(has("a") ? [".", ".."] : []),
      ...listed.filter((name) => has("a") || has("A") || !name.startsWith(".")),
    ];
    const entries: Entry[] = [];
    for (const name of names) {
      const full = joinPath(path, name);
      const stat = await this.#statOf(full, has("L"));
      if (stat !== null) entries.push({ name, path: full, stat });
    }
    return this.#sorted(entries);
  }

  #sorted(entries: readonly Entry[]): Entry[] {
    const { has } = this.#options;
    const byName = (a: Entry, b: Entry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const order = this.#options.last("SXtcu");
    const compare = (a: Entry, b: Entry): number => {
      if (order === "S") return b.stat.size - a.stat.size || byName(a, b);
      if (order === "X") return compareText(extension(a.name), extension(b.name)) || byName(a, b);
      if (order === "t" || (order !== undefined && has("t")))
        return Number(b.stat.mtime - a.stat.mtime) || byName(a, b);
      return byName(a, b);
    };
    const sorted = entries.toSorted(compare);
    return has("r") ? sorted.reverse() : sorted;
  }

  async #show(entries: readonly Entry[], isDirectory: boolean): Promise<void> {
    const { out } = this.#context;
    const { has } = this.#options;
    const isLong = has("l") || has("n") || has("o") || has("g");
    if (isDirectory && (isLong || has("s"))) out.put(`total ${this.#total(entries)}\n`);
    if (isLong) out.put(this.#long(entries));
    else if (has("1") || !(has("C") || has("x") || isTerminal(this.#context.sys, 1)))
      out.put(entries.map((entry) => `${this.#short(entry)}\n`).join(""));
    else out.put(this.#columns(entries));
    this.#isFirst = false;
    await out.settle();
  }

  #total(entries: readonly Entry[]): string {
    const blocks = entries.reduce((sum, { stat }) => sum + blocksOf(stat), 0);
    return this.#options.has("h") ? humanSize(blocks * 1024) : String(blocks);
  }

  #short(entry: Entry): string {
    const { has } = this.#options;
    const inode = has("i") ? `${String(entry.stat.inode).padStart(7)} ` : "";
    const blocks = has("s") ? `${String(blocksOf(entry.stat)).padStart(6)} ` : "";
    return `${inode}${blocks}${this.#name(entry)}${this.#mark(entry.stat)}`;
  }

  #name({ name, stat }: Entry): string {
    const { has, value } = this.#options;
    const shown = has("Q") ? `"${printable(name).replace(/["\\]/g, "\\$&")}"` : printable(name);
    const wish = has("I") ? value("I") : "never";
    const isColored = wish === "always" || wish === "" || (wish === "auto" && isTerminal(this.#context.sys, 1));
    return isColored ? `\x1b[${colorOf(stat)}m${shown}\x1b[m` : shown;
  }

  #mark({ kind, mode }: Stat): string {
    const { has } = this.#options;
    if (kind === "directory") return has("F") || has("p") ? "/" : "";
    if (!has("F")) return "";
    if (kind === "file") return (mode & 0o111) !== 0 ? "*" : "";
    return { symlink: "@", fifo: "|", socket: "=", character: "", block: "" }[kind];
  }

  #columns(entries: readonly Entry[]): string {
    const given = Number(this.#options.value("w") ?? 0);
    const terminal = isTerminal(this.#context.sys, 1) ? this.#context.sys.terminalSize(1).columns : 80;
    const texts = entries.map((entry) => this.#short(entry));
    const width = Math.max(...texts.map((text) => Array.from(text).length), 0) + 2;
    const across = Math.max(1, Math.floor(((given || terminal || 80) - 1) / width));
    const rows = Math.ceil(texts.length / across);
    const at = (row: number, column: number): string | undefined =>
      this.#options.has("x") ? texts[row * across + column] : texts[column * rows + row];
    return Array.from({ length: rows }, (_, row) => {
      const cells = Array.from({ length: across }, (_each, column) => at(row, column)).filter(
        (text) => text !== undefined,
      );
      return `${cells.map((text, index) => (index === cells.length - 1 ? text : text + " ".repeat(width - Array.from(text).length))).join("")}\n`;
    }).join("");
  }

  #long(entries: readonly Entry[]): string {
    return entries.map((entry) => this.#longLine(entry)).join("");
  }

  /** busybox pads to fixed widths, whatever the neighbours are. */
  #longLine(entry: Entry): string {
    const { stat } = entry;
    const { has } = this.#options;
    const inode = has("i") ? `${String(stat.inode).padStart(7)} ` : "";
    const blocks = has("s") ? `${String(blocksOf(stat)).padStart(6)} ` : "";
    const owner = has("g") ? "" : `${this.#owner(stat).padEnd(8)} `;
    const group = has("o") ? "" : `${this.#group(stat).padEnd(8)} `;
    const time = `${this.#time(stat.mtime)} `;
    const head = `${modeText(stat.kind, stat.mode)} ${String(stat.links).padStart(4)} `;
    return `${inode}${blocks}${head}${owner}${group}${this.#size(stat)} ${time}${this.#name(entry)}${this.#link(entry)}\n`;
  }

  #owner({ uid }: Stat): string {
    const user = this.#options.has("n") ? undefined : this.#names.users.find((each) => each.uid === uid);
    return (user?.name ?? String(uid)).slice(0, 8);
  }

  #group({ gid }: Stat): string {
    const group = this.#options.has("n") ? undefined : this.#names.groups.find((each) => each.gid === gid);
    return (group?.name ?? String(gid)).slice(0, 8);
  }

  #size(stat: Stat): string {
    if (stat.kind === "character" || stat.kind === "block")
      return `${String(stat.major).padStart(4)}, ${String(stat.minor).padStart(3)}`;
    return this.#options.has("h") ? humanSize(stat.size).padStart(7) : String(stat.size).padStart(9);
  }

  #time(mtime: bigint): string {
    if (this.#context.args.includes("--full-time")) return strftime("%Y-%m-%d %H:%M:%S %z", mtime);
    const age = this.#context.sys.now() - mtime;
    return strftime(age > halfYearNanos || age < -900_000_000_000n ? "%b %e  %Y" : "%b %e %H:%M", mtime);
  }

  #link({ path, stat }: Entry): string {
    if (stat.kind !== "symlink") return this.#mark(stat);
    const target = this.#context.sys.readlink(path);
    return ` -> ${target}`;
  }
}

const kindColors: Readonly<Record<Stat["kind"], string>> = {
  file: "0;0",
  directory: "1;34",
  symlink: "1;36",
  character: "1;33",
  block: "1;33",
  fifo: "0;35",
  socket: "1;35",
};

function colorOf({ kind, mode }: Stat): string {
  return kind === "file" && (mode & 0o111) !== 0 ? "1;32" : kindColors[kind];
}

/** A control character in a name is shown as a question mark. */
function printable(name: string): string {
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\x00-\x1f\x7f]/g, "?");
}

/** 1024-byte blocks, as tmpfs and overlays on it count them. */
function blocksOf({ kind, size }: Stat): number {
  return kind === "file" ? Math.ceil(size / blockBytes) * (blockBytes / 1024) : 0;
}

function extension(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// stat

const kindNames: Readonly<Record<Stat["kind"], string>> = {
  file: "regular file",
  directory: "directory",
  symlink: "symbolic link",
  character: "character special file",
  block: "block special file",
  fifo: "fifo",
  socket: "socket",
};

const typeBits: Readonly<Record<Stat["kind"], number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
};

const standard =
  "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Dh/%dd\tInode: %-10i  Links: %h%@\nAccess: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n";

const terse = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %o";

const stat = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "ftLZ", valued: "c", operandsMin: 1 });
  const names = { users: await readUsers(context.sys), groups: await readGroups(context.sys) };
  for (const path of options.operands) {
    await context.attempt(
      () => {
        if (options.has("f")) return context.out.print(fileSystemText(context, path, options.value("c")));
        const found = options.has("L") ? context.sys.stat(path) : context.sys.lstat(path);
        const format = options.value("c") ?? (options.has("t") ? terse : undefined);
        return context.out.print(
          format === undefined
            ? expanded(standard, found, path, names, context)
            : `${expanded(format, found, path, names, context)}\n`,
        );
      },
      (reason) =>
        options.has("f")
          ? `can't read file system information for '${path}': ${reason}`
          : `can't stat '${path}': ${reason}`,
    );
  }
  return context.code;
});

/** What statfs(2) gives as a file system's type. */
const magics: Readonly<Record<string, number>> = {
  tmpfs: 0x1021994,
  overlay: 0x794c7630,
  proc: 0x9fa0,
  sysfs: 0x62656572,
  cgroup2: 0x63677270,
  cgroup: 0x27e0eb,
  devpts: 0x1cd1,
  mqueue: 0x19800202,
};

function fileSystemText(context: Context, path: string, format: string | undefined): string {
  const { type, totalBytes, freeBytes } = context.sys.statFileSystem(path);
  const values: Readonly<Record<string, string>> = {
    n: path,
    T: type,
    t: (magics[type] ?? 0).toString(16),
    s: String(blockBytes),
    S: String(blockBytes),
    b: String(Math.floor(totalBytes / blockBytes)),
    f: String(Math.floor(freeBytes / blockBytes)),
    a: String(Math.floor(freeBytes / blockBytes)),
  };
  const text = format ?? '  File: "%n"\n    Type: %T\nBlock size: %s\nBlocks: Total: %b Free: %f Available: %a';
  return `${text.replace(/%([a-zA-Z])/g, (whole, letter: string) => values[letter] ?? whole)}\n`;
}

function expanded(format: string, found: Stat, path: string, names: Names, context: Context): string {
  return format.replace(/%([-0#+ ]*)(\d*)([a-zA-Z%@])/g, (whole, flags: string, width: string, letter: string) => {
    const value = letter === "%" ? "%" : valueOf(letter, found, path, names, context);
    if (value === null) return whole;
    if (width === "") return value;
    return flags.includes("-")
      ? value.padEnd(Number(width))
      : value.padStart(Number(width), flags.includes("0") ? "0" : " ");
  });
}

function valueOf(letter: string, found: Stat, path: string, { users, groups }: Names, context: Context): string | null {
  const moment = (nanos: bigint): string => strftime("%Y-%m-%d %H:%M:%S.%N %z", nanos);
  const seconds = (nanos: bigint): string => String(nanos / 1_000_000_000n);
  const user = users.find(({ uid }) => uid === found.uid)?.name ?? "UNKNOWN";
  const group = groups.find(({ gid }) => gid === found.gid)?.name ?? "UNKNOWN";
  const isDevice = found.kind === "character" || found.kind === "block";
  const values: Readonly<Record<string, () => string>> = {
    n: () => path,
    N: () => (found.kind === "symlink" ? `'${path}' -> '${context.sys.readlink(path)}'` : path),
    a: () => found.mode.toString(8),
    A: () => modeText(found.kind, found.mode),
    b: () => String(blocksOf(found) * 2),
    B: () => "512",
    d: () => "0",
    D: () => "0",
    f: () => (typeBits[found.kind] | found.mode).toString(16),
    F: () => (found.kind === "file" && found.size === 0 ? "regular empty file" : kindNames[found.kind]),
    g: () => String(found.gid),
    G: () => group,
    h: () => String(found.links),
    i: () => String(found.inode),
    o: () => String(blockBytes),
    s: () => String(found.size),
    t: () => found.major.toString(16),
    T: () => found.minor.toString(16),
    "@": () => (isDevice ? `    Device type: ${found.major.toString(16)},${found.minor.toString(16)}` : ""),
    u: () => String(found.uid),
    U: () => user,
    x: () => moment(found.mtime),
    X: () => seconds(found.mtime),
    y: () => moment(found.mtime),
    Y: () => seconds(found.mtime),
    z: () => moment(found.ctime),
    Z: () => seconds(found.ctime),
  };
  return values[letter]?.() ?? null;
}

export const programs = { ls, stat };
