/** The simulated host's files by a program's system calls, for `cp` (local-trees.ts). */
import type { EventLoop } from "./event-loop.ts";
import { isErrno } from "./event-loop.ts";
import type { Sys } from "../backends/sim/kernel/sys.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import type { NodeKind, Stat } from "../core/unionfs/file-system.ts";
import type { TreeFiles, TreeStat } from "./local-trees.ts";

/** Streams of a file's bytes, as the client reads and writes all its files. */
interface Streams {
  read(path: string): ByteStream;
  write(
    path: string,
    bytes: ByteStream,
    options: { readonly exclusive: boolean; readonly mode: number },
  ): Promise<void>;
}

export function treeFiles(loop: EventLoop, streams: Streams): TreeFiles {
  const call = <T>(make: (sys: Sys) => T): Promise<T> => loop.call(make);
  return {
    stat: (path, follow) => call((sys) => seen(sys, path, follow)),
    list: (directory) => call((sys) => sys.list(directory).map(({ name }) => name)),
    readlink: (path) => call((sys) => sys.readlink(path)),
    read: (path) => streams.read(path),
    makeDirectory: (path) => call((sys) => sys.makeDirectory(path, 0o777)),
    write: (path, bytes) => streams.write(path, bytes, { exclusive: true, mode: 0o600 }),
    symlink: (target, path) => call((sys) => sys.symlink(target, path)),
    link: (target, path) => call((sys) => sys.link(target, path)),
    fifo: async (path) => {
      await call((sys) => sys.makeNode(path, "fifo", 0o600));
      return true;
    },
    unlink: (path) => call((sys) => sys.unlink(path)),
    describe: (path, { mode, uid, gid }) =>
      call((sys) => {
        const owner = sys.credentials().uid === 0 ? { uid, gid } : {};
        sys.setAttributes(path, { ...owner, mode });
      }),
    setTime: (path, mtime) => call((sys) => sys.setAttributes(path, { atime: mtime, mtime })),
  };
}

function seen(sys: Sys, path: string, follow: boolean): TreeStat | null {
  try {
    return described(sys, path, follow ? sys.stat(path) : sys.lstat(path));
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "ENOTDIR")) return null;
    throw thrown;
  }
}

function described(sys: Sys, path: string, { kind, mode, uid, gid, mtime, size, links, inode }: Stat): TreeStat {
  return {
    kind: isPacked(kind) ? kind : "other",
    meta: { mode, uid, gid, mtime, xattrs: new Map() },
    size,
    links,
    id: `${sys.device(path)}:${inode}`,
  };
}

function isPacked(kind: NodeKind): kind is Exclude<TreeStat["kind"], "other"> {
  return kind === "file" || kind === "directory" || kind === "symlink" || kind === "fifo";
}
