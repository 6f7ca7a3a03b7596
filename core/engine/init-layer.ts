/**
 * The init layer: what every container's root must have for mounts to land on, whatever its image
 * holds. One read-only layer for all containers, at the bottom: what an image says about these
 * paths wins. It is why the stubs never show as changes of a container.
 */
import { encodeText, streamOf } from "../base/bytes.ts";
import type { Hasher } from "../base/ports.ts";
import { type DiffId, digestOf } from "../image/digest.ts";
import type { Change, Meta, TreePath } from "../unionfs/change.ts";
import type { Layers } from "./machine.ts";

const directories = ["dev", "etc", "proc", "sys"];
const files = [".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/** Names the layer; it has no tar, so this is no tar's digest. Other content needs another version. */
export function initLayer(hasher: Hasher): DiffId {
  return digestOf(hasher, encodeText("tsbox init layer, version 1")) as DiffId;
}

/** Makes the layer unless it is there. */
export async function ensureInitLayer(layers: Layers, layer: DiffId): Promise<void> {
  if (!(await layers.has(layer))) await layers.apply(layer, stubs());
}

async function* stubs(): AsyncGenerator<Change, void, undefined> {
  for (const path of directories) yield { kind: "directory", path: path as TreePath, meta: meta(0o755) };
  for (const path of files)
    yield { kind: "file", path: path as TreePath, meta: meta(0o644), size: 0, content: streamOf() };
  yield { kind: "symlink", path: "etc/mtab" as TreePath, meta: meta(0o777), target: "/proc/mounts" };
}

function meta(mode: number): Meta {
  return { mode, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
}
