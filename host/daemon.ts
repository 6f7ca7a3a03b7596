/** tsboxd on the simulated host: a process that serves the API on a unix socket. */
import type { Api } from "../api/http.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Sys } from "../backends/sim/kernel/sys.ts";
import { connectionOf } from "./connection.ts";
import { EventLoop, type Pause } from "./event-loop.ts";
import { serve } from "./http-server.ts";

export const socketPath = "/run/tsbox.sock";
const backlog = 64;

/** The program; it ends with the kernel. */
export function daemon(kernel: Kernel, api: Api, pause: Pause): (sys: Sys) => Promise<number> {
  return (sys) => {
    const loop = new EventLoop(kernel, sys, pause);
    const listener = sys.socket("unix");
    sys.bindSocket(listener, { family: "unix", path: socketPath });
    sys.setAttributes(socketPath, { mode: 0o600 });
    sys.listen(listener, backlog);
    loop.unblock(listener);
    return loop.run(async () => {
      for (;;) void serve(connectionOf(loop, await loop.accept(listener)), api);
    });
  };
}
