/** System calls about isolation: namespaces, mounts, capabilities, limits. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Capability } from "../../../../core/runtime/capabilities.ts";
import type { MountFlag, Namespace } from "../../../../core/runtime/plan.ts";
import type { FileSystem, Inode } from "../../../../core/unionfs/file-system.ts";
import type { Branch } from "../../../../core/unionfs/marks.ts";
import { Tree } from "../../../../core/unionfs/tree.ts";
import { makeFileSystem } from "../file-systems.ts";
import {
  boundTree,
  changeMount,
  forgetDetached,
  hasChildren,
  isWithin as liesWithin,
  type Location,
  mountAt,
  pivotTable,
  topmost,
} from "../mounts.ts";
import { overlayOf } from "../overlay-mount.ts";
import { attach, attachOne, detach, setSharing, type SharingMode } from "../propagation.ts";
import { isAlive } from "../process.ts";
import { checkEntering, enterNamespaces, unshareNamespaces } from "../namespaces.ts";
import type { Limit, Pid } from "../sys.ts";
import { fileSystemAt } from "../walk.ts";
import { FileCalls } from "./files.ts";

export class IsolationCalls extends FileCalls {
  unshare(namespaces: readonly Namespace[]): void {
    this.unrefused("unshare");
    if (!namespaces.includes("user")) this.need("CAP_SYS_ADMIN");
    unshareNamespaces(this.kernel, this.self(), namespaces);
  }

  enter(pid: Pid, namespaces: readonly Namespace[]): void {
    this.unrefused("setns");
    const target = this.peer(pid);
    checkEntering(this.self(), target, namespaces);
    enterNamespaces(this.process, target, namespaces);
  }

  mount(type: string, source: string, target: string, flags: readonly MountFlag[], options: string): void {
    const location = this.#mountable(target);
    const made = type === "overlay" ? this.#overlay(options) : makeFileSystem(this.kernel, this.process, type, options);
    this.#checkPlace(location, true, target);
    const isSealed = flags.includes("ro");
    const mount = { ...made, type, source, flags: new Set(flags), isSealed, options, idMaps: null };
    attachOne(this.process.namespaces.mount, this.kernel.mountNamespaces(), location, mount);
  }

  #overlay(options: string): { fileSystem: FileSystem; root: Inode } {
    const fileSystem = overlayOf(options, (path) => this.#branchAt(path));
    return { fileSystem, root: fileSystem.root };
  }

  /** A union's own directories are no branches of another one: Linux refuses them too, at least as upper ones. */
  #branchAt(path: string): Branch {
    const location = this.locationOf(path);
    const tree = fileSystemAt(this.process.namespaces.mount.table, location);
    if (!(tree instanceof Tree)) throw new Errno("EINVAL", path);
    if (this.statAt(location).kind !== "directory") throw new Errno("ENOTDIR", path);
    return { tree, root: location.inode };
  }

  /** Nothing is mounted on what has no name any more, nor a file on a directory. ENOENT, ENOTDIR. */
  #checkPlace(location: Location, isDirectory: boolean, path: string): void {
    const { kind, links } = this.statAt(location);
    if (links === 0) throw new Errno("ENOENT", path);
    if (isDirectory !== (kind === "directory")) throw new Errno("ENOTDIR", path);
  }

  /** Changes the flags of a mount (MS_REMOUNT). EINVAL when nothing is mounted there. */
  remount(target: string, flags: readonly MountFlag[], options: string): void {
    const location = this.#mounted(this.#mountable(target), target);
    const { options: old, isSealed: isSealedBefore = false } = this.mountOf(location);
    const isSealed = isSealedBefore && flags.includes("ro");
    this.#change(location.mount, { flags: new Set(flags), isSealed, options: options === "" ? old : options });
  }

  bind(source: string, target: string, options: { recursive: boolean; flags: readonly MountFlag[] }): void {
    const to = this.#mountable(target);
    const from = this.locationOf(source);
    this.#checkPlace(to, this.statAt(from).kind === "directory", target);
    const { mount: namespace } = this.process.namespaces;
    if (this.mountOf(from).sharing.unbindable) throw new Errno("EINVAL", source);
    const tree = boundTree(namespace.table, from, options.recursive);
    const id = attach(namespace, this.kernel.mountNamespaces(), to, tree);
    if (options.flags.length > 0) this.#change(id, { flags: new Set([...this.mountOf(from).flags, ...options.flags]) });
  }

  setPropagation(path: string, mode: SharingMode): void {
    const { mount } = this.#mounted(this.#mountable(path), path);
    setSharing(this.process.namespaces.mount, this.kernel.mountNamespaces(), mount, mode);
  }

  unmount(path: string, { lazily = false }: { lazily?: boolean } = {}): void {
    this.unrefused("umount2");
    const location = topmost(this.table(), this.locationOf(path));
    this.#needMounts();
    const namespace = this.process.namespaces.mount;
    const { mount } = this.#mounted(location, path);
    if (mountAt(namespace.table, mount).isLocked) throw new Errno("EINVAL", path);
    const stoodIn = this.#stoodIn();
    if (!lazily && (hasChildren(namespace.table, mount) || stoodIn.has(mount))) throw new Errno("EBUSY", path);
    detach(namespace, this.kernel.mountNamespaces(), mount, lazily);
    forgetDetached(namespace.table, (id) => stoodIn.has(id));
    this.kernel.lingering.sweep();
    this.kernel.sweepCgroups();
  }

  /** The mounts that somebody has as root or directory, or a file of it open. */
  #stoodIn(): ReadonlySet<number> {
    const table = this.table();
    const mounts = new Set<number>();
    for (const { root, directory, fds, namespaces } of [...this.kernel.processes.values()].filter(isAlive)) {
      const add = (place: Location | null): void => {
        if (place !== null && (place.table ?? namespaces.mount.table) === table) mounts.add(place.mount);
      };
      add(root);
      add(directory);
      for (const { location } of fds.values()) add(location);
    }
    return mounts;
  }

  /** The rules are those of path_pivot_root() in fs/namespace.c, in its order. */
  pivotRoot(newRoot: string, putOld: string): void {
    this.unrefused("pivot_root");
    this.#needMounts();
    const [to, old] = [this.#directoryAt(newRoot), this.#directoryAt(putOld)];
    const table = this.table();
    const { root } = this.process;
    if ([to, root].some(({ mount }) => this.#isOnShared(mount)) || this.mountOf(old).sharing.group !== null)
      throw new Errno("EINVAL", newRoot);
    if (to.mount === root.mount || old.mount === root.mount) throw new Errno("EBUSY", newRoot);
    if (root.mount !== table.root || root.inode !== this.mountOf(root).root) throw new Errno("EINVAL", newRoot);
    this.#mounted(to, newRoot);
    if (old.mount !== to.mount || !liesWithin(this.mountOf(to), old, to.inode)) throw new Errno("EINVAL", putOld);
    pivotTable(table, to, old);
    this.#moveRoots(root, to);
  }

  #directoryAt(path: string): Location {
    const location = this.locationOf(path);
    if (this.statAt(location).kind !== "directory") throw new Errno("ENOTDIR", path);
    return location;
  }

  #isOnShared(id: number): boolean {
    const { on } = mountAt(this.table(), id);
    return on !== null && this.mountOf(on).sharing.group !== null;
  }

  /** Who had the old root, or stood in it, has the new one. */
  #moveRoots(from: Location, to: Location): void {
    const isThere = ({ mount, inode }: Location): boolean => mount === from.mount && inode === from.inode;
    for (const process of this.process.namespaces.mount.users) {
      if (isThere(process.root)) process.root = to;
      if (isThere(process.directory)) process.directory = to;
    }
  }

  /** A place where something is mounted. */
  #mounted(location: Location, path: string): Location {
    if (this.mountOf(location).root !== location.inode) throw new Errno("EINVAL", path);
    return location;
  }

  #mountable(path: string): Location {
    this.unrefused("mount");
    // Whether there is such a place is told to everybody.
    const location = this.locationOf(path);
    this.#needMounts();
    return location;
  }

  #needMounts(): void {
    this.need("CAP_SYS_ADMIN", this.process.namespaces.mount.owner);
  }

  #change(id: number, change: Parameters<typeof changeMount>[2]): void {
    changeMount(this.table(), id, change);
  }

  setCapabilities(sets: {
    bounding?: readonly Capability[];
    permitted?: readonly Capability[];
    effective?: readonly Capability[];
    inheritable?: readonly Capability[];
    ambient?: readonly Capability[];
  }): void {
    const { capabilities } = this.self();
    const permitted = sets.permitted ?? capabilities.permitted;
    if (!isWithin(permitted, capabilities.permitted)) throw new Errno("EPERM");
    if (!isWithin(sets.effective ?? [], permitted)) throw new Errno("EPERM");
    if (sets.bounding !== undefined && !isWithin(capabilities.bounding, sets.bounding)) this.need("CAP_SETPCAP");
    const effective = (sets.effective ?? capabilities.effective).filter((each) => permitted.includes(each));
    const inheritable = this.#inheritable(sets.inheritable);
    const mayBeAmbient = (each: Capability): boolean => permitted.includes(each) && inheritable.includes(each);
    if (sets.ambient?.every(mayBeAmbient) === false) throw new Errno("EPERM");
    const ambient = (sets.ambient ?? capabilities.ambient).filter(mayBeAmbient);
    this.process.capabilities = { ...capabilities, ...sets, permitted, effective, inheritable, ambient };
  }

  /** Within what it has, permitted or bounding; beyond what is permitted takes CAP_SETPCAP. */
  #inheritable(wanted: readonly Capability[] | undefined): readonly Capability[] {
    const { inheritable, permitted, bounding } = this.self().capabilities;
    if (wanted === undefined) return inheritable;
    if (!isWithin(wanted, [...inheritable, ...bounding])) throw new Errno("EPERM");
    if (!isWithin(wanted, [...inheritable, ...permitted])) this.need("CAP_SETPCAP");
    return wanted;
  }

  limit(resource: string): Limit {
    return this.self().limits.get(resource) ?? { soft: -1, hard: -1 };
  }

  setLimit(resource: string, soft: number, hard: number): void {
    const old = this.limit(resource);
    const most = (value: number): number => (value === -1 ? Number.POSITIVE_INFINITY : value);
    if (most(soft) > most(hard)) throw new Errno("EINVAL");
    if (most(hard) > most(old.hard)) this.need("CAP_SYS_RESOURCE", this.kernel.userNamespace);
    this.process.limits.set(resource, { soft, hard });
  }

  kernelLog(): string {
    this.need("CAP_SYSLOG", this.kernel.userNamespace);
    return this.kernel.log.text;
  }

  noNewPrivileges(): void {
    this.self().noNewPrivileges = true;
  }
}

function isWithin(some: readonly Capability[], all: readonly Capability[]): boolean {
  return some === all || some.every((each) => all.includes(each));
}
