/** `docker top` beside ps(1) itself, which looks at the same processes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { busyboxTar } from "../images/make.ts";
import { skipReason } from "./skip.ts";
import { startTsboxd, type Tsboxd } from "./tsboxd.ts";

const skip = skipReason() ?? (spawnSync("ps", ["--version"]).status === 0 ? false : "needs ps (Debian package procps)");
let daemon: Tsboxd;

before(async () => {
  if (skip !== false) return;
  // Daemon and ps alike: times of day are those of the clock on the wall.
  process.env["TZ"] = existsSync("/usr/share/zoneinfo/Asia/Kolkata") ? "Asia/Kolkata" : "UTC";
  daemon = await startTsboxd();
  docker("load", "-q", "-i", await busyboxTar());
});
after(async () => {
  if (skip === false) await daemon.stop();
});

function docker(...args: string[]): string[] {
  const { stdout, stderr } = spawnSync("docker", ["-H", daemon.host, ...args], { encoding: "utf8" });
  return (stdout + stderr).split("\n").filter((line) => line !== "");
}

/** Words, apart by any number of blanks. */
function words(lines: readonly string[]): string[][] {
  return lines.map((line) => line.trim().split(/\s+/));
}

for (const options of [["-ef"], ["-o", "pid,ppid,user,tty,comm,args"]])
  test(`ps ${options.join(" ")} and top show the same processes alike`, { skip }, () => {
    const [id = ""] = docker("run", "-d", "-u", "1", "busybox", "sh", "-c", "sleep 1000 & sleep 1001; :");
    try {
      while (docker("top", id).length < 4);
      const ours = words(docker("top", id, ...options));
      const pids = ours.slice(1).map((row) => row[ours[0]?.indexOf("PID") ?? -1] ?? "");
      const { stdout } = spawnSync("ps", [...options.map((each) => each.replace("-ef", "-f")), "-p", pids.join(",")], {
        encoding: "utf8",
      });
      assert.deepEqual(ours, words(stdout.trimEnd().split("\n")));
      assert.equal(pids.length, 3);
    } finally {
      docker("rm", "-f", id);
    }
  });

test("a column that is none, and a container that does not run, are refused", { skip }, () => {
  const [id = ""] = docker("create", "busybox");
  assert.match(docker("top", id).join(), /is not running/);
  docker("rm", id);
});
