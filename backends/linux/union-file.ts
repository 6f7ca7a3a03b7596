/**
 * Reads one file of a union of directories without mounting it, as overlayfs would show it.
 *
 * The trees hold whatever an image or a running program put there, so every step is one component
 * opened beneath a descriptor (/proc/self/fd/<n>/<name>, never followed): a symlink is read and
 * walked inside the union, and swapping a directory for a symlink meanwhile leads nowhere.
 */
import * as fs from "node:fs";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { asErrno, failedWith } from "./errors.ts";

export interface UnionPart {
  readonly directory: string;
  /** Whether a directory of this part hides what lies below it. */
  readonly isOpaque: (path: string) => boolean;
}

/** open(2); node:fs does not name it. The same on x86-64 and arm64. */
const O_PATH = 0o10000000;
const { O_NOFOLLOW, O_RDONLY } = fs.constants;
/** As path_resolution(7). */
const symlinksMax = 40;

/** The first `limit` bytes of a regular file, null when there is none at the path. `parts` are top first. */
export function readUnionFile(parts: readonly UnionPart[], path: string, limit: number): Uint8Array | null {
  const walk = new Walk(parts);
  try {
    return walk.read(path, limit);
  } catch (thrown) {
    throw asErrno(thrown, path);
  } finally {
    walk.close();
  }
}

interface Place {
  readonly part: UnionPart;
  readonly fd: number;
}

/** A merged directory: the descriptors of all parts that have it, top first. */
interface Directory {
  readonly path: string;
  readonly places: readonly Place[];
}

class Walk {
  readonly #descriptors: number[] = [];
  readonly #root: Directory;

  constructor(parts: readonly UnionPart[]) {
    this.#root = { path: "", places: parts.map((part) => ({ part, fd: this.#open(part.directory) })) };
  }

  read(path: string, limit: number): Uint8Array | null {
    const stack = [this.#root];
    const names = split(path);
    for (let symlinks = 0; names.length > 0; ) {
      const name = names.shift() ?? "";
      if (name === "..") {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const found = this.#lookup(stack.at(-1) ?? this.#root, name);
      if (found === null) return null;
      if ("places" in found) stack.push(found);
      else if (!found.stats.isSymbolicLink())
        return names.length === 0 && found.stats.isFile() ? contentOf(found.fd, limit) : null;
      else {
        if (++symlinks > symlinksMax) return null;
        const target = decodeBytes(fs.readlinkSync(beneath(found.parent, name), "buffer"));
        if (target.startsWith("/")) stack.length = 1;
        names.unshift(...split(target));
      }
    }
    return null;
  }

  /** A merged directory, or the topmost thing that is none; null when nothing shows. */
  #lookup(directory: Directory, name: string): Directory | { fd: number; stats: fs.Stats; parent: number } | null {
    const path = directory.path === "" ? name : `${directory.path}/${name}`;
    const places: Place[] = [];
    for (const { part, fd: parent } of directory.places) {
      const fd = this.#openBeneath(parent, name);
      if (fd === null) continue;
      const stats = fs.fstatSync(fd);
      if (!stats.isDirectory()) {
        if (places.length > 0 || isWhiteout(stats)) break;
        return { fd, stats, parent };
      }
      places.push({ part, fd });
      if (part.isOpaque(path)) break;
    }
    return places.length === 0 ? null : { path, places };
  }

  #openBeneath(parent: number, name: string): number | null {
    try {
      return this.#open(beneath(parent, name));
    } catch (thrown) {
      if (failedWith(thrown, "ENOENT", "ENAMETOOLONG")) return null;
      throw thrown;
    }
  }

  #open(path: string | Buffer): number {
    const fd = fs.openSync(path, O_PATH | O_NOFOLLOW);
    this.#descriptors.push(fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#descriptors) fs.closeSync(fd);
  }
}

function split(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function beneath(fd: number, name: string): Buffer {
  return Buffer.from(encodeText(`/proc/self/fd/${fd}/${name}`));
}

function isWhiteout(stats: fs.Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** Of a file that is known to be regular: opening a FIFO or a device could wait or act. */
function contentOf(path: number, limit: number): Uint8Array {
  const fd = fs.openSync(`/proc/self/fd/${path}`, O_RDONLY);
  try {
    const bytes = new Uint8Array(Math.min(limit, fs.fstatSync(fd).size));
    let filled = 0;
    for (let got = -1; got !== 0 && filled < bytes.length; filled += got)
      got = fs.readSync(fd, bytes, filled, bytes.length - filled, filled);
    return bytes.subarray(0, filled);
  } finally {
    fs.closeSync(fd);
  }
}
