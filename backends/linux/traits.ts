/** What this host can do, read once at the start from /proc and /etc. */
import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, release, userInfo } from "node:os";
import type { HostPath } from "../../core/base/brand.ts";
import { TsboxError } from "../../core/base/error.ts";
import { type Capability, capabilityNumbers } from "../../core/runtime/capabilities.ts";
import type { CgroupController, CgroupHierarchy, HostTraits, IdRange, WasiRunner } from "../../core/runtime/traits.ts";
import { wasiRunner } from "./wasi-files.ts";

/** The texts the traits are found in; tests give those of other hosts. */
export interface HostTexts {
  readonly mountinfo: string;
  /** cgroup.controllers of each v2 mount, by mount point. */
  readonly controllers: (mount: string) => string;
  readonly writable: (path: string) => boolean;
}

/** What a machine is told, and the host cannot say. */
export interface TraitsOptions {
  /** Where layers lie: not every file system takes id-mapped mounts. */
  readonly dataRoot: string;
  readonly cgroupParent: string;
}

let runner: { readonly found: WasiRunner | null } | null = null;

export function probeTraits({ dataRoot, cgroupParent }: TraitsOptions): HostTraits {
  const kernel = release();
  const status = text("/proc/self/status");
  const rootless = process.geteuid?.() !== 0;
  return {
    kernel,
    architecture: architecture(),
    cgroups: cgroupHierarchies({
      mountinfo: text("/proc/self/mountinfo"),
      controllers: (mount) => text(`${mount}/cgroup.controllers`),
      writable,
    }),
    cgroupParent,
    overlay: isAtLeast(kernel, 6, 5) ? "fsopen" : "mount",
    userNamespaces: Number(text("/proc/sys/user/max_user_namespaces")) > 0,
    idmappedMounts: mayBeIdMapped(kernel, statfsSync(dataRoot).type),
    subordinate: subordinateIds(),
    timeNamespaces: readable("/proc/self/ns/time"),
    // Found out when it is first asked for: few containers do.
    get wasi() {
      return (runner ??= { found: wasiRunner() }).found;
    },
    seccomp: /^Seccomp:/m.test(status),
    capabilities: capabilitiesOf(status),
    hardLimits: mayRaiseLimits(status) ? null : hardLimits(text("/proc/self/limits")),
    rootless,
    processors: availableParallelism(),
    memoryBytes: Number(/^MemTotal:\s+(\d+)/m.exec(text("/proc/meminfo"))?.[1] ?? 0) * 1024,
  };
}

function architecture(): HostTraits["architecture"] {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw new TsboxError("unsupported", `tsbox runs on x86-64 and arm64, not on ${process.arch}`);
}

/** TMPFS_MAGIC (statfs(2)). */
const tmpfs = 0x01021994;

/** Overlay over id-mapped layers came with Linux 5.19, id-mapped mounts of tmpfs with 6.3 (mount_setattr(2)). */
export function mayBeIdMapped(kernel: string, fileSystem: number): boolean {
  return fileSystem === tmpfs ? isAtLeast(kernel, 6, 3) : isAtLeast(kernel, 5, 19);
}

/** "6.1.0-13-amd64" is at least 6.1. */
export function isAtLeast(kernel: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = kernel.split(/[.-]/, 2).map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

const v1Controllers: readonly CgroupController[] = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "pids",
  "blkio",
  "freezer",
  "devices",
];
const v2Controllers: Readonly<Record<string, CgroupController>> = {
  cpu: "cpu",
  cpuset: "cpuset",
  memory: "memory",
  pids: "pids",
  io: "blkio",
};

/**
 * The hierarchies in which we may make groups, from mountinfo (proc_pid_mountinfo(5)). A hierarchy
 * mounted twice counts once, and one without any controller of ours (name=systemd) not at all;
 * the v2 one always counts, as it can kill and freeze.
 */
export function cgroupHierarchies(host: HostTexts): CgroupHierarchy[] {
  const seen = new Set<CgroupController>();
  return host.mountinfo.split("\n").flatMap((line) => {
    const hierarchy = hierarchyOf(line, host);
    if (hierarchy === null || !host.writable(hierarchy.mount)) return [];
    if (hierarchy.controllers.every((controller) => seen.has(controller))) return [];
    for (const controller of hierarchy.controllers) seen.add(controller);
    return [hierarchy];
  });
}

function hierarchyOf(line: string, host: HostTexts): CgroupHierarchy | null {
  const [before = "", after = ""] = line.split(" - ");
  const mount = unescape(before.split(" ")[4] ?? "") as HostPath;
  const [type, , options = ""] = after.split(" ");
  if (type === "cgroup2") return { version: 2, mount, controllers: ["unified", ...v2(host.controllers(mount))] };
  const words = options.split(",");
  const controllers = v1Controllers.filter((controller) => words.includes(controller));
  return type === "cgroup" && controllers.length > 0 ? { version: 1, mount, controllers } : null;
}

function v2(names: string): CgroupController[] {
  return names
    .trim()
    .split(/\s+/)
    .flatMap((name) => v2Controllers[name] ?? []);
}

/** mountinfo writes blanks and backslashes in octal. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The ids somebody set aside for us in /etc/subuid and /etc/subgid (subuid(5)), the first range of each. */
function subordinateIds(): HostTraits["subordinate"] {
  const user = currentUser();
  const uids = rangeFor(text("/etc/subuid"), user);
  const gids = rangeFor(text("/etc/subgid"), user);
  return uids === null || gids === null ? null : { uids, gids };
}

/** Also for a uid that /etc/passwd does not know. */
function currentUser(): { username: string; uid: number } {
  try {
    return userInfo();
  } catch {
    return { username: "", uid: process.geteuid?.() ?? -1 };
  }
}

export function rangeFor(file: string, user: { username: string; uid: number }): IdRange | null {
  for (const line of file.split("\n")) {
    const [name, start, count] = line.split(":");
    if (name !== user.username && name !== String(user.uid)) continue;
    if (Number(count) > 0) return { start: Number(start), count: Number(count) };
  }
  return null;
}

/** CapBnd of /proc/self/status. */
function capabilitiesOf(status: string): Capability[] {
  const bounding = mask(status, "CapBnd");
  const all = Object.entries(capabilityNumbers) as [Capability, number][];
  return all.filter(([, number]) => (bounding >> BigInt(number)) & 1n).map(([name]) => name);
}

function mayRaiseLimits(status: string): boolean {
  return ((mask(status, "CapEff") >> BigInt(capabilityNumbers.CAP_SYS_RESOURCE)) & 1n) === 1n;
}

function mask(status: string, name: string): bigint {
  return BigInt(`0x${new RegExp(`^${name}:\\s+([0-9a-f]+)`, "m").exec(status)?.[1] ?? "0"}`);
}

const limitNames: Readonly<Record<string, string>> = {
  "Max cpu time": "cpu",
  "Max file size": "fsize",
  "Max data size": "data",
  "Max stack size": "stack",
  "Max core file size": "core",
  "Max resident set": "rss",
  "Max processes": "nproc",
  "Max open files": "nofile",
  "Max locked memory": "memlock",
  "Max address space": "as",
  "Max file locks": "locks",
  "Max pending signals": "sigpending",
  "Max msgqueue size": "msgqueue",
  "Max nice priority": "nice",
  "Max realtime priority": "rtprio",
  "Max realtime timeout": "rttime",
};

/** The hard column of /proc/self/limits; the unlimited ones are left out. */
export function hardLimits(file: string): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const line of file.split("\n")) {
    const [, title = "", , hard] = /^(.*?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
    const name = limitNames[title];
    if (name !== undefined && hard !== "unlimited") limits[name] = Number(hard);
  }
  return limits;
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
