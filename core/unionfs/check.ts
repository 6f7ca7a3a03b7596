/** `checkTree`: everything that is always true of a tree, looked at one by one. */
import { encodeText } from "../base/bytes.ts";
import { Content } from "./content.ts";
import type { Inode } from "./file-system.ts";
import { isWhiteoutDevice } from "./marks.ts";
import { encodedLength, type Node, targetPages } from "./node.ts";
import type { Tree } from "./tree.ts";
import { xattrRoom } from "./usage.ts";

export interface CheckOptions {
  /** Whether a path, which begins with "/", is in a layer: only there a whiteout means something. */
  readonly mayHaveWhiteout: (path: string) => boolean;
}

export interface Fault {
  /** From the tree's root; of what has no name "inode N". */
  readonly path: string;
  /** To be read after the path. */
  readonly problem: string;
}

/** What is wrong; empty: nothing is. */
export function checkTree(tree: Tree, options: CheckOptions): Fault[] {
  return new TreeCheck(tree, options).run();
}

interface Spot {
  readonly inode: Inode;
  readonly path: string;
}

class TreeCheck {
  readonly #tree: Tree;
  readonly #options: CheckOptions;
  readonly #faults: Fault[] = [];
  /** By inode: where it was first come upon, and how many names lead there. */
  readonly #paths = new Map<Inode, string>();
  readonly #names = new Map<Inode, number>();
  readonly #subdirectories = new Map<Inode, number>();
  readonly #waiting: Spot[] = [];

  constructor(tree: Tree, options: CheckOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  run(): Fault[] {
    const { root } = this.#tree;
    this.#names.set(root, 1);
    this.#paths.set(root, "");
    this.#waiting.push({ inode: root, path: "" });
    for (let spot = this.#waiting.pop(); spot !== undefined; spot = this.#waiting.pop()) this.#read(spot);
    this.#checkAll();
    return this.#faults;
  }

  #read(spot: Spot): void {
    let count = 0;
    this.#tree.each(spot.inode, (name, inode) => {
      count++;
      const path = `${spot.path}/${name}`;
      this.#checkName(spot.inode, name, inode, path);
      this.#visit(spot.inode, { inode, path });
    });
    const said = this.#tree.count(spot.inode);
    if (count !== said) this.#say(spot.path, `says it has ${said} names and has ${count}`);
  }

  #checkName(directory: Inode, name: string, inode: Inode, path: string): void {
    const isName = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
    if (!isName || encodeText(name).length > 255) this.#say(path, "is no file name");
    if (this.#tree.find(directory, name) !== inode) this.#say(path, "is listed and not found");
    if (!this.#tree.has(inode)) return;
    const isKnown = [...this.#tree.namesOf(inode)].some((each) => each.parent === directory && each.name === name);
    if (!isKnown) this.#say(path, "is a name of which its inode does not know");
  }

  #visit(directory: Inode, spot: Spot): void {
    const { inode, path } = spot;
    const seen = this.#names.get(inode) ?? 0;
    this.#names.set(inode, seen + 1);
    if (seen === 0) this.#paths.set(inode, path);
    const node = this.#nodeOf(spot);
    if (node === null) return;
    if (isWhiteoutDevice(node) && !this.#options.mayHaveWhiteout(path))
      this.#say(path, "is a whiteout outside of a layer");
    if (node.kind !== "directory") return;
    this.#subdirectories.set(directory, (this.#subdirectories.get(directory) ?? 0) + 1);
    if (seen > 0) return this.#say(path, "is one directory with two names");
    if (node.parent !== directory) this.#say(path, `has the parent ${node.parent} and is in ${directory}`);
    this.#waiting.push(spot);
  }

  #nodeOf({ inode, path }: Spot): Node | null {
    try {
      return this.#tree.node(inode);
    } catch {
      this.#say(path, `names inode ${inode}, which is not there`);
      return null;
    }
  }

  #checkAll(): void {
    let [inodes, pages, xattrBytes] = [0, 0, 0];
    for (const inode of this.#tree.inodes()) {
      const node = this.#tree.node(inode);
      inodes += node.kind === "directory" ? 1 : Math.max(1, node.links);
      pages += node.pages;
      for (const [name, value] of node.xattrs) xattrBytes += xattrRoom(name, value);
      this.#checkLinks(inode, node);
      this.#checkSize(inode, node);
    }
    const counted = JSON.stringify(this.#tree.usage);
    const there = JSON.stringify({ pages, inodes, xattrBytes });
    if (counted !== there) this.#say("", `counts ${counted}; there are ${there}`);
  }

  #checkLinks(inode: Inode, node: Node): void {
    const names = this.#names.get(inode) ?? 0;
    const isDirectory = node.kind === "directory";
    const links = isDirectory && names > 0 ? 2 + (this.#subdirectories.get(inode) ?? 0) : names;
    const path = this.#paths.get(inode) ?? `inode ${inode}`;
    const known = [...this.#tree.namesOf(inode)].length;
    if (names > 0 && known !== names) this.#say(path, `knows ${known} of its ${names} names`);
    if (names === 0 && node.links > 0) return this.#say(path, "is an orphan: it has links and no name");
    if (node.links !== links) this.#say(path, `has ${node.links} links; its names make ${links}`);
  }

  /** A record says it too. */
  #checkSize(inode: Inode, { kind, body, size, pages }: Node): void {
    const isRight =
      body instanceof Content
        ? size === body.size && pages === body.pages
        : size === (typeof body === "string" ? encodedLength(body) : 0) && pages === targetPages(size);
    const path = this.#paths.get(inode) ?? `inode ${inode}`;
    if (!isRight) this.#say(path, `is a ${kind} that says it has ${size} bytes in ${pages} pages`);
  }

  #say(path: string, problem: string): void {
    this.#faults.push({ path: path === "" ? "/" : path, problem });
  }
}
