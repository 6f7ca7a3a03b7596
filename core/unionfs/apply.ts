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
import { contentOf, type Node, targetOf } from "./node.ts";
import { noXattrs } from "./records.ts";
import type { Tree } from "./tree.ts";

const marks = "trusted.overlay.";
const symlinksMax = 40;
const missingParent = { kind: "directory", mode: 0o755, uid: 0, gid: 0 } as const;

/**
 * Applies a layer's changes in order; directory times are set last, as later entries touch them. Throws Errno with the
 * change's path: ENOENT, EISDIR for a hard link to nothing or to a directory, ENOTDIR and ELOOP on the way, ENAMETOOLONG,
 * EINVAL for a whiteout of the root, ENOSPC.
 */
export async function applyChanges({ tree, root }: Branch, changes: AsyncIterable<Change>): Promise<void> {
  const times: { path: TreePath; mtime: bigint }[] = [];
  for await (const change of changes) {
    const content = change.kind === "file" ? await collect(change.content, change.size) : null;
    naming(change.path, () => {
      const inode = applyChange(tree, root, change);
      if (content !== null) tree.setContent(inode, content);
      if ("meta" in change) stamp(tree, inode, change.meta);
    });
    if (change.kind === "directory") times.push({ path: change.path, mtime: change.meta.mtime });
  }
  for (const { path, mtime } of times) naming(path, () => setTime(tree, root, path, mtime));
}

function naming(path: TreePath, act: () => void): void {
  try {
    act();
  } catch (thrown) {
    throw thrown instanceof Errno ? new Errno(thrown.errno, path) : thrown;
  }
}

/** Of a directory that may be gone, or something else by now. */
function setTime(tree: Tree, root: Inode, path: TreePath, mtime: bigint): void {
  const inode = path === "" ? root : found(tree, root, path);
  if (inode !== null && tree.node(inode).kind === "directory") tree.setAttributes(inode, { mtime });
}

function found(tree: Tree, root: Inode, path: TreePath): Inode | null {
  try {
    const { directory, name } = placeOf(tree, root, path, false);
    return tree.find(directory, name) || null;
  } catch (thrown) {
    if (thrown instanceof Errno && (thrown.errno === "ENOENT" || thrown.errno === "ENOTDIR")) return null;
    throw thrown;
  }
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

function changeOf(node: Node, path: TreePath): Change {
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
      return { kind: node.kind, path, meta, ...node.device };
    case "directory":
      return { kind: "directory", path, meta };
    case "fifo":
    case "socket":
      return { kind: "fifo", path, meta };
  }
}

function metaOf({ mode, uid, gid, mtime, xattrs }: Node): Meta {
  return { mode, uid, gid, mtime, xattrs: xattrs.size === 0 ? noXattrs : withoutMarks(xattrs) };
}

function withoutMarks(xattrs: Meta["xattrs"]): Meta["xattrs"] {
  return new Map([...xattrs].filter(([name]) => !name.startsWith(marks)));
}

function applyChange(tree: Tree, root: Inode, change: Change): Inode {
  const { directory, name } = placeOf(tree, root, change.path, true);
  if (name === "" && change.kind !== "directory" && change.kind !== "opaque") throw new Errno("EINVAL");
  switch (change.kind) {
    case "whiteout":
      return whiteOut(tree, directory, name);
    case "opaque":
      return opaqueDirectory(
        tree,
        name === "" ? root : madeDirectory(tree, directory, name, impliedIn(tree, directory)),
      );
    case "hardlink":
      return relink(tree, directory, name, placeOf(tree, root, change.target, false));
    case "directory":
      return name === "" ? root : madeDirectory(tree, directory, name, { kind: "directory", ...owner(change.meta) });
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
  const isSymlink = tree.node(inode).kind === "symlink";
  const { mode, ...rest } = owner(meta);
  tree.setAttributes(inode, { ...rest, ...(isSymlink ? {} : { mode }), mtime: meta.mtime }); // a symlink's mode is 777
  for (const [name, value] of meta.xattrs) tree.setXattr(inode, name, value);
}

/** What this layer itself put there stays, and hides the layers below. */
function whiteOut(tree: Tree, directory: Inode, name: string): Inode {
  const taken = tree.find(directory, name);
  if (taken === 0)
    return tree.create(directory, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid: 0 });
  return tree.node(taken).kind === "directory" ? opaqueDirectory(tree, taken) : taken;
}

function opaqueDirectory(tree: Tree, directory: Inode): Inode {
  tree.setXattr(directory, `${marks}opaque`, yes);
  return directory;
}

/** The one there is, or a new one: that hides what the whiteout hid which it replaces. */
function madeDirectory(tree: Tree, directory: Inode, name: string, node: NewNode): Inode {
  const taken = tree.find(directory, name);
  if (taken !== 0 && tree.node(taken).kind === "directory") return taken;
  const hides = taken !== 0 && isWhiteout(tree.node(taken), marks);
  const made = replace(tree, directory, name, node);
  return hides ? opaqueDirectory(tree, made) : made;
}

function relink(tree: Tree, directory: Inode, name: string, place: { directory: Inode; name: string }): Inode {
  const target = tree.lookup(place.directory, place.name);
  if (tree.node(target).kind === "directory") throw new Errno("EISDIR");
  if (isWhiteout(tree.node(target), marks)) throw new Errno("ENOENT");
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

/** Walks to a path's parent inside the tree; `makes`: what is missing, else that is ENOENT. */
function placeOf(tree: Tree, root: Inode, path: TreePath, makes: boolean): { directory: Inode; name: string } {
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
    const inode = makes ? stepInto(tree, directory, next) : tree.lookup(directory, next);
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

/** What has the name; a directory when nothing has. */
function stepInto(tree: Tree, parent: Inode, name: string): Inode {
  const inode = tree.find(parent, name);
  if (inode !== 0) return inode;
  return tree.create(parent, name, impliedIn(tree, parent));
}

/** A directory that no entry describes: of the parent's group where that is set. */
function impliedIn(tree: Tree, parent: Inode): NewNode {
  const { mode, gid } = tree.node(parent);
  return (mode & 0o2000) === 0 ? missingParent : { ...missingParent, mode: 0o2755, gid };
}

/** One chunk stays the slice of the layer that it is. */
async function collect(content: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : concat(chunks);
  if (bytes.length !== size) throw new Errno("EIO");
  return bytes;
}
