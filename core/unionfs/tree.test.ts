/** Snapshots stay what they were, differences are what a comparison of every path finds, invariants hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Errno } from "../base/errno.ts";
import { checkTree } from "./check.ts";
import { type Difference, differencesOf } from "./diff.ts";
import type { FileSystem, Inode } from "./file-system.ts";
import { Overlay } from "./overlay.ts";
import { Tree } from "./tree.ts";

type Step =
  | { do: "create"; path: string[]; kind: "file" | "directory" }
  | { do: "write"; path: string[]; at: number; length: number }
  | { do: "remove" | "chmod"; path: string[] }
  | { do: "link" | "rename" | "exchange"; path: string[]; to: string[] }
  | { do: "snapshot" };

const names = fc.constantFrom("a", "b", "c", "d");
const paths = fc.array(names, { minLength: 1, maxLength: 3 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("create" as const),
    path: paths,
    kind: fc.constantFrom("file" as const, "directory" as const),
  }),
  fc.record({
    do: fc.constant("write" as const),
    path: paths,
    at: fc.constantFrom(0, 5, 4095, 65_530, 200_000),
    length: fc.constantFrom(0, 1, 10, 70_000),
  }),
  fc.record({ do: fc.constantFrom("remove" as const, "chmod" as const), path: paths }),
  fc.record({ do: fc.constantFrom("link" as const, "rename" as const, "exchange" as const), path: paths, to: paths }),
  fc.constant({ do: "snapshot" as const }),
);

const owner = { uid: 0, gid: 0 };

function parentOf(tree: FileSystem, path: string[]): { directory: Inode; name: string } {
  const directory = path.slice(0, -1).reduce((at, name) => tree.lookup(at, name), tree.root);
  return { directory, name: path.at(-1) ?? "" };
}

function perform(tree: FileSystem, step: Exclude<Step, { do: "snapshot" }>): void {
  const { directory, name } = parentOf(tree, step.path);
  switch (step.do) {
    case "create":
      tree.create(directory, name, { kind: step.kind, mode: 0o755, ...owner });
      return;
    case "write":
      return tree.write(tree.lookup(directory, name), step.at, new Uint8Array(step.length).fill(step.at & 255 || 7));
    case "chmod":
      return tree.setAttributes(tree.lookup(directory, name), { mode: 0o700 });
    case "remove": {
      const isDirectory = tree.stat(tree.lookup(directory, name)).kind === "directory";
      return tree.forget(isDirectory ? tree.removeDirectory(directory, name) : tree.unlink(directory, name));
    }
    case "link": {
      const to = parentOf(tree, step.to);
      return tree.link(to.directory, to.name, tree.lookup(directory, name));
    }
    case "rename":
    case "exchange": {
      const to = parentOf(tree, step.to);
      const lost = tree.rename(directory, name, to.directory, to.name, step.do === "rename" ? "replace" : "exchange");
      if (lost !== null) tree.forget(lost);
    }
  }
}

function tried(tree: FileSystem, step: Exclude<Step, { do: "snapshot" }>): void {
  try {
    perform(tree, step);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

type View = Map<string, string>;

function viewOf(tree: FileSystem, directory = tree.root, path = "", view: View = new Map()): View {
  for (const { name, inode } of tree.list(directory)) {
    const { kind, mode, links, mtime, ctime, size } = tree.stat(inode);
    const bytes = kind === "file" ? Buffer.from(tree.read(inode, 0, size)).toString("base64") : "";
    view.set(`${path}/${name}`, `${kind} ${inode} ${mode} ${links} ${mtime} ${ctime} ${size} ${bytes}`);
    if (kind === "directory") viewOf(tree, inode, `${path}/${name}`, view);
  }
  return view;
}

function ticking(): () => bigint {
  let now = 0n;
  return () => ++now;
}

/** Every path compared: what differencesOf must find without looking at every path. */
function compared(before: View, after: View): Map<string, string> {
  const kinds = new Map<string, string>();
  const note = (path: string, kind: string): void => {
    kinds.set(path, kind);
    for (let at = path; at.lastIndexOf("/") > 0; ) {
      at = at.slice(0, at.lastIndexOf("/"));
      if (!kinds.has(at)) kinds.set(at, "C");
    }
  };
  for (const [path, line] of after) {
    const old = before.get(path);
    if (old === undefined) note(path, "A");
    else if (old !== line) note(path, "C");
  }
  for (const path of before.keys()) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    const parentStays = parent === "" || after.get(parent)?.startsWith("directory") === true;
    if (!after.has(path) && parentStays) note(path, "D");
  }
  return kinds;
}

test("a snapshot stays what it was, and the differences between two are those of their paths", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (all) => {
      const tree = new Tree(ticking());
      const taken = [{ snapshot: tree.snapshot(), view: viewOf(tree) }];
      for (const step of all) {
        if (step.do === "snapshot") taken.push({ snapshot: tree.snapshot(), view: viewOf(tree) });
        else tried(tree, step);
        assert.deepEqual(checkTree(tree, { mayHaveWhiteout: () => false }), []);
      }
      const last = { snapshot: tree.snapshot(), view: viewOf(tree) };
      for (const { snapshot, view } of taken) {
        assert.deepEqual(viewOf(new Tree(() => 0n, snapshot)), view, "a fork of an old snapshot");
        const found = differencesOf(snapshot, last.snapshot).map(({ kind, path }: Difference) => [path, kind] as const);
        assert.deepEqual(new Map(found), compared(view, last.view), "the differences");
      }
      tree.restore(taken[0]?.snapshot ?? last.snapshot);
      assert.deepEqual(viewOf(tree), taken[0]?.view);
    }),
    { seed: 4, numRuns: 300 },
  );
});

test("a union goes back to a snapshot with all its numbers", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), fc.array(steps, { maxLength: 30 }), (below, above) => {
      const lower = new Tree(ticking());
      for (const step of below) if (step.do !== "snapshot") tried(lower, step);
      const [lowerBefore, upper] = [viewOf(lower), new Tree(ticking())];
      const union = new Overlay({ tree: upper, root: upper.root }, [{ tree: lower, root: lower.root }]);
      const taken = [{ snapshot: union.snapshot(), view: viewOf(union) }];
      for (const step of above) {
        if (step.do === "snapshot") taken.push({ snapshot: union.snapshot(), view: viewOf(union) });
        else tried(union, step);
        assert.deepEqual(checkTree(upper, { mayHaveWhiteout: () => true }), []);
      }
      assert.deepEqual(viewOf(lower), lowerBefore, "the lower tree");
      for (const { snapshot, view } of taken.toReversed()) {
        union.restore(snapshot);
        assert.deepEqual(unnumbered(viewOf(union)), unnumbered(view));
      }
    }),
    { seed: 5, numRuns: 300 },
  );
});

/** Names are looked up anew after going back: numbers given only then may be others. */
function unnumbered(view: View): string[] {
  return [...view].map(([path, line]) => `${path} ${line.replace(/^(\w+) \d+/, "$1")}`);
}

test("a full tree says so and stays whole", () => {
  const tree = new Tree(ticking(), { bytes: 8192, inodes: 3, users: new Map([[7, { inodes: 1 }]]) });
  const make = (name: string, uid: number): Inode =>
    tree.create(tree.root, name, { kind: "file", mode: 0o644, uid, gid: 0 });
  const file = make("a", 7);
  assert.throws(() => make("b", 7), { errno: "EDQUOT" });
  make("b", 0);
  assert.throws(() => make("c", 0), { errno: "ENOSPC" });
  tree.write(file, 0, new Uint8Array(8192));
  assert.throws(() => tree.write(file, 100_000, new Uint8Array(1)), { errno: "ENOSPC" });
  tree.truncate(file, 4096);
  tree.write(file, 100_000, new Uint8Array(1));
  assert.deepEqual(checkTree(tree, { mayHaveWhiteout: () => false }), []);
  assert.equal(tree.stat(file).blocks, 16);
});

test("a whiteout is looked for outside of layers", () => {
  const tree = new Tree(() => 0n);
  const whiteout = { kind: "character", major: 0, minor: 0, mode: 0, uid: 0, gid: 0 } as const;
  const layer = tree.create(tree.root, "layer", { kind: "directory", mode: 0o755, uid: 0, gid: 0 });
  tree.create(layer, "w", whiteout);
  tree.create(tree.root, "w", whiteout);
  assert.deepEqual(checkTree(tree, { mayHaveWhiteout: (path) => path.startsWith("/layer/") }), [
    { path: "/w", problem: "is a whiteout outside of a layer" },
  ]);
});
