/**
 * Reading a directory of a union: the names in all its parts. What hides a name hides it in all parts
 * below (fs/overlayfs/readdir.c).
 */
import { Errno } from "../base/errno.ts";
import type { DirectoryEntry, Inode } from "./file-system.ts";
import { hasWhiteoutFiles, isCopy, isWhiteout, type MarkPrefix } from "./marks.ts";
import type { Node } from "./node.ts";
import { type Entry, type Inodes, isMerge } from "./overlay-inodes.ts";

/** What of a directory's part is looked at, as it may be a whiteout. */
type Hiders = "none" | "devices" | "devices and files";

/** A list, and the upper part's of which it was made: that one is made anew when a name comes or goes. */
interface Listed {
  readonly upper: readonly DirectoryEntry[];
  readonly entries: readonly DirectoryEntry[];
}

const nothing: readonly DirectoryEntry[] = [];

export class Lists {
  readonly #inodes: Inodes;
  readonly #prefix: MarkPrefix;
  readonly #lowest: number;
  readonly #listed = new Map<Inode, Listed>();

  /** `layers`: how many lower layers there are. */
  constructor(inodes: Inodes, prefix: MarkPrefix, layers: number) {
    this.#inodes = inodes;
    this.#prefix = prefix;
    this.#lowest = layers - 1;
  }

  /** Forgets what it has read: inodes may have other numbers now. */
  clear(): void {
    this.#listed.clear();
  }

  forget(directory: Inode): void {
    this.#listed.delete(directory);
  }

  list(directory: Inode): readonly DirectoryEntry[] {
    const part = this.#inodes.upperOf(directory);
    const upper = part === 0 ? nothing : this.#inodes.upper.list(part);
    const known = this.#listed.get(directory);
    if (known !== undefined && known.upper === upper) return known.entries;
    const entries = this.#inodes.isGone(directory) ? [] : this.#merged(directory);
    this.#listed.set(directory, { upper, entries });
    return entries;
  }

  /** Files that are whiteouts count, devices do not. */
  isEmpty(directory: Inode): boolean {
    return this.#shownIn(directory, () => "devices").size === 0;
  }

  #merged(directory: Inode): DirectoryEntry[] {
    const entry = this.#inodes.entry(directory);
    const shown = this.#shownIn(directory, (part, layer) => this.#hidersIn(entry, part, layer));
    return [...shown].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, kind]) => this.#entry(directory, name, kind));
  }

  #hidersIn(entry: Entry, part: Node, layer: number | null): Hiders {
    if (!isMerge(entry) && !isCopy(part, this.#prefix)) return "none";
    const isLowest = layer === this.#lowest; // it has nothing below to hide
    return !isLowest && hasWhiteoutFiles(part, this.#prefix) ? "devices and files" : "devices";
  }

  #shownIn(
    directory: Inode,
    hidersIn: (part: Node, layer: number | null) => Hiders,
  ): Map<string, DirectoryEntry["kind"]> {
    const shown = new Map<string, DirectoryEntry["kind"]>();
    const hidden = new Set<string>();
    for (const { tree, inode, layer } of this.#inodes.partsOf(directory)) {
      const hiders = hidersIn(tree.node(inode), layer);
      for (const { name, inode: real, kind } of tree.list(inode)) {
        if (shown.has(name) || hidden.has(name)) continue;
        const mayHide = kind === "character" ? hiders !== "none" : kind === "file" && hiders === "devices and files";
        if (mayHide && isWhiteout(tree.node(real), this.#prefix)) hidden.add(name);
        else shown.set(name, kind);
      }
    }
    return shown;
  }

  #entry(directory: Inode, name: string, kind: DirectoryEntry["kind"]): DirectoryEntry {
    try {
      return { name, inode: this.#inodes.find(directory, name) as Inode, kind };
    } catch (refused) {
      if (!(refused instanceof Errno)) throw refused;
      return { name, inode: 0 as Inode, kind };
    }
  }
}
