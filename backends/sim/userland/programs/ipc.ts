/** ipcs, ipcmk, ipcrm: System V objects of this IPC namespace, as util-linux shows, makes and removes them. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Sys } from "../../kernel/sys.ts";
import { findUser, readUsers, type User } from "../accounts.ts";
import { applet, type Context, Failure, isErrno, readText, reasonOf, UsageFailure } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";

type Letter = "q" | "m" | "s";

interface Column {
  readonly name: string;
  readonly width: number;
  readonly of: (row: Row, users: readonly User[]) => string;
}

/** A line of /proc/sysvipc, by the names in its header. */
type Row = Readonly<Record<string, string>>;

interface Resource {
  readonly title: string;
  readonly file: string;
  /** Its number's name. */
  readonly id: string;
  /** What a user calls it. */
  readonly words: string;
  readonly made: string;
  readonly columns: readonly Column[];
  readonly remove: (sys: Sys, id: number) => void;
  readonly find: (sys: Sys, key: number) => number;
}

const plain = (name: string, from: string, width = 10): Column => ({ name, width, of: (row) => row[from] ?? "" });
const key: Column = {
  name: "key",
  width: 10,
  of: (row) => `0x${(Number(row["key"]) >>> 0).toString(16).padStart(8, "0")}`,
};
const owner: Column = {
  name: "owner",
  width: 10,
  of: (row, users) => findUser(users, row["uid"] ?? "")?.name ?? row["uid"] ?? "",
};
const permissions: Column = {
  name: "perms",
  width: 10,
  of: (row) => (Number.parseInt(row["perms"] ?? "0", 8) & 0o777).toString(8),
};
/** SHM_DEST: it goes with the last who is attached. */
const destroyed = 0o1000;
const status: Column = {
  name: "status",
  width: 12,
  of: (row) => {
    const isGoing = (Number.parseInt(row["perms"] ?? "0", 8) & destroyed) !== 0;
    return ` ${(isGoing ? "dest" : "").padEnd(6)} ${"".padEnd(6)}`.slice(1);
  },
};

const resources: Readonly<Record<Letter, Resource>> = {
  q: {
    title: "Message Queues",
    file: "msg",
    id: "msqid",
    words: "message queue",
    made: "Message queue",
    columns: [
      key,
      plain("msqid", "msqid"),
      owner,
      permissions,
      plain("used-bytes", "cbytes", 12),
      plain("messages", "qnum", 12),
    ],
    remove: (sys, id) => sys.removeMessageQueue(id),
    find: (sys, wanted) => sys.messageQueue(wanted, {}),
  },
  m: {
    title: "Shared Memory Segments",
    file: "shm",
    id: "shmid",
    words: "shared memory segment",
    made: "Shared memory",
    columns: [
      key,
      plain("shmid", "shmid"),
      owner,
      permissions,
      plain("bytes", "size"),
      plain("nattch", "nattch"),
      status,
    ],
    remove: (sys, id) => sys.removeMemory(id),
    find: (sys, wanted) => sys.sharedMemory(wanted, 0, {}),
  },
  s: {
    title: "Semaphore Arrays",
    file: "sem",
    id: "semid",
    words: "semaphore",
    made: "Semaphore",
    columns: [key, plain("semid", "semid"), owner, permissions, plain("nsems", "nsems")],
    remove: (sys, id) => sys.removeSemaphores(id),
    find: (sys, wanted) => sys.semaphores(wanted, 0, {}),
  },
};
const letters: readonly Letter[] = ["q", "m", "s"];

async function rowsOf({ sys }: Context, { file }: Resource): Promise<Row[]> {
  const [header = "", ...lines] = (await readText(sys, `/proc/sysvipc/${file}`)).trimEnd().split("\n");
  const names = header.trim().split(/\s+/);
  return lines.map((line) => {
    const values = line.trim().split(/\s+/);
    return Object.fromEntries(names.map((name, at) => [name, values[at] ?? ""]));
  });
}

const ipcs = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "qmsalu",
    long: { queues: "q", shmems: "m", semaphores: "s", all: "a", limits: "l", summary: "u" },
    operandsMax: 0,
  });
  const wanted = letters.filter((letter) => options.has(letter));
  const chosen = wanted.length === 0 || options.has("a") ? letters : wanted;
  const users = await readUsers(context.sys);
  for (const letter of chosen) await context.out.print(await shown(context, resources[letter], options, users));
  await context.out.print("\n");
  return 0;
});

async function shown(context: Context, resource: Resource, options: Options, users: readonly User[]): Promise<string> {
  if (options.has("l")) return limitsOf(context, resource);
  if (options.has("u")) return summaryOf(resource, await rowsOf(context, resource));
  const { title, columns } = resource;
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell, at) => cell.padEnd(columns[at]?.width ?? 0)).join(" ")}\n`;
  const rows = (await rowsOf(context, resource)).map((row) => line(columns.map((column) => column.of(row, users))));
  return `\n------ ${title} --------\n${line(columns.map(({ name }) => name))}${rows.join("")}`;
}

async function limitsOf({ sys }: Context, { file }: Resource): Promise<string> {
  const setting = async (name: string): Promise<string[]> =>
    (await readText(sys, `/proc/sys/kernel/${name}`)).trim().split(/\s+/);
  const one = async (name: string): Promise<bigint> => BigInt((await setting(name))[0] ?? 0);
  if (file === "msg")
    return `\n------ Messages Limits --------\nmax queues system wide = ${await one("msgmni")}\nmax size of message (bytes) = ${await one("msgmax")}\ndefault max size of queue (bytes) = ${await one("msgmnb")}\n`;
  if (file === "sem") {
    const [perArray, all, operations, arrays] = await setting("sem");
    return `\n------ Semaphore Limits --------\nmax number of arrays = ${arrays}\nmax semaphores per array = ${perArray}\nmax semaphores system wide = ${all}\nmax ops per semop call = ${operations}\nsemaphore max value = 32767\n`;
  }
  const pages = (await one("shmall")) * 4n;
  const most = pages > 18_446_744_073_709_551_612n ? 18_446_744_073_709_551_612n : pages;
  return `\n------ Shared Memory Limits --------\nmax number of segments = ${await one("shmmni")}\nmax seg size (kbytes) = ${(await one("shmmax")) / 1024n}\nmax total shared memory (kbytes) = ${most}\nmin seg size (bytes) = 1\n`;
}

const pageBytes = 4096;

function summaryOf({ file }: Resource, rows: readonly Row[]): string {
  const sum = (name: string): number => rows.reduce((all, row) => all + Number(row[name] ?? 0), 0);
  if (file === "msg")
    return `\n------ Messages Status --------\nallocated queues = ${rows.length}\nused headers = ${sum("qnum")}\nused space = ${sum("cbytes")} bytes\n`;
  if (file === "sem")
    return `\n------ Semaphore Status --------\nused arrays = ${rows.length}\nallocated semaphores = ${sum("nsems")}\n`;
  const pages = rows.reduce((all, row) => all + Math.ceil(Number(row["size"] ?? 0) / pageBytes), 0);
  const lines = [
    `segments allocated ${rows.length}`,
    `pages allocated ${pages}`,
    `pages resident  ${Math.floor(sum("rss") / pageBytes)}`,
    "pages swapped   0",
    "Swap performance: 0 attempts\t 0 successes",
  ];
  return `\n------ Shared Memory Status --------\n${lines.join("\n")}\n`;
}

// ipcmk

const units: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

const ipcmk = applet(async (context) => {
  const { sys, out } = context;
  const options = parseOptions(context.args, {
    flags: "Q",
    valued: "MSp",
    long: { shmem: "M", semaphore: "S", queue: "Q", mode: "p" },
  });
  const mode = Number.parseInt(options.value("p") ?? "0644", 8);
  if (!["M", "S", "Q"].some((letter) => options.has(letter)))
    throw new Failure(`bad usage\nTry 'ipcmk --help' for more information.`);
  const flags = { create: true, exclusive: true, mode };
  const make = async (letter: Letter, what: string, act: () => number): Promise<void> => {
    try {
      await out.print(`${resources[letter].made} id: ${act()}\n`);
    } catch (thrown) {
      throw new Failure(`create ${what} failed: ${reasonOf(thrown)}`);
    }
  };
  if (options.has("M")) {
    const size = sizeOf(options.value("M"));
    await make("m", "share memory", () => sys.sharedMemory(newKey(sys), size, flags));
  }
  if (options.has("Q")) await make("q", "message queue", () => sys.messageQueue(newKey(sys), flags));
  if (options.has("S")) {
    const count = numberOf(options.value("S"));
    await make("s", "semaphore", () => sys.semaphores(newKey(sys), count, flags));
  }
  return 0;
});

function newKey(sys: Sys): number {
  const [a = 1, b = 0, c = 0, d = 0] = sys.random(4);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0 || 1;
}

function sizeOf(text = ""): number {
  const [, digits, unit = ""] = /^(\d+)([KMG]?)(?:iB)?$/.exec(text) ?? [];
  if (digits === undefined) throw new Failure(`failed to parse size: '${text}': Invalid argument`);
  return Number(digits) * (units[unit] ?? 1);
}

function numberOf(text = ""): number {
  if (!/^\d+$/.test(text)) throw new Failure(`failed to parse elements: '${text}'`);
  return Number(text);
}

// ipcrm

const ipcrm = applet(async (context) => {
  const options = parseOptions(oldStyle(context.args), {
    flags: "va",
    valued: "qmsQMS",
    long: {
      verbose: "v",
      all: "a",
      "queue-id": "q",
      "shmem-id": "m",
      "semaphore-id": "s",
      "queue-key": "Q",
      "shmem-key": "M",
      "semaphore-key": "S",
    },
  });
  if (options.operands.length > 0) throw new UsageFailure(`unexpected argument: ${options.operands[0]}`);
  for (const letter of letters) {
    const resource = resources[letter];
    if (options.has("a"))
      for (const row of await rowsOf(context, resource))
        await remove(context, options, resource, row[resource.id] ?? "");
    for (const text of options.values(letter)) await remove(context, options, resource, text);
    for (const text of options.values(letter.toUpperCase())) await removeKey(context, options, resource, text);
  }
  const isOld = context.args[0] !== undefined && oldKinds[context.args[0]] !== undefined;
  if (isOld && context.code === 0) await context.out.print("resource(s) deleted\n");
  return context.code;
});

const oldKinds: Readonly<Record<string, Letter>> = { msg: "q", shm: "m", sem: "s" };

/** "ipcrm shm 5 7" is -m 5 -m 7. */
function oldStyle(args: readonly string[]): readonly string[] {
  const [kind = "", ...ids] = args;
  const letter = oldKinds[kind];
  return letter === undefined ? args : ids.flatMap((id) => [`-${letter}`, id]);
}

function parsed(text: string): number {
  if (!/^(?:0[xX][0-9a-fA-F]+|\d+)$/.test(text)) throw new Failure(`failed to parse argument: '${text}'`);
  return Number(text);
}

async function remove(context: Context, options: Options, resource: Resource, id: string): Promise<void> {
  const number = parsed(id);
  if (options.has("v")) await context.out.print(`removing ${resource.words} id \`${id}'\n`);
  await reporting(context, "id", id, () => resource.remove(context.sys, number));
}

async function removeKey(context: Context, options: Options, resource: Resource, key: string): Promise<void> {
  const wanted = parsed(key);
  if (options.has("v")) await context.out.print(`removing ${resource.words} key \`${key}'\n`);
  await reporting(context, "key", key, () => {
    if (wanted === 0) throw new Errno("ENOENT");
    resource.remove(context.sys, resource.find(context.sys, wanted));
  });
}

async function reporting(context: Context, kind: "id" | "key", text: string, act: () => void): Promise<void> {
  try {
    act();
  } catch (thrown) {
    const said = isErrno(thrown, "EACCES", "EPERM")
      ? `permission denied for ${kind}`
      : isErrno(thrown, "EIDRM")
        ? `already removed ${kind}`
        : `invalid ${kind}`;
    await context.complain(`${said} (${text})`);
  }
}

export const programs = { ipcmk, ipcrm, ipcs };
