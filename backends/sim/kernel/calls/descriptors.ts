/** System calls about descriptors: reading and writing, pipes, polling, terminals. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import { FileChannel, OpenFile, type WouldBlock, wouldBlock } from "../open-file.ts";
import { Pipe, pipeStat, ReadEnd, WriteEnd } from "../pipe.ts";
import type { SignalSource } from "../signals.ts";
import type { Fd, Pid, TerminalMode, Whence } from "../sys.ts";
import { TerminalChannel, type Terminal } from "../terminal.ts";
import { ProcessCalls } from "./processes.ts";

const SIGPIPE = 13;
const SIGTTIN = 21;
const SIGXFSZ = 25;

export class DescriptorCalls extends ProcessCalls {
  close(fd: Fd): void {
    this.closeOne(fd);
  }

  async read(fd: Fd, length: number): Promise<Uint8Array> {
    const file = this.file(fd);
    const attempt = (): Uint8Array | WouldBlock => {
      if (!this.#mayReadTerminal(file)) return wouldBlock;
      return this.#unlessNonBlocking(file, file.read(length));
    };
    const bytes = await this.call(attempt, { watched: isWatched(file) });
    this.spendBytes(bytes.length);
    return bytes;
  }

  /** A background group that reads its terminal is stopped, or told EIO when it ignores that. */
  #mayReadTerminal({ channel }: OpenFile): boolean {
    if (!(channel instanceof TerminalChannel)) return true;
    const { terminal, group, actions } = this.process;
    if (channel.terminal !== terminal || terminal.foreground === group || terminal.foreground === 0) return true;
    if (actions.get(SIGTTIN) === "ignore") throw new Errno("EIO");
    this.kernel.signals.sendGroup(group, SIGTTIN);
    return false;
  }

  async write(fd: Fd, bytes: Uint8Array): Promise<number> {
    const file = this.file(fd);
    if (!file.access.write) throw new Errno("EBADF");
    let written = 0;
    while (written < bytes.length || written === 0) {
      const taken = await this.call(() => this.#writeOnce(file, bytes.subarray(written)), { watched: isWatched(file) });
      written += taken;
      this.spendBytes(taken);
      if (file.nonBlocking || bytes.length === 0) break;
    }
    return written;
  }

  #writeOnce(file: OpenFile, bytes: Uint8Array): number | WouldBlock {
    const room = this.#roomIn(file, bytes.length);
    try {
      return this.#unlessNonBlocking(file, file.write(bytes.subarray(0, room), this.files));
    } catch (thrown) {
      if (thrown instanceof Errno && thrown.errno === "EPIPE")
        this.kernel.signals.send(this.process, SIGPIPE, this.#itself());
      throw thrown;
    }
  }

  /** SIGXFSZ and EFBIG where RLIMIT_FSIZE leaves none (setrlimit(2)). */
  #roomIn({ channel }: OpenFile, wanted: number): number {
    if (!(channel instanceof FileChannel) || wanted === 0) return wanted;
    const room = channel.roomWithin(this.process.limits.get("fsize")?.soft ?? -1);
    if (room <= 0) this.tooLarge();
    return Math.min(room, wanted);
  }

  protected tooLarge(): never {
    this.kernel.signals.send(this.process, SIGXFSZ, this.#itself());
    throw new Errno("EFBIG");
  }

  /** What a process's own call is answered with comes from itself (send_sig() in the kernel). */
  #itself(): SignalSource {
    return { code: "SI_USER", process: this.process };
  }

  #unlessNonBlocking<T>(file: OpenFile, result: T | WouldBlock): T | WouldBlock {
    if (result === wouldBlock && file.nonBlocking) throw new Errno("EAGAIN");
    return result;
  }

  seek(fd: Fd, offset: number, whence: Whence): number {
    const { channel } = this.file(fd);
    if (!(channel instanceof FileChannel)) throw new Errno("ESPIPE");
    return channel.opened.seek(offset, whence);
  }

  duplicate(from: Fd, to: Fd): Fd {
    const file = this.file(from);
    if (from === to) return to;
    if (to === -1) return this.install(file);
    if (this.process.fds.has(to)) this.close(to);
    this.process.fds.set(to, file.hold());
    return to;
  }

  setCloseOnExec(fd: Fd, on: boolean): void {
    this.file(fd);
    if (on) this.process.closeOnExec.add(fd);
    else this.process.closeOnExec.delete(fd);
  }

  pipe(): { read: Fd; write: Fd } {
    const pipe = new Pipe();
    const { uid, gid } = this.self();
    const inode = this.kernel.newInode();
    const stat = { ...pipeStat(inode, this.now()), uid, gid };
    const place = { location: null, path: `pipe:[${inode}]` };
    const read = this.install(new OpenFile(new ReadEnd(pipe, stat), { read: true, write: false }, place));
    const write = this.install(new OpenFile(new WriteEnd(pipe, stat), { read: false, write: true }, place));
    return { read, write };
  }

  poll(wanted: readonly { fd: Fd; read: boolean; write: boolean }[], timeout: bigint | null): Promise<Fd[]> {
    const until = timeout === null ? null : this.now() + timeout;
    const look = (): Fd[] | WouldBlock => {
      const ready = wanted.filter(({ fd, read, write }) => {
        const { channel } = this.file(fd);
        return (read && channel.readable()) || (write && channel.writable());
      });
      if (ready.length > 0 || (until !== null && this.now() >= until)) return ready.map(({ fd }) => fd);
      return wouldBlock;
    };
    return this.call(look, { at: until, watched: wanted.every(({ fd }) => isWatched(this.file(fd))) });
  }

  statFd(fd: Fd): Stat {
    return this.shownStat(this.file(fd).channel.stat());
  }

  isTerminal(fd: Fd): boolean {
    return this.file(fd).channel instanceof TerminalChannel;
  }

  terminalSize(fd: Fd): { rows: number; columns: number } {
    const { rows, columns } = this.#terminal(fd);
    return { rows, columns };
  }

  terminalMode(fd: Fd): TerminalMode {
    return this.#terminal(fd).mode;
  }

  setTerminalMode(fd: Fd, mode: Partial<TerminalMode>): void {
    this.#terminal(fd).setMode(mode);
  }

  setForeground(fd: Fd, group: Pid): void {
    const terminal = this.#terminal(fd);
    if (terminal !== this.process.terminal) throw new Errno("ENOTTY");
    const members = [...this.kernel.processes.values()].filter((each) => this.shown(each.group) === group);
    const member = members.find((each) => each.session === this.process.session);
    if (member === undefined) throw new Errno(members.length === 0 ? "ESRCH" : "EPERM");
    terminal.foreground = member.group;
  }

  foreground(fd: Fd): Pid {
    const terminal = this.#terminal(fd);
    if (terminal !== this.process.terminal) throw new Errno("ENOTTY");
    return this.shown(terminal.foreground);
  }

  #terminal(fd: Fd): Terminal {
    const { channel } = this.file(fd);
    if (!(channel instanceof TerminalChannel)) throw new Errno("ENOTTY");
    return channel.terminal;
  }
}

/** Whether waiting for it needs no asking: it tells of its changes. */
function isWatched({ channel }: OpenFile): boolean {
  return channel.isWatched === true;
}
