/** `download FILE…`: hands files of the simulated host to whoever sits at its console. */
import { messageOf } from "../core/base/error.ts";
import { concat, encodeText } from "../core/base/bytes.ts";
import type { Program, Sys } from "../backends/sim/kernel/sys.ts";

/** Is given a file, its name without a directory. */
export type Offer = (name: string, bytes: Uint8Array) => void;

const readBytes = 1024 * 1024;

export function download(offer: Offer): Program {
  return async (sys, [, ...paths]) => {
    if (paths.length === 0) return complain(sys, "usage: download FILE...");
    let code = 0;
    for (const path of paths) {
      try {
        const bytes = await contentOf(sys, path);
        offer(path.slice(path.lastIndexOf("/") + 1), bytes);
        await sys.write(1, encodeText(`${path}: ${bytes.length} bytes\n`));
      } catch (thrown) {
        code = await complain(sys, `download: ${path}: ${messageOf(thrown)}`);
      }
    }
    return code;
  };
}

async function contentOf(sys: Sys, path: string): Promise<Uint8Array> {
  const fd = await sys.open(path, { access: "read" });
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const bytes = await sys.read(fd, readBytes);
      if (bytes.length === 0) return concat(chunks);
      chunks.push(bytes);
    }
  } finally {
    sys.close(fd);
  }
}

async function complain(sys: Sys, sentence: string): Promise<number> {
  await sys.write(2, encodeText(`${sentence}\n`));
  return 1;
}
