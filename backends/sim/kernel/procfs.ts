/**
 * /proc (proc(5)): what a pid namespace's processes and the kernel look like, as text. Formats are
 * those of Linux 6.1, field for field, so that programs which parse them need not know where they run.
 */
import { arpText, devText, routeText, tcpText, udpText } from "../net/proc-net.ts";
import type { Stack } from "../net/stack.ts";
import { capabilityNumbers, type Capability } from "../../../core/runtime/capabilities.ts";
import type { IdMapping } from "../../../core/runtime/plan.ts";
import { cgroupPath, memoryTotalBytes } from "./cgroup.ts";
import type { Kernel } from "./kernel.ts";
import { listMounts, type Mount } from "./mounts.ts";
import {
  isAlive,
  numberIn,
  type Namespaces,
  type NetworkNamespace,
  type PidNamespace,
  type Process,
} from "./process.ts";
import {
  directory,
  setting,
  symlink,
  Synthetic,
  text,
  type SyntheticDirectory,
  type SyntheticNode,
} from "./synthetic.ts";
import { pathOf } from "./walk.ts";

const ticksPerSecond = 100n;
const nanosPerSecond = 1_000_000_000n;
export const release = "6.12.0-tsbox";

export function procfs(kernel: Kernel, pids: PidNamespace): Synthetic {
  return new Synthetic(top(kernel, pids), () => kernel.turns.now);
}

function top(kernel: Kernel, pids: PidNamespace): SyntheticDirectory {
  const fixed = general(kernel, pids);
  const visible = (): Process[] => [...kernel.processes.values()].filter((process) => numberIn(pids, process) !== 0);
  return {
    kind: "directory",
    names: () => [...visible().map((process) => String(numberIn(pids, process))), ...fixed.names()],
    child: (name) => {
      const process = /^[1-9]\d*$/.test(name) ? kernel.find(pids, Number(name)) : null;
      return process === null ? fixed.child(name) : ofProcess(kernel, pids, process);
    },
  };
}

function general(kernel: Kernel, pids: PidNamespace): SyntheticDirectory {
  const self = (): string => (kernel.turns.current === null ? "" : String(numberIn(pids, kernel.turns.current)));
  return directory({
    self: symlink(self),
    "thread-self": symlink(() => `${self()}/task/${self()}`),
    mounts: symlink(() => "self/mounts"),
    net: symlink(() => "self/net"),
    cmdline: text(() => "tsbox.simulated\n"),
    cpuinfo: text(() => "processor\t: 0\nvendor_id\t: tsbox\nmodel name\t: simulated processor\n\n"),
    filesystems: text(
      () => "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevpts\nnodev\tmqueue\nnodev\toverlay\n",
    ),
    loadavg: text(() => `0.00 0.00 0.00 1/${kernel.processes.size} ${kernel.init.namespaces.pid.next - 1}\n`),
    meminfo: text(() => meminfo(kernel)),
    stat: text(
      () => `cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime ${kernel.options.now / nanosPerSecond}\n`,
    ),
    uptime: text(() => `${seconds(kernel.turns.now - kernel.options.now)} 0.00\n`),
    version: text(() => `Linux version ${release} (tsbox) #1 simulated\n`),
    kcore: text(() => ""),
    keys: text(() => ""),
    timer_list: text(() => ""),
    "sysrq-trigger": setting(
      () => "",
      () => {},
    ),
    acpi: directory({}),
    scsi: directory({}),
    bus: directory({}),
    fs: directory({}),
    irq: directory({}),
    sys: settings(kernel),
  });
}

function settings(kernel: Kernel): SyntheticDirectory {
  const uts = (): Process["namespaces"]["uts"] => (kernel.turns.current ?? kernel.init).namespaces.uts;
  return directory({
    kernel: directory({
      hostname: setting(
        () => `${uts().hostname}\n`,
        (value) => {
          uts().hostname = value.trim();
        },
      ),
      domainname: setting(
        () => `${uts().domainname}\n`,
        (value) => {
          uts().domainname = value.trim();
        },
      ),
      osrelease: text(() => `${release}\n`),
      ostype: text(() => "Linux\n"),
      pid_max: text(() => "4194304\n"),
      cap_last_cap: text(() => `${Object.keys(capabilityNumbers).length - 1}\n`),
      sysrq: setting(
        () => "0\n",
        () => {},
      ),
      random: directory({ boot_id: text(() => "00000000-0000-4000-8000-000000000001\n") }),
    }),
    net: directory({ ipv4: networkSettings(kernel) }),
    vm: directory({ overcommit_memory: text(() => "0\n") }),
  });
}

function ofProcess(kernel: Kernel, pids: PidNamespace, process: Process): SyntheticDirectory {
  const pid = numberIn(pids, process);
  return directory({
    cmdline: text(() => process.argv.map((word) => `${word}\0`).join("")),
    comm: text(() => `${process.name}\n`),
    environ: { kind: "file", mode: 0o400, read: () => process.environment.map((entry) => `${entry}\0`).join("") },
    exe: symlink(() => process.executable),
    cwd: symlink(() => pathOf(viewOf(process), process.directory)),
    root: symlink(() => "/"),
    cgroup: text(() => `0::${cgroupPath(process.cgroup, reader(kernel).namespaces.cgroup.root)}\n`),
    fd: descriptors(process),
    ns: namespaceLinks(process.namespaces),
    stat: text(() => statLine(kernel, pids, process)),
    statm: text(() => `${process.memoryBytes >> 12} ${process.memoryBytes >> 12} 0 0 0 0 0\n`),
    status: text(() => status(kernel, pids, process)),
    mounts: text(() => mountLines(process).join("")),
    mountinfo: text(() => mountinfo(process)),
    uid_map: idMap(() => process.namespaces.user.uids),
    gid_map: idMap(() => process.namespaces.user.gids),
    oom_score_adj: setting(
      () => `${process.oomScore}\n`,
      (value) => {
        process.oomScore = Number(value);
      },
    ),
    limits: text(() => limits(process)),
    net: networkFiles(process.namespaces.network),
    task: directory({ [String(pid)]: directory({ comm: text(() => `${process.name}\n`) }) }),
  });
}

function reader(kernel: Kernel): Process {
  return kernel.turns.current ?? kernel.init;
}

function descriptors(process: Process): SyntheticDirectory {
  return {
    kind: "directory",
    names: () => [...process.fds.keys()].sort((a, b) => a - b).map(String),
    child: (name) => {
      const file = process.fds.get(Number(name));
      return file === undefined ? null : symlink(() => file.path);
    },
  };
}

function namespaceLinks(namespaces: Namespaces): SyntheticDirectory {
  const { mount, uts, ipc, pid, network, cgroup, user, time } = namespaces;
  const kinds = { mnt: mount, uts, ipc, pid, net: network, cgroup, user, time };
  const links = Object.entries(kinds).map(([kind, { number }]): [string, SyntheticNode] => [
    kind,
    symlink(() => `${kind}:[${number}]`),
  ]);
  return directory(Object.fromEntries(links));
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
  const times = [0, 0, 0, 0, ticks, 0, 0, 0, 20, 0, 1, 0, started];
  const memory = [process.memoryBytes, process.memoryBytes >> 12];
  return `${[...head, ...times, ...memory, ...Array.from({ length: 28 }, () => 0)].join(" ")}\n`;
}

function status(kernel: Kernel, pids: PidNamespace, process: Process): string {
  const { permitted, effective, bounding, inheritable, ambient } = process.capabilities;
  const lines: [string, string | number][] = [
    ["Name", process.name],
    ["Umask", process.umask.toString(8).padStart(4, "0")],
    ["State", `${stateLetter(process)} (${stateWords[stateLetter(process)]})`],
    ["Tgid", numberIn(pids, process)],
    ["Pid", numberIn(pids, process)],
    ["PPid", process.parent === null ? 0 : numberIn(pids, process.parent)],
    ["Uid", Array.from({ length: 4 }, () => process.uid).join("\t")],
    ["Gid", Array.from({ length: 4 }, () => process.gid).join("\t")],
    ["Groups", `${process.groups.join(" ")} `],
    ["NSpid", namespacePids(pids, process)],
    ["VmRSS", `${String(process.memoryBytes >> 10).padStart(8)} kB`],
    ["Threads", 1],
    ["SigPnd", "0000000000000000"],
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

const stateWords = { R: "running", S: "sleeping", T: "stopped", Z: "zombie" } as const;

function stateLetter(process: Process): keyof typeof stateWords {
  if (!isAlive(process)) return "Z";
  if (process.state === "stopped") return "T";
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

function mask(capabilities: readonly Capability[]): string {
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
      return `${mount.id} ${parent} 0:${mount.id} / ${placeOf(process, mount)} ${flagsOf(mount)} ${tail}\n`;
    })
    .join("");
}

function placeOf(process: Process, mount: Mount): string {
  return mount.on === null ? "/" : pathOf(viewOf(process), { mount: mount.id, inode: mount.root });
}

function viewOf(process: Process): { table: Namespaces["mount"]["table"]; root: Process["root"] } {
  return { table: process.namespaces.mount.table, root: process.root };
}

function flagsOf(mount: Mount): string {
  return [mount.flags.has("ro") ? "ro" : "rw", ...[...mount.flags].filter((flag) => flag !== "ro").sort()].join(",");
}

function idMap(maps: () => readonly IdMapping[]): SyntheticNode {
  const column = (number: number): string => String(number).padStart(10);
  return text(() =>
    maps()
      .map(({ inside, outside, count }) => `${column(inside)} ${column(outside)} ${column(count)}\n`)
      .join(""),
  );
}

function limits(process: Process): string {
  const rows = [...process.limits].map(
    ([name, { soft, hard }]) => `Max ${name}`.padEnd(26) + String(soft).padEnd(21) + String(hard).padEnd(21),
  );
  return `${["Limit".padEnd(26) + "Soft Limit".padEnd(21) + "Hard Limit".padEnd(21), ...rows].join("\n")}\n`;
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

/** /proc/sys/net/ipv4, of the namespace of whoever looks. */
function networkSettings(kernel: Kernel): SyntheticDirectory {
  const settings = (): Stack["settings"] => reader(kernel).namespaces.network.stack.settings;
  return directory({
    ip_forward: setting(
      () => `${Number(settings().forward)}\n`,
      (value) => {
        settings().forward = value.trim() !== "0";
      },
    ),
    ip_unprivileged_port_start: setting(
      () => `${settings().firstUnprivilegedPort}\n`,
      (value) => {
        settings().firstUnprivilegedPort = Number(value);
      },
    ),
    ping_group_range: setting(
      () => `${settings().pingGroups.join("\t")}\n`,
      (value) => {
        const [first = 1, last = 0] = value.trim().split(/\s+/).map(Number);
        settings().pingGroups = [first, last];
      },
    ),
  });
}

function meminfo(kernel: Kernel): string {
  const used = [...kernel.processes.values()].reduce((sum, process) => sum + process.memoryBytes, 0);
  const line = (name: string, bytes: number): string =>
    `${`${name}:`.padEnd(15)} ${String(bytes >> 10).padStart(8)} kB\n`;
  const free = memoryTotalBytes - used;
  return (
    line("MemTotal", memoryTotalBytes) +
    line("MemFree", free) +
    line("MemAvailable", free) +
    line("Buffers", 0) +
    line("Cached", 0) +
    line("SwapTotal", 0) +
    line("SwapFree", 0)
  );
}

function seconds(nanos: bigint): string {
  return `${nanos / nanosPerSecond}.${String((nanos % nanosPerSecond) / 10_000_000n).padStart(2, "0")}`;
}
