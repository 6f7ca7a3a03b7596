/**
 * /proc (proc(5)): what a pid namespace's processes and the kernel look like, as text. Formats are
 * those of Linux 6.1, field for field, so that programs which parse them need not know where they run.
 */
import { capabilityNumbers } from "../../../core/runtime/capabilities.ts";
import type { Stack } from "../net/stack.ts";
import { memoryTotalBytes } from "./cgroup/group.ts";
import { cgroupTable } from "./cgroup/proc.ts";
import { ipcSettings, queueSettings, sysvipc } from "./ipc/proc.ts";
import type { Kernel } from "./kernel.ts";
import { processDirectory, reader } from "./proc-pid.ts";
import { numberIn, type PidNamespace, type Process } from "./process.ts";
import { directory, setting, symlink, Synthetic, type SyntheticDirectory, text } from "./synthetic.ts";

const nanosPerSecond = 1_000_000_000n;
export const release = "6.12.0-tsbox";

export function procfs(kernel: Kernel, pids: PidNamespace): Synthetic {
  return new Synthetic(top(kernel, pids), () => kernel.turns.now, "proc");
}

function top(kernel: Kernel, pids: PidNamespace): SyntheticDirectory {
  const fixed = generalOf(kernel);
  const self = (): string => (kernel.turns.current === null ? "" : String(numberIn(pids, kernel.turns.current)));
  const own = directory({ self: symlink(self), "thread-self": symlink(() => `${self()}/task/${self()}`) });
  const known = new WeakMap<Process, SyntheticDirectory>();
  const directoryOf = (process: Process): SyntheticDirectory => {
    const files = known.get(process) ?? processDirectory(kernel, pids, process);
    known.set(process, files);
    return files;
  };
  const visible = (): Process[] => [...kernel.processes.values()].filter((process) => numberIn(pids, process) !== 0);
  return {
    kind: "directory",
    names: () => [...visible().map((process) => String(numberIn(pids, process))), ...own.names(), ...fixed.names()],
    child: (name) => {
      const process = /^[1-9]\d*$/.test(name) ? kernel.find(pids, Number(name)) : null;
      return process === null ? (own.child(name) ?? fixed.child(name)) : directoryOf(process);
    },
  };
}

const generals = new WeakMap<Kernel, SyntheticDirectory>();

/** What is the same in every pid namespace. */
function generalOf(kernel: Kernel): SyntheticDirectory {
  const known = generals.get(kernel) ?? general(kernel);
  generals.set(kernel, known);
  return known;
}

function general(kernel: Kernel): SyntheticDirectory {
  return directory({
    mounts: symlink(() => "self/mounts"),
    net: symlink(() => "self/net"),
    cgroups: text(() => cgroupTable(kernel.cgroups)),
    cmdline: text(() => "tsbox.simulated\n"),
    cpuinfo: text(() => "processor\t: 0\nvendor_id\t: tsbox\nmodel name\t: simulated processor\n\n"),
    filesystems: text(
      () =>
        "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup\nnodev\tcgroup2\nnodev\tdevtmpfs\nnodev\tdevpts\nnodev\tmqueue\nnodev\toverlay\n",
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
    sysvipc: sysvipc(
      () => reader(kernel),
      (pid) => kernel.processes.get(pid) ?? null,
    ),
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
      ...ipcSettings(() => reader(kernel)),
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
    fs: directory({ mqueue: queueSettings(() => reader(kernel)) }),
    net: directory({ ipv4: networkSettings(kernel) }),
    vm: directory({ overcommit_memory: text(() => "0\n") }),
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
    `${`${name}:`.padEnd(15)} ${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`;
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
