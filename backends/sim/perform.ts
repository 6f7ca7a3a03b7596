/**
 * Performing a plan on the simulated kernel. Host steps are system calls of the monitor, child
 * steps system calls of the container's first process before its exec; only what Sys has no call
 * for (overlay's layers, id maps, a pty's other end) reaches into the kernel.
 *
 * A failed step is told as on Linux: its index, the op, the errno, the path.
 */
import { assert, unreachable } from "../../core/base/assert.ts";
import type { ContainerPath } from "../../core/base/brand.ts";
import { Errno } from "../../core/base/errno.ts";
import { PlanError } from "../../core/runtime/plan-error.ts";
import type { Cgroup, ChildOp, HostOp, Spawn } from "../../core/runtime/plan.ts";
import type { SeccompProfile } from "../../core/runtime/seccomp.ts";
import { Devpts } from "./kernel/devpts.ts";
import { meantBy } from "./kernel/ids.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { enterNamespaces } from "./kernel/namespaces.ts";
import { OpenFile } from "./kernel/open-file.ts";
import type { Process } from "./kernel/process.ts";
import type { Sys } from "./kernel/sys.ts";
import { TerminalChannel } from "./kernel/terminal.ts";
import { fileSystemAt, resolve, statAt } from "./kernel/walk.ts";
import { already, bind, makeParents, makeReadonly, mask, mountOverlay, touch, writeFile } from "./perform-files.ts";
import { type Child, inRoot, type Stage, viewOf } from "./stage.ts";

/** Carries out host steps; `spawn` makes the child when there is one. */
export async function performHost(
  stage: Stage,
  sys: Sys,
  steps: readonly HostOp[],
  spawn: (op: Spawn, index: number) => Promise<void>,
): Promise<void> {
  const process = stage.kernel.turns.current;
  assert(process !== null, "plans are performed by processes");
  for (const [index, op] of steps.entries()) {
    try {
      if (op.op === "spawn") await spawn(op, index);
      else hostStep(sys, process, op);
    } catch (thrown) {
      throw failureOf(thrown, String(index), op);
    }
  }
}

function hostStep(sys: Sys, process: Process, op: Exclude<HostOp, Spawn>): void {
  switch (op.op) {
    case "directory.make":
      return already("EEXIST", () => sys.makeDirectory(op.path, op.mode));
    case "directory.remove":
      return already("ENOENT", () => sys.removeDirectory(op.path));
    case "cgroup.make":
      return makeParents(sys, pathOfCgroup(op.cgroup));
    case "cgroup.set":
      return writeFile(process, `${pathOfCgroup(op.cgroup)}/${op.file}`, op.value);
    case "cgroup.kill":
      return already("ENOENT", () => writeFile(process, `${pathOfCgroup(op.cgroup)}/cgroup.kill`, "1"));
    case "cgroup.remove":
      return already("ENOENT", () => removeGroup(sys, pathOfCgroup(op.cgroup)));
    default:
      return unreachable(op);
  }
}

function pathOfCgroup({ mount, path }: Cgroup): string {
  return path === "" ? mount : `${mount}/${path}`;
}

function removeGroup(sys: Sys, path: string): void {
  for (const { name, kind } of sys.list(path)) if (kind === "directory") removeGroup(sys, `${path}/${name}`);
  sys.removeDirectory(path);
}

/** The child's program: its ops one after the other; the last one, exec, does not come back. */
export async function performChild(stage: Stage, child: Child, spawn: Spawn, spawnIndex: number): Promise<void> {
  for (const [index, op] of spawn.child.entries()) {
    try {
      const rest = childStep(stage, child, op);
      if (rest instanceof Promise) await rest; // most are done at once
    } catch (thrown) {
      throw failureOf(thrown, `${spawnIndex}.${index}`, op);
    }
  }
}

function childStep(stage: Stage, child: Child, op: ChildOp): Promise<void> | void {
  const { sys, process } = child;
  switch (op.op) {
    case "cgroup.join":
      return writeFile(process, `${pathOfCgroup(op.cgroup)}/cgroup.procs`, "0");
    case "unshare":
      return sys.unshare(op.namespaces);
    case "enter":
      enterNamespaces(process, stage.find(op.join), op.join.namespaces);
      child.root = process.root;
      return;
    case "propagation":
      return sys.setPropagation(op.path, op.mode);
    case "overlay":
      return mountOverlay(stage, child, op);
    case "mount":
      return inRoot(child, () => sys.mount(op.type, op.source, op.target, op.flags, op.options));
    case "bind":
      return bind(stage.kernel, child, op);
    case "directory":
      return inRoot(child, () => makeParents(sys, op.path));
    case "file":
      return touch(child, op.path, op.mode);
    case "device":
      return inRoot(child, () => already("EEXIST", () => sys.makeNode(op.path, op.type, op.mode, op.major, op.minor)));
    case "symlink":
      return inRoot(child, () => already("EEXIST", () => sys.symlink(op.target, op.path)));
    case "pivot":
      sys.changeDirectory(op.root);
      sys.pivotRoot(".", ".");
      sys.unmount(".", { lazily: true });
      child.root = process.root;
      return;
    case "mask":
      return mask(stage.kernel, child, op.path);
    case "readonly":
      return makeReadonly(stage.kernel, child, op.path);
    case "hostname":
      return sys.setHostname(op.name);
    case "domainname":
      return sys.setDomainname(op.name);
    case "sysctl":
      return already("ENOENT", () => writeFile(process, `/proc/sys/${op.name.replaceAll(".", "/")}`, op.value));
    case "link.up":
      return linkUp(process, op.device);
    case "session":
      process.group = 0; // a leader of its group may not begin a session
      sys.setSession();
      return;
    case "terminal":
      return openTerminal(stage.kernel, child, op);
    case "oom.score":
      process.oomScore = op.value;
      return;
    case "rlimit":
      return sys.setLimit(op.resource, op.soft, op.hard);
    case "descriptors.close":
      for (const fd of process.fds.keys()) if (fd >= op.from) process.closeOnExec.add(fd);
      return;
    case "umask":
      sys.umask(op.mask);
      return;
    case "user":
      return becomeUser(process, op);
    case "directory.enter":
      return sys.changeDirectory(op.path);
    case "capabilities":
      sys.setCapabilities(op);
      return;
    case "no.new.privileges":
      return sys.noNewPrivileges();
    case "seccomp":
      process.refusedCalls = refusedCalls(op.profile);
      return;
    case "gate":
      return child.gate();
    case "exec":
      return execFirst(sys, op.candidates, op.argv, op.environment);
    default:
      return unreachable(op);
  }
}

/** The capabilities are taken away by an op of their own: these are kept, as by prctl(PR_SET_KEEPCAPS). */
function becomeUser(process: Process, { uid, gid, groups }: Extract<ChildOp, { op: "user" }>): void {
  const { user } = process.namespaces;
  const meant = (kind: "uids" | "gids", id: number): number => {
    const found = meantBy(user, kind, id);
    if (found === null) throw new Errno("EINVAL");
    return found;
  };
  process.groups = groups.map((each) => meant("gids", each));
  const ids = { uid: meant("uids", uid), gid: meant("gids", gid) };
  Object.assign(process, ids, { real: ids, saved: ids });
}

function linkUp(process: Process, name: string): void {
  const { stack } = process.namespaces.network;
  stack.setUp(stack.device(name), true);
}

function openTerminal(kernel: Kernel, child: Child, op: Extract<ChildOp, { op: "terminal" }>): void {
  const { sys, process } = child;
  const view = viewOf(process);
  const devpts = fileSystemAt(view.table, resolve(view, "/dev/pts"));
  if (!(devpts instanceof Devpts)) throw new Errno("ENODEV", "/dev/pts");
  const terminal = kernel.newTerminal({ rows: op.rows, columns: op.columns });
  const path = `/dev/pts/${devpts.add(terminal, process)}`;
  if (op.console) sys.bind(path, "/dev/console", { recursive: false, flags: [] });
  process.terminal = terminal;
  terminal.session = process.session;
  terminal.foreground = process.group;
  const location = resolve(view, path);
  const stat = statAt(view.table, location);
  for (const fd of [0, 1, 2]) {
    const file = new OpenFile(
      new TerminalChannel(terminal, () => stat),
      { read: true, write: true },
      { location, path },
    );
    if (process.fds.has(fd)) sys.close(fd);
    process.fds.set(fd, file.hold());
  }
  child.terminal(terminal);
}

const refused = new WeakMap<SeccompProfile, ReadonlySet<string>>();

/** The calls of Sys that a profile refuses: those whose first matching rule is not "allow" for any argument. */
function refusedCalls(profile: SeccompProfile): ReadonlySet<string> {
  const calls = refused.get(profile) ?? refusedBy(profile);
  refused.set(profile, calls);
  return calls;
}

function refusedBy(profile: SeccompProfile): ReadonlySet<string> {
  const known = ["unshare", "setns", "mount", "umount2", "pivot_root", "sethostname", "setdomainname", "mknod"];
  const allowed = new Set(
    profile.rules.flatMap((rule) => (rule.action === "allow" && rule.arguments === undefined ? rule.names : [])),
  );
  return new Set(profile.defaultAction === "allow" ? [] : known.filter((name) => !allowed.has(name)));
}

/** As execvp(3): the next candidate on ENOENT and ENOTDIR; EACCES is remembered. */
async function execFirst(
  sys: Sys,
  candidates: readonly ContainerPath[],
  argv: readonly string[],
  environment: readonly string[],
): Promise<never> {
  let failure = new Errno("ENOENT", argv[0]);
  for (const path of candidates) {
    try {
      await sys.exec(path, argv, environment);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      if (thrown.errno === "EACCES" || (thrown.errno !== "ENOENT" && thrown.errno !== "ENOTDIR"))
        failure = new Errno(thrown.errno, path);
      if (!["ENOENT", "ENOTDIR", "EACCES"].includes(thrown.errno)) break;
    }
  }
  throw failure;
}

/** A step's failure in the terms of the plan: the path is the op's own where it has one. */
function failureOf(thrown: unknown, step: string, op: HostOp | ChildOp): unknown {
  if (thrown instanceof PlanError || !(thrown instanceof Errno)) return thrown;
  return new PlanError({ step, op: op.op, errno: thrown.errno, path: thrown.path === "" ? pathOfOp(op) : thrown.path });
}

function pathOfOp(op: HostOp | ChildOp): string {
  if ("path" in op) return op.path;
  if ("cgroup" in op) return pathOfCgroup(op.cgroup);
  return "target" in op ? op.target : "";
}
