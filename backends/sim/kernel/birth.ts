/** How processes come into being: the host's first one with the first namespaces, and a child of another (fork(2)). */
import { type Capability, capabilityNumbers } from "../../../core/runtime/capabilities.ts";
import { Changes } from "./changes.ts";
import { newIpcNamespace } from "./ipc/namespace.ts";
import type { Kernel } from "./kernel.ts";
import { newTable, rootOf } from "./mounts.ts";
import { networkNamespace } from "./namespaces.ts";
import type { Namespaces, PidNamespace, PlainNamespace, Process, UserNamespace } from "./process.ts";
import type { Pid } from "./sys.ts";

const everyCapability = Object.keys(capabilityNumbers) as Capability[];

/** Process 1 of the host, in the first namespaces. */
export function firstProcess(kernel: Kernel): Process {
  const namespaces = firstNamespaces(kernel);
  const init = processIn(namespaces, kernel);
  namespaces.pid.init = init;
  return init;
}

function processIn(namespaces: Namespaces, { cgroups, turns }: Kernel): Process {
  const { pid, numbers } = numbered(namespaces.pid);
  const root = rootOf(namespaces.mount.table);
  const capabilities = {
    bounding: everyCapability,
    permitted: everyCapability,
    effective: everyCapability,
    inheritable: [],
    ambient: [],
  };
  return {
    pid,
    numbers,
    parent: null,
    children: new Set(),
    group: pid,
    session: pid,
    terminal: null,
    state: "waiting",
    name: "init",
    argv: ["init"],
    environment: [],
    executable: null,
    standIn: null,
    hasExecuted: true,
    namespaces,
    childPids: namespaces.pid,
    root,
    directory: root,
    umask: 0o022,
    uid: 0,
    gid: 0,
    real: { uid: 0, gid: 0 },
    saved: { uid: 0, gid: 0 },
    groups: [],
    capabilities,
    noNewPrivileges: false,
    refusedCalls: null,
    cgroup: cgroups.root,
    legacyCgroups: new Map(),
    accounts: cgroups.rootAccounts(),
    competing: { runtime: 0, ended: 0 },
    fds: new Map(),
    closeOnExec: new Set(),
    limits: new Map([
      ["nofile", { soft: 1024, hard: 4096 }],
      ["msgqueue", { soft: 819_200, hard: 819_200 }],
    ]),
    oomScore: 0,
    nice: 0,
    actions: new Map(),
    attachments: new Map(),
    ...unlived(turns.now),
  };
}

/** A child of `parent`, not yet born into the table: what fork(2) copies, and what it does not. */
export function childOf(parent: Process, pids: PidNamespace, now: bigint): Process {
  const { pid, numbers } = numbered(pids);
  const child: Process = {
    ...parent,
    pid,
    numbers,
    parent,
    children: new Set(),
    state: "ready",
    hasExecuted: false,
    namespaces: { ...parent.namespaces, pid: pids },
    childPids: pids,
    capabilities: { ...parent.capabilities },
    fds: new Map([...parent.fds].map(([fd, file]) => [fd, file.hold()])),
    closeOnExec: new Set(parent.closeOnExec),
    limits: new Map(parent.limits),
    actions: new Map([...parent.actions].filter(([, action]) => action === "ignore")),
    ...unlived(now),
    attachments: new Map(parent.attachments),
    legacyCgroups: new Map(parent.legacyCgroups),
    competing: { runtime: parent.accounts.cpu.floor, ended: 0 },
  };
  pids.init ??= child;
  return child;
}

function firstNamespaces(kernel: Kernel): Namespaces {
  const { tree } = kernel;
  const root = { fileSystem: tree, root: tree.root, type: "rootfs", source: "rootfs", flags: new Set<never>() };
  let mounts = 1;
  const everyone = [{ inside: 0, outside: 0, count: 4294967295 }];
  const user: UserNamespace = {
    number: kernel.newNumber(),
    parent: null,
    ownerUid: 0,
    ownerGid: 0,
    mayDropGroups: true,
    uids: everyone,
    gids: everyone,
  };
  const plain = (): PlainNamespace => ({ number: kernel.newNumber(), owner: user });
  return {
    mount: { ...plain(), users: new Set(), table: newTable({ ...root, options: "", idMaps: null }, () => mounts++) },
    uts: { ...plain(), hostname: "tsbox", domainname: "(none)" },
    ipc: newIpcNamespace(plain()),
    pid: { ...plain(), parent: null, next: 1, init: null },
    network: networkNamespace(kernel, kernel.newNumber(), user),
    cgroup: { ...plain(), roots: new Map() },
    user,
    time: plain(),
  };
}

/** A number in a pid namespace and in each around it; the outermost is the key. */
function numbered(namespace: PidNamespace): { pid: Pid; numbers: Map<PidNamespace, Pid> } {
  const numbers = new Map<PidNamespace, Pid>();
  let pid = 0;
  for (let at: PidNamespace | null = namespace; at !== null; at = at.parent) {
    pid = at.next++;
    numbers.set(at, pid);
  }
  return { pid, numbers };
}

/** What a process has of its own from the beginning: nothing has happened to it. */
function unlived(
  now: bigint,
): Pick<
  Process,
  | "pendingSignals"
  | "news"
  | "exit"
  | "cpuNanos"
  | "memoryBytes"
  | "charges"
  | "trace"
  | "undos"
  | "startedAt"
  | "endings"
  | "changes"
> {
  return {
    pendingSignals: new Map(),
    news: [],
    exit: null,
    cpuNanos: 0n,
    memoryBytes: 0,
    charges: new Map(),
    trace: null,
    undos: new Map(),
    startedAt: now,
    endings: [],
    changes: new Changes(),
  };
}
