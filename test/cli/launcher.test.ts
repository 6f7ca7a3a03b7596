import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

// The launchers start Node, which reads some flags wherever they stand.

const tsbox = join(import.meta.dirname, "../../bin/tsbox");

for (const environment of [{}, { TSBOX_DEV: "1" }])
  test(`a flag that Node has too is the command's own ${JSON.stringify(environment)}`, () => {
    const argv = ["--host", "unix:///nowhere.sock", "run", "--env-file", "/nonexistent", "busybox"];
    const { status, stderr } = spawnSync(tsbox, argv, { encoding: "utf8", env: { ...process.env, ...environment } });
    assert.match(stderr, /^tsbox: open \/nonexistent: no such file or directory\n/);
    assert.equal(status, 125);
  });
