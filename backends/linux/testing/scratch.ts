/**
 * Where tests, benches and recorders work: a directory on tmpfs whose name tells who made it.
 *
 *   /dev/shm/tsbox-<kind>-<pid>t<start time>-<random>
 *
 * All that such a run makes outside of its directory goes by the same name: its cgroups, its network namespace; its
 * processes have it on their command lines or are in those cgroups. So what a killed run left behind can be told from
 * what a living one uses, and `sweep`, at the start of the next run, removes it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const places = ["/dev/shm", tmpdir()];

/** Makes a directory that is this process's; to be removed by it. `place`: one of those that are swept. */
export function scratch(kind: string, place = "/dev/shm"): string {
  return mkdtempSync(join(place, `tsbox-${kind}-${process.pid}t${startTime(process.pid)}-`));
}

/** Field 22 of /proc/PID/stat, "" when there is no such process: a process id is used again, both together are not. */
function startTime(pid: number): string {
  const afterName = read(`/proc/${pid}/stat`).split(") ").at(-1) ?? "";
  return afterName.split(" ")[19] ?? "";
}

/** Removes what runs left behind whose process is gone; gives the names of their directories. */
export function sweep(): string[] {
  const swept: string[] = [];
  for (const place of new Set(places)) {
    for (const name of names(place).filter(isOrphan)) {
      removeAll(place, name);
      swept.push(name);
    }
  }
  return swept;
}

function isOrphan(name: string): boolean {
  const [, pid, start] = /^tsbox-.*-(\d+)t(\d+)-\w{6}$/.exec(name) ?? [];
  return pid !== undefined && startTime(Number(pid)) !== start;
}

/** Processes first: they hold all else. */
function removeAll(place: string, name: string): void {
  const groups = cgroups(name);
  killAll(name, groups);
  const mounts = lines("/proc/self/mounts").map((line) => line.split(" ")[1] ?? "");
  for (const path of mounts.toReversed())
    if (path.startsWith(`${place}/${name}/`)) spawnSync("umount", ["-l", path], { stdio: "ignore" });
  for (const path of groups.toReversed()) removeCgroup(path);
  if (existsSync(`/run/netns/${name}`)) spawnSync("ip", ["netns", "delete", name], { stdio: "ignore" });
  rmSync(join(place, name), { recursive: true, force: true });
}

/** Those directly under a hierarchy's root, and all below: parents first. */
function cgroups(name: string): string[] {
  const roots = lines("/proc/self/mountinfo")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
  return roots.map((root) => join(root, name)).flatMap((path) => (existsSync(path) ? withDescendants(path) : []));
}

function withDescendants(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return [path, ...entries.flatMap((entry) => (entry.isDirectory() ? withDescendants(join(path, entry.name)) : []))];
}

/** A daemon that is killed while it starts something may leave one more process: it is looked again until there is none. */
function killAll(name: string, groups: readonly string[]): void {
  for (let tries = 0; tries < 100; tries++) {
    for (const path of groups) thaw(path);
    const pids = names("/proc").filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && belongs(pid, name));
    if (pids.length === 0) return;
    for (const pid of pids) kill(Number(pid));
    pause(20);
  }
}

/** What has ended and is not yet waited for has an empty command line and no cgroup of its own left. */
function belongs(pid: string, name: string): boolean {
  if (/^State:\tZ/m.test(read(`/proc/${pid}/status`))) return false;
  return read(`/proc/${pid}/cmdline`).includes(name) || read(`/proc/${pid}/cgroup`).includes(`/${name}`);
}

/** What is frozen does not end. */
function thaw(cgroup: string): void {
  for (const [file, text] of [
    ["freezer.state", "THAWED"],
    ["cgroup.freeze", "0"],
  ] as const)
    if (existsSync(join(cgroup, file))) writeFileSync(join(cgroup, file), text);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** It goes when the kernel has let go of its last process. */
function removeCgroup(path: string): void {
  for (let tries = 0; tries < 100 && existsSync(path); tries++) {
    try {
      rmdirSync(path);
    } catch {
      pause(20);
    }
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function names(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

function lines(path: string): string[] {
  return read(path).split("\n");
}

/** What cannot be read is not there any more. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
