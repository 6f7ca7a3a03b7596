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
import { type Branch, isOpaque, isWhiteout, yes } from "./marks.ts";
import { contentOf, deviceOf, type Node, noXattrs, targetOf } from "./node.ts";
import type { Tree } from "./tree.ts";

const marks = "trusted.overlay.";
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
    if (known !== undefined) {
      yield { kind: "hardlink", path: at, target: known };
      continue;
    }
    const node = tree.node(inode);
    yield isWhiteout(node, marks) ? { kind: "whiteout", path: at } : changeOf(node, at);
    if (node.kind !== "directory") {
      if (node.links > 1) links.set(inode, at);
      continue;
    }
    if (isOpaque(node, marks)) yield { kind: "opaque", path: at };
    yield* changesBelow(tree, inode, at, links);
  }
}

function changeOf(node: Readonly<Node>, path: TreePath): Change {
  const meta = metaOf(node);
  switch (node.kind) {
    case "file": {
      const content = contentOf(node);
      return { kind: "file", path, meta, size: content.size, content: streamOf(content.read(0, content.size)) };
    }
    case "symlink":
      return { kind: "symlink", path, meta, target: targetOf(node) };
    case "character":
    case "block":
      return { kind: node.kind, path, meta, ...deviceOf(node) };
    case "directory":
      return { kind: "directory", path, meta };
    case "fifo":
    case "socket":
      return { kind: "fifo", path, meta };
  }
}

function metaOf({ mode, uid, gid, mtime, xattrs }: Readonly<Node>): Meta {
  return { mode, uid, gid, mtime, xattrs: xattrs.size === 0 ? noXattrs : withoutMarks(xattrs) };
}

function withoutMarks(xattrs: Meta["xattrs"]): Meta["xattrs"] {
  return new Map([...xattrs].filter(([name]) => !name.startsWith(marks)));
}

function applyChange(tree: Tree, root: Inode, change: Change): Inode {
  const { directory, name } = parentOf(tree, root, change.path);
  if (name === "") return root;
  switch (change.kind) {
    case "whiteout":
      return replace(tree, directory, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid: 0 });
    case "opaque": {
      const inode = existingDirectory(tree, directory, name) ?? replace(tree, directory, name, missingParent);
      tree.setXattr(inode, `${marks}opaque`, yes);
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
  const taken = tree.find(directory, name);
  if (taken === target) return target;
  if (taken !== 0) removeAll(tree, directory, name);
  tree.link(directory, name, target);
  return target;
}

function replace(tree: Tree, directory: Inode, name: string, node: NewNode): Inode {
  if (tree.find(directory, name) !== 0) removeAll(tree, directory, name);
  return tree.create(directory, name, node);
}

function removeAll(tree: Tree, directory: Inode, name: string): void {
  const inode = tree.lookup(directory, name);
  if (tree.node(inode).kind !== "directory") return tree.forget(tree.unlink(directory, name));
  for (const child of tree.list(inode)) removeAll(tree, inode, child.name);
  tree.forget(tree.removeDirectory(directory, name));
}

function existingDirectory(tree: Tree, directory: Inode, name: string): Inode | null {
  const inode = tree.find(directory, name);
  return inode !== 0 && tree.node(inode).kind === "directory" ? inode : null;
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
    const inode = tree.find(directory, next) || tree.create(directory, next, missingParent);
    const node = tree.node(inode);
    if (node.kind === "directory") at.push(inode);
    else if (node.kind !== "symlink") throw new Errno("ENOTDIR", path);
    else {
      if (++symlinks > symlinksMax) throw new Errno("ELOOP", path);
      const target = targetOf(node);
      if (target.startsWith("/")) at = [root];
      queue.unshift(...target.split("/"));
    }
  }
  return { directory: at.at(-1) ?? root, name };
}

/** One chunk stays the slice of the layer that it is. */
async function collect(content: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : concat(chunks);
  if (bytes.length !== size) throw new Errno("EIO");
  return bytes;
}
