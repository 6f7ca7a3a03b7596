/**
 * The system calls about files of one process: paths are walked (walk.ts), permissions checked
 * (access.ts), the umask and the set-id rules applied, then a FileSystem does the deed. Errors come in
 * the order in which Linux finds them (fs/namei.c, fs/open.c, fs/attr.c); test/unionfs holds both
 * side by side.
 *
 * Whose process it is, what is mounted where, and who runs or has open what, its view tells
 * (process-view.ts): the same rules hold on one file system alone and in a kernel that has mounts.
 *
 *   path-calls.ts ← name-calls.ts ← attribute-calls.ts ← Posix, which opens
 */
import { Errno } from "../base/errno.ts";
import { permitAll, type Wanted } from "./access.ts";
import { AttributeCalls } from "./attribute-calls.ts";
import { OpenedFile, type OpenFlags } from "./opened-file.ts";
import { isNoName, waysOf } from "./path-calls.ts";
import { type Guarded, type Spot, walk } from "./walk.ts";

export class Posix<Place extends object | number> extends AttributeCalls<Place> {
  open(path: string, flags: OpenFlags, mode = 0): OpenedFile {
    return this.opened(this.reach(path, flags, mode), flags);
  }

  /** All of open(2) but the open file: what is asked for is made, cut, and permitted. */
  reach(path: string, flags: OpenFlags, mode: number): Place {
    if (flags.path === true) return this.#find(path, flags);
    if (flags.unnamed === true) return this.#makeUnnamed(path, flags, mode);
    if (flags.create === true && flags.directory === true) throw new Errno("EINVAL", path);
    const isNew = flags.create === true && flags.exclusive === true;
    const noFollow = flags.noFollow === true || isNew;
    const spot = walk(this.view, path, flags.create === true ? { noFollow, makesFile: true } : waysOf(noFollow));
    if (flags.create === true && isNoName(spot)) throw new Errno(isNew ? "EEXIST" : "EISDIR", path);
    const { directory, found, looked } = spot;
    if (found === null || looked === null) return this.#makeFile(spot, path, flags, mode);
    if (isNew) throw new Errno("EEXIST", path);
    if (flags.create === true) this.#permitInSticky(directory, looked, path);
    this.#checkOpen(found, looked, path, flags);
    this.#prepare(found, looked, flags);
    return found;
  }

  /** O_PATH: whoever may get there may have it. */
  #find(path: string, flags: OpenFlags): Place {
    const place = this.existing(path, flags.noFollow === true);
    if (flags.directory === true && this.view.look(place).kind !== "directory") throw new Errno("ENOTDIR", path);
    return place;
  }

  #makeUnnamed(path: string, flags: OpenFlags, mode: number): Place {
    if (flags.write !== true) throw new Errno("EINVAL", path);
    const directory = this.existing(path, flags.noFollow === true);
    const { kind } = this.view.look(directory);
    if (kind === "symlink") throw new Errno("ELOOP", path);
    if (kind !== "directory") throw new Errno("ENOTDIR", path);
    this.notReadOnly(directory, path);
    this.permitEntries(directory, path);
    const node = this.owned(directory, { kind: "file", mode: mode & 0o7777 });
    const inode = this.fileSystem(directory).createUnnamed(this.view.inode(directory), node);
    return this.view.made(directory, `#${inode}`, inode);
  }

  #makeFile(spot: Spot<Place>, path: string, { create }: OpenFlags, mode: number): Place {
    if (create !== true) throw new Errno("ENOENT", path);
    return this.create(spot, path, { kind: "file", mode: mode & 0o7777 });
  }

  /** In a sticky directory that everybody may write to, O_CREAT opens nobody else's device (may_create_in_sticky, with fs.protected_regular and _fifos 0). */
  #permitInSticky(directory: Place, file: Guarded, path: string): void {
    const parent = this.view.look(directory);
    if ((parent.mode & 0o1002) !== 0o1002) return;
    if (file.kind === "file" || file.kind === "fifo" || file.kind === "directory") return;
    if (file.uid !== parent.uid && file.uid !== this.view.actor.uid) throw new Errno("EACCES", path);
  }

  #checkOpen(place: Place, file: Guarded, path: string, flags: OpenFlags): void {
    const { actor } = this.view;
    const { kind } = file;
    const writes = flags.write === true || flags.truncate === true;
    if (kind === "symlink") throw new Errno("ELOOP", path);
    if (flags.directory === true && kind !== "directory") throw new Errno("ENOTDIR", path);
    if (kind === "directory" && (writes || flags.create === true)) throw new Errno("EISDIR", path);
    const mayBeRefused = writes && kind === "file";
    if (mayBeRefused && (flags.truncate === true || this.view.isFileSystemReadOnly(place)))
      this.notReadOnly(place, path);
    permitAll(actor, file, wantedBy(flags.read === true, writes), path);
    if (mayBeRefused) this.notReadOnly(place, path);
    if (kind === "socket") throw new Errno("ENXIO", path);
    if (mayBeRefused) this.notRunning(place, path);
  }

  #prepare(place: Place, { kind }: Guarded, { write, truncate }: OpenFlags): void {
    const isCut = truncate === true && kind === "file";
    if (write === true || isCut) this.fileSystem(place).prepareWrite(this.view.inode(place), isCut);
    if (isCut) this.cut(place, 0);
  }

  opened(place: Place, flags: OpenFlags): OpenedFile {
    return new OpenedFile(this.found(place, this.view.looking(place)), flags, this);
  }
}

const toRead: readonly Wanted[] = ["read"];
const toWrite: readonly Wanted[] = ["write"];
const toBoth: readonly Wanted[] = ["read", "write"];

function wantedBy(reads: boolean, writes: boolean): readonly Wanted[] {
  return reads ? (writes ? toBoth : toRead) : toWrite;
}
