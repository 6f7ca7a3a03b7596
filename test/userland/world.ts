/**
 * A simulated machine with the userland in it, for one command line at a time: the same files as the
 * oracle's sandbox (fixture.ts), a fresh kernel for every run.
 */
import { HostFiles } from "../../backends/sim/host-files.ts";
import { bootHost } from "../../backends/sim/host.ts";
import type { Kernel } from "../../backends/sim/kernel/kernel.ts";
import { OpenFile } from "../../backends/sim/kernel/open-file.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import type { Sys } from "../../backends/sim/kernel/sys.ts";
import { TerminalChannel } from "../../backends/sim/kernel/terminal.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { programNames, standIn } from "../../backends/sim/userland/programs.ts";
import { encodeText } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import { environment, files, type FixtureFile, hierarchies, home, ownGroup } from "./fixture.ts";

export interface Outcome {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly code: number;
}

const elf = "\x7fELF stand-in for BusyBox v1.35.0\n";
const bootTime = 1_700_000_000_000_000_000n;

/** Runs `shell -c line` there and gives what came of it; with control groups as the oracle's cases have them. */
export async function runInSimulator(
  line: string,
  options: { readonly inGroups?: boolean; readonly shell?: string; readonly directory?: string } = {},
): Promise<Outcome> {
  const kernel = boot();
  let outcome: Outcome | null = null;
  kernel.launch("test", async (sys) => {
    await furnish(sys);
    if (options.inGroups === true) await enterGroups(sys);
    outcome = await runThere(sys, [options.shell ?? "/bin/sh", "-c", line], options.directory ?? home);
    return 0;
  });
  await kernel.turns.run();
  if (outcome === null) throw new Error(`${line}: nobody can go on`);
  return outcome;
}

/** `breathe`: what the kernel waits for between two slices. */
function boot(breathe = (): Promise<void> => Promise.resolve()): Kernel {
  const kernel = bootHost({
    now: bootTime,
    random: seededRandom(1),
    pace: jumping(breathe),
    loader: { standIn, webAssembly: () => Promise.reject(new Errno("ENOEXEC")) },
  });
  const host = new HostFiles(kernel);
  for (const [path, shell] of Object.entries({ "/bin/sh": "dash", "/bin/bash": "bash" }))
    host.install(path, encodeText(`\x7fELF stand-in for ${shell}\n`));
  return kernel;
}

async function runThere(sys: Sys, argv: readonly string[], directory: string): Promise<Outcome> {
  const nothing = await sys.open("/dev/null", { access: "read" });
  const out = await sys.open("/tmp/.stdout", { access: "both", create: true });
  const err = await sys.open("/tmp/.stderr", { access: "both", create: true });
  sys.unlink("/tmp/.stdout");
  sys.unlink("/tmp/.stderr");
  const fds = new Map([
    [0, nothing],
    [1, out],
    [2, err],
  ]);
  await sys.spawn(argv[0] ?? "", argv, environment, { fds, directory });
  const status = await sys.wait(-1);
  return {
    stdout: await all(sys, out),
    stderr: await all(sys, err),
    code: status === null ? -1 : status.kind === "exited" ? status.value : 128 + status.value,
  };
}

/** A group of one's own in each hierarchy, and at /cg what one sees of them from a cgroup namespace. */
async function enterGroups(sys: Sys): Promise<void> {
  const write = async (path: string, text: string): Promise<void> => put(sys, { path, text });
  await write("/sys/fs/cgroup/cgroup.subtree_control", "-cpu -cpuset -io -memory -pids");
  sys.makeDirectory("/cg", 0o755);
  for (const name of hierarchies) {
    sys.makeDirectory(`/cg/${name}`, 0o755);
    mountHierarchy(sys, name);
    sys.makeDirectory(`/cg/${name}/${ownGroup}`, 0o755);
  }
  for (const file of ["cpuset.cpus", "cpuset.mems"]) await write(`/cg/cpuset/${ownGroup}/${file}`, "0");
  for (const name of hierarchies) await write(`/cg/${name}/${ownGroup}/cgroup.procs`, "0");
  for (const name of hierarchies) sys.unmount(`/cg/${name}`);
  sys.unshare(["cgroup", "mount"]);
  for (const name of hierarchies) mountHierarchy(sys, name);
}

function mountHierarchy(sys: Sys, name: string): void {
  if (name === "unified") sys.mount("cgroup2", "none", `/cg/${name}`, [], "");
  else sys.mount("cgroup", "none", `/cg/${name}`, [], name);
}

async function all(sys: Sys, fd: number): Promise<Uint8Array> {
  sys.seek(fd, 0, "set");
  return sys.read(fd, 16 * 1024 * 1024);
}

async function furnish(sys: Sys): Promise<void> {
  await put(sys, { path: "/bin/busybox", text: elf, mode: 0o755 });
  for (const name of programNames)
    if (!["busybox", "sh", "bash"].includes(name)) sys.symlink("busybox", `/bin/${name}`);
  for (const file of files) await put(sys, file);
  // What was put into them has changed their times.
  for (const file of files)
    if (!("text" in file)) sys.setAttributes(file.path, { mtime: 1_600_000_000_000_000_000n }, { noFollow: true });
}

async function put(sys: Sys, file: FixtureFile): Promise<void> {
  const { path, mode = 0o644 } = file;
  if ("directory" in file) sys.makeDirectory(path, 0o755);
  else if ("link" in file) sys.symlink(file.link, path);
  else {
    const fd = await sys.open(path, { access: "write", create: true, truncate: true });
    await sys.write(fd, new TextEncoder().encode(file.text));
    sys.close(fd);
  }
  if (!("link" in file))
    sys.setAttributes(path, {
      mode: "directory" in file ? (file.mode ?? 0o755) : mode,
      mtime: 1_600_000_000_000_000_000n,
    });
}

/** A person at the simulated machine's terminal. */
export interface Person {
  /** Types keys and waits until the machine waits for more. `endless`: until it has had some time. */
  type(keys: string, options?: { endless?: boolean }): Promise<void>;
  /** All that came to the screen since the last `type`'s beginning, as it came. */
  screen(): string;
  /** The screen's lines, with what was drawn over left out. */
  lines(): string[];
  exitCode(): number | null;
  /** What a file holds; null when there is none. */
  file(path: string): Promise<string | null>;
}

const size = { rows: 24, columns: 80 };
const endlessSteps = 400;

/** A machine with `sh` on a terminal, at its first prompt. */
export async function openTerminal(argv: readonly string[] = ["/bin/sh"]): Promise<Person> {
  // A person has to get in between, whatever runs.
  const kernel = boot(() => new Promise((resolve) => setImmediate(resolve)));
  const terminal = kernel.newTerminal(size);
  const channel = new TerminalChannel(terminal, () => kernel.tree.stat(kernel.tree.root));
  const launched = kernel.launch("login", async (sys) => {
    await furnish(sys);
    sys.changeDirectory(home);
    return sys.exec(argv[0] ?? "", argv, [...environment, "TERM=xterm"]);
  });
  for (const fd of [0, 1, 2])
    launched.fds.set(
      fd,
      new OpenFile(channel, { read: true, write: true }, { location: null, path: "/dev/pts/0" }).hold(),
    );
  launched.terminal = terminal;
  terminal.foreground = launched.group;
  terminal.session = launched.session;
  let seen = "";
  const settle = async (endless: boolean): Promise<void> => {
    const from = kernel.turns.step;
    let done = false;
    const run = kernel.turns.run().then(() => {
      done = true;
    });
    while (!done && !(endless && kernel.turns.step > from + endlessSteps))
      await new Promise((resolve) => setImmediate(resolve));
    if (done) await run;
    seen += new TextDecoder().decode(terminal.takeOutput());
  };
  await settle(false);
  return {
    async type(keys, options = {}) {
      kernel.turns.admit(() => terminal.type(new TextEncoder().encode(keys)));
      await settle(options.endless ?? false);
    },
    screen: () => plain(seen),
    lines: () => drawn(seen),
    exitCode: () => launched.exit?.code ?? null,
    file: async (path) => {
      let text: string | null = null;
      kernel.launch("test", async (sys) => {
        text = await readOr(sys, path);
        return 0;
      });
      await settle(false);
      return text;
    },
  };
}

async function readOr(sys: Sys, path: string): Promise<string | null> {
  try {
    const fd = await sys.open(path, { access: "read" });
    return new TextDecoder().decode(await sys.read(fd, 1024 * 1024));
  } catch (thrown) {
    if (thrown instanceof Errno) return null;
    throw thrown;
  }
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "").replaceAll("\r", "");
}

/** Of each line what was drawn last: the editor draws a line anew from its first column. */
function drawn(text: string): string[] {
  return text.split("\n").map((line) => {
    const parts = line.split("\r").map((part) => plain(part));
    return parts.findLast((part) => part !== "") ?? "";
  });
}
