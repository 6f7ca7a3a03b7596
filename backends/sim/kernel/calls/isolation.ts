/** System calls about isolation: namespaces, mounts, capabilities, limits. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Capability } from "../../../../core/runtime/capabilities.ts";
import type { MountFlag, Namespace, Propagation } from "../../../../core/runtime/plan.ts";
import { makeFileSystem } from "../file-systems.ts";
import {
  addMount,
  bindMount,
  changeMount,
  type Location,
  mountAt,
  pivotTable,
  removeMount,
  rootOf,
} from "../mounts.ts";
import { enterNamespaces, unshareNamespaces } from "../namespaces.ts";
import type { Limit, Pid } from "../sys.ts";
import type { View } from "../walk.ts";
import { FileCalls } from "./files.ts";

export class IsolationCalls extends FileCalls {
  unshare(namespaces: readonly Namespace[]): void {
    this.unrefused("unshare");
    if (!namespaces.includes("user")) this.need("CAP_SYS_ADMIN");
    unshareNamespaces(this.kernel, this.self(), namespaces);
  }

  enter(pid: Pid, namespaces: readonly Namespace[]): void {
    this.unrefused("setns");
    enterNamespaces(this.self(), this.peer(pid), namespaces);
  }

  mount(type: string, source: string, target: string, flags: readonly MountFlag[], options: string): void {
    const location = this.#mountable(target);
    const made = makeFileSystem(this.kernel, this.process, type, options);
    this.#changeTable((table) => {
      const mount = {
        ...made,
        type,
        source,
        flags: new Set(flags),
        options,
        propagation: "private",
        idMaps: null,
      } as const;
      return addMount(table, location, mount).table;
    });
  }

  bind(source: string, target: string, options: { recursive: boolean; flags: readonly MountFlag[] }): void {
    const to = this.#mountable(target);
    const from = this.locationOf(source);
    const isDirectory = this.statAt(from).kind === "directory";
    if (isDirectory !== (this.statAt(to).kind === "directory")) throw new Errno("ENOTDIR", target);
    this.#changeTable((table) => {
      const bound = bindMount(table, from, to, options.recursive);
      const flags = new Set([...mountAt(table, from.mount).flags, ...options.flags]);
      return changeMount(bound.table, bound.id, { flags });
    });
  }

  setPropagation(path: string, mode: Propagation): void {
    const { mount } = this.#mountable(path);
    this.#changeTable((table) => changeMount(table, mount, { propagation: mode }));
  }

  unmount(path: string): void {
    this.unrefused("umount2");
    this.#needMounts();
    const location = this.locationOf(path);
    if (this.mountOf(location).root !== location.inode) throw new Errno("EINVAL", path);
    this.#changeTable((table) => removeMount(table, location.mount));
  }

  pivotRoot(newRoot: string): void {
    this.unrefused("pivot_root");
    this.#needMounts();
    const location = this.locationOf(newRoot);
    this.#changeTable((table) => pivotTable(table, location));
    this.process.root = rootOf(this.table());
    this.process.directory = this.process.root;
  }

  #mountable(path: string): Location {
    this.unrefused("mount");
    this.#needMounts();
    return this.locationOf(path);
  }

  #needMounts(): void {
    this.need("CAP_SYS_ADMIN", this.process.namespaces.mount.owner);
  }

  #changeTable(change: (table: View["table"]) => View["table"]): void {
    this.process.namespaces.mount.table = change(this.table());
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
    this.process.capabilities = { ...capabilities, ...sets, permitted, effective };
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

  noNewPrivileges(): void {
    this.self().noNewPrivileges = true;
  }
}

function isWithin(some: readonly Capability[], all: readonly Capability[]): boolean {
  return some.every((each) => all.includes(each));
}
