/**
 * Copying up: the first change of a file that is only below makes it anew in the upper tree, and the
 * directories that it is in. With metacopy a file's data stays below until somebody writes.
 *
 * As with the kernel's default index=off, copying up one name of a lower hard link breaks the link.
 */
import { Content } from "./content.ts";
import type { Inode, NewNode } from "./file-system.ts";
import type { MarkPrefix } from "./marks.ts";
import { contentOf, type Node, targetOf } from "./node.ts";
import { type Entry, type Inodes, rootInode } from "./overlay-inodes.ts";
import { Owner } from "./owner.ts";
import type { Tree } from "./tree.ts";
import { xattrRoom } from "./usage.ts";

const noBytes = new Uint8Array(0);

/** What of a file's data its next user needs: "cut" will take it away at once. */
type Wanted = "none" | "whole" | "cut";

/** Does all of something that copies so many bytes, or nothing. */
type Whole = <Result>(act: () => Result, bytes: number) => Result;

export class CopyUp {
  readonly #inodes: Inodes;
  readonly #upper: Tree;
  readonly #prefix: MarkPrefix;
  readonly #isMetacopy: boolean;
  readonly #whole: Whole;

  constructor(inodes: Inodes, prefix: MarkPrefix, isMetacopy: boolean, whole: Whole) {
    this.#inodes = inodes;
    this.#upper = inodes.upper;
    this.#prefix = prefix;
    this.#isMetacopy = isMetacopy;
    this.#whole = whole;
  }

  /** The inode in the upper tree, copied there with its parents when it was only below. */
  copyUp(inode: Inode, data: Wanted = "none"): Inode {
    const upper = this.#inodes.upperOf(inode);
    if (upper === 0) return this.#copy(inode, this.#inodes.entry(inode), data);
    const entry = data === "none" ? null : this.#inodes.kept(inode);
    return entry?.metacopy === true ? this.#copyData(inode, entry, data) : upper;
  }

  #copy(inode: Inode, entry: Entry, data: Wanted): Inode {
    const parent = entry.gone ? null : this.copyUp(entry.parent);
    return this.#whole(() => this.#copyTo(parent, inode, entry, data), bytesOf(this.#inodes.node(inode)));
  }

  #copyTo(parent: Inode | null, inode: Inode, entry: Entry, data: Wanted): Inode {
    const node = this.#inodes.node(inode);
    const metacopy = this.#isMetacopy && node.kind === "file" && data === "none";
    const upper = parent === null ? this.#copyGone(node) : this.#copyNode(parent, entry.name, node);
    this.#copyXattrs(upper, node);
    if (metacopy) this.mark(upper, "metacopy", noBytes);
    if (node.kind === "directory") this.mark(upper, "origin", noBytes);
    if (node.kind === "file")
      this.#upper.shareContent(upper, metacopy ? Content.hole(contentOf(node).size) : this.#contentFor(inode, data));
    this.#upper.setAttributes(upper, { mtime: node.mtime, atime: node.atime });
    const keepsLowers = node.kind === "directory" || metacopy;
    const origin = node.kind === "directory" || node.links > 1 ? null : (entry.lowers[0] ?? null);
    this.#inodes.change(entry, { upper, lowers: keepsLowers ? entry.lowers : [], metacopy, origin });
    return upper;
  }

  /** What is below a file that had only its attributes in the upper tree: written to it, so that its mtime changes unless there is nothing but holes. */
  #copyData(inode: Inode, entry: Entry, data: Wanted): Inode {
    const upper = entry.upper as Inode;
    const { mtime } = this.#upper.node(upper);
    const content = this.#contentFor(inode, data);
    this.#upper.shareContent(upper, content);
    if (content.pages === 0) this.#upper.setAttributes(upper, { mtime });
    this.#upper.removeXattr(upper, `${this.#prefix}metacopy`);
    this.#inodes.change(entry, { metacopy: false, lowers: [] });
    return upper;
  }

  /** As long as the file is said to be, whatever the layer that has the data says. */
  #contentFor(inode: Inode, data: Wanted): Content {
    if (data === "cut") return Content.empty;
    const { size } = contentOf(this.#inodes.node(inode));
    const content = contentOf(this.#inodes.dataNode(inode));
    return content.size === size ? content : content.resize(new Owner(), size);
  }

  /** A copy-up does not touch the parent's times. */
  #copyNode(parent: Inode, name: string, node: Node): Inode {
    const { mtime, atime } = this.#upper.node(parent);
    const upper = this.#upper.create(parent, name, asNew(node));
    this.#upper.setAttributes(parent, { mtime, atime });
    return upper;
  }

  #copyGone(node: Node): Inode {
    return this.#upper.createUnnamed(this.#inodes.upperOf(rootInode) as Inode, asNew(node));
  }

  #copyXattrs(upper: Inode, { xattrs }: Node): void {
    for (const [name, value] of xattrs) {
      const isOwn = name.startsWith(this.#prefix) && !name.startsWith(`${this.#prefix}overlay.`);
      if (!isOwn) this.#upper.setXattr(upper, name, value);
    }
  }

  mark(upper: Inode, mark: "opaque" | "redirect" | "metacopy" | "origin", value: Uint8Array): void {
    this.#upper.setXattr(upper, `${this.#prefix}${mark}`, value);
  }
}

function bytesOf({ body, xattrs }: Node): number {
  const content = body instanceof Content ? body.size : 0;
  return [...xattrs].reduce((sum, [name, value]) => sum + xattrRoom(name, value), content);
}

function asNew(node: Node): NewNode {
  const { kind, mode, uid, gid } = node;
  if (kind === "symlink") return { kind, target: targetOf(node), mode, uid, gid };
  if (kind === "character" || kind === "block") return { kind, ...node.device, mode, uid, gid };
  return { kind, mode, uid, gid };
}
