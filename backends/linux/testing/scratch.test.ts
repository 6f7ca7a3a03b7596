import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { scratch, sweep } from "./scratch.ts";

const module = JSON.stringify(new URL("scratch.ts", import.meta.url).href);

/** What a bench makes: a mount, cgroups (one of them frozen), a network namespace, a program that outlives it. */
const make = `
  mkdir "$1/mounted" && mount -t tmpfs tmpfs "$1/mounted"
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$root/cgroup.procs" ] && mkdir -p "$root/$2/within"
  done
  ip netns add "$2"
  mkfifo "$1/silent" && sh -c 'read -r _ <"$1/silent"' sh "$1" &
  for frozen in /sys/fs/cgroup/freezer/"$2"/within /sys/fs/cgroup/"$2"/within; do
    [ -d "$frozen" ] || continue
    echo $! >"$frozen/cgroup.procs"
    if [ -e "$frozen/freezer.state" ]; then echo FROZEN >"$frozen/freezer.state"; else echo 1 >"$frozen/cgroup.freeze"; fi
  done`;

/** Runs a process that makes all that; it waits for its end on standard input. */
async function run(): Promise<{ directory: string; kill: () => Promise<void> }> {
  const program = `
    const { scratch } = await import(${module});
    const { spawnSync } = await import("node:child_process");
    const { basename } = await import("node:path");
    const directory = scratch("swept");
    spawnSync("sh", ["-c", ${JSON.stringify(make)}, "sh", directory, basename(directory)], { stdio: "ignore" });
    console.log(directory);
    process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const [directory] = (await once(createInterface(child.stdout), "line")) as [string];
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { directory, kill };
}

/** All of the machine that bears a name. */
function left(name: string): string[] {
  const look = `ls -d /dev/shm/*"$1"* /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1" /run/netns/"$1" 2>/dev/null
    grep -h "$1" /proc/self/mounts
    for p in /proc/[0-9]*; do [ "$p" = /proc/$$ ] || tr '\\0' ' ' <"$p/cmdline" 2>/dev/null | grep -F "$1"; done`;
  return spawnSync("sh", ["-c", look, "sh", name], { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
}

const skip =
  process.platform === "linux" && process.getuid?.() === 0 && existsSync("/usr/sbin/ip")
    ? false
    : "needs root on Linux, and ip (Debian package iproute2)";

test("what a killed run left is swept by the next, and nothing of a run that lives", { skip }, async () => {
  const [killed, living] = await Promise.all([run(), run()]);
  const [dead, alive] = [basename(killed.directory), basename(living.directory)];
  const before = left(alive);
  assert.ok(left(dead).length >= 5, "a directory, a mount, a namespace, a program, cgroups");
  await killed.kill();
  assert.ok(sweep().includes(dead));
  assert.deepEqual(left(dead), []);
  assert.deepEqual(left(alive), before);
  await living.kill();
  sweep();
  assert.deepEqual(left(alive), []);
});

test("a process's own directory is never swept", () => {
  const directory = scratch("own");
  assert.ok(!sweep().includes(basename(directory)));
  assert.ok(existsSync(directory));
  rmSync(directory, { recursive: true });
});
