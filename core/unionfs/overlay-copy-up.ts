/**
 * Copying up: the first change of a file that is only below makes it anew in the upper tree, and the
 * directories that it is in. With metacopy a file's data stays below until somebody writes.
 *
 * As with the kernel's default index=off, copying up one name of a lower hard link breaks the link.
 */
import { Content } from "./content.ts";
import type { Inode, NewNode } from "./file-system.ts";
import type { MarkPrefix } from "./marks.ts";
import { contentOf, deviceOf, type Node } from "./node.ts";
import { type Entry, type Inodes, rootInode } from "./overlay-inodes.ts";
import type { Tree } from "./tree.ts";

const noBytes = new Uint8Array(0);

export class CopyUp {
  readonly #inodes: Inodes;
  readonly #upper: Tree;
  readonly #prefix: MarkPrefix;
  readonly #isMetacopy: boolean;

  constructor(inodes: Inodes, prefix: MarkPrefix, isMetacopy: boolean) {
    this.#inodes = inodes;
    this.#upper = inodes.upper;
    this.#prefix = prefix;
    this.#isMetacopy = isMetacopy;
  }

  /** The inode in the upper tree, copied there with its parents when it was only below. */
  copyUp(inode: Inode, withData = false): Inode {
    const upper = this.#inodes.upperOf(inode);
    if (upper === 0) return this.#copy(inode, this.#inodes.entry(inode), withData);
    const entry = withData ? this.#inodes.kept(inode) : null;
    return entry?.metacopy === true ? this.#copyData(inode, entry) : upper;
  }

  #copy(inode: Inode, entry: Entry, withData: boolean): Inode {
    const node = this.#inodes.node(inode);
    const metacopy = this.#isMetacopy && node.kind === "file" && !withData;
    const upper = entry.gone ? this.#copyGone(node) : this.#copyNode(this.copyUp(entry.parent), entry.name, node);
    this.#copyXattrs(upper, node);
    if (metacopy) this.mark(upper, "metacopy", noBytes);
    if (node.kind === "directory") this.mark(upper, "origin", noBytes);
    if (node.kind === "file")
      this.#upper.shareContent(
        upper,
        metacopy ? Content.hole(contentOf(node).size) : contentOf(this.#inodes.dataNode(inode)),
      );
    this.#upper.setAttributes(upper, { mtime: node.mtime, atime: node.atime });
    const keepsLowers = node.kind === "directory" || metacopy;
    const origin = node.kind === "directory" || node.links > 1 ? null : (entry.lowers[0] ?? null);
    this.#inodes.change(inode, { upper, lowers: keepsLowers ? entry.lowers : [], metacopy, origin });
    return upper;
  }

  /** What is below a file that had only its attributes in the upper tree: written to it, so that its mtime changes unless there is nothing but holes. */
  #copyData(inode: Inode, entry: Entry): Inode {
    const upper = entry.upper as Inode;
    const { mtime } = this.#upper.node(upper);
    const content = contentOf(this.#inodes.dataNode(inode));
    this.#upper.shareContent(upper, content);
    if (content.pages === 0) this.#upper.setAttributes(upper, { mtime });
    this.#upper.removeXattr(upper, `${this.#prefix}metacopy`);
    this.#inodes.change(inode, { metacopy: false, lowers: [] });
    return upper;
  }

  /** A copy-up does not touch the parent's times. */
  #copyNode(parent: Inode, name: string, node: Readonly<Node>): Inode {
    const { mtime, atime } = this.#upper.node(parent);
    const upper = this.#upper.create(parent, name, asNew(node));
    this.#upper.setAttributes(parent, { mtime, atime });
    return upper;
  }

  #copyGone(node: Readonly<Node>): Inode {
    return this.#upper.createUnnamed(this.#inodes.upperOf(rootInode) as Inode, asNew(node));
  }

  #copyXattrs(upper: Inode, { xattrs }: Readonly<Node>): void {
    for (const [name, value] of xattrs) {
      const isOwn = name.startsWith(this.#prefix) && !name.startsWith(`${this.#prefix}overlay.`);
      if (!isOwn) this.#upper.setXattr(upper, name, value);
    }
  }

  mark(upper: Inode, mark: "opaque" | "redirect" | "metacopy" | "origin", value: Uint8Array): void {
    this.#upper.setXattr(upper, `${this.#prefix}${mark}`, value);
  }
}

function asNew(node: Readonly<Node>): NewNode {
  const { kind, mode, uid, gid, body } = node;
  if (kind === "symlink") return { kind, target: body as string, mode, uid, gid };
  if (kind === "character" || kind === "block") return { kind, ...deviceOf(node), mode, uid, gid };
  return { kind, mode, uid, gid };
}
