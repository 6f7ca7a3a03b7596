import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { concat } from "./bytes.ts";
import { readAhead } from "./read-ahead.ts";

async function* chunksOf(bytes: Uint8Array, length: number, end?: () => void): AsyncGenerator<Uint8Array, void> {
  try {
    for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
  } finally {
    end?.();
  }
}

test("the bytes are the same, in larger pieces", async () => {
  const property = fc.asyncProperty(
    fc.uint8Array({ maxLength: 500 }),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 100 }),
    async (bytes, length, pieceBytes) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of readAhead(chunksOf(bytes, length), { pieceBytes, heldBytes: pieceBytes * 2 }))
        pieces.push(piece);
      assert.deepEqual(concat(pieces), bytes);
      for (const piece of pieces.slice(0, -1)) assert.ok(piece.length >= pieceBytes);
    },
  );
  await fc.assert(property);
});

test("what came before a failure is read, then the failure is thrown", async () => {
  async function* failing(): AsyncGenerator<Uint8Array, void> {
    yield Uint8Array.of(1, 2, 3);
    throw new Error("cut");
  }
  const got: number[] = [];
  await assert.rejects(async () => {
    for await (const piece of readAhead(failing(), { pieceBytes: 100, heldBytes: 200 })) got.push(...piece);
  }, /cut/);
  assert.deepEqual(got, [1, 2, 3]);
});

test("no more is read than may be held, and leaving early lets the source go", async () => {
  let read = 0;
  let ended = false;
  const source = (async function* () {
    for await (const chunk of chunksOf(new Uint8Array(10_000), 10, () => (ended = true))) {
      read += chunk.length;
      yield chunk;
    }
  })();
  for await (const _ of readAhead(source, { pieceBytes: 100, heldBytes: 300 })) {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    break;
  }
  assert.ok(ended);
  assert.ok(read <= 400, `${read} bytes were read`);
});
