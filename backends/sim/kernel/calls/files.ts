/** System calls about files, by path (path_resolution(7)): core's rules, and what a kernel adds of devices, fifos and ids. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Wanted } from "../../../../core/unionfs/access.ts";
import type { Attributes, DirectoryEntry, NodeKind, RenameFlag, Stat } from "../../../../core/unionfs/file-system.ts";
import type { OpenFlags } from "../../../../core/unionfs/opened-file.ts";
import { openDevice } from "../devices.ts";
import { meantBy } from "../ids.ts";
import type { Location } from "../mounts.ts";
import { type Channel, FileChannel, OpenFile, type WouldBlock, wouldBlock } from "../open-file.ts";
import { BothEnds, ReadEnd, WriteEnd } from "../pipe.ts";
import type { Fd, FileSystemStat, OpenOptions } from "../sys.ts";
import { statFileSystemOf } from "../file-systems.ts";
import { pathOf } from "../walk.ts";
import { TerminalChannel } from "../terminal.ts";
import { DescriptorCalls } from "./descriptors.ts";

export class FileCalls extends DescriptorCalls {
  // Opening

  async open(path: string, options: OpenOptions): Promise<Fd> {
    this.unrefused("open");
    this.freeFd();
    const flags = flagsOf(options);
    const location = this.files.reach(path, flags, options.mode ?? 0o666);
    if (location.opened !== undefined) return this.install(location.opened);
    const isFifo = flags.path !== true && this.files.view.look(location).kind === "fifo";
    const channel = isFifo ? await this.#fifo(location, options) : this.#channel(location, flags);
    const { root } = this.process;
    const view = { table: this.table(), root };
    const place = { location, path: () => pathOf(view, location) };
    const access = { read: flags.read === true, write: flags.write === true };
    this.#takeTerminal(channel);
    return this.install(new OpenFile(channel, access, place, options.nonBlocking ?? false));
  }

  #channel(location: Location, flags: OpenFlags): Channel {
    const { kind } = this.files.view.look(location);
    const isDevice = kind === "character" || kind === "block";
    if (!isDevice || flags.path === true) return new FileChannel(this.files.opened(location, flags), location);
    if (this.mountOf(location).flags.has("nodev")) throw new Errno("EACCES");
    return openDevice(this.kernel, this.process, this.fileSystem(location), this.statAt(location));
  }

  /** fifo(7): opening waits for the other end; a writer that will not wait gets ENXIO. */
  async #fifo(location: Location, options: OpenOptions): Promise<Channel> {
    const stat = this.statAt(location);
    const pipe = this.kernel.fifo(this.fileSystem(location), location.inode);
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
    return this.shownStat(this.files.stat(path));
  }

  lstat(path: string): Stat {
    return this.shownStat(this.files.lstat(path));
  }

  statFileSystem(path: string): FileSystemStat {
    return statFileSystemOf(this.mountOf(this.locationOf(path)));
  }

  device(path: string): number {
    return this.locationOf(path, true).mount;
  }

  list(path: string): readonly DirectoryEntry[] {
    return this.files.list(path);
  }

  readlink(path: string): string {
    return this.files.readlink(path);
  }

  /** ENOENT when it was removed. */
  directory(): string {
    const { directory } = this.self();
    if (this.statAt(directory).links === 0) throw new Errno("ENOENT");
    return pathOf(this.view(), directory);
  }

  changeDirectory(path: string): void {
    this.process.directory = this.#enterable(path);
    this.kernel.lingering.sweep();
  }

  changeRoot(path: string): void {
    const location = this.#enterable(path);
    this.unrefused("chroot");
    this.need("CAP_SYS_CHROOT");
    this.process.root = location;
    this.kernel.lingering.sweep();
  }

  #enterable(path: string): Location {
    const location = this.locationOf(path);
    const stat = this.statAt(location);
    if (stat.kind !== "directory") throw new Errno("ENOTDIR", path);
    this.permit(stat, "execute", path);
    return location;
  }

  access(path: string, wanted: Partial<Record<Wanted, boolean>>): void {
    const asked = (["read", "write", "execute"] as const).filter((each) => wanted[each] === true);
    this.files.access(path, asked);
  }

  // Names

  makeDirectory(path: string, mode: number): void {
    this.files.mkdir(path, mode);
  }

  removeDirectory(path: string): void {
    this.files.rmdir(path);
  }

  unlink(path: string): void {
    this.files.unlink(path);
  }

  rename(from: string, to: string, flag: RenameFlag = "replace"): void {
    this.files.rename(from, to, flag);
  }

  link(target: string, path: string): void {
    this.files.link(target, path);
  }

  linkOpened(fd: Fd, path: string): void {
    const { channel } = this.file(fd);
    if (!(channel instanceof FileChannel)) throw new Errno("EXDEV", path);
    this.files.linkOpened(channel.opened, path);
  }

  symlink(target: string, path: string): void {
    this.files.symlink(target, path);
  }

  makeNode(path: string, kind: Exclude<NodeKind, "directory" | "symlink">, mode: number, major = 0, minor = 0): void {
    this.unrefused("mknod");
    const isDevice = kind === "character" || kind === "block";
    this.files.mknod(path, isDevice ? { kind, mode, major, minor } : { kind, mode });
  }

  // Content and attributes

  truncate(path: string, size: number): void {
    this.#limited(() => {
      this.files.truncate(path, size);
    });
  }

  truncateOpened(fd: Fd, size: number): void {
    const { channel } = this.file(fd);
    if (!(channel instanceof FileChannel)) throw new Errno("EINVAL");
    this.#limited(() => {
      channel.opened.truncate(size, this.files);
    });
  }

  /** Who goes beyond RLIMIT_FSIZE gets a signal too. */
  #limited(act: () => void): void {
    try {
      act();
    } catch (thrown) {
      if (thrown instanceof Errno && thrown.errno === "EFBIG") this.tooLarge();
      throw thrown;
    }
  }

  setAttributes(path: string, attributes: Attributes, { noFollow = false }: { noFollow?: boolean } = {}): void {
    const { uid, gid, mode, atime, mtime } = attributes;
    if (uid !== undefined || gid !== undefined)
      this.files.chown(path, this.#meant("uids", uid), this.#meant("gids", gid), noFollow);
    if (mode !== undefined) this.files.chmod(path, mode, noFollow);
    if (atime !== undefined || mtime !== undefined) this.files.utimes(path, { atime, mtime }, noFollow);
  }

  #meant(kind: "uids" | "gids", id: number | undefined): number | null {
    if (id === undefined) return null;
    const meant = meantBy(this.process.namespaces.user, kind, id);
    if (meant === null) throw new Errno("EINVAL");
    return meant;
  }

  listXattrs(path: string, { noFollow = false }: { noFollow?: boolean } = {}): string[] {
    return this.files.listXattrs(path, noFollow);
  }

  getXattr(path: string, name: string, { noFollow = false }: { noFollow?: boolean } = {}): Uint8Array {
    return this.files.getXattr(path, name, noFollow);
  }

  setXattr(path: string, name: string, value: Uint8Array, { noFollow = false }: { noFollow?: boolean } = {}): void {
    this.files.setXattr(path, name, value, noFollow);
  }

  removeXattr(path: string, name: string, { noFollow = false }: { noFollow?: boolean } = {}): void {
    this.files.removeXattr(path, name, noFollow);
  }
}

function flagsOf(options: OpenOptions): OpenFlags {
  const { access, create = false, exclusive = false, truncate = false, append = false } = options;
  const { directory = false, noFollow = false, unnamed = false, path = false } = options;
  if (path) return { path, directory, noFollow };
  const [read, write] = [access !== "write", access !== "read"];
  return { read, write, create, exclusive, truncate, append, directory, noFollow, unnamed };
}
