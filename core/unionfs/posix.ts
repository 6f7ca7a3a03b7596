/**
 * The system calls about files of one process on one file system: paths are walked, permissions
 * checked, the umask and the set-id rules applied, then the FileSystem does the deed. Errors come in
 * the order in which Linux finds them (fs/namei.c, fs/open.c, fs/attr.c); test/unionfs holds both
 * side by side.
 *
 * A kernel that has mounts walks across them with a Space of its own (walk.ts) and shares the rules
 * (access.ts).
 */
import { Errno } from "../base/errno.ts";
import {
  type Actor,
  chmodMode,
  createdIn,
  permit,
  permitChown,
  permitEntries,
  permitOwner,
  permitRemoval,
  type Wanted,
  withoutSetid,
} from "./access.ts";
import type { DirectoryEntry, FileSystem, Inode, NewNode, RenameFlag, Stat } from "./file-system.ts";
import { OpenedFile, type OpenFlags } from "./opened-file.ts";
import { checkMove } from "./rename.ts";
import { enter, type Space, type Spot, walk, type WalkOptions } from "./walk.ts";

export interface ProcessView {
  readonly actor: Actor;
  readonly umask: number;
  /** The mount is read-only. */
  readonly readOnly: boolean;
}

type Unowned = NewNode extends infer Node ? (Node extends NewNode ? Omit<Node, "uid" | "gid"> : never) : never;

const toTheFile: WalkOptions = { noFollow: false };
const toTheLink: WalkOptions = { noFollow: true };
const toTheParent: WalkOptions = { isParent: true };
const capabilityXattr = "security.capability";
const xattrNameBytesMax = 255;
const xattrValueBytesMax = 65_536;

export class Posix {
  readonly fileSystem: FileSystem;
  readonly view: ProcessView;
  readonly #space: Space<Inode>;
  readonly #open: Map<Inode, number>;

  /** `open` counts who has what open: those who share a file system share it. `root` is the process's root directory. */
  constructor(fileSystem: FileSystem, view: ProcessView, open: Map<Inode, number>, root: Inode = fileSystem.root) {
    this.fileSystem = fileSystem;
    this.view = view;
    this.#open = open;
    this.#space = spaceOf(fileSystem, view.actor, root);
  }

  // Looking

  stat(path: string): Stat {
    return this.fileSystem.stat(this.#existing(path));
  }

  lstat(path: string): Stat {
    return this.fileSystem.stat(this.#existing(path, true));
  }

  list(path: string): readonly DirectoryEntry[] {
    const directory = this.#existing(path);
    if (this.fileSystem.peek(directory).kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#permit(directory, "read");
    return this.fileSystem.list(directory);
  }

  readlink(path: string): string {
    return this.fileSystem.readlink(this.#existing(path, true));
  }

  access(path: string, wanted: readonly Wanted[]): void {
    const inode = this.#existing(path);
    const { kind } = this.fileSystem.peek(inode);
    if (wanted.includes("write") && (kind === "file" || kind === "directory" || kind === "symlink"))
      this.#notReadOnly(path);
    for (const each of wanted) this.#permit(inode, each);
  }

  // Opening

  open(path: string, flags: OpenFlags, mode = 0): OpenedFile {
    if (flags.unnamed === true) return this.#openUnnamed(path, flags, mode);
    if (flags.create === true && flags.directory === true) throw new Errno("EINVAL", path);
    const isNew = flags.create === true && flags.exclusive === true;
    const noFollow = flags.noFollow === true || isNew;
    const spot = walk(this.#space, path, flags.create === true ? { noFollow, makesFile: true } : waysOf(noFollow));
    if (flags.create === true && isNoName(spot)) throw new Errno(isNew ? "EEXIST" : "EISDIR", path);
    if (spot.found === null) return this.#opened(this.#createFile(spot, path, flags, mode), flags);
    if (isNew) throw new Errno("EEXIST", path);
    if (flags.create === true) this.#permitInSticky(spot.directory, spot.found, path);
    this.#checkOpen(spot.found, path, flags);
    const isCut = flags.truncate === true && this.fileSystem.peek(spot.found).kind === "file";
    if (flags.write === true || isCut) this.fileSystem.prepareWrite(spot.found, isCut);
    if (isCut) this.#cut(spot.found, 0);
    return this.#opened(spot.found, flags);
  }

  #openUnnamed(path: string, flags: OpenFlags, mode: number): OpenedFile {
    if (flags.write !== true) throw new Errno("EINVAL", path);
    const directory = this.#existing(path, flags.noFollow === true);
    const { kind } = this.fileSystem.peek(directory);
    if (kind === "symlink") throw new Errno("ELOOP", path);
    if (kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#notReadOnly(path);
    this.#permitEntries(directory);
    const node = this.#owned(directory, { kind: "file", mode: mode & 0o7777 });
    return this.#opened(this.fileSystem.createUnnamed(directory, node), flags);
  }

  #createFile(spot: Spot<Inode>, path: string, { create }: OpenFlags, mode: number): Inode {
    if (create !== true) throw new Errno("ENOENT", path);
    return this.#create(spot, path, { kind: "file", mode: mode & 0o7777 });
  }

  /** In a sticky directory that everybody may write to, O_CREAT opens nobody else's device (may_create_in_sticky, with fs.protected_regular and _fifos 0). */
  #permitInSticky(directory: Inode, inode: Inode, path: string): void {
    const [parent, file] = [this.fileSystem.peek(directory), this.fileSystem.peek(inode)];
    if ((parent.mode & 0o1002) !== 0o1002) return;
    if (file.kind === "file" || file.kind === "fifo" || file.kind === "directory") return;
    if (file.uid !== parent.uid && file.uid !== this.view.actor.uid) throw new Errno("EACCES", path);
  }

  #checkOpen(inode: Inode, path: string, flags: OpenFlags): void {
    const { kind } = this.fileSystem.peek(inode);
    if (kind === "symlink") throw new Errno("ELOOP", path);
    if (flags.directory === true && kind !== "directory") throw new Errno("ENOTDIR", path);
    if (kind === "directory" && (flags.write === true || flags.create === true || flags.truncate === true))
      throw new Errno("EISDIR", path);
    const writes = flags.write === true || flags.truncate === true;
    if (writes && kind === "file") this.#notReadOnly(path);
    if (flags.read === true) this.#permit(inode, "read");
    if (writes) this.#permit(inode, "write");
    if (kind === "socket") throw new Errno("ENXIO", path);
  }

  #opened(inode: Inode, flags: OpenFlags): OpenedFile {
    this.#open.set(inode, (this.#open.get(inode) ?? 0) + 1);
    return new OpenedFile(this, inode, flags);
  }

  /** The last one to close an unlinked file ends it. */
  close(inode: Inode): void {
    const left = (this.#open.get(inode) ?? 1) - 1;
    if (left > 0) this.#open.set(inode, left);
    else {
      this.#open.delete(inode);
      this.fileSystem.forget(inode);
    }
  }

  // Names

  mkdir(path: string, mode: number): void {
    this.#create(this.#free(path, true), path, { kind: "directory", mode: mode & 0o1777 });
  }

  mknod(path: string, node: Exclude<Unowned, { kind: "directory" | "symlink" }>): void {
    const spot = this.#free(path, false);
    if (node.kind === "character" || node.kind === "block") {
      this.#notReadOnly(path);
      this.#permitEntries(spot.directory);
      if (!this.view.actor.may("CAP_MKNOD", null)) throw new Errno("EPERM", path);
    }
    this.#create(spot, path, { ...node, mode: node.mode & 0o7777 });
  }

  symlink(target: string, path: string): void {
    if (target === "") throw new Errno("ENOENT", path);
    this.#create(this.#free(path, false), path, { kind: "symlink", target, mode: 0o777 });
  }

  link(target: string, path: string): void {
    const inode = this.#existing(target, true);
    const { directory, name } = this.#linkable(inode, path);
    this.fileSystem.link(directory, name, inode);
  }

  /** linkat(2) with AT_EMPTY_PATH: gives a name to what open made without. Others than the opener need CAP_DAC_READ_SEARCH. */
  linkOpened(file: OpenedFile, path: string): void {
    const { actor } = this.view;
    if (file.opener !== actor && !actor.may("CAP_DAC_READ_SEARCH", null)) throw new Errno("ENOENT", path);
    const { directory, name } = this.#linkable(file.inode, path);
    const { links } = this.fileSystem.stat(file.inode);
    if (links === 0 && !file.mayBeNamed) throw new Errno("ENOENT", path);
    this.fileSystem.link(directory, name, file.inode);
    file.mayBeNamed = false;
  }

  #linkable(inode: Inode, path: string): { directory: Inode; name: string } {
    const spot = this.#free(path, false);
    this.#notReadOnly(path);
    this.#permitLink(inode);
    this.#permitEntries(spot.directory);
    return spot;
  }

  unlink(path: string): void {
    const parent = walk(this.#space, withoutSlashes(path), toTheParent);
    if (isNoName(parent)) throw new Errno("EISDIR", path);
    this.#notReadOnly(path);
    const spot = this.#entered(parent);
    if (spot.found === null) throw new Errno("ENOENT", path);
    const isDirectory = this.fileSystem.peek(spot.found).kind === "directory";
    if (path.endsWith("/")) throw new Errno(isDirectory ? "EISDIR" : "ENOTDIR", path);
    this.#permitTaking(spot.directory, spot.found);
    if (isDirectory) throw new Errno("EISDIR", path);
    this.#forgotten(this.fileSystem.unlink(spot.directory, spot.name));
  }

  rmdir(path: string): void {
    const parent = walk(this.#space, withoutSlashes(path), toTheParent);
    if (parent.name === "") throw new Errno("EBUSY", path);
    if (parent.name === ".") throw new Errno("EINVAL", path);
    if (parent.name === "..") throw new Errno("ENOTEMPTY", path);
    this.#notReadOnly(path);
    const spot = this.#entered(parent);
    if (spot.found === null) throw new Errno("ENOENT", path);
    this.#permitTaking(spot.directory, spot.found);
    if (this.fileSystem.peek(spot.found).kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#forgotten(this.fileSystem.removeDirectory(spot.directory, spot.name));
  }

  rename(from: string, to: string, flag: RenameFlag = "replace"): void {
    const sourceParent = walk(this.#space, from, toTheParent);
    const targetParent = walk(this.#space, to, toTheParent);
    if (isNoName(sourceParent)) throw new Errno("EBUSY", from);
    if (isNoName(targetParent)) throw new Errno(flag === "no-replace" ? "EEXIST" : "EBUSY", to);
    this.#notReadOnly(from);
    const source = this.#entered(sourceParent);
    if (source.found === null) throw new Errno("ENOENT", from);
    const target = this.#entered(targetParent);
    this.#checkSlashes(source.found, target.found, from, to, flag);
    const taken = target.found ?? 0;
    checkMove(
      this.fileSystem,
      { from: source.directory, inode: source.found, to: target.directory, taken, newName: to },
      flag,
    );
    if (source.found === target.found) return;
    this.#permitRename(source, target, flag);
    const lost = this.fileSystem.rename(source.directory, source.name, target.directory, target.name, flag);
    if (lost !== null) this.#forgotten(lost);
  }

  #entered({ directory, name, slash }: Spot<Inode>): Spot<Inode> {
    return { directory, name, found: enter(this.#space, directory, name), slash };
  }

  /** "x/" is a directory. EEXIST and ENOENT come before. */
  #checkSlashes(source: Inode, target: Inode | null, from: string, to: string, flag: RenameFlag): void {
    if (flag === "no-replace" && target !== null) throw new Errno("EEXIST", to);
    if (flag === "exchange" && target === null) throw new Errno("ENOENT", to);
    const isDirectory = this.fileSystem.peek(source).kind === "directory";
    if (flag === "exchange" && target !== null && to.endsWith("/") && this.fileSystem.peek(target).kind !== "directory")
      throw new Errno("ENOTDIR", to);
    if (!isDirectory && (from.endsWith("/") || (flag !== "exchange" && to.endsWith("/"))))
      throw new Errno("ENOTDIR", from);
  }

  #permitRename(source: Spot<Inode>, target: Spot<Inode>, flag: RenameFlag): void {
    const { found } = source;
    this.#permitTaking(source.directory, found as Inode);
    if (target.found === null) this.#permitEntries(target.directory);
    else this.#permitTaking(target.directory, target.found);
    if (source.directory === target.directory) return;
    const moved = flag === "exchange" ? [found, target.found] : [found];
    for (const inode of moved)
      if (this.fileSystem.peek(inode as Inode).kind === "directory") this.#permit(inode as Inode, "write");
  }

  // Attributes and content

  truncate(path: string, size: number): void {
    const inode = this.#existing(path);
    const { kind } = this.fileSystem.peek(inode);
    if (kind === "directory") throw new Errno("EISDIR", path);
    if (kind !== "file") throw new Errno("EINVAL", path);
    this.#notReadOnly(path);
    this.#permit(inode, "write");
    const old = this.fileSystem.stat(inode);
    if (old.size !== size || old.blocks > 0) return this.#cut(inode, size);
    this.fileSystem.prepareWrite(inode); // nothing to cut and nothing to add: the times stay
    this.written(inode);
  }

  #cut(inode: Inode, size: number): void {
    this.fileSystem.truncate(inode, size);
    this.written(inode);
  }

  chmod(path: string, mode: number): void {
    const inode = this.#existing(path);
    this.#notReadOnly(path);
    const file = this.fileSystem.peek(inode);
    permitOwner(this.view.actor, file);
    this.fileSystem.setAttributes(inode, { mode: chmodMode(this.view.actor, file, mode & 0o7777) });
  }

  /** null leaves it. A symlink is not followed when `noFollow`. */
  chown(path: string, uid: number | null, gid: number | null, noFollow = false): void {
    const inode = this.#existing(path, noFollow);
    this.#notReadOnly(path);
    const file = this.fileSystem.peek(inode);
    permitChown(this.view.actor, file, uid, gid);
    const mode = file.kind === "directory" ? file.mode : withoutSetid(this.view.actor, file);
    if (mode !== file.mode) permitOwner(this.view.actor, file); // taking set-id bits away is a chmod
    if (file.kind === "file") this.#dropCapability(inode);
    this.fileSystem.setAttributes(inode, { mode, uid: uid ?? file.uid, gid: gid ?? file.gid });
  }

  utimes(path: string, atime: bigint, mtime: bigint, noFollow = false): void {
    const inode = this.#existing(path, noFollow);
    this.#notReadOnly(path);
    permitOwner(this.view.actor, this.fileSystem.peek(inode));
    this.fileSystem.setAttributes(inode, { atime, mtime });
  }

  getXattr(path: string, name: string, noFollow = false): Uint8Array {
    const inode = this.#existing(path, noFollow);
    this.#permitXattr(inode, name, "read");
    return this.fileSystem.getXattr(inode, name);
  }

  listXattrs(path: string, noFollow = false): string[] {
    const shown = this.fileSystem.listXattrs(this.#existing(path, noFollow));
    const all = this.view.actor.may("CAP_SYS_ADMIN", null);
    return all ? shown : shown.filter((name) => !name.startsWith("trusted."));
  }

  setXattr(path: string, name: string, value: Uint8Array, noFollow = false): void {
    const inode = this.#existing(path, noFollow);
    if (name.length === 0 || name.length > xattrNameBytesMax) throw new Errno("ERANGE", path);
    if (value.length > xattrValueBytesMax) throw new Errno("E2BIG", path);
    this.#changeXattr(inode, path, name);
    this.fileSystem.setXattr(inode, name, value);
  }

  removeXattr(path: string, name: string, noFollow = false): void {
    const inode = this.#existing(path, noFollow);
    this.#changeXattr(inode, path, name);
    this.fileSystem.removeXattr(inode, name);
  }

  #changeXattr(inode: Inode, path: string, name: string): void {
    this.#notReadOnly(path);
    this.#permitXattr(inode, name, "write");
    if (name.startsWith("security.") && !this.view.actor.may("CAP_SYS_ADMIN", null)) throw new Errno("EPERM", path);
  }

  /** xattr(7): user.* is for files and directories, in a sticky directory for its owner; trusted.* is for the administrator. */
  #permitXattr(inode: Inode, name: string, wanted: "read" | "write"): void {
    const { actor } = this.view;
    const refusal = wanted === "write" ? "EPERM" : "ENODATA";
    if (name.startsWith("security.")) return;
    if (name.startsWith("trusted.")) {
      if (!actor.may("CAP_SYS_ADMIN", null)) throw new Errno(refusal);
      return;
    }
    const file = this.fileSystem.peek(inode);
    if (name.startsWith("user.")) {
      if (file.kind !== "file" && file.kind !== "directory") throw new Errno(refusal);
      if (wanted === "write" && file.kind === "directory" && (file.mode & 0o1000) !== 0) permitOwner(actor, file);
    }
    permit(actor, file, wanted);
  }

  /** After a write by somebody who may not keep them: the set-id bits and the file's capabilities go. */
  written(inode: Inode): void {
    this.#dropCapability(inode);
    const file = this.fileSystem.peek(inode);
    if ((file.mode & 0o6000) === 0 || this.view.actor.may("CAP_FSETID", file)) return;
    const mode = withoutSetid(this.view.actor, file);
    if (mode !== file.mode) this.fileSystem.setAttributes(inode, { mode });
  }

  #dropCapability(inode: Inode): void {
    if (this.fileSystem.listXattrs(inode).includes(capabilityXattr))
      this.fileSystem.removeXattr(inode, capabilityXattr);
  }

  #existing(path: string, noFollow = false): Inode {
    const { found } = walk(this.#space, path, waysOf(noFollow));
    if (found === null) throw new Errno("ENOENT", path);
    return found;
  }

  /** A name nobody has. Only a directory's may be written with a slash at the end. */
  #free(path: string, isDirectory: boolean): Spot<Inode> {
    const spot = walk(this.#space, withoutSlashes(path), toTheLink);
    if (spot.found !== null) throw new Errno("EEXIST", path);
    if (!isDirectory && path.endsWith("/")) throw new Errno("ENOENT", path);
    return spot;
  }

  #create({ directory, name }: Spot<Inode>, path: string, node: Unowned): Inode {
    this.#notReadOnly(path);
    this.#permitEntries(directory);
    return this.fileSystem.create(directory, name, this.#owned(directory, node));
  }

  #owned(directory: Inode, node: Unowned): NewNode {
    const masked = node.kind === "symlink" ? 0o777 : node.mode & ~this.view.umask;
    const { mode, uid, gid } = createdIn(this.view.actor, this.fileSystem.peek(directory), node.kind, masked);
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

  #forgotten(inode: Inode): void {
    if (!this.#open.has(inode)) this.fileSystem.forget(inode);
  }

  #permit(inode: Inode, wanted: Wanted): void {
    permit(this.view.actor, this.fileSystem.peek(inode), wanted);
  }

  #permitEntries(directory: Inode): void {
    permitEntries(this.view.actor, this.fileSystem.peek(directory));
  }

  #permitTaking(directory: Inode, file: Inode): void {
    const looked = this.fileSystem.peek(directory);
    permitEntries(this.view.actor, looked);
    permitRemoval(this.view.actor, looked, this.fileSystem.peek(file));
  }

  /** fs.protected_hardlinks: one links one's own files, or plain ones one may read and write. */
  #permitLink(inode: Inode): void {
    const file = this.fileSystem.peek(inode);
    const { actor } = this.view;
    if (file.uid === actor.uid || actor.may("CAP_FOWNER", file)) return;
    const isSpecial = file.kind !== "file" || (file.mode & 0o4000) !== 0 || (file.mode & 0o2010) === 0o2010;
    if (isSpecial || !isAllowed(() => (this.#permit(inode, "read"), this.#permit(inode, "write"))))
      throw new Errno("EPERM");
  }

  #notReadOnly(path: string): void {
    if (this.view.readOnly) throw new Errno("EROFS", path);
  }
}

function waysOf(noFollow: boolean): WalkOptions {
  return noFollow ? toTheLink : toTheFile;
}

/** For calls to which a slash at the end means something of its own. */
function withoutSlashes(path: string): string {
  return path.endsWith("/") ? path.replace(/\/+$/, "") || "/" : path;
}

function isNoName({ name }: Spot<Inode>): boolean {
  return name === "" || name === "." || name === "..";
}

function isAllowed(ask: () => void): boolean {
  try {
    ask();
    return true;
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

function spaceOf(fileSystem: FileSystem, actor: Actor, root: Inode): Space<Inode> {
  return {
    root,
    directory: root,
    look: (inode) => fileSystem.peek(inode),
    enter: (directory, name) => fileSystem.find(directory, name) || null,
    above: (directory) => fileSystem.parent(directory),
    isSame: (one, other) => one === other,
    readlink: (symlink) => fileSystem.readlink(symlink),
    permitSearch: (directory) => permit(actor, directory, "execute"),
  };
}
