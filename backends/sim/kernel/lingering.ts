/**
 * Files without a name that something holds: a descriptor, a mount of them, a process that stands in
 * them or runs them. They are forgotten when nothing does any more.
 */
import type { FileSystem, Inode } from "../../../core/unionfs/file-system.ts";
import type { OpenInodes } from "../../../core/unionfs/open-inodes.ts";
import { type Location, mayBeBound } from "./mounts.ts";
import { Synthetic } from "./synthetic.ts";
import { isAlive, type MountNamespace, type Process } from "./process.ts";

interface World {
  readonly openInodes: OpenInodes;
  readonly processes: ReadonlyMap<number, Process>;
  mountNamespaces(): Iterable<MountNamespace>;
}

export class Lingering {
  readonly #world: World;
  #left: { readonly fileSystem: FileSystem; readonly inode: Inode }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** A name of it is gone, or a descriptor. */
  forget(fileSystem: FileSystem, inode: Inode): void {
    if (fileSystem instanceof Synthetic) return; // its files are as long as what they tell of
    if (this.#world.openInodes.isHeld(fileSystem, inode)) return; // its close comes back here
    if (!this.#isBound(fileSystem, inode) && !this.#isUsed(fileSystem, inode)) fileSystem.forget(inode);
    else if (fileSystem.stat(inode).links === 0) this.#left.push({ fileSystem, inode });
  }

  /** Something that may have held one does no more. */
  sweep(): void {
    if (this.#left.length === 0) return;
    const all = this.#left;
    this.#left = [];
    for (const { fileSystem, inode } of all) this.forget(fileSystem, inode);
  }

  #isBound(fileSystem: FileSystem, inode: Inode): boolean {
    if (!mayBeBound(fileSystem, inode)) return false;
    for (const { table } of this.#world.mountNamespaces())
      for (const mount of table.mounts.values())
        if (mount.root === inode && mount.fileSystem === fileSystem) return true;
    return false;
  }

  /** Only a directory is stood in, and only what may be executed is run. */
  #isUsed(fileSystem: FileSystem, inode: Inode): boolean {
    const { kind, mode } = fileSystem.peek(inode);
    if (kind !== "directory" && (mode & 0o111) === 0) return false;
    const isIt = ({ namespaces }: Process, place: Location | null): boolean =>
      place?.inode === inode &&
      (place.table ?? namespaces.mount.table).mounts.get(place.mount)?.fileSystem === fileSystem;
    for (const process of this.#world.processes.values())
      if (isAlive(process) && [process.directory, process.root, process.executable].some((at) => isIt(process, at)))
        return true;
    return false;
  }
}
