/**
 * The numbers of a union's inodes. Nearly every inode of a union is one inode of one of its trees, so
 * its number says which, and nothing has to be kept for it:
 *
 *   1                  the root
 *   2 … start - 1      inodes of lower trees, one tree after the other
 *   start + 4 n + 0    the n-th that is none of the others (overlay-inodes.ts)
 *   start + 4 n + 1    inode n of the upper tree, in the upper layer, and nothing else
 *   start + 4 n + 2    inode n of the upper tree, in a lower layer that lies in the same tree
 *   start + 4 n + 3    inode n of the upper tree, in the upper layer, and what it covers (overlay-inodes.ts)
 *
 * What a lower tree gets after the union was made may have no such number.
 */
import { Errno } from "../base/errno.ts";
import type { Inode } from "./file-system.ts";
import type { Branch } from "./marks.ts";
import type { Node } from "./node.ts";
import type { Tree } from "./tree.ts";

/** Numbers stay small integers, which is what engines are quick with. */
const numberMax = 2 ** 29;
const inUpper = 1;
const belowInUpper = 2;
const onTop = 3;

export class Numbers {
  readonly #upper: Tree;
  /** Lower trees, each once; where their inodes' numbers begin, and how many there are. */
  readonly #trees: Tree[] = [];
  readonly #bases: number[] = [];
  readonly #counts: number[] = [];
  /** By layer: which of these trees it is in, -1: in the upper one. */
  readonly #treeOfLayer: number[] = [];
  readonly #start: number;

  constructor(upper: Tree, lowers: readonly Branch[]) {
    this.#upper = upper;
    let start = 2;
    for (const { tree } of lowers) {
      if (tree !== upper && !this.#trees.includes(tree)) {
        const count = start + tree.next > numberMax ? 0 : tree.next;
        this.#trees.push(tree);
        this.#bases.push(start);
        this.#counts.push(count);
        start += count;
      }
      this.#treeOfLayer.push(this.#trees.indexOf(tree));
    }
    this.#start = start;
  }

  other(count: number): Inode {
    return (this.#start + 4 * count) as Inode;
  }

  /** Its number does not tell which is its topmost part. */
  isOther(number: Inode): boolean {
    const at = number - this.#start;
    return at >= 0 && (at & 3) === 0;
  }

  ofUpper(inode: Inode): Inode {
    return (this.#start + 4 * inode + inUpper) as Inode;
  }

  /** Of one that has parts below as well. */
  ofMerged(upper: Inode): Inode {
    return (this.#start + 4 * upper + onTop) as Inode;
  }

  /** 0: it has none. */
  ofLower(layer: number, inode: Inode): Inode | 0 {
    const at = this.#treeOfLayer[layer] as number;
    return at < 0 ? ((this.#start + 4 * inode + belowInUpper) as Inode) : this.#inTree(at, inode);
  }

  /** The number of another inode of the same tree, in the same layer or in one that has them in common. */
  beside(number: Inode, inode: Inode): Inode | 0 {
    const at = number - this.#start;
    return at < 0 ? this.#inTree(this.#treeOf(number), inode) : ((number + 4 * (inode - (at >>> 2))) as Inode);
  }

  #inTree(at: number, inode: Inode): Inode | 0 {
    return (inode < (this.#counts[at] as number) ? (this.#bases[at] as number) + inode : 0) as Inode | 0;
  }

  /** The inode of the upper layer that the number names alone, 0 when it is another one's. */
  upperOf(number: Inode): Inode | 0 {
    const at = number - this.#start;
    return (at >= 0 && (at & 3) === inUpper ? at >>> 2 : 0) as Inode | 0;
  }

  /** Throws Errno ENOENT for the number of none. */
  tree(number: Inode): Tree {
    if (number >= this.#start) return this.#upper;
    const tree = this.#trees[this.#treeOf(number)];
    if (tree === undefined) throw new Errno("ENOENT");
    return tree;
  }

  inode(number: Inode): Inode {
    const at = number - this.#start;
    if (at < 0) return (number - (this.#bases[this.#treeOf(number)] as number)) as Inode;
    return ((at & 3) === 0 ? 0 : at >>> 2) as Inode;
  }

  /** The node that the number names. Throws Errno ENOENT. */
  node(number: Inode): Node {
    return this.tree(number).node(this.inode(number));
  }

  /** Which of the trees: the last one that begins before the number. */
  #treeOf(number: number): number {
    let low = 0;
    let high = this.#bases.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#bases[middle] as number) <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
