import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatTime, parseTime, zeroTime } from "./time.ts";

test("times survive being text", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n }),
      (time) => parseTime(formatTime(time)) === time,
    ),
  );
  assert.equal(formatTime(1_500_000_000n), "1970-01-01T00:00:01.5Z");
  assert.equal(parseTime("2026-01-01T01:00:00+01:00"), parseTime("2026-01-01T00:00:00Z"));
  assert.equal(parseTime("yesterday"), null);
  assert.notEqual(parseTime(zeroTime), null);
});
