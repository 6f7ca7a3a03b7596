import assert from "node:assert/strict";
import { test } from "node:test";
import { nextDelayMs, restartsAfter } from "./restart.ts";

test("restart policies: who restarts after what, and when", () => {
  const of = (
    name: "no" | "always" | "unless-stopped" | "on-failure",
    exitCode: number,
    count = 0,
    stopped = false,
  ): boolean =>
    restartsAfter(
      { name, maximumRetryCount: name === "on-failure" ? 3 : 0 },
      { exitCode, restartCount: count, stoppedByUser: stopped },
    );
  assert.deepEqual(
    [
      of("no", 1),
      of("always", 0),
      of("unless-stopped", 0),
      of("on-failure", 0),
      of("on-failure", 1),
      of("on-failure", 1, 3),
      of("always", 1, 9, true),
    ],
    [false, true, true, false, true, false, false],
  );
  const delays = [0];
  for (let end = 0; end < 11; end++) delays.push(nextDelayMs(delays.at(-1) ?? 0, 5));
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000]);
  assert.equal(nextDelayMs(60_000, 10_000), 100);
});
