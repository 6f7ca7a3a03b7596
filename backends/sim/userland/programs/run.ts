/** Programs that run another one: env, nohup, setsid, time, timeout, watch, xargs, chroot, su, unshare, nsenter, which. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { encodeText } from "../../../../core/base/bytes.ts";
import type { Namespace, Propagation } from "../../../../core/runtime/plan.ts";
import type { Pid, Sys, WaitStatus } from "../../kernel/sys.ts";
import { findUser, readGroups, readUsers } from "../accounts.ts";
import {
  allLines,
  applet,
  type Context,
  Failure,
  isErrno,
  isTerminal,
  readText,
  UsageFailure,
  valueOf,
  withInput,
  reasonOf,
} from "../applet.ts";
import { strftime } from "../calendar.ts";
import { countWithin, type Options, parseOptions } from "../options.ts";
import { isProgram } from "../paths.ts";
import { SIGHUP, SIGTERM, signalNumber } from "../signals.ts";
import { durationOf } from "./small.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where PATH has a program; each place in turn. */
export function candidates(name: string, environment: readonly string[]): string[] {
  if (name.includes("/")) return [name];
  return (valueOf(environment, "PATH") ?? defaultPath)
    .split(":")
    .map((directory) => `${directory === "" ? "." : directory}/${name}`);
}

/** Tries `act` with each place until one is a program. The last reason that is not "no such file" counts. */
export async function firstOf<T>(
  name: string,
  environment: readonly string[],
  act: (path: string) => Promise<T>,
): Promise<T> {
  let reason: Errno = new Errno("ENOENT", name);
  for (const path of candidates(name, environment)) {
    try {
      return await act(path);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      if (thrown.errno !== "ENOENT" && thrown.errno !== "ENOTDIR") reason = new Errno(thrown.errno, name);
    }
  }
  throw reason;
}

/** execvp(3). Fails as busybox says it: 127, or 126 for what is no program. */
export async function execute(
  context: Context,
  words: readonly string[],
  environment = context.environment,
): Promise<never> {
  const [name = ""] = words;
  await context.out.flush();
  try {
    return await firstOf(name, environment, (path) => context.sys.exec(path, words, environment));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`can't execute '${name}': ${errnoText(thrown.errno)}`, thrown.errno === "ENOENT" ? 127 : 126);
  }
}

export function spawn(context: Context, words: readonly string[], environment = context.environment): Promise<Pid> {
  return firstOf(words[0] ?? "", environment, (path) => context.sys.spawn(path, words, environment));
}

export async function waitFor(sys: Sys, pid: Pid): Promise<WaitStatus> {
  for (;;) {
    try {
      const status = await sys.wait(pid);
      if (status !== null) return status;
    } catch (thrown) {
      if (!isErrno(thrown, "EINTR")) throw thrown;
    }
  }
}

export function codeOf(status: WaitStatus): number {
  return status.kind === "exited" ? status.value : 128 + status.value;
}

const env = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "i0",
    valued: "u",
    inOrder: true,
    long: { "ignore-environment": "i", unset: "u" },
  });
  let environment = options.has("i") ? [] : [...context.environment];
  let operands = options.operands;
  if (operands[0] === "-") {
    environment = [];
    operands = operands.slice(1);
  }
  for (const name of options.values("u")) environment = environment.filter((entry) => !entry.startsWith(`${name}=`));
  let at = 0;
  for (; operands[at]?.includes("=") === true; at++) {
    const entry = operands[at] ?? "";
    const name = entry.slice(0, entry.indexOf("=") + 1);
    environment = [...environment.filter((other) => !other.startsWith(name)), entry];
  }
  if (at < operands.length) return execute(context, operands.slice(at), environment);
  await context.out.print(environment.map((entry) => `${entry}${options.has("0") ? "\0" : "\n"}`).join(""));
  return 0;
});

const nohup = applet(async (context) => {
  if (context.args.length === 0) throw new UsageFailure("");
  const { sys } = context;
  sys.onSignal(SIGHUP, "ignore");
  if (isTerminal(sys, 1)) {
    const fd = await sys.open("nohup.out", { access: "write", create: true, append: true, mode: 0o600 });
    sys.duplicate(fd, 1);
    if (isTerminal(sys, 2)) sys.duplicate(fd, 2);
  }
  return execute(context, context.args);
});

const setsid = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "cwf", inOrder: true, operandsMin: 1 });
  const { sys } = context;
  try {
    sys.setSession();
  } catch (thrown) {
    if (!isErrno(thrown, "EPERM")) throw thrown;
    const pid = sys.fork(async (child) => {
      child.setSession();
      return become(context, child, options.operands);
    });
    return options.has("w") ? codeOf(await waitFor(sys, pid)) : 0;
  }
  return execute(context, options.operands);
});

const time = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "vpa", valued: "of", inOrder: true, operandsMin: 1 });
  const { sys } = context;
  const begin = sys.monotonic();
  let code = 127;
  try {
    code = codeOf(await waitFor(sys, await spawn(context, options.operands)));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    await context.complain(`can't execute '${options.operands[0]}': ${errnoText(thrown.errno)}`);
  }
  const ticks = (await readText(sys, "/proc/self/stat"))
    .replace(/^.*\) /s, "")
    .split(" ")
    .slice(13, 15)
    .map(Number);
  const seconds = Number(sys.monotonic() - begin) / 1e9;
  const line = (name: string, value: number): string =>
    options.has("p")
      ? `${name} ${value.toFixed(2)}\n`
      : `${name}\t${Math.floor(value / 60)}m ${(value % 60).toFixed(2)}s\n`;
  const failed = code === 0 ? "" : `Command exited with non-zero status ${code}\n`;
  const [user = 0, system = 0] = ticks;
  await sys.write(
    2,
    new TextEncoder().encode(failed + line("real", seconds) + line("user", user / 100) + line("sys", system / 100)),
  );
  return code;
});

const timeout = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "", valued: "sk", inOrder: true, operandsMin: 2 });
  const [text = "", ...words] = options.operands;
  const duration = durationOf(text);
  const signal = options.has("s") ? signalNumber(options.value("s") ?? "") : SIGTERM;
  if (duration === null) throw new Failure(`invalid number '${text}'`);
  if (signal === null) throw new Failure(`bad signal name '${options.value("s")}'`);
  const { sys } = context;
  // As busybox does it: this process becomes the program, and a child of a child that has ended watches.
  const target = sys.pid;
  const between = sys.fork(async (middle) => {
    middle.fork((watcher) =>
      watchOver(watcher, target, { duration, signal, more: durationOf(options.value("k") ?? "") }),
    );
    return 0;
  });
  await waitFor(sys, between);
  return execute(context, words);
});

const secondNanos = 1_000_000_000n;

/** Looks every second whether the process is still there; when its time is up it gets the signal. */
async function watchOver(
  sys: Sys,
  pid: Pid,
  wanted: { duration: bigint; signal: number; more: bigint | null },
): Promise<number> {
  if (!(await outlasts(sys, pid, wanted.duration))) return 0;
  sendQuietly(sys, pid, wanted.signal);
  if (wanted.more !== null && (await outlasts(sys, pid, wanted.more))) sendQuietly(sys, pid, 9);
  return 0;
}

async function outlasts(sys: Sys, pid: Pid, duration: bigint): Promise<boolean> {
  for (let left = duration; left > 0n; left -= secondNanos) {
    await sys.sleep(left < secondNanos ? left : secondNanos);
    try {
      sys.kill(pid, 0);
    } catch (thrown) {
      if (isErrno(thrown, "ESRCH", "EPERM")) return false;
    }
  }
  return true;
}

function sendQuietly(sys: Sys, pid: Pid, signal: number): void {
  try {
    sys.kill(pid, signal);
  } catch (thrown) {
    isErrno(thrown, "ESRCH");
  }
}

const watch = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "t", valued: "n", inOrder: true, operandsMin: 1 });
  const { sys } = context;
  const seconds = Number(options.value("n") ?? 2);
  for (;;) {
    const title = options.has("t")
      ? ""
      : `Every ${seconds.toFixed(1)}s: ${options.operands.join(" ")}\t${strftime("%Y-%m-%d %H:%M:%S", sys.now())}\n\n`;
    await context.out.print(`\x1b[H\x1b[J${title}`);
    await context.out.flush();
    await waitFor(sys, await sys.spawn("/bin/sh", ["sh", "-c", options.operands.join(" ")], context.environment));
    await sys.sleep(BigInt(Math.round(seconds * 1e9)));
  }
});

// xargs

const xargs = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "0rtpx", valued: "nLIseEaPd", inOrder: true });
  const command = options.operands.length === 0 ? ["echo"] : [...options.operands];
  const placeholder = options.value("I");
  const perCommand = placeholder !== undefined ? 1 : itemsPerCommand(options);
  const items = await itemsOf(context, options);
  if (items.length === 0 && (options.has("r") || placeholder !== undefined)) return 0;
  let code = 0;
  for (let at = 0; at < items.length || at === 0; at += perCommand) {
    const some = items.slice(at, at + perCommand);
    const words =
      placeholder === undefined
        ? [...command, ...some]
        : command.map((word) => word.replaceAll(placeholder, some[0] ?? ""));
    const result = await runOne(context, words, options.has("t"));
    if (typeof result !== "number") return result.missing ? 127 : 126;
    if (result === 255) {
      await context.complain(`${words[0]}: exited with status 255; aborting`);
      return 124;
    }
    if (result > 0) code = 123;
  }
  return code;
});

const intMax = 2 ** 31 - 1;

function itemsPerCommand(options: Options): number {
  return countWithin(options.value("n") ?? options.value("L") ?? "5000", 1, intMax);
}

async function itemsOf(context: Context, options: Options): Promise<string[]> {
  const file = options.value("a") ?? "-";
  const delimiter = options.has("0") ? "\0" : options.value("d");
  if (delimiter !== undefined)
    return withInput(context.sys, file, async (fd) => (await allLines(context.sys, fd, delimiter)).lines);
  const { lines } = await withInput(context.sys, file, (fd) => allLines(context.sys, fd));
  const eof = options.value("E") ?? options.value("e");
  const end = eof === undefined ? -1 : lines.indexOf(eof);
  const kept = end === -1 ? lines : lines.slice(0, end);
  if (options.has("I") || options.has("L")) return kept.map((line) => line.trim()).filter((line) => line !== "");
  return unquoted(kept.join("\n"));
}

/** Words at blanks; quotes and backslashes keep them together. */
function unquoted(text: string): string[] {
  const [open] = /["']/.exec(text.replace(/\\[^]|"[^"\n]*"|'[^'\n]*'/g, "")) ?? [];
  if (open !== undefined) throw new Failure(`unmatched ${open === "'" ? "single" : "double"} quote`);
  return (text.match(/(?:"[^"\n]*"|'[^'\n]*'|\\[^]|[^\s"'\\])+/g) ?? []).map((word) =>
    word.replace(
      /"([^"\n]*)"|'([^'\n]*)'|\\([^])/g,
      (_, double?: string, single?: string, char?: string) => double ?? single ?? char ?? "",
    ),
  );
}

/** The exit status, or that it could not be run. */
async function runOne(
  context: Context,
  words: readonly string[],
  tells: boolean,
): Promise<number | { readonly missing: boolean }> {
  if (tells) await context.sys.write(2, new TextEncoder().encode(`${words.join(" ")}\n`));
  try {
    return codeOf(await waitFor(context.sys, await spawn(context, words)));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    await context.complain(`${words[0]}: ${errnoText(thrown.errno)}`);
    return { missing: thrown.errno === "ENOENT" };
  }
}

const which = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "a", operandsMin: 1 });
  let code = 0;
  for (const name of options.operands) {
    const found = candidates(name, context.environment).filter((path) => isProgram(context.sys, path));
    if (found.length === 0) code = 1;
    for (const path of options.has("a") ? found : found.slice(0, 1)) context.out.put(`${path}\n`);
  }
  return code;
});

// Isolation

const chroot = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "", inOrder: true, operandsMin: 1 });
  const [root = "", ...words] = options.operands;
  try {
    context.sys.changeRoot(root);
    context.sys.changeDirectory("/");
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`can't change root directory to '${root}': ${errnoText(thrown.errno)}`);
  }
  return execute(context, words.length > 0 ? words : shellOf(context, "-i"));
});

function shellOf(context: Context, ...options: string[]): string[] {
  return [context.variable("SHELL") ?? "/bin/sh", ...options];
}

const namespaceFlags: Readonly<Record<string, Namespace>> = {
  m: "mount",
  u: "uts",
  i: "ipc",
  n: "network",
  p: "pid",
  U: "user",
  C: "cgroup",
  T: "time",
};
const longNamespaces = { mount: "m", uts: "u", ipc: "i", net: "n", pid: "p", user: "U", cgroup: "C", time: "T" };

const unshare = applet(async (context) => {
  // "--mount-proc" takes a directory only where one is attached.
  const args = context.args.map((arg) => (arg === "--mount-proc" ? "--mount-proc=/proc" : arg));
  const options = parseOptions(args, {
    flags: "muinpUCTrfc",
    valued: "PR",
    inOrder: true,
    long: { ...longNamespaces, "map-root-user": "r", fork: "f", "mount-proc": "P", propagation: "R" },
  });
  const { sys } = context;
  const kinds = Object.entries(namespaceFlags)
    .filter(([letter]) => options.has(letter) || (letter === "m" && options.has("P")))
    .map(([, kind]) => kind);
  const all: Namespace[] = options.has("r") && !kinds.includes("user") ? [...kinds, "user"] : kinds;
  const { uid, gid } = sys.credentials();
  const propagation = propagationOf(options.value("R") ?? "private");
  try {
    sys.unshare(all);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    throw new Failure(`unshare(0x${flagBits(all).toString(16)}): ${errnoText(thrown.errno)}`);
  }
  if (options.has("r")) await mapRoot(sys, uid, gid);
  if (all.includes("mount") && propagation !== null) sys.setPropagation("/", propagation);
  const words = options.operands.length > 0 ? options.operands : shellOf(context);
  if (!options.has("f")) return begin(context, sys, words, options);
  const pid = sys.fork((child) => begin(context, child, words, options));
  return codeOf(await waitFor(sys, pid));
});

const cloneBits: Readonly<Record<string, number>> = {
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
  time: 0x80,
};

function flagBits(kinds: readonly Namespace[]): number {
  return kinds.reduce((sum, kind) => sum + (cloneBits[kind] ?? 0), 0);
}

async function mapRoot(sys: Sys, uid: number, gid: number): Promise<void> {
  for (const [file, text] of [
    ["setgroups", "deny"],
    ["uid_map", `0 ${uid} 1`],
    ["gid_map", `0 ${gid} 1`],
  ]) {
    const fd = await sys.open(`/proc/self/${file}`, { access: "write" });
    await sys.write(fd, new TextEncoder().encode(text ?? ""));
    sys.close(fd);
  }
}

/** What becomes of "/" in a new mount namespace; null: it stays as it is. */
function propagationOf(text: string): Propagation | null {
  if (text === "unchanged") return null;
  if (!/^(?:private|shared|slave)$/.test(text)) throw new UsageFailure(`unrecognized: --propagation=${text}`);
  return `r${text}` as Propagation;
}

async function begin(context: Context, sys: Sys, words: readonly string[], options: Options): Promise<number> {
  const proc = options.value("P");
  if (proc !== undefined && !(await mountProc(context, sys, proc))) return context.code;
  return become(context, sys, words);
}

/** The calling process, which may be a child of the program's, becomes the named one; failing is said. */
async function become(context: Context, sys: Sys, words: readonly string[]): Promise<number> {
  const name = words[0] ?? "";
  try {
    return await firstOf(name, context.environment, (path) => sys.exec(path, words, context.environment));
  } catch (thrown) {
    const code = thrown instanceof Errno && thrown.errno === "ENOENT" ? 127 : 126;
    await sys.write(2, encodeText(`${context.name}: can't execute '${name}': ${reasonOf(thrown)}\n`));
    return code;
  }
}

async function mountProc(context: Context, sys: Sys, path: string): Promise<boolean> {
  try {
    sys.setPropagation(path, "rprivate");
    sys.mount("proc", "proc", path, [], "");
    return true;
  } catch (thrown) {
    const reason = reasonOf(thrown);
    await sys.write(2, encodeText(`${context.name}: can't mount none on ${path} (flags:0x44000): ${reason}\n`));
    context.code = 1;
    return false;
  }
}

const nsenter = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "muinpUCTaFr",
    valued: "tSG",
    inOrder: true,
    long: { ...longNamespaces, target: "t", all: "a", "no-fork": "F" },
  });
  const { sys } = context;
  const target = countWithin(options.value("t") ?? "0", 0, intMax);
  const asked = Object.keys(namespaceFlags).some((letter) => options.has(letter)) || options.has("a");
  if (asked && target === 0) throw new UsageFailure("");
  const wanted = Object.entries(namespaceFlags).filter(
    ([letter]) => options.has(letter) || (options.has("a") && letter !== "U"),
  );
  const kinds = wanted.map(([, kind]) => kind).filter((kind) => isOther(sys, target, kind));
  if (kinds.length > 0) sys.enter(target, kinds);
  const words = options.operands.length > 0 ? options.operands : shellOf(context);
  if (options.has("F") || !kinds.includes("pid")) return execute(context, words);
  const pid = sys.fork((child) => become(context, child, words));
  return codeOf(await waitFor(sys, pid));
});

const namespaceFiles: Readonly<Record<string, string>> = { mount: "mnt", network: "net" };

/** A namespace that is already ours is not joined: of a user namespace that would be an error. */
function isOther(sys: Sys, pid: Pid, kind: Namespace): boolean {
  const file = namespaceFiles[kind] ?? kind;
  const other = `/proc/${pid}/ns/${file}`;
  try {
    return sys.readlink(other) !== sys.readlink(`/proc/self/ns/${file}`);
  } catch (thrown) {
    throw new Failure(`can't open '${other}': ${reasonOf(thrown)}`);
  }
}

const pivotRoot = applet(async ({ args, sys }) => {
  const [newRoot, putOld] = args;
  if (newRoot === undefined || putOld === undefined || args.length > 2) throw new UsageFailure("");
  try {
    sys.pivotRoot(newRoot, putOld);
    return 0;
  } catch (thrown) {
    if (thrown instanceof Errno) throw new Failure(`(null): ${errnoText(thrown.errno)}`);
    throw thrown;
  }
});

const su = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "lmp",
    valued: "cs",
    inOrder: false,
    long: { login: "l", command: "c", shell: "s" },
  });
  const operands = options.operands[0] === "-" ? options.operands.slice(1) : options.operands;
  const isLogin = options.has("l") || options.operands[0] === "-";
  const [name = "root", ...rest] = operands;
  const user = findUser(await readUsers(context.sys), name);
  if (user === null || user.name !== name) throw new Failure(`unknown user ${name}`);
  const { sys } = context;
  const listed = (await readGroups(sys)).filter(({ members }) => members.includes(name)).map(({ gid }) => gid);
  const groups = [...new Set([user.gid, ...listed])].sort((a, b) => a - b);
  if (sys.credentials().uid !== 0 && sys.credentials().uid !== user.uid)
    throw new Failure("must be suid to work properly");
  sys.setCredentials({ uid: user.uid, gid: user.gid, groups });
  const shell = options.value("s") ?? (user.shell === "" ? "/bin/sh" : user.shell);
  const kept = context.environment.filter((entry) => !/^(?:HOME|USER|LOGNAME|SHELL)=/.test(entry));
  const own = [`HOME=${user.home}`, `USER=${name}`, `LOGNAME=${name}`, `SHELL=${shell}`];
  const environment = isLogin
    ? [`PATH=${defaultPath}`, `TERM=${context.variable("TERM") ?? "linux"}`, ...own]
    : [...kept, ...(options.has("m") ? [] : own)];
  if (isLogin) changeHome(sys, user.home);
  const command = options.value("c");
  const words = [
    isLogin ? `-${shell.split("/").pop()}` : (shell.split("/").pop() ?? shell),
    ...(command === undefined ? [] : ["-c", command]),
    ...rest,
  ];
  return sys.exec(shell, words, environment);
});

function changeHome(sys: Sys, home: string): void {
  try {
    sys.changeDirectory(home);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    sys.changeDirectory("/");
  }
}

export const programs = {
  chroot,
  env,
  nohup,
  nsenter,
  pivot_root: pivotRoot,
  setsid,
  su,
  time,
  timeout,
  unshare,
  watch,
  which,
  xargs,
};
