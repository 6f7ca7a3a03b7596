/**
 * Layers as trees: `applyChanges` makes a tree of a layer's changes, `changesOf` reads the changes
 * back out of a tree, which is what a container wrote when the tree was its upper one.
 *
 * In a tree whiteouts and opaque directories have overlayfs's own form (overlay.ts), so a tree is a
 * lower layer as it stands. A change cannot leave the tree: parents are walked inode by inode, a
 * symlink on the way is followed inside the tree only (as chroot would), and at most 40 of them.
 */
import { concat, streamOf } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import type { Change, Meta, TreePath } from "./change.ts";
import type { Inode, NewNode } from "./file-system.ts";
import { readContent } from "./content.ts";
import { type Branch, isOpaque, isWhiteout, opaqueXattr } from "./overlay.ts";
import type { Node, Tree } from "./tree.ts";

const symlinksMax = 40;
const missingParent = { kind: "directory", mode: 0o755, uid: 0, gid: 0 } as const;

/** Applies a layer's changes in order; directory times are set last, as later entries touch them. */
export async function applyChanges({ tree, root }: Branch, changes: AsyncIterable<Change>): Promise<void> {
  const times = new Map<Inode, bigint>();
  for await (const change of changes) {
    const content = change.kind === "file" ? await collect(change.content, change.size) : null;
    const inode = applyChange(tree, root, change);
    if (content !== null) tree.setContent(inode, content);
    if ("meta" in change) stamp(tree, inode, change.meta);
    if (change.kind === "directory") times.set(inode, change.meta.mtime);
  }
  for (const [inode, mtime] of times) tree.setAttributes(inode, { mtime });
}

/** The changes that, applied to what is below, give what the union with this tree on top shows. */
export async function* changesOf({ tree, root }: Branch): AsyncGenerator<Change, void, undefined> {
  yield* changesBelow(tree, root, "" as TreePath, new Map());
}

function* changesBelow(tree: Tree, directory: Inode, path: TreePath, links: Map<Inode, TreePath>): Generator<Change> {
  for (const { name, inode } of tree.list(directory)) {
    const at = (path === "" ? name : `${path}/${name}`) as TreePath;
    const known = links.get(inode);
    if (known !== undefined) yield { kind: "hardlink", path: at, target: known };
    else yield changeOf(tree, inode, at);
    const node = tree.node(inode);
    if (node.kind !== "directory") links.set(inode, at);
    else {
      if (isOpaque(tree, inode)) yield { kind: "opaque", path: at };
      yield* changesBelow(tree, inode, at, links);
    }
  }
}

function changeOf(tree: Tree, inode: Inode, path: TreePath): Change {
  const node = tree.node(inode);
  const meta = metaOf(node);
  if (isWhiteout(tree, inode)) return { kind: "whiteout", path };
  switch (node.kind) {
    case "file":
      return {
        kind: "file",
        path,
        meta,
        size: node.content.size,
        content: streamOf(readContent(node.content, 0, node.content.size)),
      };
    case "symlink":
      return { kind: "symlink", path, meta, target: node.target };
    case "character":
    case "block":
      return { kind: node.kind, path, meta, major: node.major, minor: node.minor };
    case "directory":
      return { kind: "directory", path, meta };
    case "fifo":
    case "socket":
      return { kind: "fifo", path, meta };
  }
}

function metaOf(node: Node): Meta {
  const xattrs = new Map([...node.xattrs].filter(([name]) => name !== opaqueXattr));
  return { mode: node.mode, uid: node.uid, gid: node.gid, mtime: node.mtime, xattrs };
}

function applyChange(tree: Tree, root: Inode, change: Change): Inode {
  const { directory, name } = parentOf(tree, root, change.path);
  if (name === "") return root;
  switch (change.kind) {
    case "whiteout":
      return replace(tree, directory, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid: 0 });
    case "opaque": {
      const inode = existingDirectory(tree, directory, name) ?? replace(tree, directory, name, missingParent);
      tree.setXattr(inode, opaqueXattr, Uint8Array.of(0x79));
      return inode;
    }
    case "hardlink":
      return relink(tree, directory, name, parentOf(tree, root, change.target));
    case "directory":
      return (
        existingDirectory(tree, directory, name) ??
        replace(tree, directory, name, { kind: "directory", ...owner(change.meta) })
      );
    case "symlink":
      return replace(tree, directory, name, { kind: "symlink", target: change.target, ...owner(change.meta) });
    case "character":
    case "block":
      return replace(tree, directory, name, {
        kind: change.kind,
        major: change.major,
        minor: change.minor,
        ...owner(change.meta),
      });
    case "file":
    case "fifo":
      return replace(tree, directory, name, { kind: change.kind, ...owner(change.meta) });
  }
}

function owner(meta: Meta): { mode: number; uid: number; gid: number } {
  return { mode: meta.mode, uid: meta.uid, gid: meta.gid };
}

function stamp(tree: Tree, inode: Inode, meta: Meta): void {
  tree.setAttributes(inode, { ...owner(meta), mtime: meta.mtime });
  for (const [name, value] of meta.xattrs) tree.setXattr(inode, name, value);
}

function relink(tree: Tree, directory: Inode, name: string, place: { directory: Inode; name: string }): Inode {
  const target = tree.lookup(place.directory, place.name);
  const taken = entry(tree, directory, name);
  if (taken === target) return target;
  if (taken !== null) removeAll(tree, directory, name);
  tree.link(directory, name, target);
  return target;
}

function replace(tree: Tree, directory: Inode, name: string, node: NewNode): Inode {
  if (entry(tree, directory, name) !== null) removeAll(tree, directory, name);
  return tree.create(directory, name, node);
}

function removeAll(tree: Tree, directory: Inode, name: string): void {
  const inode = tree.lookup(directory, name);
  if (tree.node(inode).kind !== "directory") return tree.forget(tree.unlink(directory, name));
  for (const child of tree.list(inode)) removeAll(tree, inode, child.name);
  tree.removeDirectory(directory, name);
}

function entry(tree: Tree, directory: Inode, name: string): Inode | null {
  const node = tree.node(directory);
  return node.kind === "directory" ? (node.entries.get(name) ?? null) : null;
}

function existingDirectory(tree: Tree, directory: Inode, name: string): Inode | null {
  const inode = entry(tree, directory, name);
  return inode !== null && tree.node(inode).kind === "directory" ? inode : null;
}

/** Walks to a path's parent inside the tree, making what is missing. */
function parentOf(tree: Tree, root: Inode, path: TreePath): { directory: Inode; name: string } {
  const names = path.split("/");
  const name = names.pop() ?? "";
  let symlinks = 0;
  let at: Inode[] = [root];
  for (const queue = names; queue.length > 0; ) {
    const next = queue.shift() ?? "";
    const directory = at.at(-1) ?? root;
    if (next === "" || next === ".") continue;
    if (next === "..") {
      at = at.slice(0, Math.max(1, at.length - 1));
      continue;
    }
    const inode = entry(tree, directory, next) ?? tree.create(directory, next, missingParent);
    const node = tree.node(inode);
    if (node.kind === "directory") at.push(inode);
    else if (node.kind !== "symlink") throw new Errno("ENOTDIR", path);
    else {
      if (++symlinks > symlinksMax) throw new Errno("ELOOP", path);
      if (node.target.startsWith("/")) at = [root];
      queue.unshift(...node.target.split("/"));
    }
  }
  return { directory: at.at(-1) ?? root, name };
}

async function collect(content: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk.slice());
  const bytes = concat(chunks);
  if (bytes.length !== size) throw new Errno("EIO");
  return bytes;
}
