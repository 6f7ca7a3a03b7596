import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

// The command line as a process: Node reads some flags wherever they stand, and streams can fail.

const tsbox = join(import.meta.dirname, "../../bin/tsbox");

for (const environment of [{}, { TSBOX_DEV: "1" }])
  test(`a flag that Node has too is the command's own ${JSON.stringify(environment)}`, () => {
    const argv = ["--host", "unix:///nowhere.sock", "run", "--env-file", "/nonexistent", "busybox"];
    const { status, stderr } = spawnSync(tsbox, argv, { encoding: "utf8", env: { ...process.env, ...environment } });
    assert.match(stderr, /^tsbox: open \/nonexistent: no such file or directory\n/);
    assert.equal(status, 125);
  });

test("output that cannot be written is one sentence and the code 1", { skip: !existsSync("/dev/full") }, () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(tsbox, ["--help"], { encoding: "utf8", stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  assert.deepEqual([stderr, status], ["write /dev/stdout: no space left on device\n", 1]);
});

test("a file that cannot be read is named", () => {
  const argv = ["--host", "unix:///nowhere.sock", "run", "--env-file", "/", "busybox"];
  const { status, stderr } = spawnSync(tsbox, argv, { encoding: "utf8" });
  assert.match(stderr, /^tsbox: read \/: /);
  assert.equal(status, 125);
});
