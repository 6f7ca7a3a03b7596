/** Ops of a plan as bytes: an opcode each, and its fields. */
import { assert, unreachable } from "../../../core/base/assert.ts";
import { TsboxError } from "../../../core/base/error.ts";
import { type Capability, capabilityNumbers } from "../../../core/runtime/capabilities.ts";
import type {
  Cgroup,
  ChildOp,
  IdMapping,
  IdMaps,
  Join,
  MountFlag,
  Namespace,
  Op,
  OpKind,
  Propagation,
} from "../../../core/runtime/plan.ts";
import type { SeccompProfile } from "../../../core/runtime/seccomp.ts";
import type { Writer } from "./frame.ts";

/** What only the machine knows of what a plan names. */
export interface Resolver {
  /** The first process of the container to join; its start time (clock ticks) guards against reused pids. */
  readonly resolve: (join: Join) => { pid: number; startTime: bigint };
  /** The filter: an array of struct sock_filter. */
  readonly seccomp: (profile: SeccompProfile) => Uint8Array;
}

/** One byte names an op; the helper's table (native/ops.c) has the same numbers. */
export const opcodes: Readonly<Record<OpKind, number>> = {
  "directory.make": 1,
  "directory.remove": 2,
  "cgroup.make": 3,
  "cgroup.set": 4,
  "cgroup.kill": 5,
  "cgroup.remove": 6,
  spawn: 7,
  "cgroup.join": 8,
  unshare: 9,
  enter: 10,
  propagation: 11,
  overlay: 12,
  mount: 13,
  bind: 14,
  directory: 15,
  file: 16,
  device: 17,
  symlink: 18,
  pivot: 19,
  mask: 20,
  readonly: 21,
  hostname: 22,
  domainname: 23,
  sysctl: 24,
  "link.up": 25,
  session: 26,
  terminal: 27,
  "oom.score": 28,
  rlimit: 29,
  "descriptors.close": 30,
  umask: 31,
  user: 32,
  "directory.enter": 33,
  capabilities: 34,
  "no.new.privileges": 35,
  seccomp: 36,
  gate: 37,
  exec: 38,
};

/** CLONE_NEW* (linux/sched.h). */
const namespaceBits: Readonly<Record<Namespace, number>> = {
  mount: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
  time: 0x00000080,
};

/** MS_* for mount(2) and MOUNT_ATTR_* for mount_setattr(2); null: a file system's flag, not a mount's. */
const mountFlagBits: Readonly<Record<MountFlag, { readonly ms: number; readonly attribute: number | null }>> = {
  ro: { ms: 0x1, attribute: 0x1 },
  nosuid: { ms: 0x2, attribute: 0x2 },
  nodev: { ms: 0x4, attribute: 0x4 },
  noexec: { ms: 0x8, attribute: 0x8 },
  noatime: { ms: 0x400, attribute: 0x10 },
  relatime: { ms: 0x200000, attribute: 0 },
  nodiratime: { ms: 0x800, attribute: 0x80 },
  strictatime: { ms: 0x1000000, attribute: 0x20 },
  sync: { ms: 0x10, attribute: null },
};
/** The flags that choose among access-time modes: choosing one clears the others (MOUNT_ATTR__ATIME). */
const accessTimeFlags: readonly MountFlag[] = ["noatime", "relatime", "strictatime"];
const accessTimeMask = 0x70;

const recursive = 0x4000;
const propagationBits: Readonly<Record<Propagation, number>> = {
  private: 0x40000,
  rprivate: 0x40000 | recursive,
  slave: 0x80000,
  rslave: 0x80000 | recursive,
  shared: 0x100000,
  rshared: 0x100000 | recursive,
};

/** RLIMIT_* (asm-generic/resource.h). */
const resourceNumbers: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

const characterDevice = 0o020000;
const blockDevice = 0o060000;
export function writeOps(out: Writer, ops: readonly (Op | ChildOp)[], resolver: Resolver | null): void {
  out.list(ops, (op) => writeOp(out.u8(opcodes[op.op]), op, resolver));
}

/** An op's fields in the wire's order: this switch is the format's definition. */
function writeOp(out: Writer, op: Op, resolver: Resolver | null): void {
  switch (op.op) {
    case "directory.make":
      out.str(op.path).u32(op.mode);
      return;
    case "directory.remove":
      out.str(op.path);
      return;
    case "cgroup.make":
    case "cgroup.kill":
    case "cgroup.remove":
      return writeCgroup(out, op.cgroup);
    case "cgroup.set":
      writeCgroup(out, op.cgroup);
      out.str(op.file).str(op.value);
      return;
    case "spawn":
      out.u32(cloneFlags(op.create));
      writeJoin(out, op.join, resolver);
      writeIdMaps(out, op.idMaps);
      out.nested(() => writeOps(out, op.child, resolver));
      return;
    default:
      writeChildOp(out, op, resolver);
  }
}

function writeChildOp(out: Writer, op: ChildOp, resolver: Resolver | null): void {
  switch (op.op) {
    case "cgroup.join":
      return writeCgroup(out, op.cgroup);
    case "unshare":
      out.u32(cloneFlags(op.namespaces));
      return;
    case "enter":
      return writeJoin(out, op.join, resolver);
    case "propagation":
      out.str(op.path).u32(propagationBits[op.mode]);
      return;
    case "overlay":
      out.u32(op.via === "fsopen" ? 1 : 0);
      out.u32(op.via === "fsopen" ? attributes(op.flags).set : mountFlags(op.flags));
      out.str(op.target).str(op.upper).str(op.work);
      writeIdMaps(out, op.idMaps);
      out.strings(op.lowers);
      return;
    case "mount":
      out.str(op.type).str(op.source).str(op.target).u32(mountFlags(op.flags)).str(op.options);
      return;
    case "bind": {
      const { set, clear } = attributes(op.flags);
      out
        .str(op.source)
        .str(op.target)
        .u32(op.recursive ? 1 : 0);
      out
        .u32(set)
        .u32(clear)
        .u32(op.propagation === null ? 0 : propagationBits[op.propagation]);
      return;
    }
    case "directory":
    case "file":
      out.str(op.path).u32(op.mode);
      return;
    case "device":
      out.str(op.path).u32(op.mode | (op.type === "character" ? characterDevice : blockDevice));
      out.u32(op.major).u32(op.minor);
      return;
    case "symlink":
      out.str(op.path).str(op.target);
      return;
    case "pivot":
      out.str(op.root);
      return;
    case "mask":
    case "readonly":
    case "directory.enter":
      out.str(op.path);
      return;
    case "hostname":
    case "domainname":
      out.str(op.name);
      return;
    case "sysctl":
      out.str(sysctlPath(op.name)).str(op.value);
      return;
    case "link.up":
      out.str(op.device);
      return;
    case "terminal":
      out
        .u32(op.rows)
        .u32(op.columns)
        .u32(op.console ? 1 : 0);
      return;
    case "oom.score":
      out.str(String(op.value));
      return;
    case "rlimit":
      out.u32(resourceNumber(op.resource)).u64(limit(op.soft)).u64(limit(op.hard));
      return;
    case "descriptors.close":
      out.u32(op.from);
      return;
    case "umask":
      out.u32(op.mask);
      return;
    case "user":
      out.u32(op.uid).u32(op.gid);
      out.list(op.groups, (group) => out.u32(group));
      return;
    case "capabilities":
      out.u64(capabilityBits(op.bounding)).u64(capabilityBits(op.permitted)).u64(capabilityBits(op.effective));
      out.u64(capabilityBits(op.inheritable)).u64(capabilityBits(op.ambient));
      return;
    case "seccomp":
      assert(resolver !== null, "a plan with a child is performed");
      out.blob(resolver.seccomp(op.profile));
      return;
    case "session":
    case "no.new.privileges":
    case "gate":
      return;
    case "exec":
      out.strings(op.candidates).strings(op.argv).strings(op.environment);
      return;
    default:
      unreachable(op);
  }
}

function writeCgroup(out: Writer, cgroup: Cgroup): void {
  out.str(cgroup.mount).str(cgroup.path).str(cgroup.controller);
}

function writeJoin(out: Writer, join: Join | null, resolver: Resolver | null): void {
  if (join === null) {
    out.u32(0).u64(0n).u32(0);
    return;
  }
  assert(resolver !== null, "a plan with a child is performed");
  const { pid, startTime } = resolver.resolve(join);
  out.u32(pid).u64(startTime).u32(cloneFlags(join.namespaces));
}

/** The very text of /proc/<pid>/uid_map and gid_map (user_namespaces(7)); "" for no maps. */
function writeIdMaps(out: Writer, maps: IdMaps | null): void {
  out.str(idMapText(maps?.uids ?? [])).str(idMapText(maps?.gids ?? []));
}

function idMapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join("");
}

function cloneFlags(namespaces: readonly Namespace[]): number {
  return namespaces.reduce((bits, namespace) => bits | namespaceBits[namespace], 0) >>> 0;
}

function mountFlags(flags: readonly MountFlag[]): number {
  return flags.reduce((bits, flag) => bits | mountFlagBits[flag].ms, 0);
}

function attributes(flags: readonly MountFlag[]): { set: number; clear: number } {
  let set = 0;
  for (const flag of flags) {
    const { attribute } = mountFlagBits[flag];
    if (attribute === null)
      throw new TsboxError("invalid", `mount flag ${flag} belongs to a file system, not to one mount`);
    set |= attribute;
  }
  return { set, clear: flags.some((flag) => accessTimeFlags.includes(flag)) ? accessTimeMask : 0 };
}

/** A name with a slash is a path already: interface names may contain dots (sysctl(8)). */
function sysctlPath(name: string): string {
  return `/proc/sys/${name.includes("/") ? name : name.replaceAll(".", "/")}`;
}

function resourceNumber(resource: string): number {
  const number = resourceNumbers[resource.toLowerCase().replace(/^rlimit_/, "")];
  if (number === undefined) throw new TsboxError("invalid", `unknown resource limit ${JSON.stringify(resource)}`);
  return number;
}

/** A negative or infinite limit is RLIM_INFINITY. */
function limit(value: number): bigint {
  return value < 0 || !Number.isFinite(value) ? 0xffffffffffffffffn : BigInt(value);
}

function capabilityBits(capabilities: readonly Capability[]): bigint {
  return capabilities.reduce((bits, capability) => bits | (1n << BigInt(capabilityNumbers[capability])), 0n);
}
