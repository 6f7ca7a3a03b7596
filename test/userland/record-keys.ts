/**
 * Records what busybox's shell makes of the sessions of keys.txt, each on a terminal of its own made by script(1), in a
 * directory with the fixture's files. Needs busybox-static (Debian's).
 *
 *   node test/userland/record-keys.ts
 *
 * What is recorded already stays: without recorded/keys.json all are recorded anew.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { scratch, sweep } from "../../backends/linux/testing/scratch.ts";
import { files, home } from "./fixture.ts";
import { keysRecording, type Session, sessions, strokesOf } from "./keys.ts";

/** Without output for so long the shell waits for keys. */
const quietMs = 250;
const endMs = 2000;

sweep();
const work = scratch("keys");
try {
  const recorded: Session[] = [];
  const known = new Map(recordedBefore().map((session) => [session.keys, session]));
  for (const keys of sessions()) recorded.push(known.get(keys) ?? { keys, written: await record(keys) });
  const oracle = [
    spawnSync("busybox").stdout.toString().split("\n")[0] ?? "",
    "recorded by test/userland/record-keys.ts",
  ];
  writeFileSync(keysRecording, `${JSON.stringify({ oracle, sessions: recorded }, null, 1)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function recordedBefore(): readonly Session[] {
  if (!existsSync(keysRecording)) return [];
  return (JSON.parse(readFileSync(keysRecording, "utf8")) as { sessions: readonly Session[] }).sessions;
}

async function record(keys: string): Promise<string | null> {
  const root = join(work, "root");
  furnish(root);
  const directory = join(root, home);
  const command = "stty rows 24 cols 80; exec busybox sh";
  const child = spawn("/usr/bin/script", ["-qec", command, "/dev/null"], {
    cwd: directory,
    env: { PATH: join(root, "bin"), HOME: directory, TERM: "xterm", LC_ALL: "C", SHELL: "/bin/sh", PS1: "$ " },
  });
  const exited = new Promise((resolve) => child.on("exit", resolve));
  try {
    await quiet(child);
    for (const stroke of strokesOf(keys)) {
      if (stroke !== "") child.stdin.write(stroke);
      await quiet(child);
    }
  } finally {
    child.kill("SIGHUP");
    await Promise.race([exited, setTimeout(endMs)]);
  }
  const written = existsSync(join(directory, "o")) ? readFileSync(join(directory, "o"), "utf8") : null;
  rmSync(root, { recursive: true });
  return written;
}

/** Until nothing has come for a while. */
async function quiet(child: ChildProcessWithoutNullStreams): Promise<void> {
  for (let isQuiet = false; !isQuiet; ) {
    isQuiet = await Promise.race([
      new Promise<boolean>((resolve) => child.stdout.once("data", () => resolve(false))),
      setTimeout(quietMs, true),
    ]);
  }
}

function furnish(root: string): void {
  mkdirSync(join(root, "bin"), { recursive: true });
  for (const name of spawnSync("busybox", ["--list"]).stdout.toString().split("\n"))
    if (name !== "") symlinkSync("/bin/busybox", join(root, "bin", name));
  for (const file of files) {
    const path = join(root, file.path);
    if ("directory" in file) mkdirSync(path);
    else if ("link" in file) symlinkSync(file.link, path);
    else {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, file.text);
      chmodSync(path, file.mode ?? 0o644);
    }
  }
}
