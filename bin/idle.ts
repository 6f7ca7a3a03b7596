/** Ends a daemon that nobody needs: no request and no container for so many minutes. */
import type { Engine } from "../core/engine/engine.ts";
import type { Activity } from "./http-server.ts";

export class Idle implements Activity {
  #requests = 0;
  #since = performance.now();

  begin(): () => void {
    this.#requests++;
    return () => {
      this.#requests--;
      this.#since = performance.now();
    };
  }

  /** Calls `end` once, after `minutes` without a request and then without a container. */
  watch(minutes: number, engine: Engine, end: () => void): void {
    const limitMs = minutes * 60_000;
    const timer = setInterval(
      () => {
        void this.#isIdle(limitMs, engine).then((idle) => {
          if (!idle) return;
          clearInterval(timer);
          end();
        });
      },
      Math.max(limitMs / 10, 1000),
    );
    timer.unref();
  }

  async #isIdle(limitMs: number, engine: Engine): Promise<boolean> {
    const quiet = () => this.#requests === 0 && performance.now() - this.#since >= limitMs;
    if (!quiet()) return false;
    const records = await engine.containers.list();
    return quiet() && records.every(({ state }) => state !== "running" && state !== "restarting");
  }
}
