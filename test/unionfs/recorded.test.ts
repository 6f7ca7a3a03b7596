/** What the kernel said to some scripts when they were recorded (record.ts), said by core/unionfs: for machines that cannot mount. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { comparable, firstDifference, mountings } from "./against-kernel.ts";
import { Performer } from "./performing.ts";

interface Recorded {
  readonly script: readonly string[];
  readonly kernel: readonly string[];
}

const all = JSON.parse(readFileSync(join(import.meta.dirname, "recorded.json"), "utf8")) as Recorded[];

test("recorded scripts give what the kernel gave", () => {
  assert.ok(all.length > 20);
  for (const { script, kernel } of all) {
    const commands = script.map((line) => line.split("\t"));
    const mounting = mountings.find(({ options }) => script.some((line) => line.includes(options))) ?? null;
    const ours = comparable(mounting, new Performer().run(commands));
    const difference = firstDifference(commands, ours, comparable(mounting, kernel));
    if (difference !== null) assert.fail(difference);
  }
});
