/** The ports on Linux: decompression as streams, a clock with the wall's time. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { hex, readAll, streamOf } from "../../core/base/bytes.ts";
import { linuxPorts } from "./ports.ts";

const { clock, hasher, inflate, random } = linuxPorts;
const plain = Buffer.concat([randomBytes(700_000), Buffer.alloc(700_000)]);
const whole = (stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> => readAll(stream, 1 << 24);

/** As the zstd command writes it; without a checksum damage in a raw block is just other bytes. */
const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

describe("the ports on Linux", () => {
  const compressed = { gzip: gzipSync(plain), zstd: zstdCompressSync(plain, checked) };

  for (const format of ["gzip", "zstd"] as const) {
    test(`${format} comes out as it went in, however it is cut`, async () => {
      const bytes = compressed[format];
      const slices = Array.from({ length: 7 }, (_, i) =>
        bytes.subarray(Math.floor((bytes.length * i) / 7), Math.floor((bytes.length * (i + 1)) / 7)),
      );
      assert.ok(plain.equals(await whole(inflate.decompress(format, streamOf(...slices)))));
    });

    test(`${format} may come in chunks that use the same memory in turn`, async () => {
      async function* reusing(): AsyncGenerator<Uint8Array> {
        const memory = new Uint8Array(70_000);
        for (let at = 0; at < compressed[format].length; at += memory.length) {
          const part = compressed[format].subarray(at, at + memory.length);
          memory.set(part);
          yield memory.subarray(0, part.length);
          memory.fill(0xff);
        }
      }
      assert.ok(plain.equals(await whole(inflate.decompress(format, reusing()))));
    });

    test(`${format} that is cut short or damaged is corrupt`, async () => {
      const bytes = compressed[format];
      const damaged = Buffer.from(bytes);
      damaged.fill(0xff, 1000, 1100);
      for (const bad of [bytes.subarray(0, bytes.length / 2), damaged, Buffer.from("not compressed at all")])
        await assert.rejects(whole(inflate.decompress(format, streamOf(bad))), { name: "TsboxError", code: "corrupt" });
    });
  }

  test("a chunk's memory is given back when the next one is asked for", async () => {
    const kept: Uint8Array[] = [];
    for await (const chunk of inflate.decompress("gzip", streamOf(compressed.gzip))) {
      assert.ok(chunk.length > 0);
      kept.push(chunk);
    }
    assert.ok(kept.slice(0, -1).every(({ length }) => length === 0));
  });

  test("several gzip members are one stream", async () => {
    const two = Buffer.concat([gzipSync("one "), gzipSync("two")]);
    assert.equal(Buffer.from(await whole(inflate.decompress("gzip", streamOf(two)))).toString(), "one two");
  });

  test("an error of the source is not taken for damage, and leaving early lets go of the source", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield compressed.gzip.subarray(0, 1000);
      throw new Error("the network is gone");
    }
    await assert.rejects(whole(inflate.decompress("gzip", failing())), { message: "the network is gone" });
    const { promise: letGo, resolve } = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield gzipSync(randomBytes(100_000));
      } finally {
        resolve();
      }
    }
    for await (const _ of inflate.decompress("gzip", endless())) break;
    await letGo;
  });

  test("the hash is SHA-256", () => {
    const hash = hasher.sha256();
    for (const part of [plain.subarray(0, 10), plain.subarray(10)]) hash.update(part);
    assert.equal(hex(hash.digest()), createHash("sha256").update(plain).digest("hex"));
    assert.equal(random.bytes(16).length, 16);
  });

  test("the clock has the wall's time and never stands still", () => {
    const times = Array.from({ length: 1000 }, () => clock.now());
    assert.ok(times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0n)));
    assert.ok(new Set(times).size > 100);
    const off = Number(clock.now() / 1_000_000n) - Date.now();
    assert.ok(Math.abs(off) < 100, `${off} ms`);
  });

  test("a sleep ends at once when it is aborted", async () => {
    const abort = new AbortController();
    const sleep = clock.sleep(60_000, abort.signal);
    abort.abort();
    await sleep;
    await clock.sleep(1);
  });
});
