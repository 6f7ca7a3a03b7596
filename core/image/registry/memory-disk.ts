/** A disk in memory for a registry that nobody needs to keep: the page's, an exercise's, a test's. */
import { type ByteStream, concat, streamOf } from "../../base/bytes.ts";
import { Errno } from "../../base/errno.ts";
import type { RegistryDisk } from "./server-store.ts";

export function memoryDisk(): RegistryDisk {
  const files = new Map<string, Uint8Array>();
  const read = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Errno("ENOENT", path);
    return bytes;
  };
  const beneath = (path: string): string[] =>
    [...files.keys()].filter((file) => file === path || file.startsWith(`${path}/`));
  return {
    read: async (path) => read(path),
    stream: (path, offset = 0, length = Number.POSITIVE_INFINITY) => sliceOf(() => read(path), offset, length),
    writeAtomically: async (path, bytes) => void files.set(path, bytes.slice()),
    writeStream: async (path, bytes) => void files.set(path, await whole(bytes)),
    rename: async (from, to) => {
      files.set(to, read(from));
      files.delete(from);
    },
    makeDirectory: async () => {},
    list: async (path) => {
      const directory = path.replace(/\/*$/, "/");
      const names = beneath(directory.slice(0, -1)).map((file) => file.slice(directory.length).split("/")[0] ?? "");
      return [...new Set(names)];
    },
    stat: async (path) => {
      const bytes = files.get(path);
      return bytes === undefined ? null : { size: bytes.length };
    },
    remove: async (path) => {
      for (const file of beneath(path)) files.delete(file);
    },
  };
}

async function* sliceOf(read: () => Uint8Array, offset: number, length: number): ByteStream {
  yield* streamOf(read().subarray(offset, offset + length));
}

async function whole(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk.slice());
  return concat(chunks);
}
