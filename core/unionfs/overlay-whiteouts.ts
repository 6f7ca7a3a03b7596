/** Whiteouts in the upper tree: made where a name is taken away that would show from below, removed where it is given anew. */
import { assert } from "../base/assert.ts";
import type { Inode } from "./file-system.ts";
import { isWhiteout, type MarkPrefix } from "./marks.ts";
import type { Node } from "./node.ts";
import type { Tree } from "./tree.ts";

export class Whiteouts {
  readonly #upper: Tree;
  readonly #prefix: MarkPrefix;

  constructor(upper: Tree, prefix: MarkPrefix) {
    this.#upper = upper;
    this.#prefix = prefix;
  }

  /** What a rename leaves behind is made in its directory, `inheriting` its group where that is set; else a whiteout is made elsewhere and moved. */
  make(parent: Inode, name: string, inheriting: Node | null = null): void {
    const gid = inheriting !== null && (inheriting.mode & 0o2000) !== 0 ? inheriting.gid : 0;
    this.#upper.create(parent, name, { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid });
  }

  isThere(parent: Inode, name: string): boolean {
    const inode = this.#upper.find(parent, name);
    return inode !== 0 && isWhiteout(this.#upper.node(inode), this.#prefix);
  }

  /** Whether there was one: then something below is hidden. */
  clear(parent: Inode, name: string): boolean {
    const inode = this.#upper.find(parent, name);
    if (inode === 0) return false;
    assert(isWhiteout(this.#upper.node(inode), this.#prefix), `${name} in the upper tree is a whiteout`);
    this.#upper.forget(this.#upper.unlink(parent, name));
    return true;
  }

  /** A directory that looks empty may hold whiteouts. */
  empty(parent: Inode, name: string): void {
    const inode = this.#upper.find(parent, name);
    if (inode === 0 || this.#upper.node(inode).kind !== "directory") return;
    for (const entry of this.#upper.list(inode)) this.clear(inode, entry.name);
  }
}
