/**
 * All that a union shows, as changes that make it anew out of nothing: what a tar of a
 * container's files holds. Sorted, a directory before what is
 * in it, a file's further names as hard links; sockets mean something to their listeners only.
 */
import type { ByteStream } from "../base/bytes.ts";
import type { Change, Meta, TreePath } from "./change.ts";
import type { Inode, Stat } from "./file-system.ts";
import type { Overlay } from "./overlay.ts";

/** Bytes of a file that are handed out at once. */
const chunkBytes = 1024 * 1024;

/** The root first, its path is "". The union must not change meanwhile: fork its trees if it might. */
export function* entriesOf(union: Overlay): Generator<Change, void, undefined> {
  yield* entriesAt(union, union.root, "" as TreePath, new Map());
}

/** `links`: the first names of files with several, by what stat(2) calls them. */
function* entriesAt(
  union: Overlay,
  inode: Inode,
  path: TreePath,
  links: Map<string, TreePath>,
): Generator<Change, void, undefined> {
  const stat = union.stat(inode);
  if (!isTold(stat)) return;
  if (stat.kind !== "directory" && stat.links > 1) {
    const { device, number } = union.identity(inode);
    const known = links.get(`${device}:${number}`);
    if (known !== undefined) return yield { kind: "hardlink", path, target: known };
    links.set(`${device}:${number}`, path);
  }
  yield entryOf(union, stat, path);
  if (stat.kind !== "directory") return;
  for (const { name, inode: child } of union.list(inode))
    if (child !== 0) yield* entriesAt(union, child, (path === "" ? name : `${path}/${name}`) as TreePath, links);
}

type Told = Stat & { readonly kind: Exclude<Stat["kind"], "socket"> };

function isTold(stat: Stat): stat is Told {
  return stat.kind !== "socket";
}

function entryOf(union: Overlay, stat: Told, path: TreePath): Change {
  const meta = metaOf(union, stat);
  const { kind, inode, size, major, minor } = stat;
  switch (kind) {
    case "file":
      return { kind, path, meta, size, content: contentOf(union, inode, size) };
    case "symlink":
      return { kind, path, meta, target: union.readlink(inode) };
    case "character":
    case "block":
      return { kind, path, meta, major, minor };
    case "directory":
    case "fifo":
      return { kind, path, meta };
  }
}

/** The other attributes belong to the machine: security labels, a union's own marks. */
function isPortable(name: string): boolean {
  return name.startsWith("user.") || name === "security.capability";
}

function metaOf(union: Overlay, { inode, mode, uid, gid, mtime }: Stat): Meta {
  const names = union.listXattrs(inode).filter(isPortable);
  const xattrs = new Map(names.map((name) => [name, union.getXattr(inode, name)]));
  return { mode, uid, gid, mtime, xattrs };
}

async function* contentOf(union: Overlay, file: Inode, size: number): ByteStream & AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += chunkBytes) yield union.read(file, at, Math.min(chunkBytes, size - at));
}
