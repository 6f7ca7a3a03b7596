/** Whether a layer's tree and the list of what it hides say the same: reading files without a mount relies on the list. */
import * as fs from "node:fs";
import type { HostPath } from "../../core/base/brand.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { asErrno, failedWith } from "./errors.ts";

export interface Mismatch {
  readonly path: HostPath;
  readonly problem: string;
}

/** `hidden`: the paths of whiteouts and of opaque directories, beneath `root`. A tree that this user may not read is not looked at. */
export async function* checkLayer(
  root: HostPath,
  hidden: ReadonlySet<string>,
): AsyncGenerator<Mismatch, void, undefined> {
  const left = new Set(hidden);
  left.delete(""); // a root that is opaque
  try {
    for await (const { path, isWhiteout } of entriesOf(root)) {
      if (!left.delete(path) && isWhiteout)
        yield {
          path: `${root}/${path}` as HostPath,
          problem: "has a whiteout that its list of hidden paths does not name",
        };
    }
  } catch (thrown) {
    if (failedWith(thrown, "EACCES")) return;
    throw asErrno(thrown);
  }
  for (const path of left)
    yield { path: `${root}/${path}` as HostPath, problem: "does not have what its list of hidden paths names" };
}

interface Seen {
  readonly path: string;
  readonly isWhiteout: boolean;
}

async function* entriesOf(root: HostPath): AsyncGenerator<Seen, void, undefined> {
  const waiting = [""];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const entries = await fs.promises.readdir(bytesOf(root, at), { withFileTypes: true, encoding: "buffer" });
    for (const entry of entries) {
      const path = at === "" ? decodeBytes(entry.name) : `${at}/${decodeBytes(entry.name)}`;
      if (entry.isDirectory()) waiting.push(path);
      const isWhiteout = entry.isCharacterDevice() && fs.lstatSync(bytesOf(root, path)).rdev === 0;
      yield { path, isWhiteout };
    }
  }
}

/** Names are bytes: what is not UTF-8 stays what it is. */
function bytesOf(root: string, path: string): Buffer {
  return Buffer.from(encodeText(path === "" ? root : `${root}/${path}`));
}
