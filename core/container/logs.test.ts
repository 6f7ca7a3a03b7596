import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText } from "../base/bytes.ts";
import { LogParser, type ReadFile, selects, tailOffset } from "./logs.ts";

const line = (log: string, time = "2026-01-01T00:00:00Z"): string =>
  `${JSON.stringify({ log, stream: "stdout", time })}\n`;

test("lines come out the same however the file is cut into chunks", () => {
  const texts = fc.array(fc.string());
  fc.assert(
    fc.property(texts, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (all, cuts) => {
      const bytes = encodeText(all.map((text) => line(text)).join(""));
      const parser = new LogParser();
      const read: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = cuts.next().value ?? 1;
        read.push(...parser.push(bytes.subarray(at, at + size)).map((entry) => decodeBytes(entry.bytes)));
        at += size;
      }
      assert.deepEqual(read, all);
    }),
  );
});

test("a line that a crash has torn is left out, the next one is read", () => {
  const parser = new LogParser();
  const read = parser.push(encodeText(`{"log":"hal\n{"log":1}\n[]\nnull\n${line("good")}`));
  assert.deepEqual(
    read.map(({ bytes }) => decodeBytes(bytes)),
    ["good"],
  );
});

test("the tail begins where the last lines do, also across blocks", async () => {
  const lines = Array.from({ length: 3000 }, (_, at) => line(`${at} ${"x".repeat(at % 90)}`));
  const bytes = encodeText(lines.join(""));
  const read: ReadFile = async function* (_path, offset, length) {
    yield bytes.subarray(offset, offset + length);
  };
  for (const count of [0, 1, 2, 100, 2999, 3000, 5000]) {
    const { offset } = await tailOffset(read, "/log" as HostPath, bytes.length, count);
    const expected = count === 0 ? "" : lines.slice(-count).join("");
    assert.equal(decodeBytes(bytes.subarray(offset)), expected, `${count} lines`);
  }
});

test("a time beyond the bound ends the reading", () => {
  const selection = { stdout: true, stderr: false, since: 10_000_000_000n, until: 20_000_000_000n };
  const at = (seconds: number, stream: "stdout" | "stderr" = "stdout") =>
    selects(selection, { stream, time: new Date(seconds * 1000).toISOString(), bytes: new Uint8Array() });
  assert.deepEqual(
    [at(9), at(10), at(15), at(15, "stderr"), at(20), at(21)],
    ["no", "yes", "yes", "no", "yes", "after"],
  );
});
