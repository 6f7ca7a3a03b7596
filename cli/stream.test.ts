import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, streamOf } from "../core/base/bytes.ts";
import type { Terminal } from "./ports.ts";
import { copyOutput } from "./stream.ts";

function frame(stream: number, text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const header = new Uint8Array(8);
  header[0] = stream;
  new DataView(header.buffer).setUint32(4, payload.length);
  return concat([header, payload]);
}

async function shown(chunks: Uint8Array[], raw = false): Promise<{ out: string; err: string }> {
  const seen = { out: "", err: "" };
  const decoder = new TextDecoder();
  const take = (name: keyof typeof seen) => async (bytes: Uint8Array | string) => {
    seen[name] += typeof bytes === "string" ? bytes : decoder.decode(bytes);
  };
  const terminal = { stdout: take("out"), stderr: take("err") } as unknown as Terminal;
  await copyOutput(streamOf(...chunks), terminal, raw);
  return seen;
}

const all = concat([frame(1, "one\n"), frame(2, "two\n"), frame(1, ""), frame(1, "three\n")]);

test("frames go to the stream they name, however they are cut", async () => {
  for (let at = 0; at <= all.length; at++)
    assert.deepEqual(await shown([all.slice(0, at), all.slice(at)]), { out: "one\nthree\n", err: "two\n" });
});

test("a terminal's output has no frames", async () => {
  assert.deepEqual(await shown([new TextEncoder().encode("a\r\n")], true), { out: "a\r\n", err: "" });
});

test("an error of the daemon in the stream is an error", async () => {
  await assert.rejects(shown([frame(3, "log driver broke")]), /log driver broke/);
});
