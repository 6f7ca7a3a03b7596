import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { streamOf } from "../base/bytes.ts";
import { applyChanges } from "./apply.ts";
import type { Change, Meta, TreePath } from "./change.ts";
import { entryOf, type LayerEntry, type Origin, Origins } from "./origin.ts";
import { Overlay } from "./overlay.ts";
import { Tree } from "./tree.ts";

// Where a file comes from is held to the union itself: for random layers both show the same names and kinds.

const meta: Meta = { mode: 0o644, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() };
const names = fc.constantFrom("a", "b", "c");
const paths = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/") as TreePath);
const kinds = fc.constantFrom("file", "directory", "whiteout", "opaque", "symlink");

/** Entries of one layer that a real one could have: each path once, nothing beneath what is no directory. */
const layer = fc.array(fc.record({ path: paths, kind: kinds }), { maxLength: 6 }).map((wanted) => {
  const kept: { path: TreePath; kind: string }[] = [];
  for (const each of wanted) {
    const clashes = kept.some(
      ({ path, kind }) =>
        path === each.path ||
        (each.path.startsWith(`${path}/`) && kind !== "directory" && kind !== "opaque") ||
        (path.startsWith(`${each.path}/`) && each.kind !== "directory" && each.kind !== "opaque"),
    );
    if (!clashes) kept.push(each);
  }
  return kept.map(({ path, kind }) => change(path, kind));
});

function change(path: TreePath, kind: string): Change {
  switch (kind) {
    case "file":
      return { kind, path, meta, size: 0, content: streamOf() };
    case "symlink":
      return { kind, path, meta, target: "nowhere" };
    case "directory":
      return { kind, path, meta };
    default:
      return { kind: kind as "whiteout" | "opaque", path };
  }
}

async function unionOf(layers: readonly Change[][]): Promise<Overlay> {
  const branches = layers.map(() => {
    const tree = new Tree(() => 0n);
    return { tree, root: tree.root };
  });
  for (const [at, changes] of layers.entries()) {
    const branch = branches[at];
    if (branch !== undefined)
      await applyChanges(
        branch,
        (async function* () {
          yield* changes;
        })(),
      );
  }
  const upper = new Tree(() => 0n);
  return new Overlay({ tree: upper, root: upper.root }, branches.toReversed());
}

function shownByUnion(union: Overlay, directory = union.root, path = ""): string[] {
  return union.list(directory).flatMap(({ name, kind, inode }) => {
    if (inode === 0) return []; // a whiteout with nothing below: it is listed, and not found
    const at = path === "" ? name : `${path}/${name}`;
    return [`${kind} ${at}`, ...(kind === "directory" ? shownByUnion(union, inode, at) : [])];
  });
}

function shownByOrigins(origins: Origins, top: number, path = ""): string[] {
  return origins.list(path, top).flatMap(({ name, entry }: Origin) => {
    if (entry === null) return [];
    const at = path === "" ? name : `${path}/${name}`;
    return [`${entry.kind} ${at}`, ...(entry.kind === "directory" ? shownByOrigins(origins, top, at) : [])];
  });
}

test("origins show what the union of the layers shows, at every height", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
      const origins = new Origins(layers.map((changes) => changes.map(entryOf)));
      for (let top = 0; top < layers.length; top++)
        assert.deepEqual(shownByOrigins(origins, top), shownByUnion(await unionOf(layers.slice(0, top + 1))));
    }),
  );
});

const file = (path: string): LayerEntry => entryOf(change(path as TreePath, "file"));
const mark = (path: string, kind: string): LayerEntry => entryOf(change(path as TreePath, kind));

test("an origin names the layer a file is of, those it covers, and who hides it", () => {
  const origins = new Origins([
    [file("etc/kept"), file("etc/hidden"), file("etc/twice"), file("etc/box/old")],
    [file("etc/twice")],
    [mark("etc/hidden", "whiteout"), file("etc/twice"), mark("etc/box", "opaque"), file("etc/box/new")],
  ]);
  const brief = (path: string, top: number): unknown[] =>
    origins
      .list(path, top)
      .map(({ name, entry, layer, covers, hiddenBy }) => [name, entry !== null, layer, covers, hiddenBy]);
  assert.deepEqual(brief("etc", 2), [
    ["box", true, 2, [0], null],
    ["hidden", false, 0, [], 2],
    ["kept", true, 0, [], null],
    ["twice", true, 2, [1, 0], null],
  ]);
  assert.deepEqual(brief("etc/box", 2), [
    ["new", true, 2, [], null],
    ["old", false, 0, [], 2],
  ]);
  assert.deepEqual(brief("etc", 0).length, 4);
  assert.deepEqual(origins.list("etc/kept", 2), []);
});
