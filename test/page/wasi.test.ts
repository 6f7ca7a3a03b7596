import type { Job } from "./wasi-worker.ts";

// Programs for WASI in a browser: in a worker, by promise integration, without shared memory or special headers.

let worker: Worker;

function ask(job: Job): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.addEventListener(
      "message",
      ({ data }: MessageEvent<{ text?: string; error?: string }>) => {
        if (data.text === undefined) reject(new Error(data.error));
        else resolve(data.text);
      },
      { once: true },
    );
    worker.addEventListener("error", (event) => reject(new Error(event.message)), { once: true });
    worker.postMessage(job);
  });
}

function same(actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

suite("programs for WASI in a browser", () => {
  setup(() => {
    worker = new Worker(new URL("./wasi-worker.ts", import.meta.url), { type: "module" });
  });
  teardown(() => worker.terminate());

  test("run, and tell what the simulated kernel tells them", async () => {
    const said = await ask("hello");
    for (const line of [/^hostname +tsbox /m, /^pid +\d+ /m, /^uts ns +uts:\[\d+\]/m])
      if (!line.test(said)) throw new Error(`${line} is not in ${said}`);
  });

  test("read what is typed and write what it becomes", async () => same(await ask("upper"), "TYPED\n"));

  test("share the worker with one that never ends, which is killed by SIGKILL", async () => {
    same(await ask("kill"), "BESIDE 9");
  });

  test("say why they ended, in the same words as elsewhere", async () => {
    same(await ask("abort"), "abort: trap: it came to an instruction that is never to be reached (abort)\n");
  });

  test("need no cross-origin isolation", async () => same(await ask("isolated"), "false"));
});
