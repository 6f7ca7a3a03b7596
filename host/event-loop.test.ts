import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { smallHost } from "../backends/sim/testing/small-host.ts";
import { EventLoop } from "./event-loop.ts";

const pause = (): Promise<void> => setImmediate();

/** How many turns a server takes that waits for clients, while something it needs takes so long to come from outside. */
async function turnsWith(delayMs: number): Promise<number> {
  const kernel = smallHost();
  kernel.launch("server", (sys) => {
    const loop = new EventLoop(kernel, sys, pause);
    const listener = sys.socket("unix");
    sys.bindSocket(listener, { family: "unix", path: "/socket" });
    sys.listen(listener, 1);
    loop.unblock(listener);
    return loop.run(async () => {
      loop.accept(listener).catch(() => {});
      await loop.call((own) => own.pid);
      const needed = delayMs === 0 ? Promise.resolve() : sleep(delayMs);
      kernel.turns.hold(needed);
      await needed;
      return loop.call(() => 0);
    });
  });
  await kernel.turns.run();
  return kernel.turns.step;
}

test("what comes from outside has the same effects whether it takes long or no time", async () => {
  assert.equal(await turnsWith(50), await turnsWith(0));
});
