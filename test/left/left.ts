/**
 * What a container engine could leave behind on a Linux host: mounts, cgroups, processes, sockets, directories.
 *
 * A test takes a snapshot before and asks afterwards what is there that was not. Only things with "tsbox" in their
 * name, command line, cgroup or path count, and a test narrows that to its own by `mine`: other tests, of other
 * checkouts too, run on the same machine. Its directory and its cgroups' parent carry a name nobody else has.
 * A network namespace is not listed by itself: it lives as long as a process or a mount of nsfs
 * holds it, and those are.
 */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Each thing as one line that names it, "mount /run/tsbox/…" or "process 4711 tsboxd --debug". */
export type Snapshot = ReadonlySet<string>;

export interface SnapshotOptions {
  /** Directories whose direct children count, for instance a run directory and a data root's containers/. */
  readonly directories?: readonly string[];
  /** Which lines are the caller's own; all when not given. */
  readonly mine?: (line: string) => boolean;
}

export function snapshot(options: SnapshotOptions = {}): Snapshot {
  const all = [
    ...mounts(),
    ...cgroups(),
    ...processes(),
    ...sockets(),
    ...names(tmpdir())
      .filter((name) => name.startsWith("tsbox"))
      .map((name) => `file ${join(tmpdir(), name)}`),
    ...(options.directories ?? []).flatMap((path) => names(path).map((name) => `file ${join(path, name)}`)),
  ];
  return new Set(all.filter(options.mine ?? (() => true)));
}

/** What `after` has and `before` had not. */
export function difference(before: Snapshot, after: Snapshot): string[] {
  return [...after].filter((line) => !before.has(line)).toSorted();
}

/** The difference once things have come to rest: the kernel and init take a moment to reap what has ended. */
export async function leftSince(before: Snapshot, options: SnapshotOptions = {}, withinMs = 3000): Promise<string[]> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    const left = difference(before, snapshot(options));
    if (left.length === 0 || waitedMs >= withinMs) return left;
    await sleep(50);
  }
}

function mounts(): string[] {
  return lines("/proc/self/mountinfo")
    .filter((line) => line.includes("tsbox"))
    .map((line) => `mount ${line.split(" ")[4]} (${line.split(" - ")[1]?.split(" ")[0]})`);
}

/** Every directory below a cgroup named tsbox… directly under a hierarchy's root. */
function cgroups(): string[] {
  const roots = lines("/proc/self/mountinfo")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
  const ours = roots.flatMap((root) => directories(root).filter((path) => path.includes("tsbox")));
  return ours.flatMap(withDescendants).map((path) => `cgroup ${path}`);
}

function withDescendants(directory: string): string[] {
  return [directory, ...directories(directory).flatMap(withDescendants)];
}

function processes(): string[] {
  return names("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
      const name = read(`/proc/${pid}/comm`).trim();
      const cgroup = lines(`/proc/${pid}/cgroup`).find((line) => line.includes("tsbox"));
      if (cgroup === undefined && ![command, name].some((text) => text.includes("tsbox"))) return [];
      return [`process ${pid} ${command === "" ? name : command}${cgroup === undefined ? "" : ` in ${cgroup}`}`];
    });
}

function sockets(): string[] {
  return lines("/proc/net/unix")
    .map((line) => line.split(/ +/)[7] ?? "")
    .filter((path) => path.includes("tsbox"))
    .map((path) => `socket ${path}`);
}

function directories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

/** Things come and go while we look: what cannot be read is not there. */
function names(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lines(path: string): string[] {
  return read(path).split("\n");
}
