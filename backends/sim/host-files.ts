/** The simulated host's files by path, unhindered: what the engine's disk and layers stand on. */
import { concat } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import type { FileSystem, Inode, Stat } from "../../core/unionfs/file-system.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import { Tree } from "../../core/unionfs/tree.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { Location } from "./kernel/mounts.ts";
import { fileSystemAt, locate, resolve } from "./kernel/walk.ts";

export interface Spot {
  readonly fileSystem: FileSystem;
  readonly inode: Inode;
}

const syntheticMax = 1 << 20;

export class HostFiles {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** ENOENT, ENOTDIR, ELOOP. */
  at(path: string, noFollow = false): Spot {
    const view = this.#kernel.hostView();
    const location = resolve(view, path, { noFollow });
    return { fileSystem: fileSystemAt(view.table, location), inode: location.inode };
  }

  /** null when nothing is there. */
  find(path: string): Spot | null {
    try {
      return this.#place(path).found;
    } catch (thrown) {
      if (thrown instanceof Errno && (thrown.errno === "ENOENT" || thrown.errno === "ENOTDIR")) return null;
      throw thrown;
    }
  }

  /** The directory a path's last name is in, and that name. */
  parent(path: string): Spot & { readonly name: string } {
    return this.#place(path);
  }

  #place(path: string): Spot & { readonly name: string; readonly found: Spot | null } {
    const view = this.#kernel.hostView();
    const { directory, name, found } = locate(view, path, { noFollow: true });
    const spot = (at: Location): Spot => ({ fileSystem: fileSystemAt(view.table, at), inode: at.inode });
    return { ...spot(directory), name, found: found === null ? null : spot(found) };
  }

  stat(path: string): Stat | null {
    const spot = this.find(path);
    return spot === null ? null : spot.fileSystem.stat(spot.inode);
  }

  list(path: string): string[] {
    const spot = this.find(path);
    return spot === null ? [] : spot.fileSystem.list(spot.inode).map(({ name }) => name);
  }

  read(path: string, offset = 0, length?: number): Uint8Array {
    const { fileSystem, inode } = this.at(path);
    const { kind, size } = fileSystem.stat(inode);
    if (kind === "directory") throw new Errno("EISDIR", path);
    // Files of the kernel's have no size before they are read.
    return fileSystem.read(inode, offset, length ?? (size === 0 ? syntheticMax : size));
  }

  /** A new file of these bytes takes the name: whoever has the old one open keeps it. */
  replace(path: string, bytes: Uint8Array, mode: number): void {
    const { fileSystem, inode: directory, name } = this.parent(path);
    const temporary = `.${name}.new`;
    const inode = fileSystem.create(directory, temporary, { kind: "file", mode, uid: 0, gid: 0 });
    if (fileSystem instanceof Tree) fileSystem.setContent(inode, bytes);
    else fileSystem.write(inode, 0, bytes);
    const replaced = fileSystem.rename(directory, temporary, directory, name);
    if (replaced !== null) this.#kernel.lingering.forget(fileSystem, replaced);
  }

  /** A program that comes with the machine: TypeScript stands in for it (kernel/exec.ts). */
  install(path: string, bytes: Uint8Array): void {
    this.markOfImage(bytes);
    this.replace(path, bytes, 0o755);
  }

  /** These bytes are a file's of an image. */
  markOfImage({ buffer }: Uint8Array): void {
    this.#kernel.imageBytes.add(buffer);
  }

  /** Adds bytes to a file, made when it is not there. */
  append(path: string, bytes: Uint8Array): void {
    const { fileSystem, inode } = this.find(path) ?? this.#newFile(path);
    fileSystem.write(inode, fileSystem.stat(inode).size, bytes);
  }

  #newFile(path: string): Spot {
    const { fileSystem, inode, name } = this.parent(path);
    return { fileSystem, inode: fileSystem.create(inode, name, { kind: "file", mode: 0o600, uid: 0, gid: 0 }) };
  }

  /** With the parents that are missing; one that exists is left as it is. */
  makeDirectory(path: string, mode = 0o755): Spot {
    const { found, name, ...place } = this.#placeIn(path, mode);
    if (found === null) return this.makeIn(place, name, mode);
    if (found.fileSystem.stat(found.inode).kind !== "directory") throw new Errno("EEXIST", path);
    return found;
  }

  /** EEXIST. */
  makeIn({ fileSystem, inode }: Spot, name: string, mode = 0o755): Spot {
    return { fileSystem, inode: fileSystem.create(inode, name, { kind: "directory", mode, uid: 0, gid: 0 }) };
  }

  /** The same as `parent`, with parents made where they are missing. */
  #placeIn(path: string, mode: number): Spot & { readonly name: string; readonly found: Spot | null } {
    try {
      return this.#place(path);
    } catch (thrown) {
      if (!(thrown instanceof Errno && thrown.errno === "ENOENT")) throw thrown;
      this.makeDirectory(path.slice(0, path.replace(/\/+$/, "").lastIndexOf("/")), mode);
      return this.#place(path);
    }
  }

  rename(from: string, to: string): void {
    const source = this.parent(from);
    const target = this.parent(to);
    if (source.fileSystem !== target.fileSystem) throw new Errno("EXDEV", to);
    source.fileSystem.rename(source.inode, source.name, target.inode, target.name);
  }

  /** A file or a whole tree; nothing there is no error. */
  remove(path: string): void {
    if (this.find(path) === null) return;
    const { fileSystem, inode, name } = this.parent(path);
    this.#removeEntry(fileSystem, inode, name);
  }

  #removeEntry(fileSystem: FileSystem, directory: Inode, name: string): void {
    const inode = fileSystem.lookup(directory, name);
    if (fileSystem.stat(inode).kind === "directory") {
      for (const entry of fileSystem.list(inode)) this.#removeEntry(fileSystem, inode, entry.name);
      this.#kernel.lingering.forget(fileSystem, fileSystem.removeDirectory(directory, name));
    } else {
      const removed = fileSystem.unlink(directory, name);
      this.#kernel.lingering.forget(fileSystem, removed);
    }
  }

  /** A directory as a part of a union. */
  branch(path: string): Branch {
    const { fileSystem, inode } = this.at(path);
    if (!(fileSystem instanceof Tree)) throw new Errno("EINVAL", path);
    return { tree: fileSystem, root: inode };
  }
}

export async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk.slice());
  return concat(chunks);
}
