/**
 * What a container gets when nobody says otherwise: Docker's defaults as data. The sources are
 * moby's oci/defaults.go, daemon/oci_linux.go and daemon/oci/… for the paths, and the OCI
 * runtime-spec's config-linux.md ("Default Devices", "Default Filesystems") for /dev.
 */
import type { SpecDevice, SpecDeviceRule, SpecMount } from "./spec.ts";

export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** 64 MiB, docker's --shm-size. */
export const defaultShmBytes = 64 * 1024 * 1024;

/** The parent of containers' cgroups unless the machine is given another. */
export const defaultCgroupParent = "tsbox";

/** The file systems of every container; /dev/shm's size is the container's own. */
export const defaultMounts: readonly SpecMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"] },
  { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "noexec", "nodev"] },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777"] },
];

/** Kernel state that a container may not even read. */
export const defaultMaskedPaths: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** Kernel settings that a container may read and not change. */
export const defaultReadonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Kept per network namespace, so harmless: every user may ping and bind low ports (moby, since 20.10). */
export const defaultNetworkSysctls: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

function character(path: string, major: number, minor: number): SpecDevice {
  return { source: path, path, type: "c", major, minor, fileMode: 0o666 };
}

export const defaultDevices: readonly SpecDevice[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

/** Names that programs expect in /dev (runtime-spec, runtime-linux.md "Dev symbolic links"). */
export const deviceSymlinks: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/core", "/proc/kcore"],
  ["/dev/ptmx", "pts/ptmx"],
];

function rule(type: "c" | "b", major: number | null, minor: number | null, access: string): SpecDeviceRule {
  return { allow: true, type, major, minor, access };
}

export const denyAllDevices: SpecDeviceRule = { allow: false, type: "a", major: null, minor: null, access: "rwm" };
export const allowAllDevices: SpecDeviceRule = { allow: true, type: "a", major: null, minor: null, access: "rwm" };

/** Any node may be made (it is inert); these may be opened: /dev/null … /dev/tty, console, ptmx and the ptys. */
export const defaultDeviceRules: readonly SpecDeviceRule[] = [
  denyAllDevices,
  rule("c", null, null, "m"),
  rule("b", null, null, "m"),
  rule("c", 1, 3, "rwm"),
  rule("c", 1, 5, "rwm"),
  rule("c", 1, 7, "rwm"),
  rule("c", 1, 8, "rwm"),
  rule("c", 1, 9, "rwm"),
  rule("c", 5, 0, "rwm"),
  rule("c", 5, 1, "rwm"),
  rule("c", 5, 2, "rwm"),
  rule("c", 136, null, "rwm"),
];
