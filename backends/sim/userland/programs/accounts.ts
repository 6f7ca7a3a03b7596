/** useradd, adduser, userdel, groupadd, addgroup, usermod, passwd and their kin: /etc/passwd and /etc/group changed. */
import { Errno } from "../../../../core/base/errno.ts";
import { type Group, readGroups, readUsers, type User } from "../accounts.ts";
import { applet, type Context, Failure, readTextOr } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { makeParents } from "./files.ts";

const firstId = 1000;
const lastId = 59999;
const nameMax = 32;

async function change(
  { sys }: Context,
  path: string,
  alter: (lines: string[]) => string[],
  mode = 0o644,
): Promise<void> {
  const lines = (await readTextOr(sys, path, "")).split("\n").filter((line) => line !== "");
  const text = alter(lines)
    .map((line) => `${line}\n`)
    .join("");
  const fd = await sys.open(`${path}+`, { access: "write", create: true, truncate: true, mode });
  await sys.write(fd, new TextEncoder().encode(text));
  sys.close(fd);
  sys.rename(`${path}+`, path);
}

function freeId(used: readonly number[], isSystem: boolean): number {
  const taken = new Set(used);
  for (let id = isSystem ? 999 : firstId; isSystem ? id >= 100 : id <= lastId; id += isSystem ? -1 : 1)
    if (!taken.has(id)) return id;
  throw new Failure("no free ids");
}

function checkRoot({ sys, name }: Context, what: string): void {
  if (sys.credentials().uid === 0) return;
  throw new Failure(
    name.endsWith("add") || name.endsWith("mod") || name.endsWith("del")
      ? `Permission denied.\n${name}: cannot lock ${what}; try again later.`
      : "permission denied (are you root?)",
  );
}

function checkName(context: Context, name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(name) && name.length <= nameMax) return;
  throw new Failure(
    context.name === "useradd" ? `invalid user name '${name}': use --badname to ignore` : `illegal name '${name}'`,
    3,
  );
}

interface NewUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

async function addUser(context: Context, user: NewUser): Promise<void> {
  await change(context, "/etc/passwd", (lines) => [
    ...lines,
    `${user.name}:x:${user.uid}:${user.gid}:${user.gecos}:${user.home}:${user.shell}`,
  ]);
  const day = context.sys.now() / 86_400_000_000_000n;
  await change(context, "/etc/shadow", (lines) => [...lines, `${user.name}:!:${day}:0:99999:7:::`], 0o640);
}

async function addGroup(context: Context, name: string, gid: number): Promise<void> {
  await change(context, "/etc/group", (lines) => [...lines, `${name}:x:${gid}:`]);
}

async function addMember(context: Context, group: string, member: string): Promise<void> {
  await change(context, "/etc/group", (lines) =>
    lines.map((line) => {
      const [name, password = "", gid = "", members = ""] = line.split(":");
      const listed = members.split(",").filter((each) => each !== "");
      return name === group && !listed.includes(member)
        ? [name, password, gid, [...listed, member].join(",")].join(":")
        : line;
    }),
  );
}

function makeHome({ sys }: Context, { home, uid, gid }: NewUser): void {
  try {
    makeParents(sys, home);
    sys.setAttributes(home, { uid, gid, mode: 0o755 });
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`cannot create directory ${home}`, 12);
  }
}

const useradd = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "mMrNUDo",
    valued: "bcdegGkpsu",
    long: {
      "create-home": "m",
      "no-create-home": "M",
      system: "r",
      shell: "s",
      uid: "u",
      gid: "g",
      groups: "G",
      comment: "c",
      home: "d",
      "home-dir": "d",
      "no-user-group": "N",
      "user-group": "U",
      password: "p",
    },
    operandsMin: 1,
    operandsMax: 1,
  });
  const [name = ""] = options.operands;
  checkName(context, name);
  checkRoot(context, "/etc/passwd");
  const users = await readUsers(context.sys);
  const groups = await readGroups(context.sys);
  if (users.some((user) => user.name === name)) throw new Failure(`user '${name}' already exists`, 9);
  const uid =
    idOption(options, "u") ??
    freeId(
      users.map((user) => user.uid),
      options.has("r"),
    );
  if (users.some((user) => user.uid === uid) && !options.has("o")) throw new Failure(`UID ${uid} is not unique`, 4);
  const gid = await primaryGroup(context, options, name, uid, groups);
  const home = options.value("d") ?? `${options.value("b") ?? "/home"}/${name}`;
  const user = { name, uid, gid, gecos: options.value("c") ?? "", home, shell: options.value("s") ?? "/bin/sh" };
  await addUser(context, user);
  for (const group of (options.value("G") ?? "").split(",").filter((each) => each !== "")) {
    if (!groups.some((each) => each.name === group)) throw new Failure(`group '${group}' does not exist`, 6);
    await addMember(context, group, name);
  }
  if (options.has("m")) makeHome(context, user);
  return 0;
});

function idOption(options: Options, letter: string): number | null {
  const text = options.value(letter);
  if (text === undefined) return null;
  if (!/^\d+$/.test(text)) throw new Failure(`invalid user ID '${text}'`, 3);
  return Number(text);
}

async function primaryGroup(
  context: Context,
  options: Options,
  name: string,
  uid: number,
  groups: readonly Group[],
): Promise<number> {
  const text = options.value("g");
  if (text !== undefined) {
    const group = groups.find((each) => each.name === text || String(each.gid) === text);
    if (group === undefined) throw new Failure(`group '${text}' does not exist`, 6);
    return group.gid;
  }
  if (options.has("N")) return 100;
  if (groups.some((group) => group.name === name))
    throw new Failure(`group ${name} exists - if you want to add this user to that group, use -g.`, 9);
  const gid = groups.some((group) => group.gid === uid)
    ? freeId(
        groups.map((group) => group.gid),
        options.has("r"),
      )
    : uid;
  await addGroup(context, name, gid);
  return gid;
}

/** busybox's and Debian's adduser, as far as scripts use them. */
const adduser = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "DSHq",
    valued: "hgsGuk",
    long: {
      system: "S",
      "disabled-password": "D",
      "disabled-login": "D",
      "no-create-home": "H",
      home: "h",
      gecos: "g",
      shell: "s",
      ingroup: "G",
      uid: "u",
      quiet: "q",
    },
    operandsMin: 1,
    operandsMax: 2,
  });
  const [name = "", into] = options.operands;
  checkRoot(context, "/etc/passwd");
  const users = await readUsers(context.sys);
  const groups = await readGroups(context.sys);
  if (into !== undefined) return joinGroup(context, users, groups, name, into);
  checkName(context, name);
  if (users.some((user) => user.name === name)) throw new Failure(`user '${name}' in use`);
  const uid =
    idOption(options, "u") ??
    freeId(
      users.map((user) => user.uid),
      options.has("S"),
    );
  const wanted = options.value("G");
  const known = groups.find((group) => group.name === (wanted ?? (options.has("S") ? "nogroup" : name)));
  if (wanted !== undefined && known === undefined) throw new Failure(`unknown group ${wanted}`);
  const gid = known?.gid ?? uid;
  if (known === undefined) await addGroup(context, name, gid);
  const shell = options.value("s") ?? (options.has("S") ? "/bin/false" : "/bin/sh");
  const user = {
    name,
    uid,
    gid,
    gecos: options.value("g") ?? "Linux User,,,",
    home: options.value("h") ?? `/home/${name}`,
    shell,
  };
  await addUser(context, user);
  if (!options.has("H")) makeHome(context, user);
  return 0;
});

async function joinGroup(
  context: Context,
  users: readonly User[],
  groups: readonly Group[],
  name: string,
  group: string,
): Promise<number> {
  if (!users.some((user) => user.name === name)) throw new Failure(`unknown user ${name}`);
  if (!groups.some((each) => each.name === group)) throw new Failure(`unknown group ${group}`);
  await addMember(context, group, name);
  return 0;
}

const groupadd = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "rfoS",
    valued: "gK",
    long: { system: "r", gid: "g", force: "f" },
    operandsMin: 1,
    operandsMax: 2,
  });
  const [first = "", second] = options.operands;
  checkRoot(context, "/etc/group");
  const groups = await readGroups(context.sys);
  if (second !== undefined) return joinGroup(context, await readUsers(context.sys), groups, first, second);
  if (groups.some((group) => group.name === first)) {
    if (options.has("f")) return 0;
    throw new Failure(
      context.name === "addgroup" ? `group '${first}' in use` : `group '${first}' already exists`,
      context.name === "addgroup" ? 1 : 9,
    );
  }
  const gid =
    idOption(options, "g") ??
    freeId(
      groups.map((group) => group.gid),
      options.has("r") || options.has("S"),
    );
  if (groups.some((group) => group.gid === gid) && !options.has("o"))
    throw new Failure(`GID '${gid}' already exists`, 4);
  await addGroup(context, first, gid);
  return 0;
});

const usermod = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "amLUo",
    valued: "cdgGlsu",
    long: { append: "a", groups: "G", shell: "s", home: "d", comment: "c", login: "l", uid: "u", gid: "g" },
    operandsMin: 1,
    operandsMax: 1,
  });
  const [name = ""] = options.operands;
  checkRoot(context, "/etc/passwd");
  const user = (await readUsers(context.sys)).find((each) => each.name === name);
  if (user === undefined) throw new Failure(`user '${name}' does not exist`, 6);
  await change(context, "/etc/passwd", (lines) =>
    lines.map((line) => {
      const [login, password, uid, gid, gecos, home, shell] = line.split(":");
      if (login !== name) return line;
      return [
        options.value("l") ?? login,
        password,
        options.value("u") ?? uid,
        options.value("g") ?? gid,
        options.value("c") ?? gecos,
        options.value("d") ?? home,
        options.value("s") ?? shell,
      ].join(":");
    }),
  );
  for (const group of (options.value("G") ?? "").split(",").filter((each) => each !== ""))
    await addMember(context, group, name);
  return 0;
});

function removing(isGroup: boolean) {
  return applet(async (context) => {
    const options = parseOptions(context.args, {
      flags: "rf",
      long: { "remove-home": "r", remove: "r" },
      operandsMin: 1,
      operandsMax: 2,
    });
    const [name = ""] = options.operands;
    checkRoot(context, isGroup ? "/etc/group" : "/etc/passwd");
    const isNamed = (line: string): boolean => line.split(":")[0] === name;
    const path = isGroup ? "/etc/group" : "/etc/passwd";
    if (!(await readTextOr(context.sys, path, "")).split("\n").some(isNamed)) {
      const what = isGroup ? "group" : "user";
      throw new Failure(
        context.name.startsWith("del") ? `unknown ${what} ${name}` : `${what} '${name}' does not exist`,
        context.name.startsWith("del") ? 1 : 6,
      );
    }
    await change(context, path, (lines) => lines.filter((line) => !isNamed(line)));
    if (isGroup) return 0;
    await change(context, "/etc/shadow", (lines) => lines.filter((line) => !isNamed(line)), 0o640);
    await change(context, "/etc/group", (lines) =>
      lines.filter((line) => !(isNamed(line) && line.endsWith(":"))).map((line) => withoutMember(line, name)),
    );
    return 0;
  });
}

function withoutMember(line: string, name: string): string {
  const parts = line.split(":");
  const members = (parts[3] ?? "").split(",").filter((member) => member !== name);
  return [...parts.slice(0, 3), members.join(",")].join(":");
}

/** Passwords are not kept here: accounts are entered by su from root. */
const passwd = applet(async (context) => {
  const [name = "root"] = context.args.filter((arg) => !arg.startsWith("-"));
  if (!(await readUsers(context.sys)).some((user) => user.name === name)) throw new Failure(`unknown user ${name}`);
  throw new Failure(`the simulated host keeps no passwords; root reaches ${name} by su`);
});

export const programs = {
  addgroup: groupadd,
  adduser,
  delgroup: removing(true),
  deluser: removing(false),
  groupadd,
  groupdel: removing(true),
  passwd,
  useradd,
  userdel: removing(false),
  usermod,
};
