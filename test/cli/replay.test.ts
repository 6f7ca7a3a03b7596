/** tsbox against the stock docker client: the same words, the same daemon's answers, the same output and exit code. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runClient } from "./client-run.ts";
import { masked } from "./mask.ts";
import type { Recording } from "./record.ts";
import { player } from "./tape.ts";
import { waived } from "./waived.ts";

const file = new URL("recorded/docker-28.2-on-20.10.json", import.meta.url);
const recordings = JSON.parse(readFileSync(file, "utf8")) as Recording[];

for (const { argv, stdin, docker, tape } of recordings) {
  const words = argv.join(" ");
  const reason = waived[words];
  test(`tsbox ${words}`, { skip: reason ?? false }, async () => {
    const ours = await runClient(argv, player(tape), stdin ?? "");
    assert.deepEqual(masked(ours), masked(docker));
  });
}

test("every waived difference is about a recorded case", () => {
  const recorded = new Set(recordings.map(({ argv }) => argv.join(" ")));
  assert.deepEqual(
    Object.keys(waived).filter((words) => !recorded.has(words)),
    [],
  );
});
