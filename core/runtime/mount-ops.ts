/**
 * From the spec's mounts and the user's to plan ops. A mount needs something to land on, so each
 * comes as two steps: make the target, mount over it. Shallow targets come first, so that what is
 * mounted at /data does not hide what was mounted at /data/cache.
 *
 * Where the kernel has no filter for devices (cgroup v2 without one, a user namespace), every
 * mount is `nodev` and the few devices a container needs are bound from the host one by one: a
 * node that an image brings, or that the container makes, then opens nothing.
 */
import type { ContainerPath, HostPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { cgroupAt } from "./cgroups.ts";
import { deviceSymlinks } from "./default-spec.ts";
import type { Mount } from "./mount.ts";
import type { ChildOp, MountFlag, Propagation } from "./plan.ts";
import type { Spec, SpecMount, SpecNamespace } from "./spec.ts";
import type { CgroupHierarchy } from "./traits.ts";

export interface MountInput {
  readonly spec: Spec;
  readonly mounts: readonly Mount[];
  /** The hierarchies in which the container has a cgroup; others would show it the host's. */
  readonly hierarchies: readonly CgroupHierarchy[];
  /** The container's own cgroup, relative to each hierarchy. */
  readonly cgroup: string;
  /** Devices are made by mknod(2), because something else decides who may open them. */
  readonly makesDevices: boolean;
}

interface Placed {
  readonly target: string;
  readonly ops: readonly ChildOp[];
}

/** Everything between the overlay and the pivot. */
export function mountOps(input: MountInput): ChildOp[] {
  const replaced = input.mounts.map((mount) => mount.target as string);
  const defaults = input.spec.mounts.filter(({ destination }) => !isReplaced(destination, replaced));
  const placed = [
    ...defaults.map((mount) => ({ target: mount.destination, ops: specMountOps(mount, input) })),
    ...input.mounts.map((mount) => ({ target: mount.target, ops: userMountOps(mount, input) })),
  ];
  const ops = placed.toSorted((one, other) => depth(one) - depth(other)).flatMap(({ ops }) => ops);
  return replaced.includes("/dev") ? ops : [...ops, ...deviceOps(input, replaced)];
}

/** A user's /dev takes the place of everything we would have put beneath it. */
function isReplaced(destination: string, replaced: readonly string[]): boolean {
  return replaced.includes(destination) || (replaced.includes("/dev") && destination.startsWith("/dev/"));
}

function depth({ target }: Placed): number {
  return target.split("/").filter((part) => part !== "").length;
}

function directory(path: string, mode = 0o755): ChildOp {
  return { op: "directory", path: path as ContainerPath, mode };
}

function specMountOps(mount: SpecMount, input: MountInput): ChildOp[] {
  const options = parseOptions(mount.options);
  const bindInstead = hostTreeFor(mount, input.spec.linux.namespaces);
  if (mount.type === "bind" || bindInstead)
    return bindOps({
      source: (bindInstead ? mount.destination : mount.source) as HostPath,
      target: mount.destination,
      isFile: false,
      recursive: bindInstead || options.recursive,
      flags: options.flags,
      propagation: "rprivate",
    });
  if (mount.type === "cgroup") return cgroupMountOps(mount.destination, options.flags, input);
  const isBareDevice = mount.destination === "/dev" && !input.makesDevices;
  return [
    directory(mount.destination),
    {
      op: "mount",
      type: mount.type,
      source: mount.source,
      target: mount.destination as ContainerPath,
      flags: isBareDevice ? addFlag(options.flags, "nodev") : options.flags,
      options: dataOf(mount, options.data, input),
    },
  ];
}

/**
 * In a user namespace of its own, a container may mount proc and sysfs only over pid and network
 * namespaces that are its own too; otherwise it is shown the host's.
 */
function hostTreeFor(mount: SpecMount, namespaces: readonly SpecNamespace[]): boolean {
  const owns = (type: SpecNamespace["type"]): boolean =>
    namespaces.some((namespace) => namespace.type === type && namespace.container === undefined);
  if (!owns("user")) return false;
  return (mount.type === "proc" && !owns("pid")) || (mount.type === "sysfs" && !owns("network"));
}

/** The group "tty" (5) owns terminals; a user namespace that does not map it cannot say so. */
function dataOf(mount: SpecMount, data: readonly string[], { spec }: MountInput): string {
  const maps = spec.linux.gidMappings;
  const mapsTty = maps.length === 0 || maps.some((map) => map.containerID <= 5 && 5 < map.containerID + map.size);
  return data.filter((option) => mount.type !== "devpts" || mapsTty || !option.startsWith("gid=")).join(",");
}

/** v2: the one hierarchy. v1: a small tmpfs with a directory for each hierarchy, as on a host. */
function cgroupMountOps(target: string, flags: readonly MountFlag[], input: MountInput): ChildOp[] {
  const [only, ...others] = input.hierarchies;
  if (only === undefined) return [];
  if (only.version === 2 && others.length === 0)
    return [directory(target), cgroupMount(only, target, flags, input)].flat();
  return [
    directory(target),
    {
      op: "mount",
      type: "tmpfs",
      source: "tmpfs",
      target: target as ContainerPath,
      flags: flags.filter((flag) => flag !== "ro"),
      options: "mode=755,size=64k",
    },
    ...input.hierarchies.flatMap((hierarchy) => v1CgroupOps(target, flags, hierarchy, input)),
  ];
}

function v1CgroupOps(
  parent: string,
  flags: readonly MountFlag[],
  hierarchy: CgroupHierarchy,
  input: MountInput,
): ChildOp[] {
  const name = hierarchy.version === 2 ? "unified" : hierarchy.controllers.join(",");
  const links = hierarchy.version === 1 && hierarchy.controllers.length > 1 ? hierarchy.controllers : [];
  return [
    directory(`${parent}/${name}`),
    cgroupMount(hierarchy, `${parent}/${name}`, flags, input),
    ...links.map((link): ChildOp => ({ op: "symlink", path: `${parent}/${link}` as ContainerPath, target: name })),
  ];
}

/** In a cgroup namespace of its own the container's cgroup is the root; otherwise its directory is bound. */
function cgroupMount(
  hierarchy: CgroupHierarchy,
  target: string,
  flags: readonly MountFlag[],
  { spec, cgroup }: MountInput,
): ChildOp {
  if (spec.linux.namespaces.some(({ type }) => type === "cgroup"))
    return {
      op: "mount",
      type: hierarchy.version === 2 ? "cgroup2" : "cgroup",
      source: "cgroup",
      target: target as ContainerPath,
      flags,
      options: hierarchy.version === 2 ? "" : hierarchy.controllers.join(","),
    };
  const { mount, path } = cgroupAt(hierarchy, cgroup);
  return {
    op: "bind",
    source: `${mount}/${path}` as HostPath,
    target: target as ContainerPath,
    recursive: false,
    flags,
    propagation: "private",
  };
}

function userMountOps(mount: Mount, input: MountInput): ChildOp[] {
  if (mount.kind === "tmpfs") return tmpfsOps(mount);
  const flags: MountFlag[] = mount.readonly ? ["ro"] : [];
  if (!input.makesDevices && !isBelow(mount.source, "/dev")) flags.push("nodev");
  return bindOps({ ...mount, flags, propagation: propagationOf(mount) });
}

/** The user's mounts of the host's files, shallow ones first; devices open nowhere in them. */
export function volumeOps(mounts: readonly Mount[]): ChildOp[] {
  const placed = mounts.flatMap((mount): Placed[] => {
    const flags: MountFlag[] = mount.readonly ? ["ro", "nodev"] : ["nodev"];
    return mount.kind === "tmpfs"
      ? []
      : [{ target: mount.target, ops: bindOps({ ...mount, flags, propagation: "rprivate" }) }];
  });
  return placed.toSorted((one, other) => depth(one) - depth(other)).flatMap(({ ops }) => ops);
}

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}

interface Bind {
  readonly source: HostPath;
  readonly target: string;
  readonly isFile: boolean;
  readonly recursive: boolean;
  readonly flags: readonly MountFlag[];
  readonly propagation: Propagation;
}

function bindOps({ source, target, isFile, recursive, flags, propagation }: Bind): ChildOp[] {
  const path = target as ContainerPath;
  return [
    isFile ? { op: "file", path, mode: 0o644 } : directory(target),
    { op: "bind", source, target: path, recursive, flags, propagation },
  ];
}

/** A fresh file system in memory: what the user says, on top of docker's careful flags. */
function tmpfsOps(mount: Mount): ChildOp[] {
  const asked = mount.options.split(",").filter((option) => option !== "");
  const { flags, data } = parseOptions(["nosuid", "nodev", "noexec", ...asked]);
  return [
    directory(mount.target),
    {
      op: "mount",
      type: "tmpfs",
      source: "tmpfs",
      target: mount.target,
      flags: mount.readonly ? addFlag(flags, "ro") : flags,
      options: data.join(","),
    },
  ];
}

function propagationOf(mount: Mount): Propagation {
  switch (mount.propagation) {
    case "":
      return "rprivate";
    case "private":
    case "rprivate":
    case "slave":
    case "rslave":
      return mount.propagation;
    default:
      throw new TsboxError(
        "unsupported",
        `mount propagation ${mount.propagation} of ${mount.target} is not supported: use rprivate or rslave`,
      );
  }
}

function deviceOps({ spec, makesDevices }: MountInput, replaced: readonly string[]): ChildOp[] {
  const wanted = spec.linux.devices.filter(({ path }) => !replaced.includes(path));
  const devices = wanted.flatMap((device): ChildOp[] => {
    const path = device.path as ContainerPath;
    if (!makesDevices)
      return bindOps({
        source: device.source as HostPath,
        target: path,
        isFile: true,
        recursive: false,
        flags: ["nosuid", "noexec"],
        propagation: "private",
      });
    const { major, minor, fileMode: mode } = device;
    return [{ op: "device", path, type: device.type === "c" ? "character" : "block", major, minor, mode }];
  });
  const symlinks = deviceSymlinks.map(
    ([path, target]): ChildOp => ({ op: "symlink", path: path as ContainerPath, target }),
  );
  return [...devices, ...symlinks];
}

interface MountOptions {
  readonly flags: readonly MountFlag[];
  readonly recursive: boolean;
  /** What the file system itself is told. */
  readonly data: readonly string[];
}

const mountFlags = new Set<string>([
  "ro",
  "nosuid",
  "nodev",
  "noexec",
  "noatime",
  "relatime",
  "nodiratime",
  "strictatime",
  "sync",
] satisfies MountFlag[]);

/** What takes a flag back. */
const opposites: Readonly<Record<string, MountFlag>> = {
  rw: "ro",
  suid: "nosuid",
  dev: "nodev",
  exec: "noexec",
  atime: "noatime",
  diratime: "nodiratime",
  async: "sync",
};

/** Splits fstab(5)-like options into the mount's flags and the file system's own data. */
function parseOptions(options: readonly string[]): MountOptions {
  const flags = new Set<MountFlag>();
  const data: string[] = [];
  for (const option of options) {
    const opposite = opposites[option];
    if (opposite !== undefined) flags.delete(opposite);
    else if (mountFlags.has(option)) flags.add(option as MountFlag);
    else if (option !== "bind" && option !== "rbind" && option !== "defaults") data.push(option);
  }
  return { flags: [...flags], recursive: options.includes("rbind"), data };
}

function addFlag(flags: readonly MountFlag[], flag: MountFlag): MountFlag[] {
  return flags.includes(flag) ? [...flags] : [...flags, flag];
}
