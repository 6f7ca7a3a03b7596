/** The wire's own rules; that the helper reads what is written is native/decoder.test.ts's matter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HostPath } from "../../../core/base/brand.ts";
import { concat } from "../../../core/base/bytes.ts";
import type { TreePath } from "../../../core/unionfs/change.ts";
import { everyRequest } from "../native/samples.ts";
import { FrameReader, maximumFrame } from "./frame.ts";
import { decodeReply, encodeRequest } from "./request.ts";
import { decodeMonitorFrame, encodeInput } from "./monitor.ts";
import { decodeTreeFrame, decodeTreeReply, TreeFrames, type TreeOp } from "./tree.ts";

const frame = (...body: number[]): Uint8Array => Uint8Array.of(body.length, 0, 0, 0, ...body);

test("frames come out whole however the stream is cut", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(30)), (wanted, cuts) => {
      const stream = concat(wanted.map((body) => frame(...body)));
      const reader = new FrameReader();
      const got: Uint8Array[] = [];
      let at = 0;
      for (const size of [...cuts, stream.length]) {
        got.push(...reader.push(stream.slice(at, at + size)).map((body) => body.slice()));
        at += size;
      }
      assert.deepEqual(got, wanted);
    }),
  );
});

test("a frame above the limit is refused before it is waited for", () => {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, maximumFrame + 1, true);
  assert.throws(() => new FrameReader().push(head), { code: "corrupt" });
});

test("a request says its length, its id and its kind", () => {
  const heads = everyRequest().map((request, index) => {
    const bytes = encodeRequest(index + 5, request);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return [view.getUint32(0, true) === bytes.length - 4, view.getUint32(4, true), view.getUint8(8)];
  });
  assert.deepEqual(heads, [
    [true, 5, 1],
    [true, 6, 2],
    [true, 7, 3],
    [true, 8, 4],
    [true, 9, 5],
    [true, 10, 6],
  ]);
});

test("text with a NUL and a request above the limit are the user's errors", () => {
  const remove = (path: string): Uint8Array => encodeRequest(1, { kind: "remove-tree", path: path as HostPath });
  assert.throws(() => remove("/a\0b"), { code: "invalid", message: /contains a NUL byte/ });
  assert.throws(() => remove(`/${"x".repeat(maximumFrame)}`), { code: "invalid", message: /are above 1048576 bytes/ });
});

test("long content becomes several frames with all its bytes", () => {
  const bytes = new Uint8Array(700_000).map((_, index) => index % 251);
  const frames = new FrameReader().push(encodeInput(bytes));
  assert.deepEqual([...new Set(frames.map((body) => body[0]))], [2]);
  assert.deepEqual(concat(frames.map((body) => body.subarray(1))), bytes);
});

test("a file's content stands behind a frame's head that says how long it is", () => {
  const bytes = new Uint8Array(300_000).map((_, index) => index % 251);
  const frames = new TreeFrames();
  frames.content(bytes);
  const [body] = new FrameReader().push(frames.bytes);
  assert.ok(body !== undefined);
  assert.deepEqual([body[0], new Uint8Array(body.subarray(1))], [10, bytes]);
});

test("a tree's entries are read as they were written", () => {
  const meta = { mode: 0o4755, uid: 12, gid: 2 ** 32 - 2, mtime: -1_500_000_000n, xattrs: new Map() };
  const xattrs = new Map([
    ["user.a", Uint8Array.of(0, 1)],
    ["security.capability", new Uint8Array()],
  ]);
  const path = (text: string): TreePath => text as TreePath;
  const entries: TreeOp[] = [
    { kind: "directory", path: path(""), meta: { ...meta, xattrs } },
    { kind: "file", path: path("d/\xe9"), meta, size: 2 ** 40 },
    { kind: "symlink", path: path("l"), meta, target: "../x" },
    { kind: "hardlink", path: path("h"), target: path("l") },
    { kind: "character", path: path("c"), meta, major: 4095, minor: 2 ** 20 - 1 },
    { kind: "block", path: path("b"), meta, major: 8, minor: 0 },
    { kind: "fifo", path: path("p"), meta },
  ];
  const frames = new TreeFrames();
  for (const entry of entries) frames.op(entry);
  const read = new FrameReader().push(frames.bytes).map(decodeTreeFrame);
  assert.deepEqual(
    read,
    entries.map((entry) => ({ kind: "entry", entry })),
  );
  frames.clear();
  assert.deepEqual([frames.length, frames.bytes.length], [0, 0]);
});

test("replies are decoded", () => {
  const path = [3, 0, 0, 0, 0x2f, 0xff, 0x78, 0]; // a name that is not UTF-8 survives
  const failure = [7, 0, 0, 0, 12, 0, 0, 0, 13, 2, 0, 0, 0, ...path];
  const none = [0xff, 0xff, 0xff, 0xff];
  assert.deepEqual(
    [
      [1, 0, 0, 0, 1, 9, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
      [2, 0, 0, 0, 2],
      [3, 0, 0, 0, 3],
      [4, 0, 0, 0, 4, ...failure],
      [5, 0, 0, 0, 4, 3, 0, 0, 0, ...none, 5, 16, 0, 0, 0, ...path],
      [6, 0, 0, 0, 4, ...none, ...none, 7, 28, 0, 0, 0, ...path],
    ].map((body) => decodeReply(Uint8Array.from(body))),
    [
      { id: 1, result: { kind: "gate", pid: 9, startTime: 5n } },
      { id: 2, result: { kind: "done" } },
      { id: 3, result: { kind: "listening" } },
      { id: 4, result: { kind: "failed", failure: { step: "7.12", op: "mount", errno: "ENOENT", path: "/\udcffx" } } },
      {
        id: 5,
        result: { kind: "failed", failure: { step: "3", op: "cgroup.kill", errno: "EBUSY", path: "/\udcffx" } },
      },
      { id: 6, result: { kind: "failed", failure: { step: "", op: "spawn", errno: "ENOSPC", path: "/\udcffx" } } },
    ],
  );
});

test("a monitor's and a tree's frames are decoded", () => {
  const at = [0, 0, 0, 0, 1, 0, 0, 0];
  assert.deepEqual(
    [[1, 9, 0, 0, 0, ...at, 1], [2, 2, 104, 105], [3], [4], [6, 137, 0, 0, 0, 9, 0, 0, 0, ...at], [7, 3, 0, 0, 0]].map(
      (body) => decodeMonitorFrame(Uint8Array.from(body)),
    ),
    [
      { kind: "welcome", pid: 9, startTime: 1n << 32n, released: true },
      { kind: "output", stream: "stderr", bytes: Uint8Array.of(104, 105) },
      { kind: "output-end" },
      { kind: "started" },
      { kind: "exited", code: 137, signal: 9, at: 1n << 32n },
      { kind: "refused", errno: "ESRCH" },
    ],
  );
  assert.deepEqual(decodeTreeReply(Uint8Array.of(1)), { kind: "ok" });
  assert.deepEqual(decodeTreeReply(Uint8Array.of(2, 4, 28, 0, 0, 0, 1, 0, 0, 0, 97, 0)), {
    kind: "failed",
    op: "hardlink",
    errno: "ENOSPC",
    path: "a",
  });
});
