/** mount, umount, df, du, mountpoint, lsns, dmesg: file systems and namespaces as the kernel shows them. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { MountFlag, Propagation } from "../../../../core/runtime/plan.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import { readUsers } from "../accounts.ts";
import { applet, type Context, Failure, joinPath, listDirectory, readText, reasonOf } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { readProcesses } from "../processes.ts";
import { humanSize } from "../sizes.ts";
import { canonical, lookAt } from "../paths.ts";

interface MountLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

async function readMounts(context: Context): Promise<MountLine[]> {
  return (await readText(context.sys, "/proc/mounts"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [source = "", target = "", type = "", options = ""] = line.split(" ").map(unescapeOctal);
      return { source, target, type, options };
    });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

const flagNames = new Set<string>([
  "ro",
  "nosuid",
  "nodev",
  "noexec",
  "noatime",
  "nodiratime",
  "relatime",
  "strictatime",
  "sync",
  "dirsync",
]);
const propagations = new Set<string>([
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
  "unbindable",
  "runbindable",
]);
const ignored = new Set([
  "rw",
  "defaults",
  "suid",
  "dev",
  "exec",
  "atime",
  "async",
  "bind",
  "rbind",
  "remount",
  "user",
  "users",
  "auto",
  "noauto",
]);

/** "-o" split into what each part is for. */
interface Wanted {
  readonly flags: MountFlag[];
  readonly propagation: string | null;
  readonly bind: boolean;
  readonly recursive: boolean;
  readonly remount: boolean;
  /** For the file system. */
  readonly rest: string;
}

function wantedOf(options: Options): Wanted {
  const words = [...options.values("o").flatMap((list) => list.split(",")), ...(options.has("r") ? ["ro"] : [])];
  for (const [name, letter] of Object.entries(actions)) if (options.has(letter)) words.push(name);
  const is = (word: string): boolean => words.includes(word);
  return {
    flags: words.filter((word) => flagNames.has(word)) as MountFlag[],
    propagation: words.find((word) => propagations.has(word.replace(/^make-/, "")))?.replace(/^make-/, "") ?? null,
    bind: is("bind") || is("rbind"),
    recursive: is("rbind"),
    remount: is("remount"),
    rest: words.filter((word) => !flagNames.has(word) && !propagations.has(word) && !ignored.has(word)).join(","),
  };
}

const actions: Readonly<Record<string, string>> = {
  bind: "B",
  rbind: "D",
  move: "M",
  private: "1",
  rprivate: "2",
  shared: "3",
  rshared: "4",
  slave: "5",
  rslave: "6",
  unbindable: "7",
  runbindable: "8",
};

const mount = applet(async (context) => {
  const long = Object.fromEntries(
    Object.entries(actions).map(([name, letter]) => [
      /^r?(?:private|shared|slave|unbindable)$/.test(name) ? `make-${name}` : name,
      letter,
    ]),
  );
  const options = parseOptions(context.args, { flags: "rwnfavsBDM12345678", valued: "ot", long, operandsMax: 2 });
  if (options.operands.length === 0) return list(context, options.value("t"));
  const wanted = wantedOf(options);
  const [source = "", target = source] = options.operands;
  try {
    act(context, { source, target, type: options.value("t"), wanted });
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (thrown.errno === "EPERM") throw new Failure("permission denied (are you root?)");
    if (wanted.propagation !== null && !wanted.bind) throw new Failure(`${target}: ${errnoText(thrown.errno)}`);
    throw new Failure(`mounting ${source} on ${target} failed: ${errnoText(thrown.errno)}`, 255);
  }
});

function act(
  { sys }: Context,
  mounting: { source: string; target: string; type: string | undefined; wanted: Wanted },
): void {
  const { source, target, type, wanted } = mounting;
  if (wanted.propagation !== null && !wanted.bind && type === undefined)
    sys.setPropagation(target, wanted.propagation as Propagation);
  // Other flags of a bind are ignored by mount(2): they take a remount.
  else if (wanted.bind) sys.bind(source, target, { recursive: wanted.recursive, flags: [] });
  else if (wanted.remount) sys.remount(target, wanted.flags, wanted.rest);
  else if (type === undefined) throw new Errno(lookAt(sys, source, true) === null ? "ENOENT" : "EINVAL", source);
  else sys.mount(type, source, target, wanted.flags, wanted.rest);
}

async function list(context: Context, type: string | undefined): Promise<number> {
  for (const line of await readMounts(context)) {
    if (type === undefined || line.type === type)
      context.out.put(`${line.source} on ${line.target} type ${line.type} (${line.options})\n`);
  }
  return 0;
}

const umount = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "alfrnd", valued: "tO" });
  const all = options.has("a") ? (await readMounts(context)).map(({ target }) => target).reverse() : options.operands;
  if (all.length === 0) throw new Failure("no mount point given");
  for (const target of all) {
    await context.attempt(
      () => context.sys.unmount(target, { lazily: options.has("l") }),
      (reason) => `can't unmount ${target}: ${reason}`,
    );
  }
  return context.code;
});

const mountpoint = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "qdnx", operandsMin: 1, operandsMax: 1 });
  const [path = ""] = options.operands;
  const isQuiet = options.has("q");
  let is: boolean;
  try {
    const real = canonical(context.sys, path, true);
    is = (await readMounts(context)).some(({ target }) => target === real);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (!isQuiet) await context.complain(`${path}: ${errnoText(thrown.errno)}`);
    return 1;
  }
  if (!isQuiet) await context.out.print(`${path} is ${is ? "" : "not "}a mountpoint\n`);
  return is ? 0 : 1;
});

// df and du

/** Bytes, or with -i the inodes that would fit: a page of memory for each, as tmpfs counts them. */
function sizesOf({ sys }: Context, target: string, options: Options): { totalBytes: number; freeBytes: number } {
  const { totalBytes, freeBytes } = sys.statFileSystem(target);
  if (!options.has("i")) return { totalBytes, freeBytes };
  const inodes = (bytes: number): number => Math.floor(bytes / inodeBytes);
  return { totalBytes: inodes(totalBytes), freeBytes: inodes(freeBytes) };
}

const inodeBytes = 4096;

const df = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "PkmhiaT", valued: "Bt", long: { "human-readable": "h" } });
  const isHuman = options.has("h");
  const unit = options.has("i") ? 1 : options.has("m") ? 1024 * 1024 : 1024;
  const title = options.has("i")
    ? "   Inodes"
    : isHuman
      ? "     Size"
      : options.has("m")
        ? "1M-blocks"
        : options.has("P")
          ? "1024-blocks"
          : "1K-blocks";
  const used = options.has("P") ? "   Used" : "     Used";
  context.out.put(
    `Filesystem           ${options.has("T") ? "Type       " : ""}${title} ${used} Available ${options.has("P") ? "Capacity" : "Use%"} Mounted on\n`,
  );
  const mounts = await readMounts(context);
  const wanted = options.operands.length === 0 ? mounts : await named(context, mounts, options.operands);
  for (const { source, target, type } of wanted) {
    if (options.has("t") && options.value("t") !== type) continue;
    const { totalBytes, freeBytes } = sizesOf(context, target, options);
    if (totalBytes === 0 && !options.has("a") && options.operands.length === 0) continue;
    const show = (bytes: number): string =>
      (isHuman && !options.has("i") ? humanSize(bytes) : String(Math.floor(bytes / unit))).padStart(9);
    const used = totalBytes - freeBytes;
    const share = totalBytes === 0 ? 0 : Math.ceil((100 * used) / totalBytes);
    const kind = options.has("T") ? `${type.padEnd(10)} ` : "";
    context.out.put(
      `${source.padEnd(20)} ${kind}${show(totalBytes)} ${show(used)} ${show(freeBytes)} ${String(share).padStart(3)}% ${target}\n`,
    );
  }
  return context.code;
});

async function named(context: Context, mounts: readonly MountLine[], paths: readonly string[]): Promise<MountLine[]> {
  const found: MountLine[] = [];
  for (const path of paths) {
    const real = lookAt(context.sys, path, true) === null ? null : canonical(context.sys, path, true);
    const around =
      real === null
        ? undefined
        : mounts.findLast(({ target }) => real === target || real.startsWith(target === "/" ? "/" : `${target}/`));
    if (around === undefined) await context.complain(`${path}: can't find mount point`);
    else found.push(around);
  }
  return found;
}

const du = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "aHLclsxhmkb",
    valued: "d",
    long: { "max-depth": "d", summarize: "s" },
  });
  const depth = options.has("s") ? 0 : Number(options.value("d") ?? Infinity);
  const unit = options.has("m") ? 1024 : 1;
  const show = (kb: number): string => (options.has("h") ? humanSize(kb * 1024) : String(Math.ceil(kb / unit)));
  const usage = new Usage(context, (kb, path) => context.out.put(`${show(kb)}\t${path}\n`), {
    all: options.has("a"),
    depth,
  });
  let total = 0;
  for (const path of options.operands.length === 0 ? ["."] : options.operands) total += await usage.of(path, 0);
  if (options.has("c")) context.out.put(`${show(total)}\ttotal\n`);
  return context.code;
});

/** Adds up kilobytes; a file with several names counts once. */
class Usage {
  readonly #context: Context;
  readonly #say: (kb: number, path: string) => void;
  readonly #limits: { all: boolean; depth: number };
  readonly #seen = new Set<number>();

  constructor(context: Context, say: (kb: number, path: string) => void, limits: { all: boolean; depth: number }) {
    this.#context = context;
    this.#say = say;
    this.#limits = limits;
  }

  async of(path: string, level: number): Promise<number> {
    const stat = lookAt(this.#context.sys, path);
    if (stat === null) {
      await this.#context.complain(`${path}: No such file or directory`);
      return 0;
    }
    let kb = this.#own(stat);
    if (stat.kind === "directory") {
      await this.#context.attempt(
        async () => {
          for (const { name } of await listDirectory(this.#context.sys, path))
            kb += await this.of(joinPath(path, name), level + 1);
        },
        (reason) => `can't open '${path}': ${reason}`,
      );
    }
    if (level <= this.#limits.depth && (stat.kind === "directory" || this.#limits.all || level === 0))
      this.#say(kb, path);
    return kb;
  }

  #own({ kind, size, links, inode }: Stat): number {
    if (kind !== "file") return 0;
    if (links > 1 && this.#seen.has(inode)) return 0;
    this.#seen.add(inode);
    return Math.ceil(size / 4096) * 4;
  }
}

// Namespaces

const kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

const lsns = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "lnr", valued: "tp", long: { type: "t", task: "p" } });
  const users = await readUsers(context.sys);
  const seen = new Map<string, { kind: string; count: number; pid: number; uid: number; command: string }>();
  for (const entry of await readProcesses(context.sys)) {
    for (const kind of kinds) {
      const [, number] = /\[(\d+)\]/.exec(linkOr(context, `/proc/${entry.pid}/ns/${kind}`)) ?? [];
      if (number === undefined || (options.has("t") && options.value("t") !== kind)) continue;
      if (options.has("p") && Number(options.value("p")) !== entry.pid) continue;
      const known = seen.get(number);
      if (known !== undefined) known.count++;
      else seen.set(number, { kind, count: 1, pid: entry.pid, uid: entry.uid, command: entry.command });
    }
  }
  const userName = (uid: number): string => users.find((user) => user.uid === uid)?.name ?? String(uid);
  if (!options.has("n"))
    context.out.put(
      `${"NS".padStart(10)} ${"TYPE".padEnd(6)} ${"NPROCS".padStart(6)} ${"PID".padStart(5)} ${"USER".padEnd(6)} COMMAND\n`,
    );
  for (const [number, { kind, count, pid, uid, command }] of [...seen].sort(([a], [b]) => Number(a) - Number(b)))
    context.out.put(
      `${number.padStart(10)} ${kind.padEnd(6)} ${String(count).padStart(6)} ${String(pid).padStart(5)} ${userName(uid).padEnd(6)} ${command}\n`,
    );
  return 0;
});

function linkOr({ sys }: Context, path: string): string {
  try {
    return sys.readlink(path);
  } catch (thrown) {
    if (thrown instanceof Errno) return "";
    throw thrown;
  }
}

const dmesg = applet(async (context) => {
  parseOptions(context.args, { flags: "cr", valued: "ns", operandsMax: 0 });
  try {
    await context.out.print(context.sys.kernelLog());
    return 0;
  } catch (thrown) {
    throw new Failure(`klogctl: ${reasonOf(thrown)}`);
  }
});

export const programs = { df, dmesg, du, lsns, mount, mountpoint, umount };
