/**
 * The descriptors of a WASI program. 0, 1 and 2 are the process's own; 3 is "/", opened beforehand,
 * by which the program names every file (its C library cuts the slash off); from 4 on are those that it
 * opens. Each knows its path, as paths are named relative to a directory's descriptor.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { DirectoryEntry, NodeKind, Stat } from "../../../core/unionfs/file-system.ts";
import type { Fd, Sys } from "../kernel/sys.ts";

export interface Descriptor {
  /** The process's descriptor; null: "/". */
  readonly fd: Fd | null;
  /** Absolute, beneath the process's root; null: it was there before the program. */
  readonly path: string | null;
  readonly access: { readonly read: boolean; readonly write: boolean };
  readonly append: boolean;
  nonBlocking: boolean;
  /** A directory's content as it was when reading it began. */
  entries: readonly DirectoryEntry[];
}

export const rootDescriptor = 3;
const firstOwn = 4;

/** preview1's file types. */
const fileTypes: Readonly<Record<NodeKind, number>> = {
  block: 1,
  character: 2,
  directory: 3,
  file: 4,
  socket: 6,
  symlink: 7,
  fifo: 0,
};

export function fileTypeOf(kind: NodeKind): number {
  return fileTypes[kind];
}

export class Descriptors {
  readonly #sys: Sys;
  readonly #open = new Map<number, Descriptor>();

  constructor(sys: Sys) {
    this.#sys = sys;
    const both = { read: true, write: true };
    for (const fd of [0, 1, 2]) this.#add(fd, { fd, path: null, access: both, append: false });
    this.#add(rootDescriptor, { fd: null, path: "/", access: { read: true, write: false }, append: false });
  }

  get(number: number): Descriptor {
    const descriptor = this.#open.get(number);
    if (descriptor === undefined) throw new Errno("EBADF");
    return descriptor;
  }

  /** The process's descriptor. */
  fd(number: number): Fd {
    const { fd } = this.get(number);
    if (fd === null) throw new Errno("EISDIR");
    return fd;
  }

  /** Gives an opened file the lowest free number. */
  add(descriptor: Omit<Descriptor, "entries" | "nonBlocking">, nonBlocking: boolean): number {
    let number = firstOwn;
    while (this.#open.has(number)) number++;
    this.#add(number, descriptor);
    this.get(number).nonBlocking = nonBlocking;
    return number;
  }

  #add(number: number, descriptor: Omit<Descriptor, "entries" | "nonBlocking">): void {
    this.#open.set(number, { ...descriptor, nonBlocking: false, entries: [] });
  }

  close(number: number): void {
    const { fd } = this.get(number);
    this.#open.delete(number);
    if (fd !== null) this.#sys.close(fd);
  }

  /** dup2 and close in one: `from` becomes `to`. */
  renumber(from: number, to: number): void {
    const descriptor = this.get(from);
    this.get(to);
    if (from === to) return;
    this.close(to);
    this.#open.delete(from);
    this.#open.set(to, descriptor);
  }

  stat(number: number): Stat {
    const { fd } = this.get(number);
    return fd === null ? this.#sys.stat("/") : this.#sys.statFd(fd);
  }

  /** The path that `path` names, relative to a directory's descriptor. */
  path(number: number, path: string): string {
    const directory = this.get(number).path;
    if (directory === null) throw new Errno("ENOTDIR");
    if (path === "") throw new Errno("ENOENT");
    return directory === "/" ? `/${path}` : `${directory}/${path}`;
  }
}
