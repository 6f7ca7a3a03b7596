import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTime } from "../base/time.ts";
import { humanDuration, statusOf } from "./status.ts";

test("lengths of time in docker's words", () => {
  const minute = 60;
  const hour = 60 * minute;
  const day = 24 * hour;
  const table: [seconds: number, words: string][] = [
    [0.9, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [119, "About a minute"],
    [3 * minute, "3 minutes"],
    [59 * minute + 59, "59 minutes"],
    [hour, "About an hour"],
    [1.4 * hour, "About an hour"],
    [1.5 * hour, "2 hours"],
    [47.4 * hour, "47 hours"],
    [2 * day, "2 days"],
    [13 * day, "13 days"],
    [14 * day, "2 weeks"],
    [59 * day, "8 weeks"],
    [61 * day, "2 months"],
    [729 * day, "24 months"],
    [731 * day, "2 years"],
  ];
  for (const [seconds, words] of table) assert.equal(humanDuration(seconds), words, `${seconds} s`);
});

test("the STATUS column", () => {
  const startedAt = "2026-01-01T00:00:00Z";
  const finishedAt = "2026-01-01T00:01:00Z";
  const now = parseTime("2026-01-01T00:03:00Z") ?? 0n;
  const of = (state: Parameters<typeof statusOf>[0]["state"]) =>
    statusOf({ state, exitCode: 7, startedAt, finishedAt }, now);
  assert.deepEqual((["created", "running", "paused", "restarting", "exited", "removing", "dead"] as const).map(of), [
    "Created",
    "Up 3 minutes",
    "Up 3 minutes (Paused)",
    "Restarting (7) 2 minutes ago",
    "Exited (7) 2 minutes ago",
    "Removal In Progress",
    "Dead",
  ]);
});
