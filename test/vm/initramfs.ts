/**
 * The virtual machine's first file system: busybox, the modules needed to see the host's files, and two scripts.
 *
 * `init` mounts the host's root by virtiofs, read-only, under an overlay whose upper layer is in memory, and makes it
 * the root. `stage2` then sets up what an init system would, with cgroup v2 alone, runs the command and powers off.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import type { Kernel } from "./kernel.ts";

/** What to run in the machine. */
export interface GuestCommand {
  readonly argv: readonly string[];
  /** Where the checkout is, … */
  readonly directory: string;
  /** … and where its files are to be taken from, all but node_modules. */
  readonly copy: string;
  readonly environment: Readonly<Record<string, string>>;
}

const firstModules = ["virtio_pci", "virtiofs", "overlay", "virtio_console", "virtio_rng"];
const laterModules = [
  "tun",
  "veth",
  "bridge",
  "nf_tables",
  "nft_masq",
  "nft_chain_nat",
  "nft_ct",
  "nft_nat",
  "loop",
  "ext4",
];

/** The archive's bytes, a cpio in the kernel's newc format. */
export function makeInitramfs(kernel: Kernel, command: GuestCommand): Uint8Array {
  const root = scratch("vm-root", tmpdir());
  try {
    for (const name of ["bin", "dev", "host", "memory", "modules", "proc", "root", "sys"]) mkdirSync(join(root, name));
    copyFileSync("/bin/busybox", join(root, "bin/busybox"));
    const modules = [...new Set(firstModules.flatMap((name) => modulePaths(kernel, name)))];
    for (const path of modules) copyFileSync(path, join(root, "modules", basename(path)));
    writeScript(join(root, "init"), initScript(modules.map((path) => basename(path))));
    writeScript(join(root, "stage2"), stage2Script(kernel, command));
    const names = execFileSync("find", ["."], { cwd: root });
    return execFileSync("cpio", ["--quiet", "-o", "-H", "newc"], { cwd: root, input: names, maxBuffer: 1 << 27 });
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** The files to insert for a module, in order; none when it is built in. */
function modulePaths(kernel: Kernel, name: string): string[] {
  const text = execFileSync("modprobe", ["-d", kernel.tree, "-S", kernel.version, "--show-depends", name], {
    encoding: "utf8",
  });
  return [...text.matchAll(/^insmod (\S+)/gm)].map((match) => match[1] ?? "");
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

function initScript(modules: readonly string[]): string {
  return `#!/bin/busybox sh
b=/bin/busybox
for m in ${modules.join(" ")}; do $b insmod /modules/$m || $b echo "cannot insert $m"; done
$b mount -t virtiofs -o ro host /host || exec $b poweroff -f
$b mount -t tmpfs -o mode=755 memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root || exec $b poweroff -f
$b cp /stage2 /memory/upper/.stage2
exec $b switch_root /root /.stage2
`;
}

function stage2Script(kernel: Kernel, { argv, directory, copy, environment }: GuestCommand): string {
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  return `#!/bin/sh
mount -t proc proc /proc
echo 0 > /proc/sys/kernel/printk
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
# What may lie where the file systems in memory go is kept by a bind, and put back.
mkdir -p /.modules /.checkout /.installed /lib/modules
mount --bind ${quote(join(kernel.tree, "lib/modules"))} /.modules
mount --bind ${quote(copy)} /.checkout
mount --bind ${quote(join(directory, "node_modules"))} /.installed
for d in /run /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $d; done
mkdir -p /var/lib/tsbox
mount -t tmpfs tmpfs /var/lib/tsbox
mount --bind /.modules /lib/modules
# Tests keep their storage in /dev/shm. Before Linux 6.3 a tmpfs takes no id-mapped mounts, and ext4 does.
modprobe loop && modprobe ext4 && truncate -s 2G /run/disk && mkfs.ext4 -q /run/disk && mount -o loop /run/disk /dev/shm
chmod 1777 /dev/shm
mkdir -p ${quote(directory)}
mount --bind /.checkout ${quote(directory)}
mount --bind /.installed ${quote(join(directory, "node_modules"))}
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +memory +pids +io +cpuset" > /sys/fs/cgroup/cgroup.subtree_control
for m in ${laterModules.join(" ")}; do modprobe -q $m; done
ip link set lo up
hostname tsbox-vm
stty -F /dev/ttyS0 raw 2>/dev/null
${exports.join("\n")}
cd ${quote(directory)}
${argv.map(quote).join(" ")} </dev/null >/dev/ttyS0 2>&1
echo $? > /dev/ttyS1
exec busybox poweroff -f
`;
}

/** A word for sh. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
