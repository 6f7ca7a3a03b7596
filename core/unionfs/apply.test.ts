/** A tree's changes, applied to nothing, give the tree again; a change cannot leave the tree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { streamOf } from "../base/bytes.ts";
import { applyChanges, changesOf } from "./apply.ts";
import type { Change, Meta, TreePath } from "./change.ts";
import type { Branch } from "./marks.ts";
import { Tree } from "./tree.ts";

const meta: Meta = { mode: 0o755, uid: 1, gid: 2, mtime: 3n, xattrs: new Map() };
const path = (text: string): TreePath => text as TreePath;

function emptyBranch(): Branch {
  const tree = new Tree(() => 0n);
  return { tree, root: tree.root };
}

async function* each(changes: readonly Change[]): AsyncGenerator<Change> {
  yield* changes;
}

function file(name: string, text: string): Change {
  const bytes = new TextEncoder().encode(text);
  return { kind: "file", path: path(name), meta, size: bytes.length, content: streamOf(bytes) };
}

async function shown(branch: Branch): Promise<string[]> {
  const lines: string[] = [];
  for await (const change of changesOf(branch)) lines.push(`${change.kind} ${change.path}`);
  return lines;
}

test("changes come back out of the tree they were applied to", async () => {
  const branch = emptyBranch();
  await applyChanges(
    branch,
    each([
      { kind: "directory", path: path("d"), meta },
      file("d/f", "text"),
      { kind: "hardlink", path: path("g"), target: path("d/f") },
      { kind: "symlink", path: path("s"), meta, target: "d/f" },
      { kind: "whiteout", path: path("gone") },
      { kind: "opaque", path: path("d") },
    ]),
  );
  assert.deepEqual(await shown(branch), [
    "directory d",
    "opaque d",
    "file d/f",
    "hardlink g",
    "whiteout gone",
    "symlink s",
  ]);
});

test("a symlink that points out of the tree is followed inside it", async () => {
  const branch = emptyBranch();
  const out: Change = { kind: "symlink", path: path("out"), meta, target: "/../../etc" };
  await applyChanges(branch, each([out, file("out/passwd", "x")]));
  assert.deepEqual(await shown(branch), ["directory etc", "file etc/passwd", "symlink out"]);
});
