/**
 * What a plan's ops do to files and mounts. Paths inside the container are walked once, and what the kernel is asked for
 * there happens at that place.
 */
import { encodeText } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import type { ChildOp, Overlay } from "../../core/runtime/plan.ts";
import { Overlay as Union } from "../../core/unionfs/overlay.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { boundTree, changeMount, type Location, mountAt } from "./kernel/mounts.ts";
import type { Process } from "./kernel/process.ts";
import { attach, attachOne, setSharing } from "./kernel/propagation.ts";
import type { Fd, Sys } from "./kernel/sys.ts";
import { fileSystemAt, locate, resolve, statAt } from "./kernel/walk.ts";
import { type Child, inRoot, type Stage, viewOf } from "./stage.ts";

/** What is so already, or gone already, is no failure: ops are idempotent. */
export function already(errno: "EEXIST" | "ENOENT", act: () => void): void {
  try {
    act();
  } catch (thrown) {
    if (!isErrno(thrown, errno)) throw thrown;
  }
}

function isErrno(thrown: unknown, errno: "EEXIST" | "ENOENT"): boolean {
  return thrown instanceof Errno && thrown.errno === errno;
}

/** mkdir -p: most often the directory is there, or its parent is. */
export function makeParents(sys: Sys, path: string): void {
  const make = (): void => already("EEXIST", () => sys.makeDirectory(path, 0o755));
  try {
    make();
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    makeParents(sys, parentOf(path));
    make();
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** One of the kernel's own files, in one go: what it does, it does for the process whose turn it is. */
export function writeFile(process: Process, path: string, value: string): void {
  const view = viewOf(process);
  const place = resolve(view, path);
  fileSystemAt(view.table, place).write(place.inode, 0, encodeText(value));
}

export function mountOverlay(stage: Stage, child: Child, op: Overlay): void {
  const { process } = child;
  const lowers = op.lowers.map((path) => stage.branch(path)).toReversed();
  const fileSystem = new Union(stage.branch(op.upper), lowers);
  const target = resolve(viewOf(process), op.target);
  const options = `lowerdir=${op.lowers.toReversed().join(":")},upperdir=${op.upper},workdir=${op.work}`;
  const mount = {
    fileSystem,
    root: fileSystem.root,
    type: "overlay",
    source: "overlay",
    flags: new Set(op.flags),
    options,
    idMaps: op.idMaps,
  };
  const id = attachOne(process.namespaces.mount, stage.kernel.mountNamespaces(), target, mount);
  child.root = { mount: id, inode: fileSystem.root };
}

type Bind = Extract<ChildOp, { op: "bind" }>;

export function bind(kernel: Kernel, child: Child, op: Bind): void {
  const { process } = child;
  const from = resolve(viewOf(process), op.source);
  const to = inRoot(child, () => resolve(viewOf(process), op.target));
  const id = bindAt(kernel, process, from, to, op);
  setSharing(process.namespaces.mount, kernel.mountNamespaces(), id, op.propagation ?? "private");
}

function bindAt(
  kernel: Kernel,
  { namespaces: { mount } }: Process,
  from: Location,
  to: Location,
  { recursive, flags }: Pick<Bind, "recursive" | "flags">,
): number {
  const [top, ...rest] = boundTree(mount.table, from, recursive);
  return attach(mount, kernel.mountNamespaces(), to, [{ ...top, flags: new Set([...top.flags, ...flags]) }, ...rest]);
}

/** Opened to read: what is there already must not be copied up. */
export async function touch(child: Child, path: string, mode: number): Promise<void> {
  const { sys } = child;
  // The path is walked before open() comes back.
  const open = (): Promise<Fd> => inRoot(child, () => sys.open(path, { access: "read", create: true, mode }));
  const fd = await open().catch((thrown: unknown) => {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    inRoot(child, () => makeParents(sys, parentOf(path)));
    return open();
  });
  sys.close(fd);
}

export function mask(kernel: Kernel, { sys, process }: Child, path: string): void {
  const place = found(process, path);
  if (place === null) return;
  const view = viewOf(process);
  if (statAt(view.table, place).kind === "directory") sys.mount("tmpfs", "tmpfs", path, ["ro"], "mode=755");
  else bindAt(kernel, process, resolve(view, "/dev/null"), place, { recursive: false, flags: [] });
}

export function makeReadonly(kernel: Kernel, { process }: Child, path: string): void {
  if (path === "/") return makeRootReadonly(process);
  const place = found(process, path);
  if (place !== null) bindAt(kernel, process, place, place, { recursive: true, flags: ["ro"] });
}

function makeRootReadonly({ namespaces, root }: Process): void {
  const flags = new Set([...mountAt(namespaces.mount.table, root.mount).flags, "ro" as const]);
  changeMount(namespaces.mount.table, root.mount, { flags });
}

/** null: nothing is there. */
function found(process: Process, path: string): Location | null {
  try {
    return locate(viewOf(process), path).found;
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return null;
    throw thrown;
  }
}
