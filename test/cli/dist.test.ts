import assert from "node:assert/strict";
import { test } from "node:test";
import { staleParts } from "../../build.ts";

test("dist holds what the sources say: npm run build", () => {
  assert.deepEqual(staleParts(), []);
});
