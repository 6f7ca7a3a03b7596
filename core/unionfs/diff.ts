/**
 * What differs between two moments of a tree, or between a layer and what lies below it, as
 * `docker diff` tells it: A(dded), C(hanged), D(eleted), with every directory on the way to a change
 * counting as changed. Comparing two snapshots costs what has changed, not what there is.
 */
import type { Inode } from "./file-system.ts";
import { type Branch, isOpaque, isWhiteout } from "./marks.ts";
import { eachDifference, eachName, NameMap, noNames } from "./name-map.ts";
import type { Node } from "./node.ts";
import type { FileSystem } from "./file-system.ts";
import type { TreeSnapshot } from "./tree.ts";

export interface Difference {
  readonly kind: "A" | "C" | "D";
  /** From the root, beginning with "/". */
  readonly path: string;
}

/** Two snapshots of one tree, `before` being the older. Sorted by path. */
export function differencesOf(before: TreeSnapshot, after: TreeSnapshot): Difference[] {
  return new Comparison(before, after).run();
}

class Comparison {
  readonly #before: TreeSnapshot;
  readonly #after: TreeSnapshot;
  readonly #kinds = new Map<string, Difference["kind"]>();
  #linked: Map<number, string[]> | null = null;

  constructor(before: TreeSnapshot, after: TreeSnapshot) {
    this.#before = before;
    this.#after = after;
  }

  run(): Difference[] {
    for (const [inode, now, then] of this.#after.nodes.differences(this.#before.nodes)) {
      if (now === undefined || then === undefined) continue; // its name came or went: its directory tells
      for (const path of this.#pathsOf(inode, now)) this.#changed(path, then, now);
    }
    return sorted(this.#kinds);
  }

  #changed(path: string, then: Readonly<Node>, now: Readonly<Node>): void {
    this.#note(path, "C");
    const [a, b] = [then.body, now.body];
    if (a instanceof NameMap && b instanceof NameMap)
      eachDifference(a, b, (name, old, fresh) => this.#renamed(`${path}/${name}`, old, fresh));
  }

  #renamed(path: string, old: number, fresh: number): void {
    if (fresh === 0) return this.#note(path, "D");
    if (old === 0) return this.#added(path, fresh);
    const [then, now] = [this.#before.nodes.get(old), this.#after.nodes.get(fresh)];
    if (then !== undefined && now !== undefined) this.#changed(path, then, now);
    if (!(then?.body instanceof NameMap) && now?.body instanceof NameMap)
      eachName(now.body, (name, inode) => this.#added(`${path}/${name}`, inode));
  }

  #added(path: string, inode: number): void {
    this.#note(path, "A");
    const body = this.#after.nodes.get(inode)?.body;
    if (body instanceof NameMap) eachName(body, (name, child) => this.#added(`${path}/${name}`, child));
  }

  #note(path: string, kind: Difference["kind"]): void {
    if (path === "") return;
    if (kind !== "C" || !this.#kinds.has(path)) this.#kinds.set(path, kind);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!this.#kinds.has(parent)) this.#note(parent, "C");
  }

  /** The paths under which an inode was there before and still is. */
  #pathsOf(inode: number, node: Readonly<Node>): string[] {
    if (node.links > 1 && node.kind !== "directory") return (this.#linked ??= this.#names()).get(inode) ?? [];
    const path = this.#pathOf(inode);
    return path === null ? [] : [path];
  }

  /** Null for what has no name, or is inside something that came or was moved: that is told as added. */
  #pathOf(inode: number): string | null {
    let path = "";
    for (let at = inode; at !== 1; ) {
      const [now, then] = [this.#after.nodes.get(at), this.#before.nodes.get(at)];
      if (now === undefined || then === undefined || now.links === 0) return null;
      if (now.parent !== then.parent || now.name !== then.name) return null;
      path = `/${now.name}${path}`;
      at = now.parent;
    }
    return path;
  }

  /** All names of files with several: asked for only when such a file has changed. */
  #names(): Map<number, string[]> {
    const names = new Map<number, string[]>();
    const visit = (directory: number, path: string): void => {
      const body = this.#after.nodes.get(directory)?.body;
      eachName(body instanceof NameMap ? body : noNames, (name, inode) => {
        const node = this.#after.nodes.get(inode);
        if (node?.kind === "directory") visit(inode, `${path}/${name}`);
        else if ((node?.links ?? 0) > 1) names.set(inode, [...(names.get(inode) ?? []), `${path}/${name}`]);
      });
    };
    visit(1, "");
    return names;
  }
}

/**
 * What a container wrote, as `docker diff` prints it (moby: pkg/archive, changes.go): `upper` is its
 * layer, `below` the union of the layers under it.
 */
export function differencesOfLayer({ tree, root }: Branch, below: FileSystem): Difference[] {
  const kinds = new Map<string, Difference["kind"]>();
  const visit = (directory: Inode, beneath: Inode | null, path: string): void => {
    for (const { name, inode } of tree.list(directory)) {
      const node = tree.node(inode);
      const at = `${path}/${name}`;
      const old = beneath === null ? null : nameIn(below, beneath, name);
      if (isWhiteout(node, "trusted.overlay.")) {
        kinds.set(at, "D");
        continue;
      }
      kinds.set(at, old === null ? "A" : "C");
      if (node.kind !== "directory") continue;
      const hides = old === null || below.stat(old).kind !== "directory" || isOpaque(node, "trusted.overlay.");
      visit(inode, hides ? null : old, at);
    }
  };
  visit(root, below.root, "");
  return sorted(kinds);
}

function nameIn(fileSystem: FileSystem, directory: Inode, name: string): Inode | null {
  const found = fileSystem.list(directory).find((entry) => entry.name === name);
  return found?.inode ?? null;
}

function sorted(kinds: ReadonlyMap<string, Difference["kind"]>): Difference[] {
  const all = [...kinds].map(([path, kind]) => ({ kind, path }));
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}
