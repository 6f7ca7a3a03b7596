/** System calls about tracing others (ptrace(2)). */
import { Errno } from "../../../../core/base/errno.ts";
import { OpenFile } from "../open-file.ts";
import { isCapable } from "../permission.ts";
import { pipeStat } from "../pipe.ts";
import { isAlive, type Process } from "../process.ts";
import type { Fd, Pid } from "../sys.ts";
import { Trace, TraceChannel, type TraceEvent } from "../trace.ts";
import { IpcCalls } from "./ipc.ts";

const readMost = 1024;

export class TraceCalls extends IpcCalls {
  trace(pid: Pid, options: { follow?: boolean } = {}): Fd {
    this.unrefused("ptrace");
    const target = this.peer(pid);
    if (!isAlive(target)) throw new Errno("ESRCH");
    if (target === this.process || target.trace !== null || !this.#mayTrace(target)) throw new Errno("EPERM");
    const trace = new Trace(this.process, options.follow ?? false);
    const channel = new TraceChannel(trace, pipeStat(this.kernel.newInode(), this.now()), () =>
      this.kernel.endTrace(trace),
    );
    const fd = this.install(
      new OpenFile(channel, { read: true, write: false }, { location: null, path: "anon_inode:[trace]" }),
    );
    this.kernel.beginTrace(target, trace);
    return fd;
  }

  /** ptrace_may_access(): the same ids and no more capabilities, or CAP_SYS_PTRACE over it. */
  #mayTrace({ uid, gid, capabilities, namespaces }: Process): boolean {
    const self = this.process;
    const own = self.capabilities.permitted;
    const isSame = uid === self.uid && gid === self.gid && namespaces.user === self.namespaces.user;
    if (isSame && capabilities.permitted.every((each) => own.includes(each))) return true;
    return isCapable(self, "CAP_SYS_PTRACE", namespaces.user);
  }

  readTrace(fd: Fd, count: number): Promise<readonly TraceEvent[]> {
    const { channel } = this.file(fd);
    if (!(channel instanceof TraceChannel)) throw new Errno("EINVAL");
    return this.call(() => channel.trace.take(Math.min(Math.max(count, 1), readMost)), { watched: true });
  }
}
