/**
 * The state root: a SHA-256 over a snapshot. Equal roots are equal states: the same seed, programs and
 * input give the same root on every machine and in every browser.
 *
 * A file's digest is computed once as long as its content stays: a snapshot's contents never change.
 */
import { encodeText, hex } from "../../core/base/bytes.ts";
import type { Hasher } from "../../core/base/ports.ts";
import { Content } from "../../core/unionfs/content.ts";
import { Tree, type TreeSnapshot } from "../../core/unionfs/tree.ts";
import type { Snapshot } from "./snapshot.ts";

const chunkBytes = 1 << 20;

/** "sha256:…" */
export function stateRoot({ step, now, state, trees }: Snapshot, hasher: Hasher): string {
  const hash = hasher.sha256();
  hash.update(encodeText(`${step} ${now}\n${JSON.stringify(state)}\n`));
  for (const tree of trees) for (const line of linesOf(tree, hasher)) hash.update(encodeText(line));
  return `sha256:${hex(hash.digest())}`;
}

/** One line an inode, by number. */
function* linesOf(snapshot: TreeSnapshot, hasher: Hasher): Generator<string> {
  const tree = new Tree(() => 0n, snapshot);
  yield `tree ${snapshot.next}\n`;
  for (const [number, { kind, mode, uid, gid, links, atime, mtime, ctime, xattrs, body }] of snapshot.inodes()) {
    const attributes = [number, kind, mode.toString(8), uid, gid, links, atime, mtime, ctime].join(" ");
    const named = [...xattrs].map(([name, value]) => `${name}=${hex(value)}`).sort();
    yield `${attributes} ${JSON.stringify(named)} ${bodyOf(tree, kind, number, body, hasher)}\n`;
  }
}

type Body = ReturnType<Tree["node"]>["body"];

function bodyOf(tree: Tree, kind: string, number: number, body: Body, hasher: Hasher): string {
  if (body instanceof Content) return digestOf(body, hasher);
  if (typeof body === "string") return JSON.stringify(body);
  if (kind === "directory")
    return JSON.stringify(tree.list(number as Tree["root"]).map(({ name, inode }) => [name, inode]));
  return JSON.stringify(body);
}

const digests = new WeakMap<Content, string>();

function digestOf(content: Content, hasher: Hasher): string {
  const known = digests.get(content);
  if (known !== undefined) return known;
  const hash = hasher.sha256();
  for (let at = 0; at < content.size; at += chunkBytes) hash.update(content.read(at, chunkBytes));
  const digest = `${content.size} ${hex(hash.digest())}`;
  digests.set(content, digest);
  return digest;
}
