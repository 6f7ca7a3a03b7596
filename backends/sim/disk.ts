/** The engine's files, on the simulated host's own file system. Everything settles in the same step. */
import type { HostPath } from "../../core/base/brand.ts";
import type { ByteStream } from "../../core/base/bytes.ts";
import type { Disk, FileStat } from "../../core/engine/machine.ts";
import type { Stat } from "../../core/unionfs/file-system.ts";
import { collected, type HostFiles } from "./host-files.ts";

const streamChunkBytes = 65_536;

export class SimDisk implements Disk {
  readonly dataRoot: HostPath;
  readonly runRoot: HostPath;
  readonly #files: HostFiles;

  constructor(files: HostFiles, dataRoot: HostPath, runRoot: HostPath) {
    this.#files = files;
    this.dataRoot = dataRoot;
    this.runRoot = runRoot;
    files.makeDirectory(dataRoot, 0o711);
    files.makeDirectory(runRoot, 0o711);
  }

  async read(path: HostPath): Promise<Uint8Array> {
    return this.#files.read(path);
  }

  async *stream(path: HostPath, offset = 0, length?: number): ByteStream {
    const size = this.#sizeOf(path);
    const end = length === undefined ? size : Math.min(size, offset + length);
    for (let at = offset; at < end; at += streamChunkBytes)
      yield this.#files.read(path, at, Math.min(streamChunkBytes, end - at));
  }

  #sizeOf(path: HostPath): number {
    const { fileSystem, inode } = this.#files.at(path);
    return fileSystem.stat(inode).size;
  }

  async writeAtomically(path: HostPath, bytes: Uint8Array, mode = 0o600): Promise<void> {
    this.#files.replace(path, bytes.slice(), mode);
  }

  async writeStream(path: HostPath, bytes: ByteStream): Promise<void> {
    this.#files.replace(path, await collected(bytes), 0o600);
  }

  async *append(path: HostPath, bytes: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of bytes) {
      this.#files.append(path, chunk.slice());
      yield chunk;
    }
  }

  async rename(from: HostPath, to: HostPath): Promise<void> {
    this.#files.rename(from, to);
  }

  async makeDirectory(path: HostPath, mode?: number): Promise<void> {
    this.#files.makeDirectory(path, mode);
  }

  async list(path: HostPath): Promise<string[]> {
    return this.#files.list(path);
  }

  async stat(path: HostPath): Promise<FileStat | null> {
    const stat = this.#files.stat(path);
    return stat === null ? null : fileStatOf(stat);
  }

  async remove(path: HostPath): Promise<void> {
    this.#files.remove(path);
  }
}

function fileStatOf({ inode, kind, size, mode, uid, gid, major, minor }: Stat): FileStat {
  const common = { inode, size, mode, uid, gid };
  if (kind === "character") return { ...common, kind: "other", device: { type: "c", major, minor } };
  if (kind === "block") return { ...common, kind: "other", device: { type: "b", major, minor } };
  return { ...common, kind: kind === "fifo" || kind === "socket" ? "other" : kind };
}
