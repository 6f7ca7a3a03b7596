import assert from "node:assert/strict";
import { test } from "node:test";
import { binarySize, ellipsis, humanDuration, humanSize } from "./units.ts";

test("durations are worded as Docker words them", () => {
  const minute = 60;
  const hour = 60 * minute;
  const day = 24 * hour;
  const seconds = [0, 1, 59, minute, 2 * minute, 59 * minute, hour, 2 * hour, 47 * hour, 2 * day, 13 * day, 14 * day];
  assert.deepEqual([...seconds, 59 * day, 60 * day, 729 * day, 730 * day].map(humanDuration), [
    ...["Less than a second", "1 second", "59 seconds", "About a minute", "2 minutes", "59 minutes", "About an hour"],
    ...["2 hours", "47 hours", "2 days", "13 days", "2 weeks", "8 weeks", "2 months", "24 months", "2 years"],
  ]);
});

test("sizes have so many digits", () => {
  assert.deepEqual(
    [humanSize(0), humanSize(1_984_000), humanSize(1_984_000, 3), humanSize(5e12), binarySize(25_275_572_224)],
    ["0B", "1.984MB", "1.98MB", "5TB", "23.54GiB"],
  );
});

test("a long text ends in an ellipsis within its width", () => {
  assert.deepEqual([ellipsis("abc", 3), ellipsis("abcd", 3), ellipsis("über", 3)], ["abc", "ab…", "üb…"]);
});
