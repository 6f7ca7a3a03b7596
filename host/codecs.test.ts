import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { readAll, streamOf } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { inflate } from "./codecs.ts";
import { wasmHasher } from "./hasher.ts";

// The page's hashing and inflating, held to Node's own.

const text = Buffer.from("the quick brown fox ".repeat(40_000));
const noise = randomBytes(300_000);

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

test("two hashes that take turns do not disturb each other", async () => {
  const hasher = await wasmHasher();
  const [a, b, none] = [hasher.sha256(), hasher.sha256(), hasher.sha256()];
  for (let at = 0; at < noise.length; at += 7777) {
    a.update(noise.subarray(at, at + 7777));
    b.update(text.subarray(at, at + 7777));
  }
  assert.deepEqual(a.digest(), sha256(noise));
  const end = Math.ceil(noise.length / 7777) * 7777;
  assert.deepEqual(b.digest(), sha256(text.subarray(0, end)));
  assert.deepEqual(none.digest(), sha256(new Uint8Array(0)));
});

test("a hash after another one begins anew", async () => {
  const hasher = await wasmHasher();
  const first = hasher.sha256();
  first.update(noise);
  assert.deepEqual(first.digest(), sha256(noise));
  const second = hasher.sha256();
  second.update(text);
  assert.deepEqual(second.digest(), sha256(text));
});

async function inflated(format: "gzip" | "zstd", ...chunks: Uint8Array[]): Promise<Uint8Array> {
  return readAll(inflate.decompress(format, streamOf(...chunks)), 1 << 28);
}

const compressors = { gzip: gzipSync, zstd: zstdCompressSync } as const;

for (const format of ["gzip", "zstd"] as const) {
  const compress = compressors[format];

  test(`${format}: what was compressed comes out again, in chunks of any size`, async () => {
    for (const plain of [text, noise, Buffer.alloc(0), Buffer.alloc(3_000_000)]) {
      const whole = compress(plain);
      const parts = Array.from({ length: Math.ceil(whole.length / 1021) }, (_, at) =>
        whole.subarray(at * 1021, at * 1021 + 1021),
      );
      assert.ok(Buffer.from(await inflated(format, ...parts)).equals(plain));
    }
  });

  test(`${format}: several streams one after the other are one`, async () => {
    const both = Buffer.concat([compress(text), compress(noise)]);
    assert.ok(Buffer.from(await inflated(format, both)).equals(Buffer.concat([text, noise])));
  });

  test(`${format}: what is cut off or no such stream is corrupt`, async () => {
    const [whole, dense] = [compress(noise), compress(text)];
    const cut = [whole.subarray(0, 1000), whole.subarray(0, whole.length - 9), dense.subarray(0, dense.length - 20)];
    for (const bad of [...cut, Buffer.from("not compressed at all")])
      await assert.rejects(
        inflated(format, bad),
        (thrown) => thrown instanceof TsboxError && thrown.code === "corrupt",
      );
  });
}
