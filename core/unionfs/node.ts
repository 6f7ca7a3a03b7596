/** An inode of a tree as a value to be read: what its record (records.ts) and its names (names.ts) say. */
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { Content } from "./content.ts";
import type { Inode, NodeKind } from "./file-system.ts";
import type { Names } from "./names.ts";
import { accessed, changed, modified, type RecordPage, word, type Xattrs } from "./records.ts";

export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** By kind: a file's Content, a symlink's target, a device's numbers. */
type Body = Content | Device | string | null;

/** Not to be kept: it changes with the file, or becomes what the file was. */
export class Node {
  readonly #page: RecordPage;
  readonly #inode: Inode;
  readonly #names: Names;

  constructor(page: RecordPage, inode: Inode, names: Names) {
    this.#page = page;
    this.#inode = inode;
    this.#names = names;
  }

  get kind(): NodeKind {
    return this.#page.kind(this.#inode);
  }

  get mode(): number {
    return this.#page.mode(this.#inode);
  }

  get uid(): number {
    return this.#page.get(this.#inode, word.uid) >>> 0;
  }

  get gid(): number {
    return this.#page.get(this.#inode, word.gid) >>> 0;
  }

  get links(): number {
    return this.#page.links(this.#inode);
  }

  get xattrs(): Xattrs {
    return this.#page.xattrs(this.#inode);
  }

  get atime(): bigint {
    return this.#page.time(this.#inode, accessed);
  }

  get mtime(): bigint {
    return this.#page.time(this.#inode, modified);
  }

  get ctime(): bigint {
    return this.#page.time(this.#inode, changed);
  }

  /** As Stat has it. */
  get size(): number {
    return hasSize(this.kind) ? this.#page.size(this.#inode) : 0;
  }

  /** Of 4 KiB, that count against a limit. */
  get pages(): number {
    return hasSize(this.kind) ? this.#page.get(this.#inode, word.pages) : 0;
  }

  /** Of a character or block device, else both 0. */
  get device(): Device {
    const isDevice = this.kind === "character" || this.kind === "block";
    if (!isDevice) return noDevice;
    return { major: this.#page.get(this.#inode, word.major), minor: this.#page.get(this.#inode, word.minor) };
  }

  get body(): Body {
    const body = this.#page.body(this.#inode);
    if (this.kind === "file") return body instanceof Content ? body : Content.empty;
    if (this.kind === "symlink") return body as string;
    return this.kind === "character" || this.kind === "block" ? this.device : null;
  }

  /** The directory, and the name in it: of a file with several the first it was given. Those of a file without any name are its last. */
  get parent(): Inode {
    return this.#names.parentOf(this.#page, this.#inode);
  }

  get name(): string {
    return this.#names.nameOf(this.#page, this.#inode);
  }
}

const noDevice: Device = { major: 0, minor: 0 };

function hasSize(kind: NodeKind): boolean {
  return kind === "file" || kind === "symlink";
}

/** Throws Errno EISDIR for a directory, EINVAL for what else has no content. */
export function contentOf({ kind, body }: Pick<Node, "kind" | "body">): Content {
  if (body instanceof Content) return body;
  throw new Errno(kind === "directory" ? "EISDIR" : "EINVAL");
}

/** A symlink's target. Throws Errno EINVAL for anything else. */
export function targetOf({ body }: Node): string {
  if (typeof body !== "string") throw new Errno("EINVAL");
  return body;
}

/** A longer target takes a page, a shorter one lies with its inode (mm/shmem.c). */
const shortTargetMax = 127;

/** Of 4 KiB, for a symlink's target of so many bytes. */
export function targetPages(size: number): number {
  return size > shortTargetMax ? 1 : 0;
}

/** Of the text as bytes. */
export function encodedLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- ASCII is the question
  return /^[\x00-\x7f]*$/.test(text) ? text.length : encodeText(text).length;
}
