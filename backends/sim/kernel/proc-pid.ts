/**
 * /proc/<pid> (proc(5)): what one process is like, as text, in the formats of Linux 6.1, field for field.
 */
import { Errno } from "../../../core/base/errno.ts";
import { type Capability, capabilityNumbers } from "../../../core/runtime/capabilities.ts";
import { arpText, devText, routeText, tcpText, udpText } from "../net/proc-net.ts";
import { isFrozen, isFrozenHard } from "./cgroup/freezer.ts";
import { cgroupLines } from "./cgroup/proc.ts";
import { idMapFiles } from "./id-map-files.ts";
import { shownIn } from "./ids.ts";
import type { Kernel } from "./kernel.ts";
import { listMounts, type Location, type Mount } from "./mounts.ts";
import type { OpenFile } from "./open-file.ts";
import { isCapable, mayInspect } from "./permission.ts";
import {
  isAlive,
  type Namespaces,
  type NetworkNamespace,
  numberIn,
  type PidNamespace,
  type Process,
} from "./process.ts";
import type { SignalAction } from "./sys.ts";
import { directory, later, setting, symlink, type SyntheticDirectory, type SyntheticNode, text } from "./synthetic.ts";
import { pathOf, statAt } from "./walk.ts";

const ticksPerSecond = 100n;
const nanosPerSecond = 1_000_000_000n;

/** Everything in it is asked of the process when it is read. */
export function processDirectory(kernel: Kernel, pids: PidNamespace, process: Process): SyntheticDirectory {
  const pid = numberIn(pids, process);
  const files = directory({
    cmdline: text(() => process.argv.map((word) => `${word}\0`).join("")),
    comm: text(() => `${process.name}\n`),
    environ: { kind: "file", mode: 0o400, read: () => process.environment.map((entry) => `${entry}\0`).join("") },
    exe: symlink(
      () => executablePath(kernel, process),
      () => (process.executable === null ? null : inspected(kernel, process, process.executable)),
    ),
    cwd: symlink(
      () => nameOfPlace(kernel, process, process.directory),
      () => inspected(kernel, process, process.directory),
    ),
    root: symlink(
      () => nameOfPlace(kernel, process, process.root),
      () => inspected(kernel, process, process.root),
    ),
    cgroup: text(() => cgroupLines(kernel.cgroups, process, reader(kernel))),
    fd: descriptors(process),
    ns: later(() => namespaceLinks(process)),
    stat: text(() => statLine(kernel, pids, process)),
    statm: text(() => `${process.memoryBytes >> 12} ${process.memoryBytes >> 12} 0 0 0 0 0\n`),
    status: text(() => status(kernel, pids, process)),
    mounts: text(() => mountLines(process).join("")),
    mountinfo: text(() => mountinfo(process)),
    ...idMapFiles(process, () => reader(kernel)),
    oom_score_adj: setting(
      () => `${process.oomScore}\n`,
      (value) => setOomScore(kernel, process, value),
    ),
    limits: text(() => limits(process)),
    net: later(() => networkFiles(process.namespaces.network)),
    task: directory({ [String(pid)]: directory({ comm: text(() => `${process.name}\n`) }) }),
  });
  return { ...files, owner: () => ({ uid: process.uid, gid: process.gid }) };
}

/** proc(5): -1000 to 1000; lowering it takes CAP_SYS_RESOURCE. */
function setOomScore(kernel: Kernel, process: Process, text: string): void {
  const score = /^-?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(score) <= 1000)) throw new Errno("EINVAL");
  const isLower = score < process.oomScore;
  if (isLower && !isCapable(reader(kernel), "CAP_SYS_RESOURCE", kernel.userNamespace)) throw new Errno("EACCES");
  process.oomScore = score;
}

/** Who looks: texts tell numbers and ids as that process knows them. */
export function reader(kernel: Kernel): Process {
  return kernel.turns.current ?? kernel.init;
}

function descriptors(process: Process): SyntheticDirectory {
  return {
    kind: "directory",
    mode: 0o500,
    names: () => [...process.fds.keys()].sort((a, b) => a - b).map(String),
    child: (name) => {
      const file = process.fds.get(Number(name));
      return file === undefined
        ? null
        : symlink(
            () => nameOf(process, file),
            () => file,
          );
    },
  };
}

/** "(deleted)" tells that the path leads there no more. */
function nameOf(process: Process, { location, path, channel }: OpenFile): string {
  if (location === null || !process.namespaces.mount.table.mounts.has(location.mount)) return path;
  return marked(pathOf(viewOf(process), location), channel.stat().links);
}

function marked(path: string, links: number): string {
  return links === 0 ? `${path} (deleted)` : path;
}

/** A place of a process as whoever reads sees it, for those only who might trace the process (proc(5)). EACCES. */
function inspected(kernel: Kernel, process: Process, place: Location): Location {
  const by = reader(kernel);
  if (by !== process && !mayInspect(by, process)) throw new Errno("EACCES");
  return { table: process.namespaces.mount.table, ...place };
}

/** From the reader's root; in another mount namespace, from that one's. */
function nameOfPlace(kernel: Kernel, process: Process, place: Location): string {
  const by = viewOf(reader(kernel));
  const seen = inspected(kernel, process, place);
  return marked(pathOf(by, seen), statAt(by.table, seen).links);
}

/** ENOENT for what is no program's process. */
function executablePath(kernel: Kernel, process: Process): string {
  if (process.executable === null) throw new Errno("ENOENT");
  return nameOfPlace(kernel, process, process.executable);
}

function namespaceLinks({ namespaces, childPids }: Process): SyntheticDirectory {
  const { mount, uts, ipc, pid, network, cgroup, user, time } = namespaces;
  const kinds = { mnt: mount, uts, ipc, pid, net: network, cgroup, user, time };
  const links = Object.entries(kinds).map(([kind, { number }]): [string, SyntheticNode] => [
    kind,
    symlink(() => `${kind}:[${number}]`),
  ]);
  const forChildren: [string, SyntheticNode][] = [
    ["pid_for_children", symlink(() => `pid:[${childPids.number}]`)],
    ["time_for_children", symlink(() => `time:[${time.number}]`)],
  ];
  return directory(Object.fromEntries([...links, ...forChildren]));
}

function statLine(kernel: Kernel, pids: PidNamespace, process: Process): string {
  const parent = process.parent === null ? 0 : numberIn(pids, process.parent);
  const outer = (pid: number): number => {
    const found = kernel.processes.get(pid);
    return found === undefined ? 0 : numberIn(pids, found);
  };
  const ticks = (process.cpuNanos * ticksPerSecond) / nanosPerSecond;
  const started = ((process.startedAt - kernel.options.now) * ticksPerSecond) / nanosPerSecond;
  const terminal = process.terminal === null ? 0 : 34816;
  const head = [
    numberIn(pids, process),
    `(${process.name})`,
    stateLetter(process),
    parent,
    outer(process.group),
    outer(process.session),
    terminal,
    -1,
    0,
  ];
  const times = [0, 0, 0, 0, ticks, 0, 0, 0, 20 + process.nice, process.nice, 1, 0, started];
  const memory = [process.memoryBytes, process.memoryBytes >> 12];
  return `${[...head, ...times, ...memory, ...Array.from({ length: 28 }, () => 0)].join(" ")}\n`;
}

function status(kernel: Kernel, pids: PidNamespace, process: Process): string {
  const { permitted, effective, bounding, inheritable, ambient } = process.capabilities;
  const { user } = reader(kernel).namespaces;
  const lines: [string, string | number][] = [
    ["Name", process.name],
    ["Umask", process.umask.toString(8).padStart(4, "0")],
    ["State", `${stateLetter(process)} (${stateWords[stateLetter(process)]})`],
    ["Tgid", numberIn(pids, process)],
    ["Pid", numberIn(pids, process)],
    ["PPid", process.parent === null ? 0 : numberIn(pids, process.parent)],
    ["TracerPid", process.trace === null ? 0 : numberIn(pids, process.trace.tracer)],
    [
      "Uid",
      idsOf(process, "uid")
        .map((id) => shownIn(user, "uids", id))
        .join("\t"),
    ],
    [
      "Gid",
      idsOf(process, "gid")
        .map((id) => shownIn(user, "gids", id))
        .join("\t"),
    ],
    ["Groups", `${process.groups.map((id) => shownIn(user, "gids", id)).join(" ")} `],
    ["NSpid", namespacePids(pids, process)],
    ["VmRSS", `${String(process.memoryBytes >> 10).padStart(8)} kB`],
    ["Threads", 1],
    ["SigPnd", signalMask(process.pendingSignals.keys())],
    ["ShdPnd", signalMask([])],
    ["SigBlk", signalMask([])],
    ["SigIgn", signalMask(actionsOf(process, (action) => action === "ignore"))],
    ["SigCgt", signalMask(actionsOf(process, (action) => typeof action === "function"))],
    ["CapInh", mask(inheritable)],
    ["CapPrm", mask(permitted)],
    ["CapEff", mask(effective)],
    ["CapBnd", mask(bounding)],
    ["CapAmb", mask(ambient)],
    ["NoNewPrivs", process.noNewPrivileges ? 1 : 0],
    ["Seccomp", process.refusedCalls === null ? 0 : 2],
    ["Seccomp_filters", process.refusedCalls === null ? 0 : 1],
  ];
  return lines.map(([name, value]) => `${name}:\t${value}\n`).join("");
}

/** The real, effective and saved one, and the file system's. */
function idsOf(process: Process, kind: "uid" | "gid"): number[] {
  return [process.real[kind], process[kind], process.saved[kind], process[kind]];
}

function actionsOf({ actions }: Process, fits: (action: SignalAction) => boolean): number[] {
  return [...actions].flatMap(([signal, action]) => (fits(action) ? [signal] : []));
}

function signalMask(signals: Iterable<number>): string {
  const bits = [...signals].reduce((sum, signal) => sum | (1n << BigInt(signal - 1)), 0n);
  return bits.toString(16).padStart(16, "0");
}

const stateWords = { R: "running", S: "sleeping", D: "disk sleep", T: "stopped", Z: "zombie" } as const;

function stateLetter(process: Process): keyof typeof stateWords {
  if (!isAlive(process)) return "Z";
  if (process.state === "stopped") return "T";
  if (isFrozenHard(process)) return "D";
  if (isFrozen(process)) return "S";
  return process.state === "ready" ? "R" : "S";
}

function namespacePids(pids: PidNamespace, process: Process): string {
  const numbers = [...process.numbers];
  const from = numbers.findIndex(([namespace]) => namespace === pids);
  return numbers
    .slice(0, from + 1)
    .reverse()
    .map(([, number]) => number)
    .join("\t");
}

/** Most processes have the very same sets. */
const masks = new WeakMap<readonly Capability[], string>();

function mask(capabilities: readonly Capability[]): string {
  const known = masks.get(capabilities) ?? maskOf(capabilities);
  masks.set(capabilities, known);
  return known;
}

function maskOf(capabilities: readonly Capability[]): string {
  const bits = capabilities.reduce((sum, capability) => sum | (1n << BigInt(capabilityNumbers[capability])), 0n);
  return bits.toString(16).padStart(16, "0");
}

function mountLines(process: Process): string[] {
  return listMounts(process.namespaces.mount.table).map((mount) => {
    return `${mount.source === "" ? "none" : mount.source} ${placeOf(process, mount)} ${mount.type} ${flagsOf(mount)}${mount.options === "" ? "" : `,${mount.options}`} 0 0\n`;
  });
}

function mountinfo(process: Process): string {
  return listMounts(process.namespaces.mount.table)
    .map((mount) => {
      const parent = mount.on?.mount ?? mount.id;
      const tail = `- ${mount.type} ${mount.source === "" ? "none" : mount.source} ${flagsOf(mount).split(",")[0]}${mount.options === "" ? "" : `,${mount.options}`}`;
      return `${mount.id} ${parent} 0:${mount.id} / ${placeOf(process, mount)} ${flagsOf(mount)}${sharingOf(mount)} ${tail}\n`;
    })
    .join("");
}

/** The optional fields of mountinfo, proc(5). */
function sharingOf({ sharing: { group, master, unbindable } }: Mount): string {
  const fields = [
    group !== null && `shared:${group}`,
    master !== null && `master:${master}`,
    unbindable && "unbindable",
  ];
  return fields
    .filter((field) => field !== false)
    .map((field) => ` ${field}`)
    .join("");
}

function placeOf(process: Process, mount: Mount): string {
  return mount.on === null ? "/" : pathOf(viewOf(process), { mount: mount.id, inode: mount.root });
}

function viewOf(process: Process): { table: Namespaces["mount"]["table"]; root: Process["root"] } {
  return { table: process.namespaces.mount.table, root: process.root };
}

/** As the kernel lists them (show_mnt_opts, fs/proc_namespace.c). */
const flagOrder = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"] as const;

function flagsOf(mount: Mount): string {
  return [mount.flags.has("ro") ? "ro" : "rw", ...flagOrder.filter((flag) => mount.flags.has(flag))].join(",");
}

/** [row of proc(5), resource, unit, soft and hard by default], in the kernel's order (fs/proc/base.c). */
const limitRows = [
  ["Max cpu time", "cpu", "seconds", -1, -1],
  ["Max file size", "fsize", "bytes", -1, -1],
  ["Max data size", "data", "bytes", -1, -1],
  ["Max stack size", "stack", "bytes", 8_388_608, -1],
  ["Max core file size", "core", "bytes", 0, -1],
  ["Max resident set", "rss", "bytes", -1, -1],
  ["Max processes", "nproc", "processes", -1, -1],
  ["Max open files", "nofile", "files", 1024, 1_048_576],
  ["Max locked memory", "memlock", "bytes", 8_388_608, 8_388_608],
  ["Max address space", "as", "bytes", -1, -1],
  ["Max file locks", "locks", "locks", -1, -1],
  ["Max pending signals", "sigpending", "signals", -1, -1],
  ["Max msgqueue size", "msgqueue", "bytes", 819_200, 819_200],
  ["Max nice priority", "nice", "", 0, 0],
  ["Max realtime priority", "rtprio", "", 0, 0],
  ["Max realtime timeout", "rttime", "us", -1, -1],
] as const;

function limits(process: Process): string {
  const shown = (value: number): string => (value === -1 ? "unlimited" : String(value)).padEnd(21);
  const rows = limitRows.map(([name, resource, unit, soft, hard]) => {
    const own = process.limits.get(resource) ?? { soft, hard };
    return `${name.padEnd(26)}${shown(own.soft)}${shown(own.hard)}${unit.padEnd(10)}`;
  });
  const header = `${"Limit".padEnd(26)}${"Soft Limit".padEnd(21)}${"Hard Limit".padEnd(21)}${"Units".padEnd(10)}`;
  return `${[header, ...rows].join("\n")}\n`;
}

function networkFiles({ stack }: NetworkNamespace): SyntheticDirectory {
  return directory({
    arp: text(() => arpText(stack)),
    dev: text(() => devText(stack)),
    route: text(() => routeText(stack)),
    tcp: text(() => tcpText(stack)),
    udp: text(() => udpText(stack)),
  });
}
