/**
 * A tree's socket: one client builds one file tree; ops are not answered until `flush`, or until one fails.
 *   to it     u8 kind, the fields `writeTreeOp` shows; a file's size bytes follow in content frames,
 *             or 17 copy {u64 offset} takes them from the host's file named before by 16 source {str path}
 *   from it   u8 kind: 1 ok, 2 failed {u8 kind of the op, u32 errno, str path}; after failed the helper hangs up
 *   A view's socket is one too, and its root what its process sees at "/". Its client may also say
 *             13 within {str directory, u8 1: a directory is not replaced by anything else, nor anything by one},
 *             14 stat {str path}: 3 stat {u32 type as in st_mode, meta without attributes, u64 size, str target},
 *             15 read {str path}: it is told as of a read tree
 *   Nothing is reached outside the root: parents are resolved as in a chroot, the last component never followed.
 *   Devices are made as said: the data root is not a place where they can be opened (nodev or its modes see to it).
 *
 * A read tree's socket: one client, which only reads. It is told of each entry as above the helper is, content included,
 *   then flush: that was all; or 12 failed {u32 errno, str path}. The root comes first, its path is "".
 */
import { unreachable } from "../../../core/base/assert.ts";
import type { HostPath } from "../../../core/base/brand.ts";
import { type ErrnoName, errnoName } from "../../../core/base/errno.ts";
import { TsboxError } from "../../../core/base/error.ts";
import type { TreeStat } from "../../../core/engine/machine.ts";
import type { Change, Meta, TreePath } from "../../../core/unionfs/change.ts";
import { Reader, Writer } from "./frame.ts";

/** A change without its content: a file's follows in content frames. */
export type TreeOp = Exclude<Change, { kind: "file" }> | Omit<Extract<Change, { kind: "file" }>, "content">;

export type TreeReply =
  | { readonly kind: "ok" }
  | { readonly kind: "stat"; readonly stat: TreeStat }
  | { readonly kind: "failed"; readonly op: TreeOpKind; readonly errno: ErrnoName; readonly path: string };
export type TreeOpKind = Change["kind"] | "content" | "flush" | "source" | "copy";

const treeKinds: Readonly<Record<TreeOpKind, number>> = {
  directory: 1,
  file: 2,
  symlink: 3,
  hardlink: 4,
  character: 5,
  block: 6,
  fifo: 7,
  whiteout: 8,
  opaque: 9,
  content: 10,
  flush: 11,
  source: 16,
  copy: 17,
};
const treeFailed = 12;
const treeWithin = 13;
const treeStat = 14;
const treeRead = 15;

/** So much fits before a tree's frames need more memory. */
const treeFramesRoom = 512 * 1024;

/** Frames for a tree's socket, collected end to end in one piece of memory. */
export class TreeFrames {
  readonly #out = new Writer(treeFramesRoom);

  /** Bytes so far. */
  get length(): number {
    return this.#out.finished;
  }

  /** A file's `size` bytes are to follow: as content, or by a copy. */
  op(op: TreeOp): void {
    writeTreeOp(this.#out.u8(treeKinds[op.kind]).str(op.path), op);
    this.#out.next();
  }

  /** The next bytes of the file just begun, at most `contentMax`. They are copied. */
  content(bytes: Uint8Array): void {
    this.#out.u8(treeKinds.content).raw(bytes).next();
  }

  /** Opens the file on the host that the copies behind it take their bytes from. */
  source(path: HostPath): void {
    this.#out.u8(treeKinds.source).str(path).next();
  }

  /** Fills the file just begun with the source's bytes from `offset` on. */
  copy(offset: number): void {
    this.#out.u8(treeKinds.copy).u64(BigInt(offset)).next();
  }

  /** What follows is put beneath this directory. */
  within(directory: string, keepsKinds: boolean): void {
    this.#out
      .u8(treeWithin)
      .str(directory)
      .u8(keepsKinds ? 1 : 0)
      .next();
  }

  /** Asks for the reply: everything is in place, directories' times included. */
  flush(): void {
    this.#out.u8(treeKinds.flush).next();
  }

  /** What has been collected, valid until something is added to it. */
  get bytes(): Uint8Array {
    return this.#out.frames();
  }

  clear(): void {
    this.#out.restart();
  }
}

function writeTreeOp(out: Writer, op: TreeOp): void {
  switch (op.kind) {
    case "directory":
    case "fifo":
      writeMeta(out, op.meta);
      return;
    case "file":
      writeMeta(out, op.meta).u64(BigInt(op.size));
      return;
    case "symlink":
      writeMeta(out, op.meta).str(op.target);
      return;
    case "hardlink":
      out.str(op.target);
      return;
    case "character":
    case "block":
      writeMeta(out, op.meta).u32(op.major).u32(op.minor);
      return;
    case "whiteout":
    case "opaque":
      return;
    default:
      unreachable(op);
  }
}

/** u32 mode, u32 uid, u32 gid, i64 seconds, u32 nanoseconds, list of (str name, blob value). */
function writeMeta(out: Writer, meta: Meta): Writer {
  const nanoseconds = BigInt.asUintN(64, ((meta.mtime % billion) + billion) % billion);
  out.u32(meta.mode).u32(meta.uid).u32(meta.gid);
  out.u64(BigInt.asUintN(64, (meta.mtime - nanoseconds) / billion)).u32(Number(nanoseconds));
  if (meta.xattrs.size === 0) return out.u32(0);
  return out.list([...meta.xattrs], ([name, value]) => out.str(name).blob(value));
}

const billion = 1_000_000_000n;

const treeNames = new Map<number, TreeOpKind>(
  Object.entries(treeKinds).map(([name, code]) => [code, name as TreeOpKind]),
);

export function encodeStat(path: string): Uint8Array<ArrayBuffer> {
  return new Writer().u8(treeStat).str(path).frame();
}

export function encodeRead(path: string): Uint8Array<ArrayBuffer> {
  return new Writer().u8(treeRead).str(path).frame();
}

export function decodeTreeReply(frame: Uint8Array): TreeReply {
  const reader = new Reader(frame);
  const kind = reader.u8();
  if (kind === 1) return { kind: "ok" };
  if (kind === 3) return { kind: "stat", stat: readStat(reader) };
  return {
    kind: "failed",
    op: treeNames.get(reader.u8()) ?? "flush",
    errno: errnoName(reader.u32()),
    path: reader.str(),
  };
}

/** The type bits of st_mode (inode(7)). */
const fileTypes = new Map<number, TreeStat["kind"]>([
  [0o040000, "directory"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o020000, "character"],
  [0o060000, "block"],
  [0o010000, "fifo"],
  [0o140000, "socket"],
]);

function readStat(reader: Reader): TreeStat {
  const kind = fileTypes.get(reader.u32());
  if (kind === undefined) throw new TsboxError("corrupt", "a tree told of a file of unknown type");
  return { kind, ...readAttributes(reader), size: Number(reader.u64()), target: reader.str() };
}

export type TreeFrame =
  | { readonly kind: "entry"; readonly entry: TreeOp }
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly errno: ErrnoName; readonly path: string };

/** One frame of a tree that is read. Content's bytes share the frame's memory. */
export function decodeTreeFrame(frame: Uint8Array): TreeFrame {
  const reader = new Reader(frame);
  const code = reader.u8();
  if (code === treeFailed) return { kind: "failed", errno: errnoName(reader.u32()), path: reader.str() };
  const kind = treeNames.get(code);
  if (kind === "flush") return { kind: "end" };
  if (kind === "content") return { kind: "content", bytes: reader.rest() };
  if (kind === undefined || kind === "source" || kind === "copy")
    throw new TsboxError("corrupt", `frame of unknown kind ${code} from the helper`);
  return { kind: "entry", entry: readTreeOp(reader, kind, reader.str() as TreePath) };
}

function readTreeOp(reader: Reader, kind: Change["kind"], path: TreePath): TreeOp {
  switch (kind) {
    case "directory":
    case "fifo":
      return { kind, path, meta: readMeta(reader) };
    case "file":
      return { kind, path, meta: readMeta(reader), size: Number(reader.u64()) };
    case "symlink":
      return { kind, path, meta: readMeta(reader), target: reader.str() };
    case "hardlink":
      return { kind, path, target: reader.str() as TreePath };
    case "character":
    case "block":
      return { kind, path, meta: readMeta(reader), major: reader.u32(), minor: reader.u32() };
    case "whiteout":
    case "opaque":
      return { kind, path };
    default:
      return unreachable(kind);
  }
}

function readAttributes(reader: Reader): Omit<Meta, "xattrs"> {
  const [mode, uid, gid] = [reader.u32(), reader.u32(), reader.u32()];
  return { mode, uid, gid, mtime: BigInt.asIntN(64, reader.u64()) * billion + BigInt(reader.u32()) };
}

function readMeta(reader: Reader): Meta {
  const attributes = readAttributes(reader);
  const count = reader.u32();
  if (count === 0) return { ...attributes, xattrs: noXattrs };
  const xattrs = new Map<string, Uint8Array>();
  for (let left = count; left > 0; left--) xattrs.set(reader.str(), new Uint8Array(reader.blob()));
  return { ...attributes, xattrs };
}

const noXattrs: Meta["xattrs"] = new Map();
