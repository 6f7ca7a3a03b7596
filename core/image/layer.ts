/**
 * A layer's tar as changes (OCI image-spec, layer.md): each entry sets something, except those named
 * ".wh.NAME", which say that NAME of the layers below is gone, and ".wh..wh..opq", which says so of
 * all that the directory held.
 *
 * Names are cleaned as paths beneath the layer's root; one that climbs out of it is refused, as
 * Docker does (moby: pkg/archive, "breakout"). Targets of symlinks are text and stay as they are:
 * whoever follows them does so inside a root. Overlayfs's own extended attributes are dropped, as
 * they would let a layer speak to the kernel that mounts it.
 */
import type { ByteStream } from "../base/bytes.ts";
import { encodeText } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Change, Entry, Meta, TreePath } from "../unionfs/change.ts";
import { readTar, type TarEntry } from "./tar.ts";
import { type TarItem, writeTar } from "./tar-write.ts";

const whiteoutPrefix = ".wh.";
const whiteoutReserved = ".wh..wh.";
const opaqueName = ".wh..wh..opq";
/** PATH_MAX, its final zero byte left out. */
const pathBytesMax = 4095;
const idMax = 0xfffffffe;
const majorMax = 0xfff;
const minorMax = 0xfffff;
/** The last nanosecond that the kernel's 64 bits hold: 2262-04-11. */
const timeMax = 2n ** 63n - 1n;
/** What one layer may unpack to: more is a bomb. A bomb is refused at the header that announces it. */
const unpackedMax = { bytes: 64 * 2 ** 30, entries: 8_000_000 };
const overlayXattrs = /^(?:trusted|user)\.overlay\./;

/** `what` names the layer in errors. Throws TsboxError "corrupt" naming the entry that cannot be. */
export async function* changesOfTar(tar: ByteStream, what: string): AsyncGenerator<Change, void, undefined> {
  let last: Change | null = null;
  const left = { ...unpackedMax };
  for await (const entry of readTar(tar, what)) {
    left.bytes -= entry.size;
    if (left.bytes < 0 || --left.entries < 0) throw refuse(entry, what, `makes it unpack to ${unpackedText()}`);
    const change = changeOf(entry, (message) => refuse(entry, what, message));
    if (change.kind === "whiteout" && last !== null && change.path.startsWith(`${last.path}/`)) continue;
    if (isLeaf(change)) last = change;
    yield change;
  }
}

/** A tar that is no layer, entry by entry: names that would be whiteouts are names. */
export async function* entriesOfTar(tar: ByteStream, what: string): AsyncGenerator<Entry, void, undefined> {
  for await (const entry of readTar(tar, what)) {
    const refused: Refuse = (message) => refuse(entry, what, message);
    const change = entryOf(entry, cleanPath(entry.name, refused), refused);
    if (change.kind === "whiteout") throw refused("is overlayfs's mark for a deleted file, which no file can be");
    yield change;
  }
}

function unpackedText(): string {
  return `more than ${unpackedMax.bytes / 2 ** 30} GiB or ${unpackedMax.entries} entries, which is the limit`;
}

/**
 * Where a directory became a file, umoci whites out what was in it right after the file; there is
 * nothing to hide any more, and no directory to put the whiteout in.
 */
function isLeaf({ kind }: Change): boolean {
  return kind !== "directory" && kind !== "opaque" && kind !== "whiteout" && kind !== "symlink";
}

type Refuse = (message: string) => TsboxError;

function refuse({ name, offset }: TarEntry, what: string, message: string): TsboxError {
  return new TsboxError("corrupt", `${what}: entry ${JSON.stringify(name)} at byte ${offset} ${message}`, { offset });
}

function changeOf(entry: TarEntry, refuse: Refuse): Change {
  const path = cleanPath(entry.name, refuse);
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name.startsWith(whiteoutPrefix) ? whiteoutOf(path, name, refuse) : entryOf(entry, path, refuse);
}

type EntryOrWhiteout = Exclude<Change, { kind: "opaque" }>;

function entryOf(entry: TarEntry, path: TreePath, refuse: Refuse): EntryOrWhiteout {
  if (entry.kind === "hardlink")
    return { kind: "hardlink", path: notRoot(path, refuse), target: linkTarget(entry, path, refuse) };
  const meta = metaOf(entry, refuse);
  switch (entry.kind) {
    case "directory":
      return { kind: "directory", path, meta };
    case "file":
      return fileOf(entry, notRoot(path, refuse), meta);
    case "symlink":
      if (entry.linkName === "") throw refuse("is a symlink to nothing");
      return { kind: "symlink", path: notRoot(path, refuse), meta, target: entry.linkName };
    case "fifo":
      return { kind: "fifo", path: notRoot(path, refuse), meta };
    case "character":
    case "block":
      return deviceOf(entry, entry.kind, notRoot(path, refuse), meta, refuse);
  }
}

function fileOf({ size, content, contentOffset }: TarEntry, path: TreePath, meta: Meta): EntryOrWhiteout {
  return { kind: "file", path, meta, size, content, tarOffset: contentOffset };
}

/** Without "", "." and ".."; what would be above the root is refused. */
export function cleanPath(name: string, refuse: Refuse): TreePath {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refuse("leads outside of the image");
  }
  const path = parts.join("/");
  if (path.length * 3 > pathBytesMax && encodeText(path).length > pathBytesMax)
    throw refuse(`has a path of more than ${pathBytesMax} bytes`);
  return path as TreePath;
}

function notRoot(path: TreePath, refuse: Refuse): TreePath {
  if (path === "") throw refuse("would replace the root directory");
  return path;
}

function whiteoutOf(path: TreePath, name: string, refuse: Refuse): Change {
  const directory = path.slice(0, Math.max(path.length - name.length - 1, 0));
  if (name === opaqueName) return { kind: "opaque", path: directory as TreePath };
  const hidden = name.slice(whiteoutPrefix.length);
  if (name.startsWith(whiteoutReserved) || hidden === "" || hidden === "." || hidden === "..")
    throw refuse("is no whiteout: the name is reserved");
  return { kind: "whiteout", path: (directory === "" ? hidden : `${directory}/${hidden}`) as TreePath };
}

function linkTarget(entry: TarEntry, path: TreePath, refuse: Refuse): TreePath {
  const target = cleanPath(entry.linkName, () =>
    refuse(`is a hard link to ${JSON.stringify(entry.linkName)}, outside of the image`),
  );
  if (target === "" || target === path) throw refuse(`is a hard link to ${target === "" ? "nothing" : "itself"}`);
  return target;
}

/** The device 0:0 is how overlayfs itself writes a whiteout: in a layer it can be nothing else. */
function deviceOf(
  { major, minor }: TarEntry,
  kind: "character" | "block",
  path: TreePath,
  meta: Meta,
  refuse: Refuse,
): EntryOrWhiteout {
  if (major < 0 || minor < 0 || major > majorMax || minor > minorMax)
    throw refuse(`is a device with the numbers ${major}:${minor}, which cannot be`);
  return kind === "character" && major === 0 && minor === 0
    ? { kind: "whiteout", path }
    : { kind, path, meta, major, minor };
}

function metaOf({ mode, uid, gid, mtime, xattrs }: TarEntry, refuse: Refuse): Meta {
  if (uid < 0 || gid < 0 || uid > idMax || gid > idMax)
    throw refuse(`belongs to user ${uid}, group ${gid}, which cannot be`);
  // As Docker does with times that the kernel cannot hold (moby: pkg/system/chtimes.go).
  const time = mtime < 0n || mtime > timeMax ? 0n : mtime;
  return {
    mode,
    uid,
    gid,
    mtime: time,
    xattrs: [...xattrs.keys()].some(isOverlays) ? withoutOverlays(xattrs) : xattrs,
  };
}

function isOverlays(name: string): boolean {
  return overlayXattrs.test(name);
}

function withoutOverlays(xattrs: Meta["xattrs"]): Meta["xattrs"] {
  return new Map([...xattrs].filter(([name]) => !isOverlays(name)));
}

/** Changes as a layer's tar: the inverse of `changesOfTar`. */
export function tarOfChanges(changes: AsyncIterable<Change>): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar(itemsOf(changes));
}

/**
 * A hard link says of the file what its first name said: docker and podman set owner, mode, times and attributes by each
 * entry, so that the last one counts.
 */
async function* itemsOf(changes: AsyncIterable<Change>): AsyncGenerator<TarItem, void, undefined> {
  const metas = new Map<TreePath, Meta>();
  for await (const change of changes) {
    const meta = metaFor(change, metas);
    if (change.kind !== "directory") metas.set(change.path, meta);
    yield itemOf(change, meta);
  }
}

function metaFor(change: Change, metas: ReadonlyMap<TreePath, Meta>): Meta {
  if (change.kind === "hardlink") return metas.get(change.target) ?? nothing;
  return "meta" in change ? change.meta : nothing;
}

const nothing: Meta = { mode: 0, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };

function itemOf(change: Change, meta: Meta): TarItem {
  const bare = { ...meta, name: change.path, size: 0, linkName: "", major: 0, minor: 0, content: empty() };
  switch (change.kind) {
    case "directory":
      return { ...bare, kind: "directory", name: change.path === "" ? "./" : `${change.path}/` };
    case "file":
      return { ...bare, kind: "file", size: change.size, content: change.content };
    case "symlink":
    case "hardlink":
      return { ...bare, kind: change.kind, linkName: change.target };
    case "character":
    case "block":
      return { ...bare, kind: change.kind, major: change.major, minor: change.minor };
    case "fifo":
      return { ...bare, kind: "fifo" };
    case "whiteout":
      return { ...bare, kind: "file", name: whiteoutName(change.path) };
    case "opaque":
      return { ...bare, kind: "file", name: change.path === "" ? opaqueName : `${change.path}/${opaqueName}` };
  }
}

function whiteoutName(path: TreePath): string {
  const slash = path.lastIndexOf("/") + 1;
  return `${path.slice(0, slash)}${whiteoutPrefix}${path.slice(slash)}`;
}

async function* empty(): AsyncGenerator<Uint8Array, void, undefined> {}
