/**
 * A simulated machine with the userland in it, for one command line at a time: the same files as the
 * oracle's sandbox (fixture.ts), a fresh kernel for every run.
 */
import { bootHost } from "../../backends/sim/host.ts";
import type { Kernel } from "../../backends/sim/kernel/kernel.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import type { Sys } from "../../backends/sim/kernel/sys.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { programNames, standIn } from "../../backends/sim/userland/programs.ts";
import { Errno } from "../../core/base/errno.ts";
import { environment, files, type FixtureFile, home } from "./fixture.ts";

export interface Outcome {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly code: number;
}

const elf = "\x7fELF stand-in for BusyBox v1.35.0\n";
const bootTime = 1_700_000_000_000_000_000n;

/** Runs `sh -c line` there and gives what came of it. */
export async function runInSimulator(
  line: string,
  argv: readonly string[] = ["/bin/sh", "-c", line],
): Promise<Outcome> {
  const kernel = boot();
  let outcome: Outcome | null = null;
  kernel.launch("test", async (sys) => {
    outcome = await runThere(sys, argv);
    return 0;
  });
  await kernel.turns.run();
  if (outcome === null) throw new Error(`${line}: nobody can go on`);
  return outcome;
}

function boot(): Kernel {
  return bootHost({
    now: bootTime,
    random: seededRandom(1),
    pace: jumping(() => Promise.resolve()),
    loader: { standIn, webAssembly: () => Promise.reject(new Errno("ENOEXEC")) },
  });
}

async function runThere(sys: Sys, argv: readonly string[]): Promise<Outcome> {
  await furnish(sys);
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
  await sys.spawn(argv[0] ?? "", argv, environment, { fds, directory: home });
  const status = await sys.wait(-1);
  return {
    stdout: await all(sys, out),
    stderr: await all(sys, err),
    code: status === null ? -1 : status.kind === "exited" ? status.value : 128 + status.value,
  };
}

async function all(sys: Sys, fd: number): Promise<Uint8Array> {
  sys.seek(fd, 0, "set");
  return sys.read(fd, 16 * 1024 * 1024);
}

async function furnish(sys: Sys): Promise<void> {
  await put(sys, { path: "/bin/busybox", text: elf, mode: 0o755 });
  await put(sys, { path: "/bin/sh", text: elf, mode: 0o755 });
  for (const name of programNames) if (name !== "busybox" && name !== "sh") sys.symlink("busybox", `/bin/${name}`);
  for (const file of files) await put(sys, file);
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
