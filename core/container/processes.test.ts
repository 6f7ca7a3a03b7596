import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProcess, processTable } from "./processes.ts";

/** A process that began an hour after the boot, at noon UTC. */
const stat = `7 (a (b) c) S 1 7 7 ${(136 << 8) | 3} -1 0 0 0 0 0 500 100 0 0 20 0 1 0 360000 0 0`;
const row = parseProcess({ stat, status: "Name:\ta\nUid:\t0\t0\t0\t0\n", cmdline: "a\0-x\0" });
const noon = Date.UTC(2026, 5, 15, 12) / 1000;
const moment = { now: noon + 600, boot: noon - 3600, userName: () => "root", secondsEast: () => 0 };
const times = (changes: Partial<typeof moment>): string[] =>
  processTable("-o pid,stime,tty,time,args", [row], { ...moment, ...changes }).rows[0]?.slice() as string[];

test("a process is shown as ps shows it: its name may hold brackets", () => {
  assert.equal(row.name, "a (b) c");
  assert.deepEqual(times({}), ["7", "12:00", "pts/3", "00:00:06", "a -x"]);
});

test("the hour, the day and the year of its start are those of the clock on the wall", () => {
  assert.equal(times({ secondsEast: () => 5.5 * 3600 })[1], "17:30");
  // Half past eleven in the evening there, and after midnight by now.
  assert.equal(times({ now: noon + 3600, secondsEast: () => 11.5 * 3600 })[1], "Jun15");
  assert.equal(times({ now: noon + 300 * 86_400, secondsEast: () => 0 })[1], "2026");
});
