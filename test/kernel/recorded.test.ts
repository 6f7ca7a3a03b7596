import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { playInSimulator } from "./actors.ts";
import { recordingOf, type Script, scriptsOf, subjects } from "./cases.ts";
import { recordedScripts } from "./random.ts";
import { playInScene } from "./scene.ts";

function replay(
  subject: string,
  scripts: readonly Script[],
  play: (lines: readonly string[]) => Promise<string[]>,
): void {
  describe(`what the kernel answers about ${subject} the simulated one answers too`, () => {
    const { played } = recordingOf(subject);
    for (const { title, lines, answers } of played)
      test(title, async () => {
        assert.deepEqual(await play(lines), answers);
      });
    test(`the recording of ${subject} holds its scripts`, () => {
      const recorded = played.map(({ title, lines }) => ({ title, lines }));
      assert.deepEqual(recorded, scripts, "record anew: node test/kernel/record.ts");
    });
  });
}

for (const subject of subjects()) replay(subject, scriptsOf(subject), playInSimulator);
replay("random", recordedScripts(), playInScene);
