/**
 * What a layer hides of those below it, noted while its changes are applied: the paths of its whiteouts and of its
 * directories that are opaque. The helper follows symlinks of the same layer on the way to a path; so does this.
 */
import * as fs from "node:fs";
import type { HostPath } from "../../core/base/brand.ts";
import { encodeText } from "../../core/base/bytes.ts";
import type { Change } from "../../core/unionfs/change.ts";

const symlinksMax = 40;
/** With more paths nobody looks at each, at every entry: a directory that stopped to be opaque may be noted as one. */
const lookedAtMax = 256;

export class Hidden {
  /** Paths as the changes have them, to where symlinks led then. */
  readonly #paths = new Map<string, string>();
  /** Of the layer itself: path to target. */
  readonly #symlinks = new Map<string, string>();

  /** Hands the changes on. */
  async *noting(changes: AsyncIterable<Change>): AsyncGenerator<Change, void, undefined> {
    for await (const change of changes) {
      this.#note(change);
      yield change;
    }
  }

  /** Where in the tree that was made there is a whiteout, or a directory. */
  within(root: HostPath): string[] {
    return [...new Set([...this.#paths].flat())].filter((path) => path === "" || hides(root, path));
  }

  #note(change: Change): void {
    const { kind, path } = change;
    if (kind === "whiteout" || kind === "opaque") return void this.#paths.set(path, this.#resolved(path));
    if (kind !== "directory" && this.#paths.size > 0 && this.#paths.size <= lookedAtMax) this.#forget(path);
    if (kind === "symlink") this.#symlinks.set(path, change.target);
    else if (this.#symlinks.size > 0) this.#noteOther(change);
  }

  /** A hard link may be another name of a symlink; anything else takes the place of the symlink that was there. */
  #noteOther(change: Change): void {
    const target = change.kind === "hardlink" ? this.#symlinks.get(this.#resolved(change.target)) : undefined;
    if (target === undefined) this.#symlinks.delete(change.path);
    else this.#symlinks.set(change.path, target);
  }

  /** Something that is no directory took the place of what was there; what a symlink had led to stays. */
  #forget(path: string): void {
    for (const [each, resolved] of this.#paths) {
      const isGone = each === path || each.startsWith(`${path}/`);
      if (isGone && resolved === each) this.#paths.delete(each);
    }
  }

  /** The path with the symlinks among its parents followed inside of the layer. */
  #resolved(path: string): string {
    const waiting = path.split("/");
    const name = waiting.pop() ?? "";
    let at: string[] = [];
    for (let hops = 0, next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (next === "..") at.pop();
      if (next === "" || next === "." || next === "..") continue;
      at.push(next);
      const target = this.#symlinks.get(at.join("/"));
      if (target === undefined) continue;
      if (++hops > symlinksMax) return path;
      at = target.startsWith("/") ? [] : at.slice(0, -1);
      waiting.unshift(...target.split("/"));
    }
    return [...at, name].join("/");
  }
}

/** Nothing that a symlink leads to: nobody else changes the tree meanwhile. */
function hides(root: HostPath, path: string): boolean {
  const names = path.split("/");
  for (let count = 1; count <= names.length; count++) {
    const at = Buffer.from(encodeText(`${root}/${names.slice(0, count).join("/")}`));
    const stats = fs.lstatSync(at, { throwIfNoEntry: false });
    const isWhiteout = stats?.isCharacterDevice() === true && stats.rdev === 0;
    if (stats?.isDirectory() !== true) return count === names.length && isWhiteout;
  }
  return true;
}
