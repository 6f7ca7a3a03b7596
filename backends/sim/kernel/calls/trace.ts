/** System calls about tracing others (ptrace(2)). */
import { Errno } from "../../../../core/base/errno.ts";
import { OpenFile } from "../open-file.ts";
import { mayInspect } from "../permission.ts";
import { pipeStat } from "../pipe.ts";
import { isAlive } from "../process.ts";
import type { Fd, Pid } from "../sys.ts";
import { Trace, TraceChannel, type TraceEvent } from "../trace.ts";
import { IpcCalls } from "./ipc.ts";

const readMost = 1024;

export class TraceCalls extends IpcCalls {
  async trace(pid: Pid, options: { follow?: boolean } = {}): Promise<Fd> {
    this.unrefused("ptrace");
    // How each call is told is long, and few ever trace: it comes when it is wanted.
    const { tracing } = await import("./traced.ts");
    const target = this.peer(pid);
    if (!isAlive(target)) throw new Errno("ESRCH");
    if (target === this.process || target.trace !== null || !mayInspect(this.process, target)) throw new Errno("EPERM");
    const trace = new Trace(this.process, options.follow ?? false);
    const channel = new TraceChannel(trace, pipeStat(this.kernel.newInode(), this.now()), () =>
      this.kernel.observers.endTrace(trace),
    );
    const fd = this.install(
      new OpenFile(channel, { read: true, write: false }, { location: null, path: "anon_inode:[trace]" }),
    );
    this.kernel.observers.beginTrace(target, trace, tracing);
    return fd;
  }

  readTrace(fd: Fd, count: number): Promise<readonly TraceEvent[]> {
    const { channel } = this.file(fd);
    if (!(channel instanceof TraceChannel)) throw new Errno("EINVAL");
    return this.call(() => channel.trace.take(Math.min(Math.max(count, 1), readMost)), { watched: true });
  }
}
