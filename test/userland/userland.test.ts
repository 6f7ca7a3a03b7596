import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hasCgroups, linesOf, type Recorded, recordingOf, shellOf, textOf, tools } from "./cases.ts";
import { differences, withoutUsage } from "./differences.ts";
import { runInSimulator } from "./world.ts";

async function replay(tool: string, line: string): Promise<Recorded> {
  const { stdout, stderr, code } = await runInSimulator(line, { inGroups: hasCgroups(tool), shell: shellOf(tool) });
  return { line, stdout: textOf(stdout), stderr: withoutUsage(textOf(stderr)), code };
}

const known = new Set<string>();

for (const tool of tools()) {
  describe(`what the real ones say to ${tool} the simulator says too`, () => {
    const { cases } = recordingOf(tool);
    for (const expected of cases) {
      known.add(expected.line);
      test(expected.line.replaceAll("\n", "⏎"), async () => {
        const wanted = { ...expected, stderr: withoutUsage(expected.stderr) };
        const got = await replay(tool, expected.line);
        if (expected.line in differences)
          assert.notDeepEqual(got, wanted, "it is listed as different, but is not any more");
        else assert.deepEqual(got, wanted);
      });
    }
    test(`the recording of ${tool} holds its cases`, () => {
      assert.deepEqual(
        cases.map(({ line }) => line),
        linesOf(tool),
        "record anew: node test/userland/record.ts",
      );
    });
  });
}

test("every listed difference is of a recorded case", () => {
  assert.deepEqual(
    Object.keys(differences).filter((line) => !known.has(line)),
    [],
  );
});
