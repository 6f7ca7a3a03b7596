import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { playInSimulator } from "./actors.ts";
import { recordingOf, scriptsOf, subjects } from "./cases.ts";

for (const subject of subjects()) {
  describe(`what the kernel answers about ${subject} the simulated one answers too`, () => {
    const { played } = recordingOf(subject);
    for (const { title, lines, answers } of played)
      test(title, async () => {
        assert.deepEqual(await playInSimulator(lines), answers);
      });
    test(`the recording of ${subject} holds its scripts`, () => {
      const recorded = played.map(({ title, lines }) => ({ title, lines }));
      assert.deepEqual(recorded, scriptsOf(subject), "record anew: node test/kernel/record.ts");
    });
  });
}
