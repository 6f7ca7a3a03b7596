import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Hasher } from "../../core/base/ports.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { Sys } from "./kernel/sys.ts";
import { snapshotOf } from "./snapshot.ts";
import { stateRoot } from "./state-root.ts";
import { inProcess, smallHost, writeFile } from "./testing/small-host.ts";

const hasher: Hasher = {
  sha256: () => {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
    };
  },
};

const rootOf = (kernel: Kernel): string => stateRoot(snapshotOf(kernel), hasher);

async function work(sys: Sys): Promise<void> {
  await writeFile(sys, "/root/file", "text");
  const { read, write } = sys.pipe();
  sys.fork(async (child) => {
    await child.write(write, child.random(8));
    await child.sleep(5_000_000n);
    return 3;
  });
  await writeFile(sys, "/tmp/random", [...(await sys.read(read, 8))].join());
  await sys.wait(-1);
}

test("the same work gives the same state root, step by step", async () => {
  const roots = await Promise.all(
    [1, 2].map(async () => {
      const kernel = smallHost();
      await inProcess(kernel, work);
      return [kernel.turns.step, rootOf(kernel)];
    }),
  );
  assert.deepEqual(roots[0], roots[1]);
});

test("whatever differs in the state differs in the root", async () => {
  const changes: readonly ((sys: Sys) => Promise<void>)[] = [
    async () => {},
    async (sys) => sys.setHostname("other"),
    async (sys) => writeFile(sys, "/root/file", "texT"),
    async (sys) => sys.setAttributes("/root", { mode: 0o711 }),
    async (sys) => sys.mount("tmpfs", "t", "/home", [], ""),
    async (sys) => sys.makeDirectory("/sys/fs/cgroup/group", 0o755),
    async (sys) => void sys.fork((child) => child.pause().then(() => 0)),
    async (sys) =>
      void sys.fork(async (child) => {
        await child.write(child.pipe().write, Uint8Array.of(7));
        await child.pause();
        return 0;
      }),
  ];
  const roots = await Promise.all(
    changes.map(async (change) => {
      const kernel = smallHost();
      await inProcess(kernel, change);
      const { state, trees } = snapshotOf(kernel);
      return stateRoot({ state, trees, step: 0, now: 0n }, hasher);
    }),
  );
  assert.equal(new Set(roots).size, changes.length);
});

test("a snapshot stays what it was", async () => {
  const kernel = smallHost();
  await inProcess(kernel, (sys) => writeFile(sys, "/root/file", "before"));
  const snapshot = snapshotOf(kernel);
  const before = stateRoot(snapshot, hasher);
  await inProcess(kernel, (sys) => writeFile(sys, "/root/file", "after!"));
  assert.equal(stateRoot(snapshot, hasher), before);
  assert.notEqual(rootOf(kernel), before);
});
