/** System calls that give names and take them away. */
import { Errno } from "../base/errno.ts";
import { permit, permitAll } from "./access.ts";
import type { NodeKind, RenameFlag } from "./file-system.ts";
import type { OpenedFile } from "./opened-file.ts";
import { isNoName, PathCalls, toTheParent, type Unowned, withoutSlashes } from "./path-calls.ts";
import { checkMove } from "./rename.ts";
import { type Guarded, type Spot, walk } from "./walk.ts";

/** A name that stands for something. */
type Taken<Place> = Spot<Place> & { readonly found: Place; readonly looked: Guarded };

export class NameCalls<Place extends object | number> extends PathCalls<Place> {
  mkdir(path: string, mode: number): void {
    this.create(this.free(path, true), path, { kind: "directory", mode: mode & 0o1777 });
  }

  mknod(path: string, node: Unowned & { readonly kind: Exclude<NodeKind, "directory" | "symlink"> }): void {
    const spot = this.free(path, false);
    if (node.kind === "character" || node.kind === "block") {
      this.notReadOnly(spot.directory, path);
      this.permitEntries(spot.directory, path);
      if (!this.view.actor.may("CAP_MKNOD", null)) throw new Errno("EPERM", path);
    }
    this.create(spot, path, { ...node, mode: node.mode & 0o7777 });
  }

  symlink(target: string, path: string): void {
    if (target === "") throw new Errno("ENOENT", path);
    this.create(this.free(path, false), path, { kind: "symlink", target, mode: 0o777 });
  }

  link(target: string, path: string): void {
    const file = this.existing(target, true);
    const { directory, name } = this.#linkable(path, this.view.mount(file), this.view.look(file));
    this.fileSystem(directory).link(this.view.inode(directory), name, this.view.inode(file));
  }

  /** linkat(2) with AT_EMPTY_PATH: gives a name to what open made without. Others than the opener need CAP_DAC_READ_SEARCH. */
  linkOpened(file: OpenedFile, path: string): void {
    const { actor } = this.view;
    if (file.opener !== actor && !actor.may("CAP_DAC_READ_SEARCH", null)) throw new Errno("ENOENT", path);
    const { directory, name } = this.#linkable(path, file.mount, file.look());
    const { links } = file.stat();
    if (links === 0 && !file.mayBeNamed) throw new Errno("ENOENT", path);
    file.fileSystem.link(this.view.inode(directory), name, file.inode);
    file.mayBeNamed = false;
  }

  #linkable(path: string, mount: number, file: Guarded): Spot<Place> {
    const spot = this.free(path, false);
    this.notReadOnly(spot.directory, path);
    if (this.view.mount(spot.directory) !== mount) throw new Errno("EXDEV", path);
    this.#permitLink(file, path);
    this.permitEntries(spot.directory, path);
    return spot;
  }

  /** fs.protected_hardlinks: one links one's own files, or plain ones one may read and write. */
  #permitLink(file: Guarded, path: string): void {
    const { actor } = this.view;
    if (file.uid === actor.uid || actor.may("CAP_FOWNER", file)) return;
    const isSpecial = file.kind !== "file" || (file.mode & 0o4000) !== 0 || (file.mode & 0o2010) === 0o2010;
    if (isSpecial || !this.#mayReadAndWrite(file)) throw new Errno("EPERM", path);
  }

  #mayReadAndWrite(file: Guarded): boolean {
    try {
      permitAll(this.view.actor, file, ["read", "write"]);
      return true;
    } catch (thrown) {
      if (thrown instanceof Errno) return false;
      throw thrown;
    }
  }

  unlink(path: string): void {
    const parent = walk(this.view, withoutSlashes(path), toTheParent);
    if (isNoName(parent)) throw new Errno("EISDIR", path);
    const { directory, name, found, looked } = this.#taken(parent, path);
    const isDirectory = looked.kind === "directory";
    if (path.endsWith("/")) throw new Errno(isDirectory ? "EISDIR" : "ENOTDIR", path);
    this.permitTaking(directory, looked, path);
    if (isDirectory) throw new Errno("EISDIR", path);
    this.#notMountedOn(found, path);
    this.forgotten(directory, this.fileSystem(directory).unlink(this.view.inode(directory), name));
  }

  rmdir(path: string): void {
    const parent = walk(this.view, withoutSlashes(path), toTheParent);
    if (parent.name === "") throw new Errno("EBUSY", path);
    if (parent.name === ".") throw new Errno("EINVAL", path);
    if (parent.name === "..") throw new Errno("ENOTEMPTY", path);
    const { directory, name, found, looked } = this.#taken(parent, path);
    this.permitTaking(directory, looked, path);
    if (looked.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.#notMountedOn(found, path);
    this.forgotten(directory, this.fileSystem(directory).removeDirectory(this.view.inode(directory), name));
  }

  #taken(parent: Spot<Place>, path: string): Taken<Place> {
    this.notReadOnly(parent.directory, path);
    const { directory, name, found, looked, slash } = this.entered(parent);
    if (found === null || looked === null) throw new Errno("ENOENT", path);
    return { directory, name, found, looked, slash };
  }

  #notMountedOn(place: Place, path: string): void {
    if (this.view.isMountPoint(place)) throw new Errno("EBUSY", path);
  }

  rename(from: string, to: string, flag: RenameFlag = "replace"): void {
    const sourceParent = walk(this.view, from, toTheParent);
    const targetParent = walk(this.view, to, toTheParent);
    if (this.view.mount(sourceParent.directory) !== this.view.mount(targetParent.directory))
      throw new Errno("EXDEV", to);
    if (isNoName(sourceParent)) throw new Errno("EBUSY", from);
    if (isNoName(targetParent)) throw new Errno(flag === "no-replace" ? "EEXIST" : "EBUSY", to);
    const source = this.#taken(sourceParent, from);
    const target = this.entered(targetParent);
    this.#checkSlashes(source, target, from, to, flag);
    const fileSystem = this.fileSystem(source.directory);
    const [old, now] = [this.view.inode(source.directory), this.view.inode(target.directory)];
    const inode = this.view.inode(source.found);
    const taken = target.found === null ? 0 : this.view.inode(target.found);
    checkMove(fileSystem, { from: old, inode, to: now, taken, newName: to }, flag);
    if (inode === taken) return;
    this.#permitRename(source, target, to, flag);
    for (const { found } of [source, target]) if (found !== null) this.#notMountedOn(found, to);
    const lost = fileSystem.rename(old, source.name, now, target.name, flag);
    if (lost !== null) this.forgotten(source.directory, lost);
  }

  /** "x/" is a directory. EEXIST and ENOENT come before. */
  #checkSlashes(source: Taken<Place>, { looked }: Spot<Place>, from: string, to: string, flag: RenameFlag): void {
    if (flag === "no-replace" && looked !== null) throw new Errno("EEXIST", to);
    if (flag === "exchange" && looked === null) throw new Errno("ENOENT", to);
    if (flag === "exchange" && looked?.kind !== "directory" && to.endsWith("/")) throw new Errno("ENOTDIR", to);
    if (source.looked.kind === "directory") return;
    if (from.endsWith("/") || (flag !== "exchange" && to.endsWith("/"))) throw new Errno("ENOTDIR", from);
  }

  #permitRename(source: Taken<Place>, target: Spot<Place>, path: string, flag: RenameFlag): void {
    this.permitTaking(source.directory, source.looked, path);
    if (target.looked === null) this.permitEntries(target.directory, path);
    else this.#permitReplacing(source.looked, target.directory, target.looked, path, flag);
    if (this.view.isSame(source.directory, target.directory)) return;
    this.#permitMove(source.looked, path);
    if (flag === "exchange" && target.looked !== null) this.#permitMove(target.looked, path);
  }

  /** A directory takes the name of a directory only, and nothing else does. */
  #permitReplacing({ kind }: Guarded, directory: Place, taken: Guarded, path: string, flag: RenameFlag): void {
    this.permitTaking(directory, taken, path);
    if (flag === "exchange") return;
    if (kind === "directory" && taken.kind !== "directory") throw new Errno("ENOTDIR", path);
    if (kind !== "directory" && taken.kind === "directory") throw new Errno("EISDIR", path);
  }

  /** A directory that gets another parent is written to: ".." in it changes. */
  #permitMove(file: Guarded, path: string): void {
    if (file.kind === "directory") permit(this.view.actor, file, "write", path);
  }
}
