/** One op of every kind, and one request of every kind: what the tests of the wire are fed with. */
import type { ContainerId, ContainerPath, HostPath } from "../../../core/base/brand.ts";
import type { Cgroup, ChildOp, HostOp, IdMaps, Join, Op, Overlay } from "../../../core/runtime/plan.ts";
import type { Request } from "../wire/request.ts";

const host = (path: string): HostPath => path as HostPath;
const inside = (path: string): ContainerPath => path as ContainerPath;
const cgroup: Cgroup = { controller: "memory", mount: host("/sys/fs/cgroup/memory"), path: "tsbox/1" };
const join: Join = { container: "1" as ContainerId, namespaces: ["pid", "mount"] };
const maps = [
  { inside: 0, outside: 100000, count: 65536 },
  { inside: 65536, outside: 300000, count: 1 },
];
const idMaps: IdMaps = { uids: maps, gids: maps };

const overlay: Overlay = {
  op: "overlay",
  lowers: [host("/l/1"), host("/l/2")],
  upper: host("/u"),
  work: host("/w"),
  target: host("/m"),
  via: "fsopen",
  idMaps,
  flags: ["nodev"],
};

const childOps: readonly ChildOp[] = [
  { op: "cgroup.join", cgroup },
  { op: "unshare", namespaces: ["cgroup"] },
  { op: "enter", join },
  { op: "propagation", path: host("/"), mode: "rslave" },
  overlay,
  { op: "mount", type: "tmpfs", source: "tmpfs", target: inside("/dev"), flags: ["nosuid"], options: "mode=755" },
  {
    op: "bind",
    source: host("/s"),
    target: inside("/t"),
    recursive: true,
    flags: ["ro", "noatime"],
    propagation: "rprivate",
  },
  { op: "directory", path: inside("/d"), mode: 0o755 },
  { op: "file", path: inside("/f"), mode: 0o644 },
  { op: "device", path: inside("/dev/null"), type: "character", major: 1, minor: 3, mode: 0o666 },
  { op: "symlink", path: inside("/dev/fd"), target: "/proc/self/fd" },
  { op: "pivot", root: host("/m") },
  { op: "mask", path: inside("/proc/kcore") },
  { op: "readonly", path: inside("/proc/sys") },
  { op: "hostname", name: "h" },
  { op: "domainname", name: "d" },
  { op: "sysctl", name: "net.ipv4.ip_unprivileged_port_start", value: "0" },
  { op: "link.up", device: "lo" },
  { op: "session" },
  { op: "terminal", rows: 24, columns: 80, console: true },
  { op: "oom.score", value: -5 },
  { op: "rlimit", resource: "RLIMIT_NOFILE", soft: 1024, hard: -1 },
  { op: "descriptors.close", from: 3 },
  { op: "umask", mask: 0o022 },
  { op: "user", uid: 1, gid: 2, groups: [3, 4] },
  { op: "directory.enter", path: inside("/") },
  {
    op: "capabilities",
    bounding: ["CAP_CHOWN"],
    permitted: ["CAP_CHOWN"],
    effective: [],
    inheritable: [],
    ambient: [],
  },
  { op: "no.new.privileges" },
  { op: "seccomp", profile: { name: "default", defaultAction: "errno", defaultErrno: 1, rules: [] } },
  { op: "gate" },
  { op: "exec", candidates: [inside("/bin/true")], argv: ["true", "é", ""], environment: ["A=1"] },
];

const hostOps: readonly Exclude<HostOp, { op: "spawn" }>[] = [
  { op: "directory.make", path: host("/d"), mode: 0o755 },
  { op: "directory.remove", path: host("/d") },
  { op: "cgroup.make", cgroup },
  { op: "cgroup.set", cgroup, file: "memory.limit_in_bytes", value: "1" },
  { op: "cgroup.kill", cgroup },
  { op: "cgroup.remove", cgroup },
];

const spawn: HostOp = { op: "spawn", create: ["mount", "pid", "network"], join, idMaps, child: childOps };

export function everyOp(): readonly Op[] {
  return [...hostOps, spawn, ...childOps];
}

export function everyRequest(): readonly Request[] {
  const stdio = { terminal: true, stdin: true, stdinOnce: true, log: host("/log"), exit: host("/exit") };
  return [
    {
      kind: "perform",
      plan: { steps: [...hostOps, spawn] },
      stdio,
      socket: host("/s"),
      resolve: () => ({ pid: 7, startTime: 1n << 40n }),
      seccomp: () => new Uint8Array(16),
    },
    { kind: "carry-out", plan: { steps: hostOps } },
    { kind: "tree", root: host("/root"), socket: host("/s") },
    { kind: "remove-tree", path: host("/root") },
    { kind: "read-tree", union: { ...overlay, upper: host(""), work: host("") }, socket: host("/s") },
    {
      kind: "view",
      socket: host("/s"),
      view: childOps.filter(({ op }) => op !== "seccomp"),
      resolve: () => ({ pid: 7, startTime: 1n << 40n }),
    },
  ];
}
