/**
 * File trees of this machine as tars, for `cp`: read, and unpacked. What comes out of a container is not trusted: nothing is
 * written through a symlink, so that no archive can lead out of the directory it is unpacked in. Devices are left out;
 * node:fs has no extended attributes.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import type { LocalTrees } from "../cli/ports.ts";
import { encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { entriesOfTar, tarOfChanges } from "../core/image/layer.ts";
import { movedEntries, namedEntries } from "../core/image/renamed.ts";
import type { Entry, Meta, TreePath } from "../core/unionfs/change.ts";

export const localTrees: LocalTrees = {
  kind: async (path, follow) => {
    const stats = (follow ? fs.statSync : fs.lstatSync)(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    if (stats.isSymbolicLink()) return "symlink";
    return stats.isDirectory() ? "directory" : "file";
  },
  pack: (path, name, follow) => tarOfChanges(namedEntries(new Reading(follow).run(path), name)),
  unpack: async (tar, directory, moved) => {
    const entries = entriesOfTar(tar, "the archive");
    await new Writing(directory).run(moved === null ? entries : movedEntries(entries, moved));
  },
};

class Reading {
  readonly #follow: boolean;
  /** Files with several names: their first path, by device and inode. */
  readonly #linked = new Map<string, TreePath>();

  constructor(follow: boolean) {
    this.#follow = follow;
  }

  /** `follow` is about the thing itself only. */
  run(path: string): AsyncGenerator<Entry, void, undefined> {
    return this.#visit(this.#follow ? fs.realpathSync(path) : path, "" as TreePath);
  }

  async *#visit(file: string, path: TreePath): AsyncGenerator<Entry, void, undefined> {
    const stats = fs.lstatSync(file, { bigint: true });
    const meta = metaOf(stats);
    if (stats.isDirectory()) {
      yield { kind: "directory", path, meta };
      for (const name of fs.readdirSync(file).toSorted(byBytes))
        yield* this.#visit(join(file, name), (path === "" ? name : `${path}/${name}`) as TreePath);
    } else if (stats.isSymbolicLink()) yield { kind: "symlink", path, meta, target: fs.readlinkSync(file) };
    else if (stats.isFIFO()) yield { kind: "fifo", path, meta };
    else if (stats.isFile()) yield this.#file(file, path, stats);
  }

  #file(file: string, path: TreePath, stats: fs.BigIntStats): Entry {
    const id = `${stats.dev}:${stats.ino}`;
    const target = this.#linked.get(id);
    if (stats.nlink > 1n && target !== undefined) return { kind: "hardlink", path, target };
    this.#linked.set(id, path);
    return { kind: "file", path, meta: metaOf(stats), size: Number(stats.size), content: fs.createReadStream(file) };
  }
}

function metaOf({ mode, uid, gid, mtimeNs }: fs.BigIntStats): Meta {
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime: mtimeNs, xattrs: new Map() };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(encodeText(a), encodeText(b));
}

class Writing {
  readonly #root: string;
  /** Filling a directory changes its time: theirs come last. */
  readonly #times: { file: string; mtime: bigint }[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  async run(entries: AsyncIterable<Entry>): Promise<void> {
    for await (const entry of entries) await this.#put(entry);
    for (const { file, mtime } of this.#times.toReversed()) setTime(file, mtime);
  }

  async #put(entry: Entry): Promise<void> {
    const file = this.#at(entry.path);
    const there = fs.lstatSync(file, { throwIfNoEntry: false });
    if (entry.kind === "directory") return this.#directory(file, entry, there);
    if (there?.isDirectory() === true)
      throw new TsboxError("invalid", `cannot overwrite directory "${file}" with non-directory`);
    if (there !== undefined) fs.unlinkSync(file);
    await this.#make(file, entry);
  }

  /** The place of a path; its parents are directories, and are made when they are missing. */
  #at(path: TreePath): string {
    const parts = path === "" ? [] : path.split("/");
    let at = this.#root;
    for (const part of parts.slice(0, -1)) {
      at = join(at, part);
      const stats = fs.lstatSync(at, { throwIfNoEntry: false });
      if (stats === undefined) fs.mkdirSync(at);
      else if (!stats.isDirectory())
        throw new TsboxError("invalid", `${path} of the archive would be written through ${at}, which is no directory`);
    }
    return join(this.#root, ...parts);
  }

  #directory(file: string, { meta }: Extract<Entry, { kind: "directory" }>, there: fs.Stats | undefined): void {
    if (there === undefined) fs.mkdirSync(file);
    else if (!there.isDirectory())
      throw new TsboxError("invalid", `cannot overwrite non-directory "${file}" with directory`);
    this.#describe(file, meta);
    this.#times.push({ file, mtime: meta.mtime });
  }

  async #make(file: string, entry: Exclude<Entry, { kind: "directory" }>): Promise<void> {
    switch (entry.kind) {
      case "file": {
        const descriptor = fs.openSync(file, "wx", 0o600);
        try {
          for await (const chunk of entry.content) fs.writeSync(descriptor, chunk);
        } finally {
          fs.closeSync(descriptor);
        }
        break;
      }
      case "symlink":
        fs.symlinkSync(entry.target, file);
        return;
      case "hardlink":
        fs.linkSync(this.#at(entry.target), file);
        return;
      case "fifo":
        if (spawnSync("mkfifo", [file], { stdio: "ignore" }).status !== 0) return;
        break;
      case "character":
      case "block":
        return;
    }
    this.#describe(file, entry.meta);
    setTime(file, entry.meta.mtime);
  }

  /** Only root gives files away. */
  #describe(file: string, { mode, uid, gid }: Meta): void {
    if (process.getuid?.() === 0) fs.chownSync(file, uid, gid);
    fs.chmodSync(file, mode);
  }
}

function setTime(file: string, mtime: bigint): void {
  const seconds = Number(mtime) / 1e9;
  fs.utimesSync(file, seconds, seconds);
}
