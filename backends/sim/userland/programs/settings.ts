/** The kernel's settings and a process's: sysctl, setpriv; run-parts, which runs what configures a system. */
import { type Capability, capabilityNumbers } from "../../../../core/runtime/capabilities.ts";
import { applet, type Context, Failure, isErrno, joinPath, listDirectory, readText, reasonOf } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { isProgram } from "../paths.ts";
import { codeOf, execute, waitFor } from "./run.ts";

// sysctl

const tree = "/proc/sys";

const sysctl = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "neaAqw", valued: "p" });
  if (options.has("p")) await fromFile(context, options);
  else if (options.has("a") || options.has("A")) await each(context, options, tree);
  else for (const word of options.operands) await setting(context, options, word);
  return context.code;
});

/** "a = b" lines; "#" and ";" begin comments. */
async function fromFile(context: Context, options: Options): Promise<void> {
  const lines = (await readText(context.sys, options.value("p") ?? "/etc/sysctl.conf")).split("\n");
  for (const line of lines.map((text) => text.trim()))
    if (line !== "" && !/^[#;]/.test(line)) await setting(context, options, line);
}

async function each(context: Context, options: Options, directory: string): Promise<void> {
  for (const { name, kind } of await listDirectory(context.sys, directory)) {
    const path = joinPath(directory, name);
    if (kind === "directory") await each(context, options, path);
    else await show(context, options, path.slice(tree.length + 1).replaceAll("/", "."), path);
  }
}

/** Reads one, or sets it: "name=value". A name has dots or slashes. */
async function setting(context: Context, options: Options, word: string): Promise<void> {
  const [, name = word, value] = /^([^=]*?)\s*=\s*(.*)$/s.exec(word) ?? [];
  const isSlashed = /^[^.]*\//.test(name);
  const path = `${tree}/${isSlashed ? name : name.replaceAll(/[./]/g, (mark) => (mark === "." ? "/" : "."))}`;
  const shown = isSlashed ? name.replaceAll("/", ".") : name;
  try {
    if (value !== undefined) await write(context, path, value);
    if (!options.has("q")) await show(context, options, shown, path);
  } catch (thrown) {
    const isUnknown = isErrno(thrown, "ENOENT", "ENOTDIR");
    if (isUnknown && options.has("e")) context.code = 1;
    else if (isUnknown) await context.complain(`error: '${shown}' is an unknown key`);
    else await context.complain(`error setting key '${shown}': ${reasonOf(thrown)}`);
  }
}

async function write({ sys }: Context, path: string, value: string): Promise<void> {
  const fd = await sys.open(path, { access: "write", truncate: true });
  await sys.write(fd, new TextEncoder().encode(`${value}\n`));
  sys.close(fd);
}

async function show({ sys, out }: Context, options: Options, name: string, path: string): Promise<void> {
  const value = (await readText(sys, path)).trimEnd();
  await out.print(options.has("n") ? `${value}\n` : `${name} = ${value}\n`);
}

// setpriv

const setpriv = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "dN",
    valued: "ia",
    inOrder: true,
    long: { dump: "d", nnp: "N", "no-new-privs": "N", "inh-caps": "i", "ambient-caps": "a" },
  });
  if (options.has("d")) return dump(context);
  if (options.has("i")) await change(context, "inheritable", "CapInh", options.value("i") ?? "");
  if (options.has("a")) await change(context, "ambient", "CapAmb", options.value("a") ?? "");
  if (options.has("N")) context.sys.noNewPrivileges();
  return execute(context, options.operands.length > 0 ? options.operands : ["/bin/sh"]);
});

async function dump(context: Context): Promise<number> {
  const status = await readText(context.sys, "/proc/self/status");
  const { uid, gid, groups } = context.sys.credentials();
  const others = groups.filter((group) => group !== gid);
  const lines = [
    `uid: ${uid}\neuid: ${uid}\ngid: ${gid}\negid: ${gid}`,
    `Supplementary groups: ${others.length === 0 ? "[none]" : others.join(",")}`,
    `no_new_privs: ${field(status, "NoNewPrivs")}`,
    `Inheritable capabilities: ${shownCapabilities(status, "CapInh")}`,
    `Ambient capabilities: ${shownCapabilities(status, "CapAmb")}`,
    `Capability bounding set: ${shownCapabilities(status, "CapBnd")}`,
  ];
  await context.out.print(`${lines.join("\n")}\n`);
  return 0;
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "0";
}

function capabilitiesOf(status: string, name: string): Capability[] {
  const mask = BigInt(`0x${field(status, name)}`);
  return (Object.entries(capabilityNumbers) as [Capability, number][]).flatMap(([capability, number]) =>
    (mask >> BigInt(number)) % 2n === 1n ? [capability] : [],
  );
}

function shownCapabilities(status: string, name: string): string {
  const names = capabilitiesOf(status, name).map(shortName);
  return names.length === 0 ? "[none]" : names.join(",");
}

function shortName(capability: string): string {
  return capability.replace(/^CAP_/, "").toLowerCase();
}

/** "+name" adds one to a set, "-name" takes it away. */
async function change(context: Context, set: "inheritable" | "ambient", name: string, text: string): Promise<void> {
  const now = new Set(capabilitiesOf(await readText(context.sys, "/proc/self/status"), name));
  for (const word of text.split(",")) {
    if (!/^[+-]/.test(word)) throw new Failure(`invalid capability '${word}'`);
    const capability = (Object.keys(capabilityNumbers) as Capability[]).find(
      (each) => shortName(each) === word.slice(1).replace(/^cap_/, ""),
    );
    if (capability === undefined) throw new Failure(`unknown capability '${word.slice(1)}'`);
    if (word.startsWith("+")) now.add(capability);
    else now.delete(capability);
  }
  try {
    context.sys.setCapabilities({ [set]: [...now] });
  } catch (thrown) {
    if (set === "inheritable") throw new Failure(`capset: ${reasonOf(thrown)}`);
    await context.complain(`cap_ambient_raise: ${reasonOf(thrown)}`);
  }
}

// run-parts

const runParts = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "tex",
    valued: "au",
    long: { test: "t", "exit-on-error": "x", arg: "a", umask: "u", reverse: "e" },
    operandsMin: 1,
    operandsMax: 1,
  });
  if (options.has("u")) context.sys.umask(Number.parseInt(options.value("u") ?? "", 8));
  const [directory = ""] = options.operands;
  const paths = await parts(context, directory);
  for (const path of options.has("e") ? paths.reverse() : paths) {
    if (options.has("t")) {
      await context.out.print(`${path}\n`);
      continue;
    }
    const code = await runPart(context, path, options.values("a"));
    if (code === 0) continue;
    await context.complain(`${path}: exit status ${code}`);
    if (options.has("x")) break;
  }
  return context.code;
});

/** What is a file that may be run. A directory that is not there is said, and has none. */
async function parts(context: Context, directory: string): Promise<string[]> {
  try {
    const names = (await listDirectory(context.sys, directory)).map(({ name }) => name).sort();
    return names.map((name) => joinPath(directory, name)).filter((path) => isProgram(context.sys, path));
  } catch (thrown) {
    await context.complain(`${directory}: ${reasonOf(thrown)}`, 0);
    return [];
  }
}

async function runPart({ sys, environment, out }: Context, path: string, args: readonly string[]): Promise<number> {
  await out.flush();
  try {
    return codeOf(await waitFor(sys, await sys.spawn(path, [path, ...args], environment)));
  } catch (thrown) {
    if (isErrno(thrown, "ENOEXEC")) return 126;
    return 127;
  }
}

export const programs = { "run-parts": runParts, setpriv, sysctl };
