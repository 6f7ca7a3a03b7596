/** What a container wrote, in docker diff's letters. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeText } from "../base/bytes.ts";
import { differencesOfLayer } from "./diff.ts";
import type { Inode } from "./file-system.ts";
import { Overlay } from "./overlay.ts";
import { Tree } from "./tree.ts";

const owner = { uid: 0, gid: 0 };

test("a written layer is told as added, changed and deleted paths, with the directories on the way", () => {
  const [lower, upper] = [new Tree(() => 1n), new Tree(() => 2n)];
  const make = (fs: Tree | Overlay, directory: Inode, name: string, kind: "file" | "directory"): Inode =>
    fs.create(directory, name, { kind, mode: 0o755, ...owner });
  const etc = make(lower, lower.root, "etc", "directory");
  for (const name of ["hosts", "passwd", "gone"]) make(lower, etc, name, "file");
  make(lower, make(lower, lower.root, "opt", "directory"), "old", "file");
  const below = (): Overlay =>
    new Overlay({ tree: new Tree(() => 0n), root: lower.root }, [{ tree: lower, root: lower.root }]);
  const union = new Overlay({ tree: upper, root: upper.root }, [{ tree: lower, root: lower.root }]);
  const inEtc = union.lookup(union.root, "etc");
  union.write(union.lookup(inEtc, "passwd"), 0, encodeText("x"));
  union.forget(union.unlink(inEtc, "gone"));
  const opt = union.lookup(union.root, "opt");
  union.forget(union.unlink(opt, "old"));
  union.forget(union.removeDirectory(union.root, "opt"));
  make(union, make(union, union.root, "opt", "directory"), "new", "file");
  assert.deepEqual(
    differencesOfLayer({ tree: upper, root: upper.root }, below()).map(({ kind, path }) => `${kind} ${path}`),
    ["C /etc", "D /etc/gone", "C /etc/passwd", "C /opt", "A /opt/new"],
  );
});
