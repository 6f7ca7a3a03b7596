/** System calls about a file's size, its attributes, and extended attributes (xattr(7)). */
import { Errno } from "../base/errno.ts";
import { chmodMode, permit, permitChown, permitOwner, withoutSetid } from "./access.ts";
import type { Attributes } from "./file-system.ts";
import { NameCalls } from "./name-calls.ts";
import { dropCapability } from "./path-calls.ts";

const xattrNameBytesMax = 255;
const xattrValueBytesMax = 65_536;

export class AttributeCalls<Place extends object | number> extends NameCalls<Place> {
  /** EFBIG beyond RLIMIT_FSIZE. */
  truncate(path: string, size: number): void {
    const place = this.existing(path);
    const file = this.view.look(place);
    if (file.kind === "directory") throw new Errno("EISDIR", path);
    if (file.kind !== "file") throw new Errno("EINVAL", path);
    if (this.view.isFileSystemReadOnly(place)) throw new Errno("EROFS", path);
    permit(this.view.actor, file, "write", path);
    this.notReadOnly(place, path);
    this.notRunning(place, path);
    const old = this.view.stat(place);
    if (size > old.size && size > this.view.fileSizeMax) throw new Errno("EFBIG", path);
    if (old.size !== size || old.blocks > 0) return this.cut(place, size);
    this.fileSystem(place).prepareWrite(old.inode); // nothing to cut and nothing to add: the times stay
    this.#changed(place);
  }

  protected cut(place: Place, size: number): void {
    this.fileSystem(place).truncate(this.view.inode(place), size);
    this.#changed(place);
  }

  #changed(place: Place): void {
    this.written(this.found(place, () => this.view.look(place)));
  }

  /** A program that runs is not written to. */
  protected notRunning(place: Place, path: string): void {
    if (this.view.isRunning(place)) throw new Errno("ETXTBSY", path);
  }

  /** A symlink has no mode to change: EOPNOTSUPP when it is not followed. */
  chmod(path: string, mode: number, noFollow = false): void {
    const place = this.#changeable(path, noFollow);
    const file = this.view.look(place);
    if (file.kind === "symlink") throw new Errno("EOPNOTSUPP", path);
    permitOwner(this.view.actor, file, path);
    this.#set(place, { mode: chmodMode(this.view.actor, file, mode & 0o7777) });
  }

  /** null leaves it. A symlink is not followed when `noFollow`. */
  chown(path: string, uid: number | null, gid: number | null, noFollow = false): void {
    const place = this.#changeable(path, noFollow);
    const file = this.view.look(place);
    permitChown(this.view.actor, file, { uid, gid }, path);
    const mode = file.kind === "directory" ? file.mode : withoutSetid(this.view.actor, file);
    if (mode !== file.mode) permitOwner(this.view.actor, file, path); // taking set-id bits away is a chmod
    const owner = this.view.stored(place, { uid: uid ?? file.uid, gid: gid ?? file.gid });
    if (file.kind === "file") dropCapability(this.fileSystem(place), this.view.inode(place));
    this.#set(place, { mode, ...owner });
  }

  /** A time that is not given stays. */
  utimes(path: string, times: Pick<Attributes, "atime" | "mtime">, noFollow = false): void {
    const place = this.#changeable(path, noFollow);
    permitOwner(this.view.actor, this.view.look(place), path);
    this.#set(place, times);
  }

  #changeable(path: string, noFollow: boolean): Place {
    const place = this.existing(path, noFollow);
    this.notReadOnly(place, path);
    return place;
  }

  #set(place: Place, attributes: Attributes): void {
    this.fileSystem(place).setAttributes(this.view.inode(place), attributes);
  }

  getXattr(path: string, name: string, noFollow = false): Uint8Array {
    const place = this.existing(path, noFollow);
    this.#permitXattr(place, name, "read", path);
    return this.fileSystem(place).getXattr(this.view.inode(place), name);
  }

  listXattrs(path: string, noFollow = false): string[] {
    const place = this.existing(path, noFollow);
    const shown = this.fileSystem(place).listXattrs(this.view.inode(place));
    const all = this.view.actor.may("CAP_SYS_ADMIN", null);
    return all ? shown : shown.filter((name) => !name.startsWith("trusted."));
  }

  setXattr(path: string, name: string, value: Uint8Array, noFollow = false): void {
    const place = this.existing(path, noFollow);
    if (name.length === 0 || name.length > xattrNameBytesMax) throw new Errno("ERANGE", path);
    if (value.length > xattrValueBytesMax) throw new Errno("E2BIG", path);
    this.#changeXattr(place, path, name);
    this.fileSystem(place).setXattr(this.view.inode(place), name, value);
  }

  removeXattr(path: string, name: string, noFollow = false): void {
    const place = this.existing(path, noFollow);
    this.#changeXattr(place, path, name);
    this.fileSystem(place).removeXattr(this.view.inode(place), name);
  }

  #changeXattr(place: Place, path: string, name: string): void {
    this.notReadOnly(place, path);
    this.#permitXattr(place, name, "write", path);
    if (name.startsWith("security.") && !this.view.actor.may("CAP_SYS_ADMIN", null)) throw new Errno("EPERM", path);
  }

  /** xattr(7): user.* is for files and directories, in a sticky directory for its owner; trusted.* is for the administrator. */
  #permitXattr(place: Place, name: string, wanted: "read" | "write", path: string): void {
    const { actor } = this.view;
    const refusal = wanted === "write" ? "EPERM" : "ENODATA";
    if (name.startsWith("security.")) return;
    if (name.startsWith("trusted.")) {
      if (!actor.may("CAP_SYS_ADMIN", null)) throw new Errno(refusal, path);
      return;
    }
    const file = this.view.look(place);
    if (name.startsWith("user.")) {
      if (file.kind !== "file" && file.kind !== "directory") throw new Errno(refusal, path);
      if (wanted === "write" && file.kind === "directory" && (file.mode & 0o1000) !== 0) permitOwner(actor, file, path);
    }
    permit(actor, file, wanted, path);
  }
}
