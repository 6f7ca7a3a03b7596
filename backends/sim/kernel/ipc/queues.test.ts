import assert from "node:assert/strict";
import { test } from "node:test";
import { inProcess, readFile, smallHost, writeFile } from "../../testing/small-host.ts";

test("a namespace's queues are files where they are mounted", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    sys.makeDirectory("/tmp/q", 0o755);
    sys.mount("mqueue", "mqueue", "/tmp/q", [], "");
    const queue = sys.openQueue("/jobs", { access: "both", create: true, mode: 0o640 });
    await sys.sendQueue(queue, { priority: 1, bytes: new TextEncoder().encode("hello") }, null);
    const text = await readFile(sys, "/tmp/q/jobs");
    await writeFile(sys, "/tmp/q/other", "").catch(() => {});
    const other = sys.openQueue("/other", { access: "read" });
    const names = sys.list("/tmp/q").map(({ name }) => name);
    sys.unlink("/tmp/q/jobs");
    return [
      text,
      sys.stat("/tmp/q/other").mode,
      sys.queueAttributes(other).messagesMax,
      names,
      sys.list("/tmp/q").length,
    ];
  });
  assert.deepEqual(seen, [
    "QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n",
    0o644,
    10,
    ["jobs", "other"],
    1,
  ]);
});

test("a descriptor of a queue can be polled", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const queue = sys.openQueue("/q", { access: "both", create: true, mode: 0o600 });
    const wanted = [{ fd: queue, read: true, write: false }];
    const before = await sys.poll(wanted, 1_000_000n);
    sys.fork(async (own) => {
      await own.sleep(1_000_000n);
      await own.sendQueue(queue, { priority: 0, bytes: new Uint8Array(1) }, null);
      return 0;
    });
    return [before, await sys.poll(wanted, null)];
  });
  assert.deepEqual(seen, [[], [0]]);
});
