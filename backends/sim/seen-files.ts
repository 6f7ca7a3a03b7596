/**
 * A container's files, seen through a process of the simulated host that performs a view's ops and then asks the kernel
 * as any program does. Each call has a process of its own; its mounts and namespaces end with it.
 */
import { streamOf, concat, readAll } from "../../core/base/bytes.ts";
import { Errno, type ErrnoName } from "../../core/base/errno.ts";
import type { ContainerFiles, TreeStat } from "../../core/engine/machine.ts";
import { PlanError } from "../../core/runtime/plan-error.ts";
import type { View } from "../../core/runtime/view.ts";
import type { Entry, Meta, TreePath } from "../../core/unionfs/change.ts";
import type { Stat } from "../../core/unionfs/file-system.ts";
import type { Sys } from "./kernel/sys.ts";
import { performChild } from "./perform.ts";
import type { Stage } from "./stage.ts";

const pieceBytes = 65_536;
const fileBytesMax = 2 ** 31;

/** An entry with its content, which has come in from outside. */
type Whole = Exclude<Entry, { kind: "file" }> | (Extract<Entry, { kind: "file" }> & { readonly bytes: Uint8Array });

export class SimFiles implements ContainerFiles {
  readonly #stage: Stage;
  readonly #view: View;

  constructor(stage: Stage, view: View) {
    this.#stage = stage;
    this.#view = view;
  }

  stat(path: string): Promise<TreeStat> {
    return this.#within(async (sys) => statOf(sys, rooted(path)));
  }

  async *read(path: string): AsyncGenerator<Entry, void, undefined> {
    yield* await this.#within((sys) => new Reading(sys, rooted(path)).run());
  }

  async write(
    directory: string,
    entries: AsyncIterable<Entry>,
    options: { readonly keepsKinds: boolean } = { keepsKinds: false },
  ): Promise<void> {
    const wholes: Whole[] = [];
    for await (const entry of entries)
      wholes.push(entry.kind === "file" ? { ...entry, bytes: await readAll(entry.content, fileBytesMax) } : entry);
    await this.#within((sys) => new Writing(sys, rooted(directory), options.keepsKinds).run(wholes));
  }

  /** What `act` gives in a process that has the view. Throws Errno, also for what the view fails at. */
  #within<T>(act: (sys: Sys) => Promise<T>): Promise<T> {
    const { kernel } = this.#stage;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const process = kernel.launch("tsbox-helper", async (sys) => {
      const looked = async (): Promise<T> => {
        await this.#enter(sys, process);
        return act(sys);
      };
      await looked().then(resolve, (thrown: unknown) => reject(errnoOf(thrown)));
      kernel.turns.tell();
      return 0;
    });
    return promise;
  }

  #enter(sys: Sys, process: ReturnType<Stage["kernel"]["launch"]>): Promise<void> {
    const spawn = { op: "spawn", create: [], join: null, idMaps: null, child: this.#view } as const;
    const child = { sys, process, root: process.root, gate: () => Promise.resolve(), terminal: () => {} };
    return performChild(this.#stage, child, spawn, 0);
  }
}

function errnoOf(thrown: unknown): unknown {
  return thrown instanceof PlanError ? new Errno(thrown.failure.errno as ErrnoName, thrown.failure.path) : thrown;
}

function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Whether the path names what a symlink leads to. */
function follows(path: string): boolean {
  return /(^|\/)\.{0,2}$/.test(path);
}

/** Null: nothing is there. */
function find(sys: Sys, path: string): Stat | null {
  try {
    return sys.lstat(path);
  } catch (thrown) {
    if (thrown instanceof Errno && thrown.errno === "ENOENT") return null;
    throw thrown;
  }
}

function statOf(sys: Sys, path: string): TreeStat {
  const { kind, mode, uid, gid, mtime, size } = follows(path) ? sys.stat(path) : sys.lstat(path);
  const target = kind === "symlink" ? sys.readlink(path) : "";
  return { kind, mode, uid, gid, mtime, size, target };
}

class Reading {
  readonly #sys: Sys;
  readonly #top: string;
  readonly #entries: Entry[] = [];
  /** Files with several names, by device and inode: their first path. */
  readonly #linked = new Map<string, TreePath>();

  constructor(sys: Sys, top: string) {
    this.#sys = sys;
    this.#top = top;
  }

  async run(): Promise<Entry[]> {
    await this.#visit("" as TreePath, follows(this.#top) ? this.#sys.stat(this.#top) : this.#sys.lstat(this.#top));
    return this.#entries;
  }

  #at(path: TreePath): string {
    return path === "" ? this.#top : `${this.#top}/${path}`;
  }

  async #visit(path: TreePath, stat: Stat): Promise<void> {
    const meta = this.#meta(path, stat);
    switch (stat.kind) {
      case "directory":
        this.#entries.push({ kind: "directory", path, meta });
        for (const { name } of this.#sys.list(this.#at(path))) {
          const child = (path === "" ? name : `${path}/${name}`) as TreePath;
          const found = find(this.#sys, this.#at(child)); // a union lists also whiteouts that have nothing to hide
          if (found !== null) await this.#visit(child, found);
        }
        return;
      case "file":
        return this.#file(path, stat, meta);
      case "symlink":
        this.#entries.push({ kind: "symlink", path, meta, target: this.#sys.readlink(this.#at(path)) });
        return;
      case "character":
      case "block":
        this.#entries.push({ kind: stat.kind, path, meta, major: stat.major, minor: stat.minor });
        return;
      case "fifo":
        this.#entries.push({ kind: "fifo", path, meta });
        return;
      case "socket":
        return; // of use to nobody else
    }
  }

  async #file(path: TreePath, stat: Stat, meta: Meta): Promise<void> {
    const id = `${this.#sys.device(this.#at(path))}:${stat.inode}`;
    const first = stat.links > 1 ? this.#linked.get(id) : undefined;
    if (first !== undefined) {
      this.#entries.push({ kind: "hardlink", path, target: first });
      return;
    }
    this.#linked.set(id, path);
    const bytes = await this.#content(this.#at(path));
    this.#entries.push({ kind: "file", path, meta, size: bytes.length, content: streamOf(bytes) });
  }

  async #content(path: string): Promise<Uint8Array> {
    const fd = await this.#sys.open(path, { access: "read", nonBlocking: true });
    try {
      const pieces: Uint8Array[] = [];
      for (;;) {
        const piece = await this.#sys.read(fd, pieceBytes);
        if (piece.length === 0) return concat(pieces);
        pieces.push(piece);
      }
    } finally {
      this.#sys.close(fd);
    }
  }

  #meta(path: TreePath, { kind, mode, uid, gid, mtime }: Stat): Meta {
    const xattrs = new Map<string, Uint8Array>();
    if (kind === "file" || kind === "directory")
      for (const name of this.#sys.listXattrs(this.#at(path)))
        xattrs.set(name, this.#sys.getXattr(this.#at(path), name));
    return { mode, uid, gid, mtime, xattrs };
  }
}

class Writing {
  readonly #sys: Sys;
  readonly #top: string;
  readonly #keepsKinds: boolean;
  /** Filling a directory changes its time: theirs come last. */
  readonly #times: { path: string; mtime: bigint }[] = [];

  constructor(sys: Sys, top: string, keepsKinds: boolean) {
    this.#sys = sys;
    this.#top = top.replace(/\/+$/, "");
    this.#keepsKinds = keepsKinds;
  }

  async run(entries: readonly Whole[]): Promise<void> {
    this.#sys.list(this.#top === "" ? "/" : this.#top);
    for (const entry of entries) await this.#put(entry);
    for (const { path, mtime } of this.#times.toReversed())
      if (find(this.#sys, path)?.kind === "directory") this.#sys.setAttributes(path, { mtime }, { noFollow: true });
  }

  async #put(entry: Whole): Promise<void> {
    const path = entry.path === "" ? this.#top || "/" : `${this.#top}/${entry.path}`;
    this.#makeParents(path);
    const there = find(this.#sys, path);
    if (entry.kind === "directory") {
      if (there?.kind !== "directory") this.#clear(path, there, "ENOTDIR");
      if (there?.kind !== "directory") this.#sys.makeDirectory(path, 0o755);
      this.#times.push({ path, mtime: entry.meta.mtime });
    } else {
      this.#clear(path, there, there?.kind === "directory" ? "EISDIR" : null);
      await this.#make(path, entry);
    }
    if (entry.kind !== "hardlink") this.#describe(path, entry.meta, entry.kind === "symlink");
  }

  #makeParents(path: string): void {
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent === "" || find(this.#sys, `${parent}/.`) !== null) return;
    this.#makeParents(parent);
    this.#sys.makeDirectory(parent, 0o755);
  }

  /** Makes room. `refusal`: what is wrong with that when kinds are kept. */
  #clear(path: string, there: Stat | null, refusal: ErrnoName | null): void {
    if (there === null) return;
    if (this.#keepsKinds && refusal !== null) throw new Errno(refusal, path);
    if (there.kind !== "directory") return this.#sys.unlink(path);
    for (const { name } of this.#sys.list(path))
      this.#clear(`${path}/${name}`, find(this.#sys, `${path}/${name}`), null);
    this.#sys.removeDirectory(path);
  }

  async #make(path: string, entry: Exclude<Whole, { kind: "directory" }>): Promise<void> {
    switch (entry.kind) {
      case "file":
        return this.#fill(path, entry.bytes);
      case "symlink":
        return this.#sys.symlink(entry.target, path);
      case "hardlink":
        return this.#sys.link(`${this.#top}/${entry.target}`, path);
      case "character":
      case "block":
        return this.#sys.makeNode(path, entry.kind, entry.meta.mode, entry.major, entry.minor);
      case "fifo":
        return this.#sys.makeNode(path, "fifo", entry.meta.mode, 0, 0);
    }
  }

  async #fill(path: string, bytes: Uint8Array): Promise<void> {
    const fd = await this.#sys.open(path, { access: "write", create: true, exclusive: true, mode: 0o600 });
    try {
      for (let at = 0; at < bytes.length; ) at += await this.#sys.write(fd, bytes.subarray(at, at + pieceBytes));
    } finally {
      this.#sys.close(fd);
    }
  }

  #describe(path: string, { mode, uid, gid, mtime, xattrs }: Meta, isSymlink: boolean): void {
    this.#sys.setAttributes(path, isSymlink ? { uid, gid } : { uid, gid, mode }, { noFollow: true });
    for (const [name, value] of isSymlink ? [] : xattrs) this.#sys.setXattr(path, name, value);
    this.#sys.setAttributes(path, { mtime }, { noFollow: true });
  }
}
