/** The simulated machine with a session directory: its daemon is killed, the next one lives the session again. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { startTsboxd, type Tsboxd } from "./tsboxd.ts";

const skip = spawnSync("docker", ["--version"]).status === 0 ? (imagesMissing("busybox") ?? false) : "no docker client";
const program = fileURLToPath(new URL("../../bin/tsboxd.ts", import.meta.url));

test("a session outlives its daemon", { skip }, async (context) => {
  const directory = scratch("session");
  const session = join(directory, "session");
  const daemon = await startTsboxd({ flags: ["--backend", "sim", "--session", session] });
  const docker = dockerOf(daemon);
  try {
    docker("load", "-i", await busyboxTar());
    docker("volume", "create", "kept");
    docker("run", "-d", "--name", "ticks", "-v", "kept:/v", "busybox", "sh", "-c", ticking);
    docker("run", "--name", "ended", "busybox", "sh", "-c", "echo $RANDOM; exit 7");
    const before = docker("logs", "ended");
    while (docker("logs", "ticks").split("\n").length < 4) await sleep(20);
    await daemon.kill();
    await daemon.start();

    await context.test("what ran goes on, and its output has no gap", async () => {
      const lines = docker("logs", "ticks").trim().split("\n");
      assert.deepEqual(
        lines,
        lines.map((_, index) => String(index)),
      );
      while (docker("logs", "ticks").trim().split("\n").length <= lines.length) await sleep(20);
      assert.equal(docker("exec", "ticks", "cat", "/v/first"), "0\n");
    });
    await context.test("what had ended said the same", () => {
      assert.equal(docker("logs", "ended"), before);
      assert.equal(docker("inspect", "-f", "{{.State.ExitCode}}", "ended"), "7\n");
    });
    await context.test("nobody else can read it, and no second daemon lives it", () => {
      assert.equal(statSync(session).mode & 0o777, 0o700);
      assert.equal(statSync(join(session, "session.jsonl")).mode & 0o777, 0o600);
      const { status, stderr } = fails(session, directory);
      assert.equal(status, 1);
      assert.match(stderr, /^tsboxd: the session in .* is lived by another tsboxd, process \d+\n$/);
    });
    docker("rm", "-f", "ticks");
    await daemon.kill();
    await context.test("it ends in the same state every time", async () => {
      const roots = [await rootOf(session, directory), await rootOf(session, directory)];
      assert.match(roots[0] ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.equal(roots[0], roots[1]);
    });
    await context.test("a line without its end is as if it had not been", async () => {
      const copy = copyOf(session, directory);
      appendFileSync(join(copy, "session.jsonl"), '{"kind":"bytes","step":99');
      assert.equal(await rootOf(copy, directory), await rootOf(session, directory));
    });
    for (const [what, damage, message] of damages)
      await context.test(`${what} is one line and exit 1`, () => {
        const copy = copyOf(session, directory);
        damage(copy);
        const { status, stderr } = fails(copy, directory);
        assert.equal(status, 1);
        assert.match(stderr, message);
        assert.match(stderr, /begin another (one|session) with --session DIRECTORY\n$/);
      });
  } finally {
    await daemon.stop();
    rmSync(directory, { recursive: true });
  }
});

const ticking = "i=0; while true; do echo $i; test -e /v/first || echo $i > /v/first; i=$((i+1)); sleep 0.02; done";

/** What may happen to a session on disk. */
const damages: readonly [what: string, damage: (session: string) => void, message: RegExp][] = [
  ["a line that is no entry", (at) => edit(at, (lines) => lines.with(3, '{"kind":"nothing"}')), /line 4: Invalid type/],
  ["a line that is no JSON", (at) => edit(at, (lines) => lines.with(1, "{")), /session\.jsonl, line 2: /],
  ["an entry that is missing", (at) => edit(at, (lines) => lines.toSpliced(5, 2)), /went another way/],
  [
    "bytes that are others",
    (at) => {
      const [name = ""] = readdirSync(join(at, "bytes"));
      writeFileSync(join(at, "bytes", name), "x");
    },
    /bytes\/[0-9a-f]{64} is not what its name says/,
  ],
];

function edit(session: string, change: (lines: string[]) => string[]): void {
  const path = join(session, "session.jsonl");
  writeFileSync(path, change(readFileSync(path, "utf8").split("\n")).join("\n"));
}

function copyOf(session: string, directory: string): string {
  const copy = mkdtempSync(join(directory, "copy-"));
  cpSync(session, copy, { recursive: true });
  rmSync(join(copy, "lock"), { force: true });
  return copy;
}

/** Lives a copy of a session again. */
async function rootOf(session: string, directory: string): Promise<string> {
  const daemon = await startTsboxd({ flags: ["--backend", "sim", "--session", copyOf(session, directory)] });
  const { remark } = daemon;
  await daemon.stop();
  return /state root (\S+)$/.exec(remark)?.[1] ?? remark;
}

function fails(session: string, directory: string): { status: number | null; stderr: string } {
  const flags = ["-H", `unix://${directory}/refused`, "--backend", "sim", "--session", session];
  return spawnSync(process.execPath, [program, ...flags], { encoding: "utf8", timeout: 30_000 });
}

function dockerOf({ host }: Tsboxd): (...args: string[]) => string {
  return (...args) => {
    const { stdout, stderr } = spawnSync("docker", ["-H", host, ...args], { encoding: "utf8" });
    return stdout + stderr;
  };
}
