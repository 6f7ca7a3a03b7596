/** System calls that look at files by path, and what all system calls by path share. */
import { Errno } from "../base/errno.ts";
import { createdIn, permit, permitAll, permitEntries, permitRemoval, type Wanted, withoutSetid } from "./access.ts";
import type { DirectoryEntry, FileSystem, Inode, NewNode, Stat } from "./file-system.ts";
import type { Found } from "./opened-file.ts";
import type { ProcessView } from "./process-view.ts";
import { checkName, type Guarded, type Spot, walk, type WalkOptions } from "./walk.ts";

/** What is to be made: the process gives it its ids. */
export type Unowned = NewNode extends infer Node ? (Node extends NewNode ? Omit<Node, "uid" | "gid"> : never) : never;

const toTheFile: WalkOptions = { noFollow: false };
const toTheLink: WalkOptions = { noFollow: true };
export const toTheParent: WalkOptions = { isParent: true };
const capabilityXattr = "security.capability";

export class PathCalls<Place extends object | number> {
  readonly view: ProcessView<Place>;

  constructor(view: ProcessView<Place>) {
    this.view = view;
  }

  stat(path: string): Stat {
    return this.view.stat(this.existing(path));
  }

  lstat(path: string): Stat {
    return this.view.stat(this.existing(path, true));
  }

  list(path: string): readonly DirectoryEntry[] {
    const directory = this.existing(path);
    const looked = this.view.look(directory);
    if (looked.kind !== "directory") throw new Errno("ENOTDIR", path);
    permit(this.view.actor, looked, "read", path);
    return this.fileSystem(directory).list(this.view.inode(directory));
  }

  readlink(path: string): string {
    const link = this.existing(path, true);
    return this.fileSystem(link).readlink(this.view.inode(link));
  }

  access(path: string, wanted: readonly Wanted[]): void {
    const place = this.existing(path);
    const file = this.view.look(place);
    const isKept = file.kind === "file" || file.kind === "directory" || file.kind === "symlink";
    const mayBeRefused = wanted.includes("write") && isKept;
    if (mayBeRefused && this.view.isFileSystemReadOnly(place)) throw new Errno("EROFS", path);
    permitAll(this.view.actor, file, wanted, path);
    if (mayBeRefused) this.notReadOnly(place, path);
  }

  /** After a write by this process: what it may not keep goes, the set-id bits and the file's capabilities. */
  written({ fileSystem, inode, look }: Found): void {
    dropCapability(fileSystem, inode);
    const file = look();
    if ((file.mode & 0o6000) === 0 || this.view.actor.may("CAP_FSETID", file)) return;
    const mode = withoutSetid(this.view.actor, file);
    if (mode !== file.mode) fileSystem.setAttributes(inode, { mode });
  }

  /** ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG. */
  existing(path: string, noFollow = false): Place {
    const { found } = walk(this.view, path, waysOf(noFollow));
    if (found === null) throw new Errno("ENOENT", path);
    return found;
  }

  /** A name nobody has. Only a directory's may be written with a slash at the end. */
  protected free(path: string, isDirectory: boolean): Spot<Place> {
    const spot = walk(this.view, withoutSlashes(path), toTheLink);
    if (spot.found !== null) throw new Errno("EEXIST", path);
    if (!isDirectory && path.endsWith("/")) throw new Errno("ENOENT", path);
    return spot;
  }

  /** What a name stands for in its directory: it is to be taken away, with what is mounted on it or not at all. */
  protected entered({ directory, name, slash }: Spot<Place>): Spot<Place> {
    checkName(name);
    const found = this.view.child(directory, name);
    return { directory, name, found, looked: found === null ? null : this.view.look(found), slash };
  }

  protected create({ directory, name }: Spot<Place>, path: string, node: Unowned): Place {
    this.notReadOnly(directory, path);
    this.permitEntries(directory, path);
    const inode = this.fileSystem(directory).create(this.view.inode(directory), name, this.owned(directory, node));
    return this.view.made(directory, name, inode);
  }

  protected owned(directory: Place, node: Unowned): NewNode {
    const masked = node.kind === "symlink" ? 0o777 : node.mode & ~this.view.umask;
    const created = createdIn(this.view.actor, this.view.look(directory), node.kind, masked);
    const { uid, gid } = this.view.stored(directory, created);
    const { mode } = created;
    switch (node.kind) {
      case "symlink":
        return { kind: node.kind, target: node.target, mode, uid, gid };
      case "character":
      case "block":
        return { kind: node.kind, major: node.major, minor: node.minor, mode, uid, gid };
      case "file":
      case "directory":
      case "fifo":
      case "socket":
        return { kind: node.kind, mode, uid, gid };
    }
  }

  protected found(place: Place, look: () => Guarded): Found {
    const { view } = this;
    return { fileSystem: view.fileSystem(place), inode: view.inode(place), mount: view.mount(place), look };
  }

  protected fileSystem(place: Place): FileSystem {
    return this.view.fileSystem(place);
  }

  /** A name of it in this directory is gone. */
  protected forgotten(directory: Place, inode: Inode): void {
    this.view.forget(this.fileSystem(directory), inode);
  }

  protected permitEntries(directory: Place, path: string): void {
    permitEntries(this.view.actor, this.view.look(directory), path);
  }

  protected permitTaking(directory: Place, file: Guarded, path: string): void {
    const looked = this.view.look(directory);
    permitEntries(this.view.actor, looked, path);
    permitRemoval(this.view.actor, looked, file, path);
  }

  protected notReadOnly(place: Place, path: string): void {
    if (this.view.isReadOnly(place)) throw new Errno("EROFS", path);
  }
}

export function dropCapability(fileSystem: FileSystem, inode: Inode): void {
  if (fileSystem.listXattrs(inode).includes(capabilityXattr)) fileSystem.removeXattr(inode, capabilityXattr);
}

export function waysOf(noFollow: boolean): WalkOptions {
  return noFollow ? toTheLink : toTheFile;
}

/** For calls to which a slash at the end means something of its own. */
export function withoutSlashes(path: string): string {
  return path.endsWith("/") ? path.replace(/\/+$/, "") || "/" : path;
}

export function isNoName({ name }: { readonly name: string }): boolean {
  return name === "" || name === "." || name === "..";
}
