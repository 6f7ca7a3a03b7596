/** System calls about files, by path (path_resolution(7)). */
import { Errno } from "../../../../core/base/errno.ts";
import type {
  Attributes,
  DirectoryEntry,
  FileSystem,
  Inode,
  NewNode,
  NodeKind,
  Stat,
} from "../../../../core/unionfs/file-system.ts";
import { openDevice } from "../devices.ts";
import { meantBy } from "../ids.ts";
import type { Location } from "../mounts.ts";
import { type Channel, FileChannel, OpenFile, type WouldBlock, wouldBlock } from "../open-file.ts";
import { isCapableOver, isInGroup, permitRemoval } from "../permission.ts";
import { BothEnds, ReadEnd, WriteEnd } from "../pipe.ts";
import type { Fd, FileSystemStat, OpenOptions } from "../sys.ts";
import { statFileSystemOf } from "../file-systems.ts";
import { locate, openFileAt, pathOf, type Place } from "../walk.ts";
import { TerminalChannel } from "../terminal.ts";
import { DescriptorCalls } from "./descriptors.ts";

export class FileCalls extends DescriptorCalls {
  // Opening

  async open(path: string, options: OpenOptions): Promise<Fd> {
    this.unrefused("open");
    const place = locate(this.view(), path, { noFollow: options.noFollow ?? false });
    const passed = place.found === null ? null : openFileAt(this.table(), place.found);
    if (passed !== null) return this.install(passed);
    const location = place.found ?? this.#createFile(place, path, options);
    if (place.found !== null && options.create === true && options.exclusive === true) throw new Errno("EEXIST", path);
    const stat = this.statAt(location);
    this.#checkOpen(stat, location, path, { ...options, isNew: place.found === null });
    const isCut = options.truncate === true && stat.kind === "file" && options.access !== "read";
    if (options.access !== "read") this.fileSystem(location).prepareWrite(location.inode, isCut);
    if (isCut) this.fileSystem(location).truncate(location.inode, 0);
    const access = { read: options.access !== "write", write: options.access !== "read" };
    const shownPath = place.straight ?? pathOf(this.view(), location);
    const channel =
      stat.kind === "fifo" ? await this.#fifo(stat, location, options) : this.#channel(stat, location, options);
    const file = new OpenFile(channel, access, { location, path: shownPath }, options.nonBlocking ?? false);
    this.#takeTerminal(channel);
    return this.install(file);
  }

  #createFile(place: Place, path: string, options: OpenOptions): Location {
    if (options.create !== true) throw new Errno("ENOENT", path);
    if (place.name === "." || path.endsWith("/")) throw new Errno("EISDIR", path);
    const node = { kind: "file", mode: (options.mode ?? 0o666) & ~this.self().umask } as const;
    return this.#createAt(place, path, node);
  }

  #checkOpen(stat: Stat, location: Location, path: string, options: OpenOptions & { isNew: boolean }): void {
    if (stat.kind === "symlink") throw new Errno("ELOOP", path);
    if (stat.kind === "socket") throw new Errno("ENXIO", path);
    if (options.directory === true && stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    if (stat.kind === "directory" && (options.access !== "read" || options.create === true))
      throw new Errno("EISDIR", path);
    if (options.isNew) return;
    if (options.access !== "write") this.permitAt(stat, "read", path);
    if (options.access !== "read" && stat.kind === "file") this.notReadonly(location, path);
    if (options.access !== "read") this.permitAt(stat, "write", path);
  }

  #channel(stat: Stat, location: Location, options: OpenOptions): Channel {
    if (stat.kind === "character" || stat.kind === "block") {
      if (this.mountOf(location).flags.has("nodev")) throw new Errno("EACCES");
      return openDevice(this.kernel, this.process, this.fileSystem(location), stat);
    }
    const fileSystem = this.fileSystem(location);
    this.kernel.openInodes.hold(fileSystem, location.inode);
    const closed = (): void => this.#closed(fileSystem, location.inode);
    return new FileChannel(fileSystem, location, { append: options.append ?? false, closed });
  }

  #closed(fileSystem: FileSystem, inode: Inode): void {
    if (this.kernel.openInodes.release(fileSystem, inode)) fileSystem.forget(inode);
  }

  /** fifo(7): opening waits for the other end; a writer that will not wait gets ENXIO. */
  async #fifo(stat: Stat, { mount, inode }: Location, options: OpenOptions): Promise<Channel> {
    const pipe = this.kernel.fifo(this.fileSystem({ mount, inode }), inode);
    const reads = options.access !== "write";
    if (options.access === "write" && options.nonBlocking === true && pipe.readers === 0) throw new Errno("ENXIO");
    if (options.access === "both") return new BothEnds(pipe, stat);
    const channel = reads ? new ReadEnd(pipe, stat) : new WriteEnd(pipe, stat);
    if (options.nonBlocking === true) return channel;
    const seen = reads ? pipe.writersEver : pipe.readersEver;
    const isMet = (): boolean =>
      reads ? pipe.writers > 0 || pipe.writersEver > seen : pipe.readers > 0 || pipe.readersEver > seen;
    const look = (): true | WouldBlock => {
      pipe.changes.watch();
      return isMet() ? true : wouldBlock;
    };
    await this.call(look, { watched: true });
    return channel;
  }

  /** A session's leader without a terminal gets the first one it opens. */
  #takeTerminal(channel: Channel): void {
    const self = this.self();
    if (!(channel instanceof TerminalChannel) || self.session !== self.pid || self.terminal !== null) return;
    const { terminal } = channel;
    if (terminal.session !== 0) return;
    self.terminal = terminal;
    terminal.session = self.session;
    terminal.foreground = self.group;
  }

  // Looking

  stat(path: string): Stat {
    return this.shownStat(this.statAt(this.locationOf(path)));
  }

  lstat(path: string): Stat {
    return this.shownStat(this.statAt(this.locationOf(path, true)));
  }

  statFileSystem(path: string): FileSystemStat {
    return statFileSystemOf(this.mountOf(this.locationOf(path)));
  }

  device(path: string): number {
    return this.locationOf(path, true).mount;
  }

  list(path: string): readonly DirectoryEntry[] {
    const location = this.locationOf(path);
    const stat = this.statAt(location);
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.permitAt(stat, "read", path);
    return this.fileSystem(location).list(location.inode);
  }

  readlink(path: string): string {
    const location = this.locationOf(path, true);
    return this.fileSystem(location).readlink(location.inode);
  }

  directory(): string {
    return pathOf(this.view(), this.self().directory);
  }

  changeDirectory(path: string): void {
    this.process.directory = this.#enterable(path);
  }

  changeRoot(path: string): void {
    const location = this.#enterable(path);
    this.unrefused("chroot");
    this.need("CAP_SYS_CHROOT");
    this.process.root = location;
  }

  #enterable(path: string): Location {
    const location = this.locationOf(path);
    const stat = this.statAt(location);
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.permitAt(stat, "execute", path);
    return location;
  }

  access(path: string, wanted: { read?: boolean; write?: boolean; execute?: boolean }): void {
    const location = this.locationOf(path);
    const stat = this.statAt(location);
    if (wanted.read === true) this.permitAt(stat, "read", path);
    if (wanted.write === true) this.writeTo(location, path);
    if (wanted.execute === true) this.permitAt(stat, "execute", path);
  }

  // Names

  makeDirectory(path: string, mode: number): void {
    this.#make(path, { kind: "directory", mode: mode & ~this.self().umask });
  }

  removeDirectory(path: string): void {
    const { directory, name } = this.#removable(path);
    const fileSystem = this.fileSystem(directory);
    fileSystem.forget(fileSystem.removeDirectory(directory.inode, name));
  }

  unlink(path: string): void {
    const { directory, name } = this.#removable(path);
    const fileSystem = this.fileSystem(directory);
    const inode = fileSystem.unlink(directory.inode, name);
    if (!this.kernel.openInodes.isHeld(fileSystem, inode)) fileSystem.forget(inode);
  }

  rename(from: string, to: string): void {
    const source = this.#removable(from);
    const target = locate(this.view(), withoutSlashes(to), { noFollow: true });
    if (target.directory.mount !== source.directory.mount) throw new Errno("EXDEV", to);
    if (isBusy(target)) throw new Errno("EBUSY", to);
    this.writeTo(target.directory, to);
    if (target.found !== null) this.#permitRemoval(target.directory, target.found);
    const fileSystem = this.fileSystem(source.directory);
    const { inode } = source.directory;
    const replaced = fileSystem.rename(inode, source.name, target.directory.inode, target.name);
    if (replaced !== null && !this.kernel.openInodes.isHeld(fileSystem, replaced)) fileSystem.forget(replaced);
  }

  link(target: string, path: string): void {
    const location = this.locationOf(target, true);
    const place = this.#newPlace(path);
    if (place.directory.mount !== location.mount) throw new Errno("EXDEV", path);
    this.fileSystem(location).link(place.directory.inode, place.name, location.inode);
  }

  symlink(target: string, path: string): void {
    if (target === "") throw new Errno("ENOENT", path);
    this.#make(path, { kind: "symlink", target, mode: 0o777 });
  }

  makeNode(
    path: string,
    kind: Exclude<NodeKind, "file" | "directory" | "symlink">,
    mode: number,
    major = 0,
    minor = 0,
  ): void {
    this.unrefused("mknod");
    const isDevice = kind === "character" || kind === "block";
    // Only the first user namespace may make devices, whatever a later one's root thinks it may.
    if (isDevice) this.need("CAP_MKNOD", this.kernel.userNamespace);
    const common = { mode: mode & ~this.self().umask };
    this.#make(path, isDevice ? { kind, major, minor, ...common } : { kind, ...common });
  }

  #make(path: string, node: Unowned): Location {
    return this.#createAt(this.#newPlace(path), path, node);
  }

  #createAt(place: Place, path: string, node: Unowned): Location {
    // In /proc the lookup itself fails: nothing could be made there.
    if (this.mountOf(place.directory).type === "proc") throw new Errno("ENOENT", path);
    this.writeTo(place.directory, path);
    const { mount } = place.directory;
    const owned = { ...node, ...this.#owner(place.directory, node) };
    const fileSystem = this.fileSystem(place.directory);
    const inode = fileSystem.create(place.directory.inode, place.name, owned);
    return { mount, inode, entry: { directory: place.directory.inode, name: place.name } };
  }

  /** In a directory with the setgid bit the group, and for directories the bit, are inherited. */
  #owner(directory: Location, node: Unowned): { uid: number; gid: number; mode: number } {
    const { uid, gid } = this.self();
    const stat = this.statAt(directory);
    const inherits = (stat.mode & 0o2000) !== 0;
    return {
      uid: this.storedOn(directory, "uids", uid),
      gid: this.storedOn(directory, "gids", inherits ? stat.gid : gid),
      mode: node.mode | (inherits && node.kind === "directory" ? 0o2000 : 0),
    };
  }

  #newPlace(path: string): Place {
    const place = locate(this.view(), withoutSlashes(path), { noFollow: true });
    if (place.found !== null) throw new Errno("EEXIST", path);
    return place;
  }

  #removable(path: string): { directory: Location; name: string } {
    const { directory, name, found } = locate(this.view(), withoutSlashes(path), { noFollow: true });
    if (found === null) throw new Errno("ENOENT", path);
    if (name === ".") throw new Errno("EINVAL", path);
    if (name === "..") throw new Errno("ENOTEMPTY", path);
    if (isBusy({ directory, found })) throw new Errno("EBUSY", path);
    this.writeTo(directory, path);
    this.#permitRemoval(directory, found);
    return { directory, name };
  }

  #permitRemoval(directory: Location, found: Location): void {
    permitRemoval(this.self(), this.statAt(directory), this.statAt(found));
  }

  // Content and attributes

  truncate(path: string, size: number): void {
    const location = this.locationOf(path);
    this.writeTo(location, path);
    const fileSystem = this.fileSystem(location);
    const { kind, size: oldSize, blocks } = this.statAt(location);
    const most = this.process.limits.get("fsize")?.soft ?? -1;
    if (most !== -1 && size > most && size > oldSize) this.tooLarge();
    const isSame = kind === "file" && oldSize === size && blocks === 0; // nothing to cut and nothing to add: the times stay
    if (isSame) fileSystem.prepareWrite(location.inode);
    else fileSystem.truncate(location.inode, size);
  }

  setAttributes(path: string, attributes: Attributes, options: { noFollow?: boolean } = {}): void {
    const location = this.locationOf(path, options.noFollow ?? false);
    this.notReadonly(location, path);
    const stat = this.statAt(location);
    const meant = this.#meantAttributes(attributes);
    this.#permitAttributes(stat, meant, path);
    const gives = meant.uid !== undefined || meant.gid !== undefined;
    const cleared = gives && stat.kind === "file" && meant.mode === undefined ? withoutSetid(stat.mode) : meant.mode;
    this.fileSystem(location).setAttributes(location.inode, {
      ...meant,
      ...(cleared === undefined ? {} : { mode: cleared }),
      ...(meant.uid === undefined ? {} : { uid: this.storedOn(location, "uids", meant.uid) }),
      ...(meant.gid === undefined ? {} : { gid: this.storedOn(location, "gids", meant.gid) }),
    });
  }

  #meantAttributes(attributes: Attributes): Attributes {
    const { uid, gid } = attributes;
    return {
      ...attributes,
      ...(uid === undefined ? {} : { uid: this.#meant("uids", uid) }),
      ...(gid === undefined ? {} : { gid: this.#meant("gids", gid) }),
    };
  }

  #meant(kind: "uids" | "gids", id: number): number {
    const meant = meantBy(this.process.namespaces.user, kind, id);
    if (meant === null) throw new Errno("EINVAL");
    return meant;
  }

  /** chmod(2) and chown(2): the owner changes the mode, and the group to one of its own; the rest needs capabilities. */
  #permitAttributes(stat: Stat, { uid, gid, mode, mtime }: Attributes, path: string): void {
    const self = this.self();
    const owns = stat.uid === self.uid;
    const keepsUser = uid === undefined || (owns && uid === stat.uid);
    const keepsGroup = gid === undefined || (owns && (gid === stat.gid || isInGroup(self, gid)));
    if (!(keepsUser && keepsGroup) && !isCapableOver(self, "CAP_CHOWN", stat)) throw new Errno("EPERM", path);
    const isOwners = mode !== undefined || mtime !== undefined;
    if (isOwners && !owns && !isCapableOver(self, "CAP_FOWNER", stat)) throw new Errno("EPERM", path);
  }

  listXattrs(path: string): string[] {
    const location = this.locationOf(path);
    return this.fileSystem(location).listXattrs(location.inode);
  }

  getXattr(path: string, name: string): Uint8Array {
    const location = this.locationOf(path);
    return this.fileSystem(location).getXattr(location.inode, name);
  }

  setXattr(path: string, name: string, value: Uint8Array): void {
    const location = this.#xattrWritable(path, name);
    this.fileSystem(location).setXattr(location.inode, name, value);
  }

  removeXattr(path: string, name: string): void {
    const location = this.#xattrWritable(path, name);
    this.fileSystem(location).removeXattr(location.inode, name);
  }

  /** xattr(7): "trusted." is root's, "user." follows the file's mode. */
  #xattrWritable(path: string, name: string): Location {
    const location = this.locationOf(path);
    this.notReadonly(location, path);
    if (name.startsWith("trusted.") || name.startsWith("security."))
      this.need("CAP_SYS_ADMIN", this.kernel.userNamespace);
    else this.writeTo(location, path);
    return location;
  }
}

type Unowned = { readonly mode: number } & (
  | { readonly kind: "file" | "directory" | "fifo" | "socket" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "character" | "block"; readonly major: number; readonly minor: number }
) &
  Pick<NewNode, "mode">;

/** Something is mounted there. */
function isBusy(place: Pick<Place, "directory" | "found">): boolean {
  return place.found !== null && place.found.mount !== place.directory.mount;
}

function withoutSlashes(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

function withoutSetid(mode: number): number {
  return mode & ((mode & 0o010) !== 0 ? ~0o6000 : ~0o4000);
}
