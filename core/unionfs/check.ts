/** `checkTree`: everything that is always true of a tree and of a union, looked at one by one. */
import { encodeText } from "../base/bytes.ts";
import type { Inode } from "./file-system.ts";
import { isWhiteoutDevice } from "./marks.ts";
import { eachName, getName } from "./name-map.ts";
import { Content } from "./content.ts";
import { Directory, type Node } from "./node.ts";
import type { Tree } from "./tree.ts";

export interface CheckOptions {
  /** Whether it is a layer: only there a whiteout means something. */
  readonly mayHaveWhiteouts: boolean;
}

/** What is wrong, a sentence each; empty: nothing is. */
export function checkTree(tree: Tree, options: CheckOptions): string[] {
  return new TreeCheck(tree, options).run();
}

class TreeCheck {
  readonly #tree: Tree;
  readonly #options: CheckOptions;
  readonly #problems: string[] = [];
  readonly #names = new Map<Inode, number>();
  readonly #subdirectories = new Map<Inode, number>();

  constructor(tree: Tree, options: CheckOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  run(): string[] {
    this.#names.set(this.#tree.root, 1);
    this.#walk(this.#tree.root, "");
    this.#checkAll();
    return this.#problems;
  }

  #walk(directory: Inode, path: string): void {
    const { body } = this.#tree.node(directory);
    if (!(body instanceof Directory)) return this.#say(directory, "is walked as a directory and is none");
    let count = 0;
    eachName(body.names, (name, inode) => {
      count++;
      this.#checkName(body, name, inode, path);
      this.#visit(directory, inode as Inode, `${path}/${name}`);
    });
    if (count !== body.names.size) this.#say(directory, `says it has ${body.names.size} names and has ${count}`);
  }

  #checkName(directory: Directory, name: string, inode: number, path: string): void {
    const isName = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
    if (!isName || encodeText(name).length > 255) this.#problems.push(`${path}/${name} is no file name`);
    if (getName(directory.names, name) !== inode) this.#problems.push(`${path}/${name} is listed and not found`);
  }

  #visit(directory: Inode, inode: Inode, path: string): void {
    const seen = this.#names.get(inode) ?? 0;
    this.#names.set(inode, seen + 1);
    const node = this.#nodeOf(inode, path);
    if (node === null) return;
    if (isWhiteoutDevice(node) && !this.#options.mayHaveWhiteouts)
      this.#say(inode, `(${path}) is a whiteout outside of a layer`);
    if (node.kind !== "directory") return;
    this.#subdirectories.set(directory, (this.#subdirectories.get(directory) ?? 0) + 1);
    if (seen > 0) return this.#say(inode, `is a directory with two names, one of them ${path}`);
    if (node.parent !== directory) this.#say(inode, `(${path}) has the parent ${node.parent} and is in ${directory}`);
    this.#walk(inode, path);
  }

  #nodeOf(inode: Inode, path: string): Readonly<Node> | null {
    try {
      return this.#tree.node(inode);
    } catch {
      this.#problems.push(`${path} names inode ${inode}, which is not there`);
      return null;
    }
  }

  #checkAll(): void {
    let inodes = 0;
    let pages = 0;
    for (const [inode, node] of this.#tree.inodes()) {
      inodes++;
      if (node.body instanceof Content) pages += node.body.pages;
      this.#checkLinks(inode as Inode, node);
    }
    const { usage } = this.#tree;
    if (usage.inodes !== inodes || usage.pages !== pages)
      this.#problems.push(
        `it counts ${usage.inodes} inodes and ${usage.pages} pages; there are ${inodes} and ${pages}`,
      );
  }

  #checkLinks(inode: Inode, node: Readonly<Node>): void {
    const names = this.#names.get(inode) ?? 0;
    const isDirectory = node.kind === "directory";
    const links = isDirectory && names > 0 ? 2 + (this.#subdirectories.get(inode) ?? 0) : names;
    if (node.links !== links) this.#say(inode, `has ${node.links} links; its names make ${links}`);
    if (names === 0 && node.links > 0) this.#say(inode, "is an orphan: it has links and no name");
  }

  #say(inode: Inode, problem: string): void {
    this.#problems.push(`inode ${inode} ${problem}`);
  }
}
