/**
 * A change: one entry of a layer, seen as what it does to the tree beneath it. A layer's tar is a
 * list of changes (OCI image-spec, layer.md); so is what a container wrote. Whoever applies them
 * (overlayfs on Linux, the union tree in the simulator) needs to know nothing of tar.
 *
 * Paths are relative to the root, without a leading slash, "" being the root itself; components
 * are never "", "." or "..". They are text in the reversible form of core/base/bytes.
 */
import type { ByteStream } from "../base/bytes.ts";
import type { Brand } from "../base/brand.ts";

export type TreePath = Brand<string, "TreePath">;

export interface Meta {
  /** Permission bits including setuid, setgid and sticky: 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export type Change =
  | { readonly kind: "directory"; readonly path: TreePath; readonly meta: Meta }
  | {
      readonly kind: "file";
      readonly path: TreePath;
      readonly meta: Meta;
      readonly size: number;
      readonly content: ByteStream;
      /** Where the content begins in the layer's tar, if it comes from one. */
      readonly tarOffset?: number;
    }
  | { readonly kind: "symlink"; readonly path: TreePath; readonly meta: Meta; readonly target: string }
  | { readonly kind: "hardlink"; readonly path: TreePath; readonly target: TreePath }
  | {
      readonly kind: "character" | "block";
      readonly path: TreePath;
      readonly meta: Meta;
      readonly major: number;
      readonly minor: number;
    }
  | { readonly kind: "fifo"; readonly path: TreePath; readonly meta: Meta }
  /** The path below this layer is gone. */
  | { readonly kind: "whiteout"; readonly path: TreePath }
  /** Nothing of the directory's content below this layer shows. */
  | { readonly kind: "opaque"; readonly path: TreePath };

/** A change that only adds: what a file tree by itself is made of. */
export type Entry = Exclude<Change, { kind: "whiteout" | "opaque" }>;
