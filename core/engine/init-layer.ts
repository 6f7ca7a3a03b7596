/**
 * The init layer: what every container's root must have for mounts to land on, whatever its image
 * holds. One read-only layer for all containers, at the bottom: what an image says about these
 * paths wins. It is why the stubs never show as changes of a container. They are Docker's own
 * (moby: daemon/initlayer/setup_unix.go), modes included, so that an exported container is as Docker's.
 */
import { streamOf } from "../base/bytes.ts";
import type { DiffId } from "../image/digest.ts";
import type { Change, Meta, TreePath } from "../unionfs/change.ts";
import type { Layers } from "./machine.ts";

const directories = ["dev", "dev/pts", "dev/shm", "etc", "proc", "sys"];
const files = [".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/** Names the layer. It has no tar, so this is no digest but "tsbox init layer 2" in hex; other content needs another number. */
export const initLayer = `sha256:${"7473626f7820696e6974206c617965722032".padEnd(64, "0")}` as DiffId;

/** Makes the layer unless it is there. */
export async function ensureInitLayer(layers: Layers): Promise<void> {
  if (!(await layers.has(initLayer))) await layers.apply(initLayer, stubs());
}

async function* stubs(): AsyncGenerator<Change, void, undefined> {
  for (const path of directories) yield { kind: "directory", path: path as TreePath, meta: meta(0o755) };
  for (const path of files)
    yield { kind: "file", path: path as TreePath, meta: meta(0o755), size: 0, content: streamOf() };
  yield { kind: "symlink", path: "etc/mtab" as TreePath, meta: meta(0o777), target: "/proc/mounts" };
}

function meta(mode: number): Meta {
  return { mode, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
}
