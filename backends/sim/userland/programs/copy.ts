/** cp, mv and install: files to another place. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import type { Sys } from "../../kernel/sys.ts";
import {
  applet,
  baseName,
  chunksOf,
  type Context,
  Failure,
  joinPath,
  listDirectory,
  reasonOf,
  UsageFailure,
} from "../applet.ts";
import { changeMode } from "../modes.ts";
import { type Options, parseOptions } from "../options.ts";
import { lookAt } from "../paths.ts";
import { agreed, gidOf, makeParents, uidOf } from "./files.ts";

/** Where each source goes: into a directory, or to the very name. */
function targetsOf(context: Context, sources: readonly string[], target: string, options: Options): [string, string][] {
  const isDirectory = lookAt(context.sys, target, true)?.kind === "directory" && !options.has("T");
  return sources.map((source) => [
    source,
    isDirectory || sources.length > 1 ? joinPath(target, baseName(source)) : target,
  ]);
}

function sourcesAndTarget(options: Options): { sources: readonly string[]; target: string } {
  const directory = options.value("t");
  if (directory !== undefined) return { sources: options.operands, target: directory };
  if (options.operands.length < 2) throw new UsageFailure("");
  return { sources: options.operands.slice(0, -1), target: options.operands.at(-1) ?? "" };
}

const cp = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "adfHilLnpPRrsTuvc",
    valued: "t",
    long: {
      archive: "a",
      force: "f",
      recursive: "r",
      "no-dereference": "P",
      dereference: "L",
      parents: "c",
      verbose: "v",
      "target-directory": "t",
    },
  });
  const { sources, target } = sourcesAndTarget(options);
  for (const [source, to] of targetsOf(context, sources, target, options))
    await copy(context, source, to, options, true);
  return context.code;
});

async function copy(context: Context, from: string, to: string, options: Options, isNamed: boolean): Promise<void> {
  const { sys } = context;
  const isRecursive = options.has("r") || options.has("R") || options.has("a");
  const keepsLinks =
    options.has("P") ||
    options.has("d") ||
    options.has("a") ||
    (isRecursive && !options.has("L") && !(options.has("H") && isNamed));
  const stat = lookAt(sys, from, !keepsLinks);
  if (stat === null) return context.complain(`can't stat '${from}': No such file or directory`);
  const existing = lookAt(sys, to, true);
  if (
    existing !== null &&
    existing.inode === stat.inode &&
    existing.kind === stat.kind &&
    isSameDevice(context, from, to)
  )
    return context.complain(`'${from}' and '${to}' are the same file`);
  if (stat.kind === "directory" && !isRecursive) return context.complain(`omitting directory '${from}'`);
  if (existing !== null && options.has("n")) return;
  if (existing !== null && options.has("u") && existing.mtime >= stat.mtime) return;
  if (
    existing !== null &&
    stat.kind !== "directory" &&
    options.has("i") &&
    !(await agreed(context, `overwrite '${to}'? `))
  )
    return;
  if (options.has("v")) context.out.put(`'${from}' -> '${to}'\n`);
  const isMade =
    stat.kind === "directory"
      ? await copyDirectory(context, from, to, stat, options)
      : await copyOther(context, from, to, stat, options);
  if (isMade && (options.has("p") || options.has("a"))) keep(context, to, stat);
}

/** Two mounts may number their files alike; the paths of one directory do not. */
function isSameDevice(context: Context, a: string, b: string): boolean {
  return a === b || context.sys.stat(a).ctime === context.sys.stat(b).ctime;
}

async function copyDirectory(
  context: Context,
  from: string,
  to: string,
  stat: Stat,
  options: Options,
): Promise<boolean> {
  const { sys } = context;
  const isThere = lookAt(sys, to, true)?.kind === "directory";
  const isMade =
    isThere ||
    (await context.attempt(
      () => sys.makeDirectory(to, stat.mode | 0o700),
      (reason) => `can't create directory '${to}': ${reason}`,
    ));
  if (!isMade) return false;
  for (const { name } of await listDirectory(sys, from)) {
    if (joinPath(from, name) === to)
      return context.complain(`recursion detected, omitting directory '${to}'`).then(() => false);
    await copy(context, joinPath(from, name), joinPath(to, name), options, false);
  }
  if (!isThere && (stat.mode | 0o700) !== stat.mode) sys.setAttributes(to, { mode: stat.mode });
  return true;
}

async function copyOther(context: Context, from: string, to: string, stat: Stat, options: Options): Promise<boolean> {
  const { sys } = context;
  if (options.has("l") || options.has("s")) {
    return context.attempt(
      () => (options.has("s") ? sys.symlink(from, to) : sys.link(from, to)),
      (reason) => `can't create ${options.has("s") ? "symlink" : "link"} '${to}': ${reason}`,
    );
  }
  if (stat.kind === "file" || !(options.has("a") || options.has("r") || options.has("R") || stat.kind === "symlink"))
    return copyFile(context, from, to, stat, options);
  return context.attempt(
    () => {
      if (lookAt(sys, to) !== null) sys.unlink(to);
      if (stat.kind === "symlink") sys.symlink(sys.readlink(from), to);
      else if (stat.kind !== "directory" && stat.kind !== "file")
        sys.makeNode(to, stat.kind, stat.mode, stat.major, stat.minor);
    },
    (reason) => `can't create '${to}': ${reason}`,
  );
}

async function copyFile(context: Context, from: string, to: string, stat: Stat, options: Options): Promise<boolean> {
  const { sys } = context;
  let input: number;
  try {
    input = await sys.open(from, { access: "read" });
  } catch (thrown) {
    await context.complain(`can't open '${from}': ${reasonOf(thrown)}`);
    return false;
  }
  try {
    const output = await openTarget(context, to, stat.mode & 0o777, options);
    if (output === null) return false;
    for await (const chunk of chunksOf(sys, input)) await sys.write(output, chunk);
    sys.close(output);
    return true;
  } finally {
    sys.close(input);
  }
}

async function openTarget(context: Context, to: string, mode: number, options: Options): Promise<number | null> {
  const { sys } = context;
  const opening = { access: "write", create: true, truncate: true, mode } as const;
  try {
    return await sys.open(to, opening);
  } catch (thrown) {
    if (options.has("f") && thrown instanceof Errno && lookAt(sys, to)?.kind === "file") {
      sys.unlink(to);
      return sys.open(to, opening);
    }
    await context.complain(`can't create '${to}': ${reasonOf(thrown)}`);
    return null;
  }
}

function keep({ sys }: Context, path: string, stat: Stat): void {
  const noFollow = stat.kind === "symlink";
  try {
    sys.setAttributes(path, { uid: stat.uid, gid: stat.gid }, { noFollow });
  } catch (thrown) {
    if (!(thrown instanceof Errno) || thrown.errno !== "EPERM") throw thrown;
  }
  if (!noFollow) sys.setAttributes(path, { mode: stat.mode });
  sys.setAttributes(path, { mtime: stat.mtime }, { noFollow });
}

const mv = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, {
    flags: "finTv",
    valued: "t",
    long: { force: "f", "target-directory": "t" },
  });
  const { sources, target } = sourcesAndTarget(options);
  for (const [source, to] of targetsOf(context, sources, target, options)) {
    const existing = lookAt(sys, to);
    if (existing !== null && options.has("n")) continue;
    if (existing !== null && options.has("i") && !(await agreed(context, `overwrite '${to}'? `))) continue;
    await move(context, source, to);
    if (options.has("v")) context.out.put(`'${source}' -> '${to}'\n`);
  }
  return context.code;
});

/** Between two file systems a file is copied, then removed. */
async function move(context: Context, from: string, to: string): Promise<void> {
  try {
    if (isRenamed(context.sys, from, to)) return;
  } catch (thrown) {
    return context.complain(`can't rename '${from}': ${reasonOf(thrown)}`);
  }
  const { code } = context;
  context.code = 0;
  await copy(context, from, to, parseOptions(["-a"], { flags: "a" }), true);
  if (context.code === 0) await removeTree(context, from);
  context.code ||= code;
}

/** False between two file systems, if there is something to be moved. */
function isRenamed(sys: Sys, from: string, to: string): boolean {
  try {
    sys.rename(from, to);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Errno) || thrown.errno !== "EXDEV") throw thrown;
    sys.lstat(from);
    return false;
  }
}

async function removeTree(context: Context, path: string): Promise<void> {
  const { sys } = context;
  if (sys.lstat(path).kind !== "directory") return sys.unlink(path);
  for (const { name } of await listDirectory(sys, path)) await removeTree(context, joinPath(path, name));
  sys.removeDirectory(path);
}

const install = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, { flags: "cdDpsv", valued: "ogmt", operandsMin: 1 });
  const text = options.value("m") ?? "755";
  const mode = changeMode(text, 0, { umask: 0, directory: false });
  if (mode === null) throw new Failure(`invalid mode '${text}'`);
  const [user, group] = [options.value("o"), options.value("g")];
  const owner = {
    ...(user === undefined ? {} : { uid: await uidOf(sys, user) }),
    ...(group === undefined ? {} : { gid: await gidOf(sys, group) }),
  };
  const made: string[] = [];
  if (options.has("d")) for (const path of options.operands) made.push(path);
  for (const path of made) makeParents(sys, path);
  if (!options.has("d")) {
    const { sources, target } = sourcesAndTarget(options);
    if (options.has("D") && target.includes("/")) makeParents(sys, target.slice(0, target.lastIndexOf("/")));
    for (const [source, to] of targetsOf(context, sources, target, options)) {
      await copy(context, source, to, options, true);
      made.push(to);
    }
  }
  if (context.code === 0) for (const path of made) sys.setAttributes(path, { ...owner, mode });
  return context.code;
});

export const programs = { cp, install, mv };
