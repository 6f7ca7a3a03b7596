/** The daemon as a process: one line when it listens, one line and exit 1 when it cannot. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "../backends/linux/testing/scratch.ts";

const program = fileURLToPath(new URL("tsboxd.ts", import.meta.url));
const skip =
  process.platform === "linux" && process.getuid?.() === 0 ? false : "the Linux backend needs Linux and root";

function optionsIn(directory: string, socket: string, data: string): string[] {
  return [
    program,
    "-H",
    `unix://${directory}/${socket}`,
    "--data-root",
    `${directory}/${data}`,
    "--exec-root",
    `${directory}/run`,
  ];
}

function fails(args: string[]): { status: number | null; stderr: string; stdout: string } {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
  return { status, stderr, stdout };
}

test("a daemon says when it listens, keeps its place, and leaves no socket", { skip }, async (context) => {
  const directory = scratch("daemon");
  const first = spawn(process.execPath, optionsIn(directory, "s", "data"), { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => first.stdout.once("data", (chunk) => resolve(String(chunk))));
  assert.match(line, /^tsboxd \d+\.\d+\.\d+ listens on unix:\/\/.*\/s\n$/);

  await context.test("the same socket is refused before anything is made", () => {
    const { status, stderr } = fails(optionsIn(directory, "s", "other"));
    assert.deepEqual(
      { status, stderr },
      { status: 1, stderr: `tsboxd: cannot listen on ${directory}/s: another daemon answers there\n` },
    );
    assert.equal(existsSync(`${directory}/other`), false);
  });
  await context.test("the same data root is refused", () => {
    const { status, stderr } = fails(optionsIn(directory, "t", "data"));
    assert.equal(status, 1);
    assert.match(stderr, /^tsboxd: the data root .*\/data is in use by another tsboxd .*\n$/);
  });
  first.kill("SIGTERM");
  assert.equal(await new Promise((resolve) => first.once("exit", resolve)), 0);
  assert.equal(existsSync(`${directory}/s`), false);
  rmSync(directory, { recursive: true });
});

test("what cannot be is one line and exit 1", { skip }, () => {
  const cases: [args: string[], message: RegExp][] = [
    [["-H", "tcp://127.0.0.1:2375"], /^tsboxd: cannot listen on tcp:\/\/127\.0\.0\.1:2375: expected unix:\/\//],
    [
      ["-H", "unix:///dev/shm/tsbox-nowhere", "--data-root", "/proc/nowhere"],
      /^tsboxd: \/proc\/nowhere: no such file or directory\n$/,
    ],
    [["--idle-minutes", "0"], /expected a number above 0/],
    [["-H", "unix:///dev/shm/tsbox-nowhere", "--session", "/dev/shm"], /^tsboxd: --session is for --backend sim/],
    [["--nosuch"], /unknown option '--nosuch'/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr, stdout } = fails([program, ...args]);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: "" });
    assert.match(stderr, message);
  }
});
