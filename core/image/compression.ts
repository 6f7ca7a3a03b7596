/** What a stream is compressed with, told from its first bytes: names and media types often lie. */
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Compression, Inflate } from "../base/ports.ts";
import { ByteSource } from "./byte-source.ts";

const magics: readonly (readonly [name: Compression | "bzip2" | "xz", magic: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** So many bytes tell it. */
export const magicBytes = 6;

/** Null for what is not compressed. Throws TsboxError "unsupported" for what cannot be read; `what` names it. */
export function compressionOf(head: Uint8Array, what: string): Compression | null {
  const [name] = magics.find(([, magic]) => magic.every((byte, at) => head[at] === byte)) ?? [null];
  if (name === "bzip2" || name === "xz")
    throw new TsboxError(
      "unsupported",
      `${what} is compressed with ${name}; compress it with gzip or zstd, or not at all`,
    );
  return name;
}

/** The stream without its compression. */
export async function* decompressed(
  stream: ByteStream,
  inflate: Inflate,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = new ByteSource(stream);
  try {
    const head = (await source.take(magicBytes)).slice();
    const compression = compressionOf(head, what);
    const whole = startingWith(head, source);
    yield* compression === null ? whole : named(inflate.decompress(compression, whole), what);
  } finally {
    await source.close();
  }
}

async function* startingWith(head: Uint8Array, source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (head.length > 0) yield head;
  yield* source.rest();
}

/** Damage in compressed bytes is told with the name of what is damaged. */
async function* named(stream: ByteStream, what: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (thrown) {
    if (!(thrown instanceof TsboxError) || thrown.code !== "corrupt" || thrown.message.startsWith(what)) throw thrown;
    throw new TsboxError("corrupt", `${what}: ${thrown.message}`, thrown.data, { cause: thrown });
  }
}
