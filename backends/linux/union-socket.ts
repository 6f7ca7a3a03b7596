/**
 * Reads a union of layers from the helper that has it mounted (wire/tree.ts). The helper goes as
 * far ahead as the socket takes; whoever leaves the iteration early makes it end.
 */
import { connect } from "node:net";
import { assert } from "../../core/base/assert.ts";
import type { HostPath } from "../../core/base/brand.ts";
import type { ByteStream } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { FrameReader } from "./wire/frame.ts";
import { decodeTreeFrame, type TreeFrame } from "./wire/tree.ts";

/**
 * A file's content is to be read before the next change is asked for. Throws Errno with the path in the union. `ask`:
 * what a helper that serves more than one union wants to be told first.
 */
export async function* readUnion(path: HostPath, ask?: Uint8Array): AsyncGenerator<Change, void, undefined> {
  const socket = connect({ path });
  if (ask !== undefined) socket.write(ask);
  const frames = framesOf(socket);
  try {
    for (let frame = await next(frames); frame.kind !== "end"; frame = await next(frames)) {
      if (frame.kind === "content") continue; // its reader did not want it
      const { entry } = frame;
      yield entry.kind === "file" ? { ...entry, content: contentOf(frames, entry.size) } : entry;
    }
  } finally {
    socket.destroy();
  }
}

type Frames = AsyncGenerator<TreeFrame, void, undefined>;

async function* framesOf(socket: ByteStream): Frames {
  const reader = new FrameReader();
  for await (const chunk of socket) for (const frame of reader.push(chunk)) yield decodeTreeFrame(frame);
}

async function next(frames: Frames): Promise<Exclude<TreeFrame, { kind: "failed" }>> {
  const { value } = await frames.next();
  if (value === undefined) throw new TsboxError("failed", "the tsbox helper ended while it read a container's files");
  if (value.kind === "failed") throw new Errno(value.errno, value.path);
  return value;
}

async function* contentOf(frames: Frames, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = size; left > 0; ) {
    const frame = await next(frames);
    assert(frame.kind === "content", "a file's content follows it");
    left -= frame.bytes.length;
    yield frame.bytes;
  }
}
