/** Making, changing and removing files: mkdir, rm, touch, ln, chmod, chown, mktemp, mknod, readlink and their kin. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import type { Sys } from "../../kernel/sys.ts";
import { findUser, readGroups, readUsers } from "../accounts.ts";
import {
  applet,
  baseName,
  type Context,
  Failure,
  isErrno,
  joinPath,
  listDirectory,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { parseDate } from "../calendar.ts";
import { canonical, lookAt } from "../paths.ts";
import { changeMode, modeText } from "../modes.ts";
import { type Options, parseOptions } from "../options.ts";

export function currentMask(sys: Sys): number {
  const mask = sys.umask(0);
  sys.umask(mask);
  return mask;
}

function modeOption(options: Options, sys: Sys, otherwise: number, directory: boolean): number {
  const text = options.value("m");
  if (text === undefined) return otherwise;
  const mode = changeMode(text, otherwise, { umask: currentMask(sys), directory });
  if (mode === null) throw new Failure(`invalid mode '${text}'`);
  return mode;
}

// Directories

const mkdir = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, {
    flags: "pv",
    valued: "m",
    long: { parents: "p", mode: "m", verbose: "v" },
    operandsMin: 1,
  });
  for (const path of options.operands) {
    await context.attempt(
      () => {
        const made = options.has("p") ? makeParents(sys, path) : [];
        if (!options.has("p")) made.push(sys.makeDirectory(path, 0o777) ?? path);
        if (options.has("v")) for (const each of made) context.out.put(`created directory: '${each}'\n`);
        if (options.has("m")) sys.setAttributes(path, { mode: modeOption(options, sys, 0o777, true) });
      },
      (reason, at) => `can't create directory '${at.endsWith("/") ? at : path}': ${reason}`,
    );
  }
  return context.code;
});

/** The directory and those above it, as far as they are missing; gives those that were, "/" behind all but the last. */
export function makeParents(sys: Sys, path: string): string[] {
  const all: string[] = [];
  let made = path.startsWith("/") ? "/" : "";
  const parts = path.split("/").filter((each) => each !== "");
  for (const [index, part] of parts.entries()) {
    made = made === "" || made === "/" ? made + part : `${made}/${part}`;
    try {
      sys.makeDirectory(made, 0o777);
      all.push(index === parts.length - 1 ? made : `${made}/`);
    } catch (thrown) {
      if (!isErrno(thrown, "EEXIST", "EROFS", "EISDIR")) throw thrown;
      if (lookAt(sys, made, true)?.kind === "directory") continue;
      throw index === parts.length - 1 ? thrown : new Errno("ENOTDIR", `${made}/`);
    }
  }
  return all;
}

const rmdir = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "pv",
    long: { parents: "p", verbose: "v", "ignore-fail-on-non-empty": "i" },
    operandsMin: 1,
  });
  for (const operand of options.operands) {
    for (
      let path = operand;
      path !== "" && path !== ".";
      path = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ""
    ) {
      if (options.has("v")) context.out.put(`rmdir: removing directory, '${path}'\n`);
      const isRemoved = await context.attempt(
        () => context.sys.removeDirectory(path),
        (reason) => `'${path}': ${reason}`,
      );
      if (!isRemoved || !options.has("p")) break;
    }
  }
  return context.code;
});

// Removing

const rm = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "fiRrv", long: { force: "f", recursive: "r" } });
  if (options.operands.length === 0 && !options.has("f")) throw new UsageFailure("");
  for (const path of options.operands) {
    if (/^\.\.?$/.test(baseName(path))) await context.complain("can't remove '.' or '..'");
    else await remove(context, path, options);
  }
  return context.code;
});

/** False when something is left: what is around it then stays without being tried. */
async function remove(context: Context, path: string, options: Options): Promise<boolean> {
  const { sys } = context;
  const stat = lookAt(sys, path);
  if (stat === null) {
    if (!options.has("f")) await context.complain(`can't remove '${path}': No such file or directory`);
    return options.has("f");
  }
  const isRecursive = options.has("r") || options.has("R");
  if (stat.kind === "directory" && !isRecursive) {
    await context.complain(`'${path}' is a directory`);
    return false;
  }
  let isEmpty = true;
  if (stat.kind === "directory") {
    const isRead = await context.attempt(
      async () => {
        for (const { name } of await listDirectory(sys, path))
          if (!(await remove(context, joinPath(path, name), options))) isEmpty = false;
      },
      (reason) => `can't open '${path}': ${reason}`,
    );
    if (!isRead || !isEmpty) return false;
  }
  if (options.has("i") && !options.has("f") && !(await agreed(context, `remove '${path}'? `))) return true;
  const isRemoved = await context.attempt(
    () => (stat.kind === "directory" ? sys.removeDirectory(path) : sys.unlink(path)),
    (reason) => `can't remove '${path}': ${reason}`,
  );
  if (isRemoved && options.has("v"))
    context.out.put(`removed ${stat.kind === "directory" ? "directory: " : ""}'${path}'\n`);
  return isRemoved;
}

/** Asks on standard error; an answer that begins with y agrees. */
export async function agreed(context: Context, question: string): Promise<boolean> {
  await context.out.flush();
  await context.sys.write(2, new TextEncoder().encode(`${context.name}: ${question}`));
  const answer = await context.sys.read(0, 256);
  return answer[0] === 0x79 || answer[0] === 0x59;
}

const unlink = applet(async ({ args, sys }) => {
  const [path] = args;
  if (path === undefined || args.length > 1) throw new UsageFailure("");
  try {
    sys.unlink(path);
    return 0;
  } catch (thrown) {
    if (thrown instanceof Errno) throw new Failure(`can't remove file '${path}': ${errnoText(thrown.errno)}`);
    throw thrown;
  }
});

// Times and sizes

const touch = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, {
    flags: "cham",
    valued: "dtr",
    long: { "no-create": "c", date: "d", reference: "r" },
    operandsMin: 1,
  });
  const reference = options.value("r");
  const text = options.value("d") ?? options.value("t");
  let mtime = sys.now();
  if (reference !== undefined) mtime = sys.stat(reference).mtime;
  if (text !== undefined) {
    const date = parseDate(text, sys.now());
    if (date === null) throw new Failure(`invalid date '${text}'`);
    mtime = date;
  }
  for (const path of options.operands) {
    await context.attempt(
      async () => {
        const follow = !options.has("h");
        if (lookAt(sys, path, follow) === null) {
          if (options.has("c")) return;
          sys.close(await sys.open(path, { access: "write", create: true }));
        }
        sys.setAttributes(path, { mtime }, { noFollow: !follow });
      },
      (reason) => `${path}: ${reason}`,
    );
  }
  return context.code;
});

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 512,
  k: 1024,
  K: 1024,
  m: 1024 ** 2,
  M: 1024 ** 2,
  g: 1024 ** 3,
  G: 1024 ** 3,
};

const truncate = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, { flags: "c", valued: "s", operandsMin: 1 });
  const [, sign = "", digits, unit = ""] = /^([+-]?)(\d+)([bkKmMgG]?)$/.exec(options.value("s") ?? "") ?? [];
  if (options.value("s") === undefined) throw new UsageFailure("");
  if (digits === undefined) throw new Failure(`invalid number '${options.value("s")}'`);
  const amount = Number(digits) * (sizeUnits[unit] ?? 1);
  for (const path of options.operands) {
    await context.attempt(
      async () => {
        if (lookAt(sys, path, true) === null) {
          if (options.has("c")) return;
          sys.close(await sys.open(path, { access: "write", create: true }));
        }
        const old = sign === "" ? 0 : sys.stat(path).size;
        sys.truncate(path, sign === "-" ? Math.max(0, old - amount) : old + amount);
      },
      (reason) => `${path}: open: ${reason}`,
    );
  }
  return context.code;
});

// Links

const ln = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, {
    flags: "sfnbLPvT",
    valued: "S",
    long: { symbolic: "s", force: "f" },
    operandsMin: 1,
  });
  const last = options.operands.at(-1) ?? "";
  const target = options.operands.length === 1 ? baseName(last) : last;
  const sources = options.operands.length === 1 ? options.operands : options.operands.slice(0, -1);
  const stat = lookAt(sys, target, !options.has("n"));
  const isDirectory = stat?.kind === "directory" && !options.has("T");
  if (options.operands.length > 2 && !isDirectory) throw new Failure(`${target}: Not a directory`);
  for (const source of sources) {
    const path = isDirectory ? joinPath(target, baseName(source)) : target;
    if (!options.has("s") && lookAt(sys, source) === null) {
      await context.complain(`${source}: No such file or directory`);
      continue;
    }
    await context.attempt(
      () => {
        if (options.has("f") && lookAt(sys, path) !== null) sys.unlink(path);
        if (options.has("s")) sys.symlink(source, path);
        else sys.link(source, path);
      },
      (reason) => `${path}: ${reason}`,
    );
    if (options.has("v") && context.code === 0) context.out.put(`'${path}' -> '${source}'\n`);
  }
  return context.code;
});

const link = applet(async ({ args, sys }) => {
  const [from, to] = args;
  if (from === undefined || to === undefined || args.length > 2) throw new UsageFailure("");
  try {
    sys.link(from, to);
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`can't create link '${to}' to '${from}': ${errnoText(thrown.errno)}`);
  }
});

const readlink = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, { flags: "fenvsqm", operandsMin: 1 });
  for (const path of options.operands) {
    try {
      const target =
        options.has("f") || options.has("e") || options.has("m")
          ? canonical(sys, path, !options.has("m"))
          : sys.readlink(path);
      context.out.put(`${target}${options.has("n") ? "" : "\n"}`);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      context.code = 1;
    }
  }
  return context.code;
});

const realpath = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "" });
  for (const path of operands.length === 0 ? ["."] : operands) {
    await context.attempt(
      () => context.out.print(`${canonical(context.sys, path, true)}\n`),
      (reason) => `${path}: ${reason}`,
    );
  }
  return context.code;
});

// Modes and owners

async function eachFile(
  context: Context,
  path: string,
  options: Options,
  act: (path: string, stat: Stat) => void,
): Promise<void> {
  const stat = lookAt(context.sys, path, !options.has("h"));
  if (stat === null) {
    if (options.has("f") && context.name !== "chmod") context.code = 1;
    else await context.complain(`${path}: No such file or directory`);
    return;
  }
  await context.attempt(
    () => act(path, stat),
    (reason) => `${path}: ${reason}`,
  );
  if (!options.has("R") || stat.kind !== "directory") return;
  for (const { name, kind } of await listDirectory(context.sys, path))
    if (kind !== "symlink") await eachFile(context, joinPath(path, name), options, act);
}

const chmod = applet(async (context) => {
  const { sys } = context;
  const isMode = /^-[rwxXst]/;
  const args = context.args.map((arg) => (isMode.test(arg) ? `a${arg}` : arg));
  const options = parseOptions(args, { flags: "Rcvfh", long: { recursive: "R", reference: "r" }, operandsMin: 2 });
  const [text = "", ...paths] = options.operands;
  const umask = currentMask(sys);
  if (changeMode(text, 0, { umask, directory: false }) === null) throw new Failure(`invalid mode '${text}'`);
  for (const path of paths) {
    await eachFile(context, path, options, (each, stat) => {
      const mode = changeMode(text, stat.mode, { umask, directory: stat.kind === "directory" }) ?? stat.mode;
      sys.setAttributes(each, { mode });
      if (options.has("v") || (options.has("c") && mode !== stat.mode))
        context.out.put(
          `mode of '${each}' changed to ${mode.toString(8).padStart(4, "0")} (${modeText("file", mode).slice(1)})\n`,
        );
    });
  }
  return context.code;
});

async function ownerOf(sys: Sys, text: string): Promise<{ uid?: number; gid?: number }> {
  const [user = "", group] = text.includes(":") ? text.split(":") : text.includes(".") ? text.split(".") : [text];
  const uid = user === "" ? undefined : await uidOf(sys, user);
  const gid = group === undefined || group === "" ? undefined : await gidOf(sys, group, `unknown user/group ${text}`);
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}

export async function uidOf(sys: Sys, text: string): Promise<number> {
  const user = findUser(await readUsers(sys), text);
  if (user !== null) return user.uid;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Failure(`unknown user ${text}`);
}

export async function gidOf(sys: Sys, text: string, otherwise = `unknown group ${text}`): Promise<number> {
  const group = (await readGroups(sys)).find(({ name }) => name === text);
  if (group !== undefined) return group.gid;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Failure(otherwise);
}

function owning(isGroup: boolean) {
  return applet(async (context) => {
    const { sys } = context;
    const options = parseOptions(context.args, {
      flags: "RhcvfLHP",
      long: { recursive: "R", "no-dereference": "h" },
      operandsMin: 2,
    });
    const [text = "", ...paths] = options.operands;
    const owner = isGroup ? { gid: await gidOf(sys, text) } : await ownerOf(sys, text);
    for (const path of paths)
      await eachFile(context, path, options, (each, { uid, gid }) => {
        sys.setAttributes(each, owner, { noFollow: options.has("h") });
        if (options.has("v") || options.has("c"))
          context.out.put(`changed ownership of '${each}' to ${owner.uid ?? uid}:${owner.gid ?? gid}\n`);
      });
    return context.code;
  });
}

// Special files

const mkfifo = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "", valued: "m", operandsMin: 1 });
  for (const path of options.operands) {
    await context.attempt(
      () => context.sys.makeNode(path, "fifo", modeOption(options, context.sys, 0o666, false)),
      (reason) => `${path}: ${reason}`,
    );
  }
  return context.code;
});

const nodeKinds = { p: "fifo", c: "character", u: "character", b: "block" } as const;

const mknod = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "", valued: "m", operandsMin: 2 });
  const [path = "", type = "", major, minor] = options.operands;
  if (type !== "p" && type !== "c" && type !== "u" && type !== "b") throw new UsageFailure("");
  const isDevice = type !== "p";
  if (isDevice !== (options.operands.length === 4)) throw new UsageFailure("");
  await context.attempt(
    () =>
      context.sys.makeNode(
        path,
        nodeKinds[type],
        modeOption(options, context.sys, 0o666, false),
        Number(major ?? 0),
        Number(minor ?? 0),
      ),
    (reason) => `${path}: ${reason}`,
  );
  return context.code;
});

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

const mktemp = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, { flags: "dqtu", valued: "p", operandsMax: 1 });
  const base = options.value("p") ?? context.variable("TMPDIR") ?? "/tmp";
  const [template] = options.operands;
  const inBase = template === undefined || options.has("t") || options.has("p");
  const name = inBase ? joinPath(base, template ?? "tmp.XXXXXX") : template;
  const xs = /X+$/.exec(name)?.[0].length ?? 0;
  if (xs < 6) throw new Failure("(null): Invalid argument");
  const random = await withInput(sys, "/dev/urandom", (fd) => sys.read(fd, xs));
  const path = name.slice(0, -xs) + Array.from(random, (byte) => letters[byte % letters.length]).join("");
  await context.attempt(
    async () => {
      if (options.has("u")) return;
      if (options.has("d")) sys.makeDirectory(path, 0o700);
      else sys.close(await sys.open(path, { access: "write", create: true, exclusive: true, mode: 0o600 }));
    },
    (reason) => `(null): ${reason}`,
  );
  if (context.code === 0) await context.out.print(`${path}\n`);
  return context.code;
});

export const programs = {
  chgrp: owning(true),
  chmod,
  chown: owning(false),
  link,
  ln,
  mkdir,
  mkfifo,
  mknod,
  mktemp,
  readlink,
  realpath,
  rm,
  rmdir,
  touch,
  truncate,
  unlink,
};
