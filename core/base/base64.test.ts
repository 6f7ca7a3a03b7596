import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { base64, fromBase64 } from "./base64.ts";

test("base64 is Node's, both ways", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(base64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(Buffer.from(bytes).toString("base64url")), bytes);
    }),
  );
  assert.equal(fromBase64("a b!"), null);
});
