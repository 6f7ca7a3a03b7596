/**
 * The one way in which tsbox compresses a layer for others: gzip by one codec in plain JavaScript,
 * with no name and no time in its header. So the same layer becomes the same bytes, and has the same
 * digest, in Node, in every browser and on every processor; a platform's own zlib differs between
 * versions. The codec's output depends on how its input is cut, so it is always cut the same way.
 */
import { Gzip } from "fflate";
import { type ByteStream, concat } from "../base/bytes.ts";

const level = 6;
const pieceBytes = 256 * 1024;

export async function* gzipped(stream: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  const ready: Uint8Array[] = [];
  const gzip = new Gzip({ level, mtime: 0 }, (chunk) => void ready.push(chunk));
  for await (const piece of inPieces(stream)) {
    gzip.push(piece);
    yield* ready.splice(0);
  }
  gzip.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}

/** All pieces but the last have one length. */
async function* inPieces(stream: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.slice(at, at + pieceBytes - size);
      held.push(part);
      size += part.length;
      at += part.length;
      if (size < pieceBytes) break;
      yield concat(held);
      held = [];
      size = 0;
    }
  }
  if (size > 0) yield concat(held);
}
