import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeEngine, sampleRecord } from "../api/testing/fake-engine.ts";
import { Idle } from "./idle.ts";

const justNow = 1e-6;

/** Whether a daemon with these containers ends by itself within a moment. */
async function ends(state: "running" | "exited", busy: boolean): Promise<boolean> {
  const idle = new Idle();
  if (busy) idle.begin();
  else idle.begin()();
  const engine = fakeEngine({ containers: { list: async () => [sampleRecord({}, { state })] } });
  const ended = new Promise<boolean>((resolve) => idle.watch(justNow, engine, () => resolve(true)));
  return Promise.race([ended, new Promise<boolean>((resolve) => setTimeout(resolve, 1500, false))]);
}

test("an idle daemon ends, but not while a request or a container runs", async () => {
  assert.deepEqual(await Promise.all([ends("exited", false), ends("running", false), ends("exited", true)]), [
    true,
    false,
    false,
  ]);
});
