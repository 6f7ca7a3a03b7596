import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import type { HostPath } from "../../core/base/brand.ts";
import { lockDataRoot } from "./lock.ts";
import { scratch } from "./testing/scratch.ts";

test("who asks for the lock's holder and stays does not keep it from letting go", { timeout: 20_000 }, async () => {
  const root = scratch("lock") as HostPath;
  try {
    const lock = await lockDataRoot(root);
    const { dev, ino } = statSync(root);
    const guest = connect({ path: `\0tsbox-data-root-${dev}-${ino}`, allowHalfOpen: true });
    const [pid] = (await once(guest, "data")) as [Buffer];
    assert.equal(pid.toString(), String(process.pid));
    await lock.release();
    guest.destroy();
    await (await lockDataRoot(root)).release();
  } finally {
    rmSync(root, { recursive: true });
  }
});
