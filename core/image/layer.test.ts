import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { decodeBytes, encodeText, readAll, streamOf } from "../base/bytes.ts";
import type { Change, Meta, TreePath } from "../unionfs/change.ts";
import { changesOfTar, tarOfChanges } from "./layer.ts";
import type { TarHeader } from "./tar.ts";
import { type TarItem, writeTar } from "./tar-write.ts";

/** A change whose content is a text. */
type Told = Change extends infer C ? (C extends { kind: "file" } ? Omit<C, "content"> & { text: string } : C) : never;

async function told(changes: AsyncIterable<Change>): Promise<Told[]> {
  const all: Told[] = [];
  for await (const change of changes) {
    if (change.kind !== "file") all.push(change);
    else {
      const { content, tarOffset: _, ...rest } = change;
      all.push({ ...rest, text: decodeBytes(await readAll(content, 1 << 20)) });
    }
  }
  return all;
}

async function* changesOf(all: readonly Told[]): AsyncGenerator<Change, void, undefined> {
  for (const change of all)
    if (change.kind !== "file") yield change;
    else {
      const { text, ...rest } = change;
      yield { ...rest, content: streamOf(encodeText(text)) };
    }
}

const bare = { mode: 0o644, uid: 0, gid: 0, mtime: 0n, linkName: "", major: 0, minor: 0, xattrs: new Map() };

function item(name: string, header: Partial<TarHeader> = {}): TarItem {
  return { kind: "file", name, ...bare, ...header, size: 0, content: streamOf() };
}

/** The changes of a tar with these entries, in short. */
async function read(...items: readonly TarItem[]): Promise<string[]> {
  const changes = await told(changesOfTar(writeTar(items), "the layer"));
  return changes.map((change) => `${change.kind} ${change.path}${"target" in change ? ` -> ${change.target}` : ""}`);
}

/** Objects with the usual prototype: strict equality minds. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });

const component = fc.stringMatching(/^[a-z0-9 _-][a-zé0-9._ -]{0,20}$/);
const path = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/") as TreePath);
const meta: fc.Arbitrary<Meta> = plain({
  mode: fc.nat(0o7777),
  uid: fc.nat(0xfffffffe),
  gid: fc.nat(0xfffffffe),
  mtime: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  xattrs: fc.constantFrom<Meta["xattrs"]>(new Map(), new Map([["security.capability", Uint8Array.of(1, 0, 255)]])),
});
const change: fc.Arbitrary<Told> = fc.oneof(
  plain({ kind: fc.constant("directory" as const), path, meta }),
  fc
    .tuple(path, meta, fc.string({ maxLength: 600 }))
    .map(([path, meta, text]) => ({ kind: "file" as const, path, meta, size: encodeText(text).length, text })),
  plain({ kind: fc.constant("symlink" as const), path, meta, target: fc.stringMatching(/^[./a-z]{1,150}$/) }),
  fc
    .tuple(path, path)
    .filter(([path, target]) => path !== target)
    .map(([path, target]) => ({ kind: "hardlink" as const, path, target })),
  plain({ kind: fc.constant("block" as const), path, meta, major: fc.nat(4095), minor: fc.nat(0xfffff) }),
  plain({ kind: fc.constant("fifo" as const), path, meta }),
  plain({ kind: fc.constant("whiteout" as const), path }),
  plain({ kind: fc.constant("opaque" as const), path }),
);

test("changes written as a tar are the same changes when read", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (all) => {
      // A whiteout beneath what is no directory is dropped on purpose.
      const leaves = all.filter(({ kind }) => !["directory", "whiteout", "opaque", "symlink"].includes(kind));
      fc.pre(
        !all.some(({ kind, path }) => kind === "whiteout" && leaves.some((leaf) => path.startsWith(`${leaf.path}/`))),
      );
      assert.deepEqual(await told(changesOfTar(tarOfChanges(changesOf(all)), "the layer")), all);
    }),
  );
});

test("names are cleaned; absolute ones are beneath the root; what climbs and comes back is where it ends", async () => {
  assert.deepEqual(
    await read(
      item("./", { kind: "directory" }),
      item("./etc//passwd"),
      item("/etc/shadow"),
      item("a/../b/./c"),
      item("etc/", { kind: "directory" }),
      item("hard", { kind: "hardlink", linkName: "/etc/./passwd" }),
    ),
    ["directory ", "file etc/passwd", "file etc/shadow", "file b/c", "directory etc", "hardlink hard -> etc/passwd"],
  );
});

test("a symlink's target is text, wherever it leads", async () => {
  const targets = ["/etc/passwd", "../../../../etc/passwd", "/proc/self/fd", "..", "a//b/../c"];
  assert.deepEqual(
    await read(...targets.map((linkName) => item("soft", { kind: "symlink", linkName }))),
    targets.map((target) => `symlink soft -> ${target}`),
  );
});

test("whiteouts hide one name or a whole directory; a device 0:0 is one too", async () => {
  assert.deepEqual(
    await read(
      item("etc/.wh.passwd"),
      item("var/.wh..wh..opq"),
      item(".wh..wh..opq"),
      item(".wh.bin"),
      item("dev/x", { kind: "character" }),
    ),
    ["whiteout etc/passwd", "opaque var", "opaque ", "whiteout bin", "whiteout dev/x"],
  );
});

test("what a directory held is not hidden again where a file took its place", async () => {
  assert.deepEqual(await read(item("etc/x"), item("etc/x/.wh.inside"), item("etc/x/.wh.other"), item("etc/.wh.xy")), [
    "file etc/x",
    "whiteout etc/xy",
  ]);
});

test("overlayfs's own attributes do not come out of a layer, others do", async () => {
  const names = ["trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.opaque", "user.mine"];
  const xattrs = new Map(names.map((name) => [name, encodeText("y")]));
  const [change] = await told(changesOfTar(writeTar([item("d", { xattrs })]), "the layer"));
  assert.deepEqual(change && "meta" in change ? [...change.meta.xattrs.keys()] : [], ["user.mine"]);
});

test("times that no file system holds become the epoch", async () => {
  const times = [-1n, 2n ** 63n, 2n ** 63n - 1n, 1n];
  const changes = await told(changesOfTar(writeTar(times.map((mtime) => item("x", { mtime }))), "the layer"));
  assert.deepEqual(
    changes.map((change) => ("meta" in change ? change.meta.mtime : null)),
    [0n, 0n, 2n ** 63n - 1n, 1n],
  );
});
