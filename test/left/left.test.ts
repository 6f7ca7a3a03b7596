import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { leftSince, snapshot } from "./left.ts";

// A snapshot sees each kind of thing that a run could leave behind, and sees it go.

const linux = process.platform === "linux" ? false : "needs Linux's /proc";
const mark = `tsbox-left-${process.pid}`;
const options = { mine: (line: string): boolean => line.includes(mark) };

test("a directory and a process left behind are named, and gone when they are gone", { skip: linux }, async () => {
  const before = snapshot(options);
  const directory = mkdtempSync(join(tmpdir(), mark));
  const child = spawn("/bin/sh", ["-c", "read line", mark], { stdio: ["pipe", "ignore", "ignore"] });
  const found = await leftSince(before, options, 100);
  assert.deepEqual(
    found.map((line) => line.replace(String(child.pid), "PID")),
    [`file ${directory}`, `process PID /bin/sh -c read line ${mark}`],
  );
  child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
  assert.deepEqual(await leftSince(before, options), []);
});

const cgroup = `/sys/fs/cgroup/pids/${mark}`;
const skip = linux || (process.getuid?.() === 0 ? false : "makes a cgroup: needs root");

test("a cgroup left behind is named", { skip }, async (t) => {
  const before = snapshot(options);
  try {
    mkdirSync(cgroup);
  } catch {
    return t.skip("no pids controller of cgroup v1 here");
  }
  const found = await leftSince(before, options, 0);
  rmdirSync(cgroup);
  assert.deepEqual(found, [`cgroup ${cgroup}`]);
});
