/** The daemon is killed while containers run; the next one finds them: running, or ended meanwhile. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { busyboxTar } from "../images/make.ts";
import { skipReason } from "./skip.ts";
import { startTsboxd } from "./tsboxd.ts";

const skip = skipReason() ?? false;

test("the daemon dies and comes back", { skip }, async (context) => {
  const daemon = await startTsboxd();
  const docker = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync("docker", ["-H", daemon.host, ...args], { encoding: "utf8" });
    return { code: status, out: stdout + stderr };
  };
  try {
    docker("load", "-i", await busyboxTar());
    const ticking = "i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done";
    docker("run", "-d", "--name", "ticks", "busybox", "sh", "-c", ticking);
    docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 0.5; echo late; exit 7");
    docker("run", "-d", "--rm", "--name", "goes", "busybox", "sleep", "0.5");
    const pids = docker("inspect", "-f", "{{.State.Pid}}", "ends", "goes").out.trim().split("\n").map(Number);
    await daemon.kill();
    while (pids.some(isAlive)) await sleep(20);
    await daemon.start();

    await context.test("what ran goes on, and its output has no gap", async () => {
      assert.equal(docker("inspect", "-f", "{{.State.Status}}", "ticks").out, "running\n");
      const before = docker("logs", "ticks").out.trim().split("\n");
      assert.deepEqual(
        before,
        before.map((_, index) => String(index)),
      );
      while (docker("logs", "ticks").out.trim().split("\n").length <= before.length) await sleep(20);
    });
    await context.test("what ended meanwhile has its output and its exit code", () => {
      assert.equal(docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends").out, "exited 7\n");
      assert.equal(docker("logs", "ends").out, "late\n");
      assert.equal(docker("wait", "ends").out, "7\n");
    });
    await context.test("what was to be removed at its end is", () => {
      assert.match(docker("inspect", "goes").out, /No such object: goes/);
    });
    await context.test("what goes on takes orders", () => {
      assert.equal(docker("exec", "ticks", "echo", "inside").out, "inside\n");
      assert.equal(docker("kill", "ticks").out, "ticks\n");
      assert.equal(docker("wait", "ticks").out, "137\n");
    });
  } finally {
    await daemon.stop();
  }
});

function isAlive(pid: number): boolean {
  return pid > 0 && existsSync(`/proc/${pid}`);
}
