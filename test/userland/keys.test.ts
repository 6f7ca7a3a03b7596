import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { home } from "./fixture.ts";
import { keysRecording, type Session, sessions, strokesOf } from "./keys.ts";
import { openTerminal } from "./world.ts";

const recorded = (JSON.parse(readFileSync(keysRecording, "utf8")) as { sessions: readonly Session[] }).sessions;

describe("keys typed at the shell, vi and the pagers have the effect they have at busybox's", () => {
  for (const { keys, written } of recorded)
    test(keys, async () => {
      const terminal = await openTerminal(["/bin/busybox", "sh"]);
      for (const stroke of strokesOf(keys)) await terminal.type(stroke);
      assert.equal(await terminal.file(`${home}/o`), written);
    });
  test("the recording holds its sessions", () => {
    assert.deepEqual(
      recorded.map(({ keys }) => keys),
      sessions(),
      "record anew: node test/userland/record-keys.ts",
    );
  });
});
