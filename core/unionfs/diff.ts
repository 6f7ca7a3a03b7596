/**
 * What differs between two moments of a tree, or between a layer and what lies below it, as
 * `docker diff` tells it: A(dded), C(hanged), D(eleted), with every directory on the way to a change
 * counting as changed. Comparing two snapshots costs what has changed, not what there is.
 */
import type { Inode } from "./file-system.ts";
import { type Branch, isOpaque, isWhiteout } from "./marks.ts";
import type { FileSystem } from "./file-system.ts";
import { rootInode, type TreeSnapshot } from "./tree.ts";

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
  constructor(before: TreeSnapshot, after: TreeSnapshot) {
    this.#before = before;
    this.#after = after;
  }

  run(): Difference[] {
    for (const inode of this.#after.changedSince(this.#before)) // of what came or went its directory tells
      for (const path of this.#pathsOf(inode)) this.#changed(path, inode, inode);
    return sorted(this.#kinds);
  }

  #changed(path: string, then: Inode, now: Inode): void {
    this.#note(path, "C");
    if (!this.#before.isDirectory(then) || !this.#after.isDirectory(now)) return;
    this.#after.names.differences(now, this.#before.names, then, (name, fresh, old) => {
      this.#renamed(`${path}/${name}`, old, fresh);
    });
  }

  #renamed(path: string, old: Inode | 0, fresh: Inode | 0): void {
    if (fresh === 0) return this.#note(path, "D");
    if (old === 0) return this.#added(path, fresh);
    this.#changed(path, old, fresh);
    if (!this.#before.isDirectory(old)) this.#addedIn(path, fresh);
  }

  #added(path: string, inode: Inode): void {
    this.#note(path, "A");
    this.#addedIn(path, inode);
  }

  #addedIn(path: string, directory: Inode): void {
    if (!this.#after.isDirectory(directory)) return;
    this.#after.names.each(directory, (name, child) => this.#added(`${path}/${name}`, child));
  }

  #note(path: string, kind: Difference["kind"]): void {
    if (path === "") return;
    if (kind !== "C" || !this.#kinds.has(path)) this.#kinds.set(path, kind);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!this.#kinds.has(parent)) this.#note(parent, "C");
  }

  /** The paths under which an inode was there before and still is; what is inside something that came or was moved is told as added. */
  #pathsOf(inode: Inode): string[] {
    if (inode === rootInode) return [""];
    return [...this.#after.namesOf(inode)].flatMap(({ parent, name }) => {
      const wasThere = this.#before.isDirectory(parent) && this.#before.names.find(parent, name) === inode;
      return wasThere ? this.#pathsOf(parent).map((path) => `${path}/${name}`) : [];
    });
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
