/**
 * The wire between the Linux backend and its native helper (native/wire.c is the other side). Pure
 * functions: plans to bytes, bytes to replies; whoever owns the pipes and sockets calls them.
 *
 * Numbers are little-endian. A *frame* is u32 length + body. In a body:
 *   str   u32 length, bytes, NUL (not counted; none inside)      blob  u32 length, bytes
 *   list  u32 count, items                                       idmaps  str uid_map, str gid_map
 *   join  u32 pid (0: none), u64 start time, u32 CLONE_NEW* bits  cgroup  str mount, str path, str controller
 *
 * 1. `helper serve`, requests on stdin, replies on stdout. A request is answered once, in any order; only a
 *    perform that asked for it hears twice: "listening" when clients can connect, the other when the gate is there. A
 *    monitor that crashes after its answer may cause a second "failed" with the same id: ignore ids not waited for.
 *   request   u32 id, u8 kind, then
 *     1 perform      u8 flags (1 terminal, 2 stdin, 4 stdin once, 8 say when listening,
 *                    16 release: no gate, and "gate" is answered when the program runs,
 *                    32 the child's uts, ipc, network and pid namespaces are its monitor's, made before the clone),
 *                    str log ("": none), u64 its greatest size (0: any), u32 how many files, str exit, str socket, ops
 *     2 carry-out    ops                 3 tree  str root, str socket              4 remove-tree  str path
 *     5 read-tree    str socket, ops: one overlay without upper and work
 *     6 view         str socket, ops: one spawn, whose child's ops the view's own process performs
 *   ops       u32 count, each: u8 opcode, the fields `writeOp` shows. A spawn's child ops stand in a blob.
 *   reply     u32 id, u8 kind: 1 gate {u32 pid, u64 start time}, 2 done, 3 listening, 4 failed {failure}
 *   failure   u32 host step (2^32-1: before the first step), u32 child step (2^32-1: none), u8 opcode, u32 errno, str path
 *
 * 2. A monitor's socket (SOCK_STREAM, as many clients as like). The client says hello first.
 *   to it     u8 kind: 1 hello {u8 version 1, u8 flags: 1 stdin, 2 output}, 2 input {bytes to the end},
 *             3 input-end, 4 resize {u32 rows, u32 columns}, 5 signal {u32}, 6 release
 *   from it   u8 kind: 1 welcome {u32 pid, u64 start time, u8 released}, 2 output {u8 stream 1|2, bytes to the end},
 *             3 output-end, 4 started, 5 failed {failure}, 6 exited {u32 code, u32 signal, u64 ns}, 7 refused {u32 errno}
 *   The gate opens for everybody who connected and said hello before the release was sent.
 *   After the exit: output-end to those who asked for output, exited to all, and the socket is gone.
 *
 * 3. A tree's socket: one client builds one file tree; ops are not answered until `flush`, or until one fails.
 *   to it     u8 kind, the fields `writeTreeOp` shows; a file's size bytes follow in content frames,
 *             or 17 copy {u64 offset} takes them from the host's file named before by 16 source {str path}
 *   from it   u8 kind: 1 ok, 2 failed {u8 kind of the op, u32 errno, str path}; after failed the helper hangs up
 *   A view's socket is one too, and its root what its process sees at "/". Its client may also say
 *             13 within {str directory, u8 1: a directory is not replaced by anything else, nor anything by one},
 *             14 stat {str path}: 3 stat {u32 type as in st_mode, meta without attributes, u64 size, str target},
 *             15 read {str path}: it is told as in §4
 *   Nothing is reached outside the root: parents are resolved as in a chroot, the last component never followed.
 *   Devices are made as said: the data root is not a place where they can be opened (nodev or its modes see to it).
 *
 * 4. A read tree's socket: one client, which only reads. It is told of each entry as §3 tells the helper, content included,
 *   then flush: that was all; or 12 failed {u32 errno, str path}. The root comes first, its path is "".
 */
import { assert, unreachable } from "../../core/base/assert.ts";
import type { HostPath } from "../../core/base/brand.ts";
import { concat, decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { type ErrnoName, errnoName } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { AttachOptions, Stdio, TreeStat } from "../../core/engine/machine.ts";
import { type Capability, capabilityNumbers } from "../../core/runtime/capabilities.ts";
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
  Overlay,
  Plan,
  PlanFailure,
  Propagation,
} from "../../core/runtime/plan.ts";
import { namespacesMadeBeforehand } from "../../core/runtime/ops.ts";
import type { SeccompProfile } from "../../core/runtime/seccomp.ts";
import type { View } from "../../core/runtime/view.ts";
import type { Change, Meta, TreePath } from "../../core/unionfs/change.ts";

/** No frame's body is longer; what carries bytes is cut into several. */
export const maximumFrame = 1 << 20;
/** The longest piece of a file's content in one frame. */
export const contentMax = 512 * 1024;

export interface PerformRequest {
  readonly kind: "perform";
  readonly plan: Plan;
  readonly stdio: Stdio;
  /** Where the monitor listens. */
  readonly socket: HostPath;
  /** Whether to answer "listening" too, as soon as it does. */
  readonly early?: boolean;
  /** Whether the gate is open from the start. */
  readonly released?: boolean;
  /** The first process of the container to join; its start time (clock ticks) guards against reused pids. */
  readonly resolve: (join: Join) => { pid: number; startTime: bigint };
  /** The filter: an array of struct sock_filter. */
  readonly seccomp: (profile: SeccompProfile) => Uint8Array;
}

export type Request =
  | PerformRequest
  | { readonly kind: "carry-out"; readonly plan: Plan }
  | { readonly kind: "tree"; readonly root: HostPath; readonly socket: HostPath }
  | { readonly kind: "remove-tree"; readonly path: HostPath }
  | { readonly kind: "read-tree"; readonly union: Overlay; readonly socket: HostPath }
  | ViewRequest;

export interface ViewRequest extends Pick<PerformRequest, "resolve"> {
  readonly kind: "view";
  readonly socket: HostPath;
  readonly view: View;
}

export interface Reply {
  readonly id: number;
  readonly result:
    | { readonly kind: "gate"; readonly pid: number; readonly startTime: bigint }
    | { readonly kind: "done" }
    | { readonly kind: "listening" }
    | { readonly kind: "failed"; readonly failure: PlanFailure };
}

export type MonitorFrame =
  | { readonly kind: "welcome"; readonly pid: number; readonly startTime: bigint; readonly released: boolean }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "output-end" }
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly failure: PlanFailure }
  | { readonly kind: "exited"; readonly code: number; readonly signal: number; readonly at: bigint }
  | { readonly kind: "refused"; readonly errno: ErrnoName };

/** A change without its content: a file's follows in content frames. */
export type TreeOp = Exclude<Change, { kind: "file" }> | Omit<Extract<Change, { kind: "file" }>, "content">;

export type TreeReply =
  | { readonly kind: "ok" }
  | { readonly kind: "stat"; readonly stat: TreeStat }
  | { readonly kind: "failed"; readonly op: TreeOpKind; readonly errno: ErrnoName; readonly path: string };
export type TreeOpKind = Change["kind"] | "content" | "flush" | "source" | "copy";

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
const none = 0xffffffff;

/** A growing buffer with the wire's primitive forms: one frame, or several end to end, each with its length filled in at its end. */
class Writer {
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView;
  /** Where the frame begins that is being written. */
  #start = 0;
  #at = 4;

  /** `size`: what it will probably take. */
  constructor(size = 256) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  u64(value: bigint): this {
    this.#reserve(8);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  blob(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Throws TsboxError "invalid" for text with a NUL, which no system call can take. */
  str(text: string): this {
    if (text.includes("\0")) throw new TsboxError("invalid", `${JSON.stringify(text)} contains a NUL byte`);
    if (!text.isWellFormed()) return this.blob(encodeText(text)).u8(0);
    this.#reserve(4 + 3 * text.length);
    const length = this.#bytes.write(text, this.#at + 4);
    this.#view.setUint32(this.#at, length, true);
    this.#at += 4 + length;
    return this.u8(0);
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(item);
    return this;
  }

  strings(items: readonly string[]): this {
    return this.list(items, (item) => this.str(item));
  }

  /** A blob whose length is known once `write` has run. */
  nested(write: () => void): this {
    const start = this.#at;
    this.u32(0);
    write();
    this.#view.setUint32(start, this.#at - start - 4, true);
    return this;
  }

  /** The finished frame. */
  frame(): Uint8Array<ArrayBuffer> {
    this.#view.setUint32(0, this.#at - 4, true);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Finishes the frame and begins another one behind it. */
  next(): void {
    this.#view.setUint32(this.#start, this.#at - this.#start - 4, true);
    this.#start = this.#at;
    this.#reserve(4);
    this.#at += 4;
  }

  /** How many bytes the finished frames take. */
  get finished(): number {
    return this.#start;
  }

  frames(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#start);
  }

  /** Forgets all frames. */
  restart(): void {
    this.#start = 0;
    this.#at = 4;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Takes the wire's primitive forms off a body; past its end is the other side's mistake. */
class Reader {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  str(): string {
    const length = this.u32();
    const start = this.#take(length + 1);
    return decodeBytes(this.#bytes.subarray(start, start + length));
  }

  blob(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  #take(count: number): number {
    const start = this.#at;
    assert(start + count <= this.#bytes.length, "a frame of the helper is as long as it says");
    this.#at += count;
    return start;
  }
}

/** Cuts a byte stream into the bodies of its frames. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The bodies that are whole now (they may share the chunk's memory). Throws TsboxError "corrupt" above `maximumFrame`. */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? chunk : concat([this.#rest, chunk]);
    const frames: Uint8Array[] = [];
    let at = 0;
    for (let length = lengthAt(bytes, at); length !== null; length = lengthAt(bytes, at)) {
      if (at + 4 + length > bytes.length) break;
      frames.push(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number | null {
  if (at + 4 > bytes.length) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  if (length > maximumFrame) throw new TsboxError("corrupt", `a frame of ${length} bytes is above ${maximumFrame}`);
  return length;
}

const requestKinds: Readonly<Record<Request["kind"], number>> = {
  perform: 1,
  "carry-out": 2,
  tree: 3,
  "remove-tree": 4,
  "read-tree": 5,
  view: 6,
};

/** A default container's plan takes 12 kB, most of it the system call filter. */
const usualRequest = 16 * 1024;

/** Throws TsboxError "invalid" for text the kernel cannot take and for a request above the wire's limit. */
export function encodeRequest(id: number, request: Request): Uint8Array<ArrayBuffer> {
  const out = new Writer(usualRequest).u32(id).u8(requestKinds[request.kind]);
  writeRequest(out, request);
  const frame = out.frame();
  if (frame.length - 4 > maximumFrame)
    throw new TsboxError("invalid", `arguments, environment and mounts together are above ${maximumFrame} bytes`);
  return frame;
}

function writeRequest(out: Writer, request: Request): void {
  switch (request.kind) {
    case "perform": {
      const { terminal, stdin, stdinOnce, log, exit, rotation } = request.stdio;
      out.u8(
        (terminal ? 1 : 0) |
          (stdin ? 2 : 0) |
          (stdinOnce ? 4 : 0) |
          (request.early === true ? 8 : 0) |
          (request.released === true ? 16 : 0) |
          (isApart(request.plan) ? 32 : 0),
      );
      out
        .str(log ?? "")
        .u64(BigInt(rotation?.maxBytes ?? 0))
        .u32(rotation?.maxFiles ?? 1)
        .str(exit)
        .str(request.socket);
      return writeOps(out, request.plan.steps, request);
    }
    case "carry-out":
      return writeOps(out, request.plan.steps, null);
    case "tree":
      out.str(request.root).str(request.socket);
      return;
    case "remove-tree":
      out.str(request.path);
      return;
    case "read-tree":
      out.str(request.socket);
      return writeOps(out, [request.union], null);
    case "view": {
      const { resolve, view: child } = request;
      const seccomp = (): never => {
        throw new TsboxError("invalid", "a view runs nothing that could be filtered");
      };
      out.str(request.socket);
      return writeOps(out, [{ op: "spawn", create: [], join: null, idMaps: null, child }], { resolve, seccomp });
    }
    default:
      unreachable(request);
  }
}

/** The clone of such a child leaves out what its monitor has made of the kind already (explain.ts says so). */
function isApart({ steps }: Plan): boolean {
  const spawn = steps.at(-1);
  return spawn?.op === "spawn" && namespacesMadeBeforehand(spawn.create).length > 0;
}

type Resolver = Pick<PerformRequest, "resolve" | "seccomp">;

function writeOps(out: Writer, ops: readonly (Op | ChildOp)[], resolver: Resolver | null): void {
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

/** The answer to a request, from one frame of the helper's standard output. */
export function decodeReply(frame: Uint8Array): Reply {
  const reader = new Reader(frame);
  return { id: reader.u32(), result: readResult(reader) };
}

function readResult(reader: Reader): Reply["result"] {
  const kind = reader.u8();
  switch (kind) {
    case 1:
      return { kind: "gate", pid: reader.u32(), startTime: reader.u64() };
    case 2:
      return { kind: "done" };
    case 3:
      return { kind: "listening" };
    case 4:
      return { kind: "failed", failure: readFailure(reader) };
    default:
      throw new TsboxError("corrupt", `reply of unknown kind ${kind} from the helper`);
  }
}

const opNames = new Map<number, OpKind>(Object.entries(opcodes).map(([name, code]) => [code, name as OpKind]));

/** A failure before the first step (the monitor's own set-up) has step "" and names the op it was for. */
function readFailure(reader: Reader): PlanFailure {
  const step = stepName(reader.u32(), reader.u32());
  const op = opNames.get(reader.u8()) ?? "spawn";
  return { step, op, errno: errnoName(reader.u32()), path: reader.str() };
}

function stepName(host: number, child: number): string {
  if (host === none) return "";
  return child === none ? String(host) : `${host}.${child}`;
}

export function encodeHello(options: AttachOptions): Uint8Array<ArrayBuffer> {
  return new Writer()
    .u8(1)
    .u8(1)
    .u8((options.stdin ? 1 : 0) | (options.output ? 2 : 0))
    .frame();
}

/** As many frames as the bytes need, end to end. */
export function encodeInput(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeSlices(2, bytes);
}

export function encodeInputEnd(): Uint8Array<ArrayBuffer> {
  return new Writer().u8(3).frame();
}

export function encodeResize(rows: number, columns: number): Uint8Array<ArrayBuffer> {
  return new Writer().u8(4).u32(rows).u32(columns).frame();
}

export function encodeSignal(number: number): Uint8Array<ArrayBuffer> {
  return new Writer().u8(5).u32(number).frame();
}

export function encodeRelease(): Uint8Array<ArrayBuffer> {
  return new Writer().u8(6).frame();
}

/** One frame of a monitor. An output's bytes share the frame's memory. */
export function decodeMonitorFrame(frame: Uint8Array): MonitorFrame {
  const reader = new Reader(frame);
  const kind = reader.u8();
  switch (kind) {
    case 1:
      return { kind: "welcome", pid: reader.u32(), startTime: reader.u64(), released: reader.u8() === 1 };
    case 2:
      return { kind: "output", stream: reader.u8() === 1 ? "stdout" : "stderr", bytes: reader.rest() };
    case 3:
      return { kind: "output-end" };
    case 4:
      return { kind: "started" };
    case 5:
      return { kind: "failed", failure: readFailure(reader) };
    case 6:
      return { kind: "exited", code: reader.u32(), signal: reader.u32(), at: reader.u64() };
    case 7:
      return { kind: "refused", errno: errnoName(reader.u32()) };
    default:
      throw new TsboxError("corrupt", `frame of unknown kind ${kind} from a monitor`);
  }
}

const treeKinds: Readonly<Record<TreeOpKind, number>> = {
  directory: 1,
  file: 2,
  symlink: 3,
  hardlink: 4,
  character: 5,
  block: 6,
  fifo: 7,
  whiteout: 8,
  opaque: 9,
  content: 10,
  flush: 11,
  source: 16,
  copy: 17,
};
const treeFailed = 12;
const treeWithin = 13;
const treeStat = 14;
const treeRead = 15;

/** So much fits before a tree's frames need more memory. */
const treeFramesRoom = 512 * 1024;

/** Frames for a tree's socket, collected end to end in one piece of memory. */
export class TreeFrames {
  readonly #out = new Writer(treeFramesRoom);

  /** Bytes so far. */
  get length(): number {
    return this.#out.finished;
  }

  /** A file's `size` bytes are to follow: as content, or by a copy. */
  op(op: TreeOp): void {
    writeTreeOp(this.#out.u8(treeKinds[op.kind]).str(op.path), op);
    this.#out.next();
  }

  /** The next bytes of the file just begun, at most `contentMax`. They are copied. */
  content(bytes: Uint8Array): void {
    this.#out.u8(treeKinds.content).raw(bytes).next();
  }

  /** Opens the file on the host that the copies behind it take their bytes from. */
  source(path: HostPath): void {
    this.#out.u8(treeKinds.source).str(path).next();
  }

  /** Fills the file just begun with the source's bytes from `offset` on. */
  copy(offset: number): void {
    this.#out.u8(treeKinds.copy).u64(BigInt(offset)).next();
  }

  /** What follows is put beneath this directory. */
  within(directory: string, keepsKinds: boolean): void {
    this.#out
      .u8(treeWithin)
      .str(directory)
      .u8(keepsKinds ? 1 : 0)
      .next();
  }

  /** Asks for the reply: everything is in place, directories' times included. */
  flush(): void {
    this.#out.u8(treeKinds.flush).next();
  }

  /** What has been collected, valid until something is added to it. */
  get bytes(): Uint8Array {
    return this.#out.frames();
  }

  clear(): void {
    this.#out.restart();
  }
}

function writeTreeOp(out: Writer, op: TreeOp): void {
  switch (op.kind) {
    case "directory":
    case "fifo":
      writeMeta(out, op.meta);
      return;
    case "file":
      writeMeta(out, op.meta).u64(BigInt(op.size));
      return;
    case "symlink":
      writeMeta(out, op.meta).str(op.target);
      return;
    case "hardlink":
      out.str(op.target);
      return;
    case "character":
    case "block":
      writeMeta(out, op.meta).u32(op.major).u32(op.minor);
      return;
    case "whiteout":
    case "opaque":
      return;
    default:
      unreachable(op);
  }
}

/** u32 mode, u32 uid, u32 gid, i64 seconds, u32 nanoseconds, list of (str name, blob value). */
function writeMeta(out: Writer, meta: Meta): Writer {
  const nanoseconds = BigInt.asUintN(64, ((meta.mtime % billion) + billion) % billion);
  out.u32(meta.mode).u32(meta.uid).u32(meta.gid);
  out.u64(BigInt.asUintN(64, (meta.mtime - nanoseconds) / billion)).u32(Number(nanoseconds));
  if (meta.xattrs.size === 0) return out.u32(0);
  return out.list([...meta.xattrs], ([name, value]) => out.str(name).blob(value));
}

const billion = 1_000_000_000n;

const treeNames = new Map<number, TreeOpKind>(
  Object.entries(treeKinds).map(([name, code]) => [code, name as TreeOpKind]),
);

export function encodeStat(path: string): Uint8Array<ArrayBuffer> {
  return new Writer().u8(treeStat).str(path).frame();
}

export function encodeRead(path: string): Uint8Array<ArrayBuffer> {
  return new Writer().u8(treeRead).str(path).frame();
}

export function decodeTreeReply(frame: Uint8Array): TreeReply {
  const reader = new Reader(frame);
  const kind = reader.u8();
  if (kind === 1) return { kind: "ok" };
  if (kind === 3) return { kind: "stat", stat: readStat(reader) };
  return {
    kind: "failed",
    op: treeNames.get(reader.u8()) ?? "flush",
    errno: errnoName(reader.u32()),
    path: reader.str(),
  };
}

/** The type bits of st_mode (inode(7)). */
const fileTypes = new Map<number, TreeStat["kind"]>([
  [0o040000, "directory"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o020000, "character"],
  [0o060000, "block"],
  [0o010000, "fifo"],
  [0o140000, "socket"],
]);

function readStat(reader: Reader): TreeStat {
  const kind = fileTypes.get(reader.u32());
  if (kind === undefined) throw new TsboxError("corrupt", "a tree told of a file of unknown type");
  return { kind, ...readAttributes(reader), size: Number(reader.u64()), target: reader.str() };
}

export type TreeFrame =
  | { readonly kind: "entry"; readonly entry: TreeOp }
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly errno: ErrnoName; readonly path: string };

/** One frame of a tree that is read. Content's bytes share the frame's memory. */
export function decodeTreeFrame(frame: Uint8Array): TreeFrame {
  const reader = new Reader(frame);
  const code = reader.u8();
  if (code === treeFailed) return { kind: "failed", errno: errnoName(reader.u32()), path: reader.str() };
  const kind = treeNames.get(code);
  if (kind === "flush") return { kind: "end" };
  if (kind === "content") return { kind: "content", bytes: reader.rest() };
  if (kind === undefined || kind === "source" || kind === "copy")
    throw new TsboxError("corrupt", `frame of unknown kind ${code} from the helper`);
  return { kind: "entry", entry: readTreeOp(reader, kind, reader.str() as TreePath) };
}

function readTreeOp(reader: Reader, kind: Change["kind"], path: TreePath): TreeOp {
  switch (kind) {
    case "directory":
    case "fifo":
      return { kind, path, meta: readMeta(reader) };
    case "file":
      return { kind, path, meta: readMeta(reader), size: Number(reader.u64()) };
    case "symlink":
      return { kind, path, meta: readMeta(reader), target: reader.str() };
    case "hardlink":
      return { kind, path, target: reader.str() as TreePath };
    case "character":
    case "block":
      return { kind, path, meta: readMeta(reader), major: reader.u32(), minor: reader.u32() };
    case "whiteout":
    case "opaque":
      return { kind, path };
    default:
      return unreachable(kind);
  }
}

function readAttributes(reader: Reader): Omit<Meta, "xattrs"> {
  const [mode, uid, gid] = [reader.u32(), reader.u32(), reader.u32()];
  return { mode, uid, gid, mtime: BigInt.asIntN(64, reader.u64()) * billion + BigInt(reader.u32()) };
}

function readMeta(reader: Reader): Meta {
  const attributes = readAttributes(reader);
  const count = reader.u32();
  if (count === 0) return { ...attributes, xattrs: noXattrs };
  const xattrs = new Map<string, Uint8Array>();
  for (let left = count; left > 0; left--) xattrs.set(reader.str(), new Uint8Array(reader.blob()));
  return { ...attributes, xattrs };
}

const noXattrs: Meta["xattrs"] = new Map();

function encodeSlices(kind: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = Math.ceil(bytes.length / contentMax);
  const out = new Uint8Array(bytes.length + 5 * count);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let start = 0; start < bytes.length; start += contentMax) {
    const slice = bytes.subarray(start, start + contentMax);
    view.setUint32(at, slice.length + 1, true);
    view.setUint8(at + 4, kind);
    out.set(slice, at + 5);
    at += 5 + slice.length;
  }
  return out;
}
