/** What a tree keeps of one inode. Its owner changes it in place; anybody else copies it first (owner.ts). */
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { Content } from "./content.ts";
import type { Inode, NewNode, NodeKind, Stat } from "./file-system.ts";
import { NameMap, noNames } from "./name-map.ts";
import type { Owner } from "./owner.ts";

export type Xattrs = ReadonlyMap<string, Uint8Array>;
export const noXattrs: Xattrs = new Map();

export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** By kind: a file's Content, a directory's names, a symlink's target, a device's numbers. */
type Body = Content | NameMap | Device | string | null;

/** What every step of a path asks for comes first: it lies together in memory. */
export class Node {
  readonly owner: Owner;
  readonly kind: NodeKind;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  body: Body;
  xattrs: Xattrs;
  /** The directory, and the name in it, that the inode was last given. */
  parent: Inode;
  name: string;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;

  constructor(owner: Owner, node: Omit<Node, "owner" | "copyFor">) {
    this.owner = owner;
    this.kind = node.kind;
    this.mode = node.mode;
    this.uid = node.uid;
    this.gid = node.gid;
    this.links = node.links;
    this.body = node.body;
    this.xattrs = node.xattrs;
    this.parent = node.parent;
    this.name = node.name;
    this.atime = node.atime;
    this.mtime = node.mtime;
    this.ctime = node.ctime;
  }

  copyFor(owner: Owner): Node {
    return new Node(owner, this);
  }
}

/** A node without a name yet. A directory counts its own "." and its name. */
export function newNode(owner: Owner, node: NewNode, now: bigint): Node {
  return new Node(owner, {
    kind: node.kind,
    mode: node.kind === "symlink" ? 0o777 : node.mode,
    uid: node.uid,
    gid: node.gid,
    links: node.kind === "directory" ? 2 : 1,
    atime: now,
    mtime: now,
    ctime: now,
    xattrs: noXattrs,
    body: newBody(node),
    parent: 0 as Inode,
    name: "",
  });
}

function newBody(node: NewNode): Body {
  switch (node.kind) {
    case "directory":
      return noNames;
    case "file":
      return Content.empty;
    case "symlink":
      return node.target;
    case "character":
    case "block":
      return { major: node.major, minor: node.minor };
    case "fifo":
    case "socket":
      return null;
  }
}

/** Throws Errno ENOTDIR. */
export function namesOf({ body }: Pick<Node, "body">): NameMap {
  if (!(body instanceof NameMap)) throw new Errno("ENOTDIR");
  return body;
}

/** Throws Errno EISDIR for a directory, EINVAL for what else has no content. */
export function contentOf(node: Pick<Node, "kind" | "body">): Content {
  if (node.body instanceof Content) return node.body;
  throw new Errno(node.kind === "directory" ? "EISDIR" : "EINVAL");
}

/** A symlink's target. Throws Errno EINVAL for anything else. */
export function targetOf(node: Node): string {
  if (typeof node.body !== "string") throw new Errno("EINVAL");
  return node.body;
}

const noDevice: Device = { major: 0, minor: 0 };

export function deviceOf({ kind, body }: Node): Device {
  return kind === "character" || kind === "block" ? (body as Device) : noDevice;
}

/** A longer target takes a page, a shorter one lies with its inode (mm/shmem.c). */
const shortTargetMax = 127;

/** Of 4 KiB, that count against a limit. */
export function pagesOf({ body }: Pick<Node, "body">): number {
  if (body instanceof Content) return body.pages;
  return typeof body === "string" && body.length * 3 > shortTargetMax && encodedLength(body) > shortTargetMax ? 1 : 0;
}

/** `shown` has what is seen, `data` the content: the same node unless a union has them apart. */
export function statOf(inode: Inode, shown: Readonly<Node>, data: Readonly<Node>, links: number = shown.links): Stat {
  const { kind, mode, uid, gid, atime, mtime, ctime, body } = shown;
  const device = deviceOf(shown);
  return {
    inode,
    kind,
    mode,
    uid,
    gid,
    links,
    size: body instanceof Content ? body.size : typeof body === "string" ? encodedLength(body) : 0,
    blocks: data.body instanceof Content ? data.body.pages * 8 : 0,
    atime,
    mtime,
    ctime,
    major: device.major,
    minor: device.minor,
  };
}

/** Of the text as bytes. */
export function encodedLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- ASCII is the question
  return /^[\x00-\x7f]*$/.test(text) ? text.length : encodeText(text).length;
}
