/** tsboxd on the simulated host: a process that serves the API on a unix socket. */
import type { Api } from "../api/http.ts";
import type { HostFiles } from "../backends/sim/host-files.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Sys } from "../backends/sim/kernel/sys.ts";
import type { Engine } from "../core/engine/engine.ts";
import { assert } from "../core/base/assert.ts";
import { connectionOf } from "./connection.ts";
import type { EngineOptions } from "./engine.ts";
import { EventLoop, type Pause } from "./event-loop.ts";
import { serve } from "./http-server.ts";

export const socketPath = "/run/tsbox.sock";
const backlog = 64;

export interface DaemonOptions extends EngineOptions {
  readonly pause: Pause;
  /** Is given the engine once it is open. */
  readonly opened: (engine: Engine) => void;
  /** Wraps the API, to see what is asked. */
  readonly watched?: (api: Api) => Api;
}

/**
 * The program; it ends with the kernel. The engine itself is loaded and opened in its first turn: the
 * shell, which was started before it, has its prompt by then.
 */
export function daemon(kernel: Kernel, files: HostFiles, options: DaemonOptions): (sys: Sys) => Promise<number> {
  return async (sys) => {
    const self = kernel.turns.current;
    assert(self !== null, "the daemon begins in its turn");
    const { openSimulatedEngine } = await import("./engine.ts");
    const { api, engine } = await kernel.outside(self, openSimulatedEngine(kernel, files, options));
    options.opened(engine);
    return listening(kernel, sys, options.watched?.(api) ?? api, options.pause);
  };
}

/** Serves an API on the socket. */
export function listening(kernel: Kernel, sys: Sys, api: Api, pause: Pause): Promise<number> {
  const loop = new EventLoop(kernel, sys, pause);
  const listener = sys.socket("unix");
  sys.bindSocket(listener, { family: "unix", path: socketPath });
  sys.setAttributes(socketPath, { mode: 0o600 });
  sys.listen(listener, backlog);
  loop.unblock(listener);
  return loop.run(async () => {
    for (;;) void serve(connectionOf(loop, await loop.accept(listener)), api);
  });
}
