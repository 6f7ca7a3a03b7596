import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { tarOfChanges } from "../core/image/layer.ts";
import { streamOf } from "../core/base/bytes.ts";
import type { Entry, TreePath } from "../core/unionfs/change.ts";
import { localTrees } from "./local-trees.ts";

const directory = scratch("trees");
after(() => fs.rmSync(directory, { recursive: true }));

const meta = { mode: 0o640, uid: 0, gid: 0, mtime: 1_600_000_000_000_000_000n, xattrs: new Map<string, Uint8Array>() };
const at = (path: string): TreePath => path as TreePath;
const file = (path: string, text: string): Entry => {
  const bytes = Buffer.from(text);
  return { kind: "file", path: at(path), meta, size: bytes.length, content: streamOf(bytes) };
};

async function* all(...entries: Entry[]): AsyncGenerator<Entry, void, undefined> {
  yield* entries;
}

function place(name: string): string {
  const path = join(directory, name);
  fs.mkdirSync(path);
  return path;
}

test("a tree comes out as it went in, under another name", async () => {
  const source = place("source");
  fs.mkdirSync(join(source, "d"), { mode: 0o750 });
  fs.writeFileSync(join(source, "d/f"), "content", { mode: 0o604 });
  fs.linkSync(join(source, "d/f"), join(source, "d/same"));
  fs.symlinkSync("nowhere", join(source, "link"));
  const target = place("target");
  await localTrees.unpack(localTrees.pack(source, "source", false), target, { from: "source", to: "copy" });
  const copy = join(target, "copy");
  assert.deepEqual(
    fs.readdirSync(copy, { recursive: true, encoding: "utf8" }).toSorted((a, b) => (a < b ? -1 : 1)),
    ["d", "d/f", "d/same", "link"],
  );
  assert.equal(fs.readFileSync(join(copy, "d/f"), "utf8"), "content");
  assert.equal(fs.statSync(join(copy, "d")).mode & 0o777, 0o750);
  assert.equal(fs.statSync(join(copy, "d/f")).ino, fs.statSync(join(copy, "d/same")).ino);
  assert.equal(fs.readlinkSync(join(copy, "link")), "nowhere");
  const times = [copy, source].map((tree) => Math.round(fs.statSync(join(tree, "d/f")).mtimeMs));
  assert.equal(times[0], times[1]);
});

test("no archive writes through a symlink, its own or one that was there", async () => {
  const outside = place("outside");
  const target = place("inside");
  const link: Entry = { kind: "symlink", path: at("out"), meta, target: outside };
  const through = tarOfChanges(all(link, file("out/evil", "x")));
  await assert.rejects(localTrees.unpack(through, target, null), { code: "invalid", message: /no directory/ });
  const linked = tarOfChanges(all({ kind: "hardlink", path: at("copy"), target: at("out/secret") }));
  await assert.rejects(localTrees.unpack(linked, target, null), { code: "invalid", message: /no directory/ });
  await assert.rejects(localTrees.unpack(tarOfChanges(all(file("../evil", "x"))), target, null), { code: "corrupt" });
  assert.deepEqual(fs.readdirSync(outside), []);
});

test("a file replaces a file or a symlink, and neither kind takes the other's place", async () => {
  const target = place("replaced");
  fs.mkdirSync(join(target, "d"));
  fs.symlinkSync("/etc/passwd", join(target, "f"));
  await localTrees.unpack(tarOfChanges(all(file("f", "new"))), target, null);
  assert.equal(fs.lstatSync(join(target, "f")).isFile(), true);
  await assert.rejects(
    localTrees.unpack(tarOfChanges(all(file("d", "x"))), target, null),
    /cannot overwrite directory/,
  );
  const over: Entry = { kind: "directory", path: at("f"), meta };
  await assert.rejects(localTrees.unpack(tarOfChanges(all(over)), target, null), /cannot overwrite non-directory/);
});
