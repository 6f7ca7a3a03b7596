/** What mount(2) can make, by type: memory trees, and the kernel's own views. */
import type { Device } from "../net/device.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";
import { Overlay } from "../../../core/unionfs/overlay.ts";
import { Tree } from "../../../core/unionfs/tree.ts";
import type { Limits } from "../../../core/unionfs/usage.ts";
import { Cgroupfs, checkUnifiedOptions, legacyOptions } from "./cgroup/cgroupfs.ts";
import { memoryTotalBytes } from "./cgroup/group.ts";
import { namespaceRoot } from "./cgroup/proc.ts";
import { Devpts } from "./devpts.ts";
import { queueDirectory } from "./ipc/queues.ts";
import { meantBy } from "./ids.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import type { Mount } from "./mounts.ts";
import { procfs } from "./procfs.ts";
import type { FileSystemStat } from "./sys.ts";
import { directory, Synthetic, text, type SyntheticDirectory } from "./synthetic.ts";

const pageBytes = 4096;

/** ENODEV for a type the kernel does not know. Overlays are made of what is there already: overlay-mount.ts. */
export function makeFileSystem(
  kernel: Kernel,
  process: Process,
  type: string,
  options: string,
): { fileSystem: FileSystem; root: Inode } {
  const fileSystem = ofType(kernel, process, type, options);
  return { fileSystem, root: fileSystem.root };
}

function ofType(kernel: Kernel, process: Process, type: string, options: string): FileSystem {
  switch (type) {
    case "proc":
      return procfs(kernel, process.namespaces.pid);
    case "sysfs":
      return new Synthetic(sysfs(process), () => kernel.turns.now);
    case "cgroup2":
      checkUnifiedOptions(options);
      return new Cgroupfs(kernel, namespaceRoot(process, kernel.cgroups.unified));
    case "cgroup":
      return legacyCgroupfs(kernel, process, options);
    case "mqueue":
      return new Synthetic(queueDirectory(process.namespaces.ipc, kernel), () => kernel.turns.now, "mqueue");
    case "tmpfs":
    case "devtmpfs":
      return memoryTree(kernel, process, options);
    case "devpts":
      return new Devpts(
        () => kernel.turns.now,
        Number.parseInt(/(?:^|,)ptmxmode=([0-7]+)/.exec(options)?.[1] ?? "0", 8),
      );
    default:
      throw new Errno("ENODEV", type);
  }
}

function legacyCgroupfs(kernel: Kernel, process: Process, options: string): Cgroupfs {
  const isFirst = process.namespaces.cgroup === kernel.init.namespaces.cgroup;
  kernel.sweepCgroups();
  const hierarchy = kernel.cgroups.mountLegacy(legacyOptions(options), isFirst);
  return new Cgroupfs(kernel, namespaceRoot(process, hierarchy));
}

/** What statfs(2) says: of a union it is what its upper tree has. */
export function statFileSystemOf({ type, fileSystem }: Mount): FileSystemStat {
  const tree = fileSystem instanceof Overlay ? fileSystem.upper : fileSystem;
  if (!(tree instanceof Tree)) return { type, totalBytes: 0, freeBytes: 0 };
  const { limits, usage } = tree;
  const totalBytes = limits.bytes ?? 0;
  return { type, totalBytes, freeBytes: Math.max(0, totalBytes - usage.pages * pageBytes) };
}

function sizeOf(count: number, unit: string): number {
  if (unit === "%") return Math.floor((memoryTotalBytes * count) / 100);
  return count * ({ k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit] ?? 1);
}

/** tmpfs(5): half of the memory and an inode for two pages, or "size=" in bytes or parts of the memory, "nr_inodes="; 0 is no limit. */
function limitsOf(options: string): Limits {
  const size = /(?:^|,)size=(\d+)([kmg%]?)/i.exec(options);
  const bytes = size === null ? memoryTotalBytes / 2 : sizeOf(Number(size[1]), (size[2] ?? "").toLowerCase());
  const inodes = Number(/(?:^|,)nr_inodes=(\d+)/.exec(options)?.[1] ?? memoryTotalBytes / pageBytes / 2);
  return { ...(bytes === 0 ? {} : { bytes }), ...(inodes === 0 ? {} : { inodes }) };
}

/** tmpfs(5): its root is the mounter's, unless the options say whose, and everybody writes to it. */
function memoryTree(kernel: Kernel, process: Process, options: string): Tree {
  const tree = new Tree(() => kernel.turns.now, limitsOf(options));
  const mode = /(?:^|,)mode=([0-7]+)/.exec(options)?.[1];
  tree.setAttributes(tree.root, {
    mode: mode === undefined ? 0o1777 : Number.parseInt(mode, 8),
    uid: ownerIn(process, "uids", options) ?? process.uid,
    gid: ownerIn(process, "gids", options) ?? process.gid,
  });
  return tree;
}

/** EINVAL for an id that the user namespace does not map. */
function ownerIn({ namespaces }: Process, kind: "uids" | "gids", options: string): number | null {
  const id = (kind === "uids" ? /(?:^|,)uid=(\d+)/ : /(?:^|,)gid=(\d+)/).exec(options)?.[1];
  if (id === undefined) return null;
  const meant = meantBy(namespaces.user, kind, Number(id));
  if (meant === null) throw new Errno("EINVAL");
  return meant;
}

/** IFF_UP, IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST (netdevice(7)). */
const deviceFlags = { up: 0x1, broadcast: 0x2, loopback: 0x8, multicast: 0x1000 };

/** /sys/class/net/<name> (kernel: ABI/testing/sysfs-class-net). */
function deviceDirectory(device: Device): SyntheticDirectory {
  const isLoopback = device.kind === "loopback";
  const kind = isLoopback ? deviceFlags.loopback : deviceFlags.broadcast | deviceFlags.multicast;
  return directory({
    address: text(() => `${device.mac}\n`),
    carrier: text(() => `${Number(device.carrier)}\n`),
    flags: text(() => `0x${(kind | (device.up ? deviceFlags.up : 0)).toString(16)}\n`),
    ifindex: text(() => `${device.index}\n`),
    mtu: text(() => `${device.mtu}\n`),
    operstate: text(() => `${operationalState(device)}\n`),
  });
}

/** RFC 2863; a loopback device does not know. */
function operationalState({ kind, up, carrier }: Device): string {
  if (!up) return "down";
  if (kind === "loopback") return "unknown";
  return carrier ? "up" : "lowerlayerdown";
}

/** Only what programs look for: the network devices, and an empty firmware directory. */
function sysfs(process: Process): SyntheticDirectory {
  const { stack } = process.namespaces.network;
  const net: SyntheticDirectory = {
    kind: "directory",
    names: () => stack.devices.map(({ name }) => name),
    child: (name) => {
      const device = stack.devices.find((each) => each.name === name);
      return device === undefined ? null : deviceDirectory(device);
    },
  };
  return directory({
    class: directory({ net }),
    firmware: directory({}),
    fs: directory({ cgroup: directory({}) }),
    kernel: directory({}),
    devices: directory({}),
  });
}
