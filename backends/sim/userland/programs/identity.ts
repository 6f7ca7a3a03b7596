/** Who and where: id, whoami, groups, hostname, uname, date, nproc, users' accounts. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { findUser, type Group, readGroups, readUsers, type User } from "../accounts.ts";
import { applet, type Context, Failure, readText, readTextOr, UsageFailure } from "../applet.ts";
import { parseDate, strftime, zoneOf } from "../calendar.ts";
import { parseOptions } from "../options.ts";

interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** The calling process's, or a user's as the files have it. */
async function identityOf(
  context: Context,
  users: readonly User[],
  groups: readonly Group[],
  name: string | undefined,
): Promise<Identity> {
  if (name === undefined) {
    const own = context.sys.credentials();
    return own;
  }
  const user = findUser(users, name);
  if (user === null) throw new Failure(`unknown user ${name}`);
  const listed = groups.filter(({ members }) => members.includes(user.name)).map(({ gid }) => gid);
  return { uid: user.uid, gid: user.gid, groups: [user.gid, ...listed.filter((gid) => gid !== user.gid)] };
}

function withOwn(gid: number, groups: readonly number[]): readonly number[] {
  return [gid, ...groups.filter((other) => other !== gid)];
}

const id = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "ugGnrZ", operandsMax: 1 });
  const users = await readUsers(context.sys);
  const groups = await readGroups(context.sys);
  const { uid, gid, groups: all } = await identityOf(context, users, groups, options.operands[0]);
  const userName = (number: number): string | undefined => users.find((user) => user.uid === number)?.name;
  const groupName = (number: number): string | undefined => groups.find((group) => group.gid === number)?.name;
  const shown = (number: number, name: string | undefined): string =>
    options.has("n") ? (name ?? String(number)) : String(number);
  const both = (number: number, name: string | undefined): string =>
    `${number}${name === undefined ? "" : `(${name})`}`;
  if (options.has("u")) await context.out.print(`${shown(uid, userName(uid))}\n`);
  else if (options.has("g")) await context.out.print(`${shown(gid, groupName(gid))}\n`);
  else if (options.has("G"))
    await context.out.print(`${withOwn(gid, all)
      .map((number) => shown(number, groupName(number)))
      .join(" ")}
`);
  else {
    const listed = all.map((number) => both(number, groupName(number))).join(",");
    await context.out.print(
      `uid=${both(uid, userName(uid))} gid=${both(gid, groupName(gid))}${listed === "" ? "" : ` groups=${listed}`}\n`,
    );
  }
  return 0;
});

const whoami = applet(async (context) => {
  const { uid } = context.sys.credentials();
  const user = (await readUsers(context.sys)).find((each) => each.uid === uid);
  if (user === undefined) throw new Failure(`unknown uid ${uid}`);
  await context.out.print(`${user.name}\n`);
  return 0;
});

const groups = applet(async (context) => {
  const known = await readGroups(context.sys);
  const identity = await identityOf(context, await readUsers(context.sys), known, context.args[0]);
  const all = withOwn(identity.gid, identity.groups);
  await context.out.print(
    `${all.map((gid) => known.find((group) => group.gid === gid)?.name ?? String(gid)).join(" ")}\n`,
  );
  return 0;
});

const hostname = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "sifd", valued: "F", operandsMax: 1 });
  const [name] = options.operands;
  const file = options.value("F");
  const wanted = file === undefined ? name : (await readText(context.sys, file)).trim();
  if (wanted !== undefined) {
    try {
      context.sys.setHostname(wanted);
      return 0;
    } catch (thrown) {
      if (thrown instanceof Errno) throw new Failure(`sethostname: ${errnoText(thrown.errno)}`);
      throw thrown;
    }
  }
  const own = context.sys.hostname();
  if (options.has("i")) return printAddress(context, own);
  if (options.has("f") || options.has("d")) await addressOf(context, own);
  const dot = own.indexOf(".");
  const text =
    options.has("s") && dot !== -1
      ? own.slice(0, dot)
      : options.has("d")
        ? dot === -1
          ? ""
          : own.slice(dot + 1)
        : own;
  await context.out.print(`${text}\n`);
  return 0;
});

async function printAddress(context: Context, name: string): Promise<number> {
  await context.out.print(`${await addressOf(context, name)}\n`);
  return 0;
}

async function addressOf(context: Context, name: string): Promise<string> {
  const lines = (await readTextOr(context.sys, "/etc/hosts", "")).split("\n").map((line) => line.trim().split(/\s+/));
  const found = lines.find(([, ...names]) => names.includes(name));
  if (found?.[0] === undefined) throw new Failure(`${name}: Host name lookup failure`);
  return found[0];
}

const uname = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "snrvmpioa",
    long: { all: "a", "kernel-name": "s", nodename: "n", "kernel-release": "r", machine: "m" },
    operandsMax: 0,
  });
  const version = await readText(context.sys, "/proc/version");
  const [, release = "", build = ""] = /^Linux version (\S+) \([^)]*\)(?: \([^)]*\))?\s*(#.*)$/m.exec(version) ?? [];
  const fields: Readonly<Record<string, string>> = {
    s: "Linux",
    n: context.sys.hostname(),
    r: release,
    v: build,
    m: "x86_64",
    p: "unknown",
    i: "unknown",
    o: "GNU/Linux",
  };
  const letters = options.has("a") ? "snrvmo" : [..."snrvmpio"].filter((letter) => options.has(letter)).join("") || "s";
  await context.out.print(`${[...letters].map((letter) => fields[letter] ?? "").join(" ")}\n`);
  return 0;
});

const date = applet(async (context) => {
  // -I takes a precision only where one is attached.
  const args = context.args.map((arg) => (arg === "-I" ? "-Idate" : arg));
  const options = parseOptions(args, {
    flags: "uRs",
    valued: "dDrI",
    long: { date: "d", reference: "r", utc: "u" },
    operandsMax: 1,
  });
  const { sys } = context;
  const text = options.value("d");
  const reference = options.value("r");
  const zone = zoneOf(context.variable("TZ"), options.has("u"));
  let moment = reference === undefined ? sys.now() : sys.stat(reference).mtime;
  if (text !== undefined) {
    const parsed = parseDate(text, sys.now(), zone);
    if (parsed === null) throw new Failure(`invalid date '${text}'`);
    moment = parsed;
  }
  const [format] = options.operands;
  if (format !== undefined && !format.startsWith("+")) throw new Failure(`invalid date '${format}'`);
  const standard = options.has("R") ? "%a, %d %b %Y %H:%M:%S %z" : isoFormat(options.value("I"));
  await context.out.print(`${strftime(format?.slice(1) ?? standard, moment, zone)}\n`);
  return 0;
});

/** ISO 8601 to that precision; undefined: as the C locale has it. */
function isoFormat(precision: string | undefined): string {
  if (precision === undefined) return "%a %b %e %H:%M:%S %Z %Y";
  const formats = {
    date: "%Y-%m-%d",
    hours: "%Y-%m-%dT%H%:z",
    minutes: "%Y-%m-%dT%H:%M%:z",
    seconds: "%Y-%m-%dT%H:%M:%S%:z",
  };
  const found = Object.entries(formats).find(([name]) => name.startsWith(precision));
  if (found === undefined) throw new UsageFailure("");
  return found[1];
}

const nproc = applet(async (context) => {
  const text = await readText(context.sys, "/proc/cpuinfo");
  await context.out.print(`${Math.max(1, text.match(/^processor\s*:/gm)?.length ?? 1)}\n`);
  return 0;
});

const getent = applet(async (context) => {
  const [database = "", ...keys] = context.args;
  if (!/^(?:passwd|group|hosts)$/.test(database)) throw new UsageFailure("");
  const lines = (await readTextOr(context.sys, `/etc/${database}`, "")).split("\n").filter((line) => line !== "");
  if (keys.length === 0) await context.out.print(lines.map((line) => `${line}\n`).join(""));
  let code = 0;
  for (const key of keys) {
    const isThis = (line: string): boolean =>
      database === "hosts" ? line.split(/\s+/).includes(key) : line.split(":")[0] === key || line.split(":")[2] === key;
    const line = lines.find(isThis);
    if (line === undefined) code = 2;
    else context.out.put(`${line}\n`);
  }
  return code;
});

const arch = applet(async (context) => {
  await context.out.print("x86_64\n");
  return 0;
});

/** utmp(5) is not kept: nobody is logged in by it. */
const logname = applet(() => Promise.reject(new Failure("getlogin: No such device or address")));

const nologin = applet(async (context) => {
  await context.out.print("This account is not available\n");
  return 1;
});

export const programs = { arch, date, getent, groups, hostname, id, logname, nologin, nproc, uname, whoami };
