import assert from "node:assert/strict";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { collected, digestOfBytes } from "../../test/registry/in-memory.ts";
import { gzipped } from "./deflate.ts";

async function* pieces(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** A million bytes that compress a little. */
const text = new TextEncoder().encode(
  Array.from({ length: 100_000 }, (_, line) => (line * 2_654_435_761) % 9_999_991).join("\n"),
);

test("what is compressed can be read by everybody", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 1000 }), async (bytes, length) => {
      assert.deepEqual(new Uint8Array(gunzipSync(await collected(gzipped(pieces(bytes, length))))), bytes);
    }),
  );
});

test("the same bytes are compressed to the same bytes, for ever and however they come in", async () => {
  for (const length of [999, 65_536, 262_144, 262_145, text.length])
    assert.equal(
      digestOfBytes(await collected(gzipped(pieces(text, length)))),
      "sha256:a43995bfd048be8b1f7a3c2e3f5cf1dbd9519b3b0f416eb4b2a2713f661c36e8",
      `in pieces of ${length}`,
    );
});
