/** This machine's files by node:fs, for `cp`; it knows no extended attributes. */
import * as fs from "node:fs";
import { spawnSync } from "node:child_process";
import type { LocalTrees } from "../cli/ports.ts";
import { encodeText } from "../core/base/bytes.ts";
import { type TreeStat, treesOf } from "../host/local-trees.ts";

export const localTrees: LocalTrees = treesOf({
  stat: async (path, follow) => {
    const options = { bigint: true, throwIfNoEntry: false } as const;
    const stats = follow ? fs.statSync(path, options) : fs.lstatSync(path, options);
    return stats === undefined ? null : described(stats);
  },
  list: async (directory) => fs.readdirSync(directory).toSorted(byBytes),
  readlink: async (path) => fs.readlinkSync(path),
  read: (path) => fs.createReadStream(path),
  makeDirectory: async (path) => fs.mkdirSync(path),
  write: async (path, bytes) => {
    const descriptor = fs.openSync(path, "wx", 0o600);
    try {
      for await (const chunk of bytes) for (let at = 0; at < chunk.length; ) at += fs.writeSync(descriptor, chunk, at);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  symlink: async (target, path) => fs.symlinkSync(target, path),
  link: async (target, path) => fs.linkSync(target, path),
  fifo: async (path) => spawnSync("mkfifo", [path], { stdio: "ignore" }).status === 0,
  unlink: async (path) => fs.unlinkSync(path),
  describe: async (path, { mode, uid, gid }) => {
    if (process.getuid?.() === 0) fs.chownSync(path, uid, gid);
    fs.chmodSync(path, mode);
  },
  setTime: async (path, mtime) => {
    const seconds = Number(mtime) / 1e9;
    fs.utimesSync(path, seconds, seconds);
  },
});

function described(stats: fs.BigIntStats): TreeStat {
  const { mode, uid, gid, mtimeNs, size, nlink, dev, ino } = stats;
  return {
    kind: kindOf(stats),
    meta: { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime: mtimeNs, xattrs: new Map() },
    size: Number(size),
    links: Number(nlink),
    id: `${dev}:${ino}`,
  };
}

function kindOf(stats: fs.BigIntStats): TreeStat["kind"] {
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isFIFO()) return "fifo";
  return stats.isFile() ? "file" : "other";
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(encodeText(a), encodeText(b));
}
