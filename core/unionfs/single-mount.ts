/** The view of a process where one file system is all there is: no kernel, nothing mounted on anything. */
import { type Actor, permit } from "./access.ts";
import type { FileSystem, Inode, Stat } from "./file-system.ts";
import type { OpenInodes } from "./open-inodes.ts";
import type { Ownership, ProcessView } from "./process-view.ts";
import type { Guarded } from "./walk.ts";

export interface SingleMountOptions {
  readonly actor: Actor;
  readonly umask: number;
  readonly readOnly: boolean;
  /** Those who share a file system share it. */
  readonly open: OpenInodes;
  /** The process's root directory; the file system's by default. */
  readonly root?: Inode;
}

export class SingleMount implements ProcessView<Inode> {
  readonly actor: Actor;
  readonly umask: number;
  readonly open: OpenInodes;
  readonly root: Inode;
  readonly directory: Inode;
  readonly fileSizeMax: number = Number.POSITIVE_INFINITY;
  readonly #fileSystem: FileSystem;
  readonly #readOnly: boolean;

  constructor(fileSystem: FileSystem, { actor, umask, readOnly, open, root = fileSystem.root }: SingleMountOptions) {
    this.#fileSystem = fileSystem;
    this.#readOnly = readOnly;
    this.actor = actor;
    this.umask = umask;
    this.open = open;
    this.root = root;
    this.directory = root;
  }

  forget(fileSystem: FileSystem, inode: Inode): void {
    if (!this.open.isHeld(fileSystem, inode)) fileSystem.forget(inode);
  }

  fileSystem(): FileSystem {
    return this.#fileSystem;
  }

  inode(place: Inode): Inode {
    return place;
  }

  look(place: Inode): Guarded {
    return this.#fileSystem.peek(place);
  }

  looking(place: Inode): () => Guarded {
    return () => this.#fileSystem.peek(place);
  }

  stat(place: Inode): Stat {
    return this.#fileSystem.stat(place);
  }

  enter(directory: Inode, name: string): Inode | null {
    return this.child(directory, name);
  }

  child(directory: Inode, name: string): Inode | null {
    return this.#fileSystem.find(directory, name) || null;
  }

  made(_directory: Inode, _name: string, inode: Inode): Inode {
    return inode;
  }

  above(directory: Inode): Inode {
    return this.#fileSystem.parent(directory);
  }

  isSame(one: Inode, other: Inode): boolean {
    return one === other;
  }

  follow(symlink: Inode): string {
    return this.#fileSystem.readlink(symlink);
  }

  permitSearch(directory: Guarded): void {
    permit(this.actor, directory, "execute");
  }

  isReadOnly(): boolean {
    return this.#readOnly;
  }

  isFileSystemReadOnly(): boolean {
    return this.#readOnly;
  }

  mount(): number {
    return 0;
  }

  isMountPoint(): boolean {
    return false;
  }

  isRunning(): boolean {
    return false;
  }

  stored(_place: Inode, owner: Ownership): Ownership {
    return owner;
  }
}
