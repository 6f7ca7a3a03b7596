/**
 * The contenders of the bench `unionfs`: ours and the JavaScript file systems of npm, each as the few
 * operations that are timed, by path. The packages are fetched into a scratch directory; they are no
 * dependencies (one is LGPL).
 *
 * Of the peers, only @zenfs/core copies up. memfs has no layers at all, unionfs looks in one after the
 * other and changes what it finds: their change of mode is for information. What somebody has to do
 * who wants layers of memfs to stay as they are is `memfsCopying`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Branch } from "../core/unionfs/marks.ts";
import { Overlay } from "../core/unionfs/overlay.ts";
import { OpenInodes } from "../core/unionfs/open-inodes.ts";
import { Posix } from "../core/unionfs/posix.ts";
import { SingleMount } from "../core/unionfs/single-mount.ts";
import { Tree } from "../core/unionfs/tree.ts";

/** One tree of files "/dN/fN", spread over layers; every path is one that exists unless said otherwise. */
export interface FileTree {
  readonly name: string;
  readonly exists: (path: string) => boolean;
  readonly stat: (path: string) => unknown;
  readonly list: (path: string) => unknown;
  /** Reads a whole file into `target`. */
  readonly read: (path: string, target: Uint8Array) => number;
  /** Overwrites a file from its start. */
  readonly write: (path: string, bytes: Uint8Array) => void;
  /** A new empty file. */
  readonly create: (path: string) => void;
  readonly rename: (from: string, to: string) => void;
  readonly unlink: (path: string) => void;
  /** A change of mode: of a file in a lower layer the first one copies it up. */
  readonly chmod: (path: string) => void;
}

export interface Shape {
  readonly files: number;
  readonly layers: number;
}

export const filesADirectory = 100;

export function pathOf(file: number): string {
  return `/d${Math.floor(file / filesADirectory)}/f${file}`;
}

export function directoryOf(file: number): string {
  return `/d${Math.floor(file / filesADirectory)}`;
}

/** What all the peers have in common: the interface of node:fs. */
export interface NodeLike {
  existsSync(path: string): boolean;
  statSync(path: string): unknown;
  readdirSync(path: string): unknown;
  openSync(path: string, flags: string): number;
  closeSync(fd: number): void;
  readSync(fd: number, target: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
  chmodSync(path: string, mode: number): void;
  mkdirSync(path: string, options?: { recursive: boolean }): void;
  writeFileSync(path: string, bytes: string | Uint8Array): void;
  readFileSync(path: string): Uint8Array;
}

export function nodeLike(name: string, fs: NodeLike, at = ""): FileTree {
  const within = <Result>(path: string, flags: string, act: (fd: number) => Result): Result => {
    const fd = fs.openSync(at + path, flags);
    const result = act(fd);
    fs.closeSync(fd);
    return result;
  };
  return {
    name,
    exists: (path) => fs.existsSync(at + path),
    stat: (path) => fs.statSync(at + path),
    list: (path) => fs.readdirSync(at + path),
    read: (path, target) => within(path, "r", (fd) => fs.readSync(fd, target, 0, target.length, 0)),
    write: (path, bytes) => void within(path, "r+", (fd) => fs.writeSync(fd, bytes, 0, bytes.length, 0)),
    create: (path) => fs.closeSync(fs.openSync(at + path, "w")),
    rename: (from, to) => fs.renameSync(at + from, at + to),
    unlink: (path) => fs.unlinkSync(at + path),
    chmod: (path) => fs.chmodSync(at + path, 0o600),
  };
}

/** Every directory is in every layer, the files take turns. */
export function fill(
  fs: Pick<NodeLike, "mkdirSync" | "writeFileSync">,
  { files, layers }: Shape,
  layer: number,
  at = "",
): void {
  for (let first = 0; first < files; first += filesADirectory) fs.mkdirSync(at + directoryOf(first));
  for (let file = layer; file < files; file += layers) fs.writeFileSync(at + pathOf(file), "");
}

function ticking(): () => bigint {
  let now = 1_700_000_000_000_000_000n;
  return () => ++now;
}

/** As `fill`; for ours. */
export function ourLayer({ files, layers }: Shape, layer: number): Branch {
  const tree = new Tree(ticking());
  const owner = { uid: 0, gid: 0 };
  let directory = tree.root;
  for (let file = 0; file < files; file++) {
    if (file % filesADirectory === 0)
      directory = tree.create(tree.root, directoryOf(file).slice(1), { kind: "directory", mode: 0o755, ...owner });
    if (file % layers !== layer) continue;
    tree.create(directory, `f${file}`, { kind: "file", mode: 0o644, ...owner });
  }
  return { tree, root: tree.root };
}

export function ours(shape: Shape): FileTree {
  const lowers = Array.from({ length: shape.layers }, (_, layer) => ourLayer(shape, layer));
  const upper = new Tree(ticking());
  const union = new Overlay({ tree: upper, root: upper.root }, lowers);
  const actor = { uid: 0, gid: 0, groups: [], may: () => true };
  const posix = new Posix(new SingleMount(union, { actor, umask: 0o022, readOnly: false, open: new OpenInodes() }));
  return {
    name: "tsbox",
    exists: (path) => posix.access(path, []) === undefined,
    stat: (path) => posix.stat(path),
    list: (path) => posix.list(path),
    read: (path, target) => {
      const file = posix.open(path, { read: true });
      const count = file.readInto(target);
      file.close();
      return count;
    },
    write: (path, bytes) => {
      const file = posix.open(path, { read: true, write: true });
      file.write(bytes);
      file.close();
    },
    create: (path) => posix.open(path, { write: true, create: true, truncate: true }, 0o666).close(),
    rename: (from, to) => posix.rename(from, to),
    unlink: (path) => posix.unlink(path),
    chmod: (path) => posix.chmod(path, 0o600),
  };
}

export interface Peers {
  readonly memfs: { readonly Volume: new () => NodeLike };
  readonly unionfs: { readonly Union: new () => NodeLike & { use(fs: NodeLike): unknown } };
  readonly zenfs: {
    readonly fs: NodeLike;
    readonly CopyOnWrite: unknown;
    readonly InMemory: unknown;
    configure(options: object): Promise<void>;
    resolveMountConfig(options: object): Promise<unknown>;
    mount(at: string, fs: unknown): void;
    umount(at: string): void;
  };
}

/** Fetches the packages; false when there is no registry to fetch them from. */
export function fetchPeers(scratch: string): boolean {
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, "package.json"), '{"private":true,"type":"module"}');
  const npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "memfs@4", "unionfs@4", "@zenfs/core@2"];
  try {
    execFileSync("npm", npm, { cwd: scratch, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export async function loadPeers(scratch: string): Promise<Peers> {
  const require = createRequire(join(scratch, "package.json"));
  const zenfs = (await import(
    pathToFileURL(join(scratch, "node_modules/@zenfs/core/dist/index.js")).href
  )) as Peers["zenfs"];
  return { memfs: require("memfs") as Peers["memfs"], unionfs: require("unionfs") as Peers["unionfs"], zenfs };
}

export function memfs({ memfs: { Volume } }: Peers, shape: Shape): FileTree {
  const volume = new Volume();
  for (let layer = 0; layer < shape.layers; layer++) {
    if (layer === 0) fill(volume, shape, layer);
    else for (let file = layer; file < shape.files; file += shape.layers) volume.writeFileSync(pathOf(file), "");
  }
  return nodeLike("memfs", volume);
}

/** Two volumes, the lower one never changed: whoever wants to change a file copies it to the upper one first. */
export function memfsCopying({ memfs: { Volume } }: Peers, shape: Shape): FileTree {
  const lower = new Volume();
  const upper = new Volume();
  fill(lower, { ...shape, layers: 1 }, 0);
  const chmod = (path: string): void => {
    if (!upper.existsSync(path)) {
      upper.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      upper.writeFileSync(path, lower.readFileSync(path));
    }
    upper.chmodSync(path, 0o600);
  };
  return { ...nodeLike("memfs, copying", upper), chmod };
}

/** The volume used last is asked first. */
export function unionfs({ memfs: { Volume }, unionfs: { Union } }: Peers, shape: Shape): FileTree {
  const union = new Union();
  for (let layer = 0; layer < shape.layers; layer++) {
    const volume = new Volume();
    fill(volume, shape, layer);
    union.use(volume);
  }
  return nodeLike("unionfs", union);
}

/** A writable memory over a read-only one: it has two layers and no more. */
export async function zenfs({ zenfs: module }: Peers, shape: Shape): Promise<FileTree> {
  const { fs, CopyOnWrite, InMemory, resolveMountConfig, mount, umount } = module;
  const readable = await resolveMountConfig({ backend: InMemory });
  mount("/lower", readable);
  fill(fs, { ...shape, layers: 1 }, 0, "/lower");
  umount("/lower");
  const union = await resolveMountConfig({ backend: CopyOnWrite, readable, writable: { backend: InMemory } });
  const at = `/u${shape.files}`;
  mount(at, union);
  return nodeLike("zenfs", fs, at);
}
