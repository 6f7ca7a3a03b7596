/**
 * File trees of the machine a client runs on as tars, for `cp`: read, and unpacked. What comes out of a container is not
 * trusted: nothing is written through a symlink, so that no archive can lead out of the directory it is unpacked in.
 * Devices and extended attributes are left out. Whose files they are (node:fs, system calls of the simulator) is TreeFiles'
 * affair.
 */
import type { LocalTrees } from "../cli/ports.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { entriesOfTar, tarOfChanges } from "../core/image/layer.ts";
import { movedEntries, namedEntries } from "../core/image/renamed.ts";
import type { Entry, Meta, TreePath } from "../core/unionfs/change.ts";

export interface TreeStat {
  readonly kind: "file" | "directory" | "symlink" | "fifo" | "other";
  readonly meta: Meta;
  readonly size: number;
  readonly links: number;
  /** The same for two names of one file. */
  readonly id: string;
}

/** The few things that are done to files, by absolute paths. */
export interface TreeFiles {
  /** null when nothing is there. */
  stat(path: string, follow: boolean): Promise<TreeStat | null>;
  /** Sorted by bytes. */
  list(directory: string): Promise<readonly string[]>;
  readlink(path: string): Promise<string>;
  read(path: string): ByteStream;
  makeDirectory(path: string): Promise<void>;
  /** A new file, for its owner only. */
  write(path: string, bytes: ByteStream): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  link(target: string, path: string): Promise<void>;
  /** False where none can be made. */
  fifo(path: string): Promise<boolean>;
  unlink(path: string): Promise<void>;
  /** Owner and mode; only root gives files away. */
  describe(path: string, meta: Meta): Promise<void>;
  setTime(path: string, mtime: bigint): Promise<void>;
}

export function treesOf(files: TreeFiles): LocalTrees {
  return {
    kind: async (path, follow) => {
      const stat = await files.stat(path, follow);
      if (stat === null) return null;
      return stat.kind === "directory" || stat.kind === "symlink" ? stat.kind : "file";
    },
    pack: (path, name, follow) => tarOfChanges(namedEntries(new Reading(files).run(path, follow), name)),
    unpack: async (tar, directory, moved) => {
      const entries = entriesOfTar(tar, "the archive");
      await new Writing(files, directory).run(moved === null ? entries : movedEntries(entries, moved));
    },
  };
}

class Reading {
  readonly #files: TreeFiles;
  /** Files with several names: their first path. */
  readonly #linked = new Map<string, TreePath>();

  constructor(files: TreeFiles) {
    this.#files = files;
  }

  /** `follow` is about the thing itself only. */
  run(path: string, follow: boolean): AsyncGenerator<Entry, void, undefined> {
    return this.#visit(path, "" as TreePath, follow);
  }

  async *#visit(file: string, path: TreePath, follow = false): AsyncGenerator<Entry, void, undefined> {
    const stat = await this.#files.stat(file, follow);
    if (stat === null) return;
    const { kind, meta } = stat;
    if (kind === "directory") {
      yield { kind, path, meta };
      for (const name of await this.#files.list(file))
        yield* this.#visit(joined(file, name), (path === "" ? name : `${path}/${name}`) as TreePath);
    } else if (kind === "symlink") yield { kind, path, meta, target: await this.#files.readlink(file) };
    else if (kind === "fifo") yield { kind, path, meta };
    else if (kind === "file") yield this.#file(file, path, stat);
  }

  #file(file: string, path: TreePath, { meta, size, links, id }: TreeStat): Entry {
    const target = this.#linked.get(id);
    if (links > 1 && target !== undefined) return { kind: "hardlink", path, target };
    this.#linked.set(id, path);
    return { kind: "file", path, meta, size, content: this.#files.read(file) };
  }
}

class Writing {
  readonly #files: TreeFiles;
  readonly #root: string;
  /** Filling a directory changes its time: theirs come last. */
  readonly #times: { file: string; mtime: bigint }[] = [];

  constructor(files: TreeFiles, root: string) {
    this.#files = files;
    this.#root = root;
  }

  async run(entries: AsyncIterable<Entry>): Promise<void> {
    for await (const entry of entries) await this.#put(entry);
    for (const { file, mtime } of this.#times.toReversed()) await this.#files.setTime(file, mtime);
  }

  async #put(entry: Entry): Promise<void> {
    const file = await this.#at(entry.path);
    const there = await this.#files.stat(file, false);
    if (entry.kind === "directory") return this.#directory(file, entry, there);
    if (there?.kind === "directory")
      throw new TsboxError("invalid", `cannot overwrite directory "${file}" with non-directory`);
    if (there !== null) await this.#files.unlink(file);
    await this.#make(file, entry);
  }

  /** The place of a path; its parents are directories, and are made when they are missing. */
  async #at(path: TreePath): Promise<string> {
    const parts = path === "" ? [] : path.split("/");
    let at = this.#root;
    for (const part of parts.slice(0, -1)) {
      at = joined(at, part);
      const there = await this.#files.stat(at, false);
      if (there === null) await this.#files.makeDirectory(at);
      else if (there.kind !== "directory")
        throw new TsboxError("invalid", `${path} of the archive would be written through ${at}, which is no directory`);
    }
    return parts.reduce(joined, this.#root);
  }

  async #directory(file: string, { meta }: { readonly meta: Meta }, there: TreeStat | null): Promise<void> {
    if (there === null) await this.#files.makeDirectory(file);
    else if (there.kind !== "directory")
      throw new TsboxError("invalid", `cannot overwrite non-directory "${file}" with directory`);
    await this.#files.describe(file, meta);
    this.#times.push({ file, mtime: meta.mtime });
  }

  async #make(file: string, entry: Exclude<Entry, { kind: "directory" }>): Promise<void> {
    switch (entry.kind) {
      case "file":
        await this.#files.write(file, entry.content);
        break;
      case "symlink":
        return this.#files.symlink(entry.target, file);
      case "hardlink":
        return this.#files.link(await this.#at(entry.target), file);
      case "fifo":
        if (!(await this.#files.fifo(file))) return;
        break;
      case "character":
      case "block":
        return;
    }
    await this.#files.describe(file, entry.meta);
    await this.#files.setTime(file, entry.meta.mtime);
  }
}

function joined(directory: string, name: string): string {
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}
