/**
 * What flows over a hijacked connection or a log: frames or raw bytes outwards, standard input
 * inwards. A frame is 8 bytes of header, [stream, 0, 0, 0, length as 32 bits big-endian], then
 * the bytes (Docker Engine API, "Stream format").
 */
import type { ByteStream } from "../core/base/bytes.ts";
import type { OutputChunk } from "../core/engine/machine.ts";

const streamNumber = { stdin: 0, stdout: 1, stderr: 2 } as const;

export function frame(stream: keyof typeof streamNumber, bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + bytes.length);
  framed[0] = streamNumber[stream];
  new DataView(framed.buffer).setUint32(4, bytes.length);
  framed.set(bytes, 8);
  return framed;
}

/** Output as the client sees it: raw for a terminal, else in frames, only the streams it asked for. */
export async function* encodeOutput(
  output: AsyncIterable<OutputChunk>,
  wanted: { tty: boolean; stdout: boolean; stderr: boolean },
): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { stream, bytes } of output) {
    if (wanted.tty) yield bytes;
    else if (wanted[stream]) yield frame(stream, bytes);
  }
}

/**
 * The same items until the signal aborts; then it ends at once, even while the source is silent,
 * and tells the source so.
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let stop = () => {};
  const onAbort = () => stop();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stop = () => resolve({ done: true, value: undefined });
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) break;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a source that is silent would keep us here until it speaks.
    iterator.return?.().catch(() => {});
  }
}

/** Takes the first item before anything is answered, so that an early error still gets its own status. */
export async function started<T>(source: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  return resume(first, iterator);
}

async function* resume<T>(first: IteratorResult<T>, iterator: AsyncIterator<T>): AsyncGenerator<T, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}
