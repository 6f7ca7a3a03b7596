/**
 * The simulated host: a kernel with the file systems a Linux host has when its engine starts. The
 * root is a tree in memory that holds the data root as well, so that a person can look at layers,
 * whiteouts and records with ls.
 */
import type { Random } from "../../core/base/ports.ts";
import type { NewNode } from "../../core/unionfs/file-system.ts";
import type { Tree } from "../../core/unionfs/tree.ts";
import { Calls } from "./kernel/calls/calls.ts";
import { makeFileSystem } from "./kernel/file-systems.ts";
import { Kernel, type Loader } from "./kernel/kernel.ts";
import { addMount } from "./kernel/mounts.ts";
import type { Pace } from "./kernel/pace.ts";
import { resolve } from "./kernel/walk.ts";

export interface HostOptions {
  /** Nanoseconds since the epoch at boot. */
  readonly now: bigint;
  readonly random: Random;
  readonly pace: Pace;
  readonly loader: Loader;
  readonly hostname?: string;
}

const rootDirectories = ["bin", "dev", "etc", "home", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"];
const etc = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1\tlocalhost\n",
} as const;

/** [name, minor] of the memory devices, major 1. */
const memoryDevices = [
  ["null", 3],
  ["zero", 5],
  ["full", 7],
  ["random", 8],
  ["urandom", 9],
] as const;

/** [type, where, options], in the order in which they are mounted. */
const mounts = [
  ["proc", "/proc", ""],
  ["sysfs", "/sys", ""],
  ["cgroup2", "/sys/fs/cgroup", ""],
  ["devtmpfs", "/dev", "mode=755"],
  ["tmpfs", "/run", "mode=755"],
  ["tmpfs", "/tmp", "mode=1777"],
] as const;

export function bootHost(options: HostOptions): Kernel {
  const { now, random, pace, loader } = options;
  const kernel = new Kernel({
    now,
    pace,
    loader,
    random: (count) => random.bytes(count),
    calls: (of, process) => new Calls(of, process),
  });
  const hostname = options.hostname ?? "tsbox";
  kernel.init.namespaces.uts.hostname = hostname;
  furnish(kernel.tree, hostname);
  for (const [type, where, choices] of mounts) mount(kernel, type, where, choices);
  const dev = treeAt(kernel, "/dev");
  makeDevices(dev);
  mount(kernel, "devpts", "/dev/pts", "mode=755");
  return kernel;
}

function furnish(tree: Tree, hostname: string): void {
  for (const name of rootDirectories) tree.create(tree.root, name, directory(name === "tmp" ? 0o1777 : 0o755));
  const inEtc = tree.lookup(tree.root, "etc");
  for (const [name, text] of Object.entries({ ...etc, hostname: `${hostname}\n` })) {
    const file = tree.create(inEtc, name, { kind: "file", mode: 0o644, uid: 0, gid: 0 });
    tree.setContent(file, new TextEncoder().encode(text));
  }
  const inVar = tree.lookup(tree.root, "var");
  tree.create(inVar, "lib", directory(0o755));
}

function directory(mode: number): NewNode {
  return { kind: "directory", mode, uid: 0, gid: 0 };
}

function makeDevices(dev: Tree): void {
  for (const [name, minor] of memoryDevices) dev.create(dev.root, name, device(1, minor));
  dev.create(dev.root, "tty", device(5, 0));
  for (const name of ["pts", "shm"]) dev.create(dev.root, name, directory(name === "shm" ? 0o1777 : 0o755));
  const links = { fd: "/proc/self/fd", stdin: "/proc/self/fd/0", stdout: "/proc/self/fd/1", stderr: "/proc/self/fd/2" };
  for (const [name, target] of Object.entries(links))
    dev.create(dev.root, name, { kind: "symlink", target, mode: 0o777, uid: 0, gid: 0 });
}

function device(major: number, minor: number): NewNode {
  return { kind: "character", mode: 0o666, uid: 0, gid: 0, major, minor };
}

function mount(kernel: Kernel, type: string, where: string, options: string): void {
  const { namespaces } = kernel.init;
  const made = makeFileSystem(kernel, kernel.init, type, options);
  const { table } = namespaces.mount;
  const entry = {
    ...made,
    type,
    source: type,
    flags: new Set<never>(),
    options,
    idMaps: null,
  } as const;
  addMount(table, resolve(kernel.hostView(), where), entry);
}

/** The memory tree that is mounted at a path of the host. */
function treeAt(kernel: Kernel, path: string): Tree {
  const { mount: id } = resolve(kernel.hostView(), path);
  return kernel.init.namespaces.mount.table.mounts.get(id)?.fileSystem as Tree;
}
