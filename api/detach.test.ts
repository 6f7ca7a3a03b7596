import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DetachScanner, parseDetachKeys } from "./detach.ts";

test("keys are written as Docker writes them", () => {
  assert.deepEqual([...parseDetachKeys("")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("ctrl-a,x,ctrl-[,ctrl-@")], [1, 120, 27, 0]);
  for (const wrong of ["ctrl-", "ctrl-A", "xy", ",", "é"])
    assert.throws(() => parseDetachKeys(wrong), { message: `invalid detach keys (${wrong}) provided` });
});

/** What is passed on and whether the client detached, for input that comes in these pieces. */
function scanAll(pieces: readonly string[]): { passed: string; detached: boolean } {
  const scanner = new DetachScanner(parseDetachKeys("a,b"));
  let passed = "";
  for (const piece of pieces) {
    const { bytes, detached } = scanner.scan(new TextEncoder().encode(piece));
    passed += new TextDecoder().decode(bytes);
    if (detached) return { passed, detached };
  }
  return { passed, detached: false };
}

test("the sequence is found however the input is cut, and all before it is passed on", () => {
  const pieces = fc.array(fc.stringMatching(/^[abc]{0,4}$/), { maxLength: 8 });
  fc.assert(
    fc.property(pieces, (input) => {
      const whole = input.join("");
      const at = whole.indexOf("ab");
      // A last "a" is held back: it may be the beginning of the sequence.
      const expected = at >= 0 ? whole.slice(0, at) : whole.replace(/a$/, "");
      assert.deepEqual(scanAll(input), { passed: expected, detached: at >= 0 });
    }),
  );
});
