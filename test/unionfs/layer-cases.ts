/** Layers as lists of changes: what every world makes of them must be the same, whatever their paths and symlinks are up to. */
import fc from "fast-check";
import { encodeText, streamOf } from "../../core/base/bytes.ts";
import type { Change, Meta, TreePath } from "../../core/unionfs/change.ts";

export interface LayerCase {
  /** A sentence. */
  readonly name: string;
  /** From the bottom. Content is a stream, read once: each call makes it anew. */
  readonly layers: () => Change[][];
  /** Files that are read through the union, without a mount. */
  readonly reads?: readonly string[];
}

/** Times of long ago: what is later was stamped by a clock. */
const plain: Meta = { mode: 0o755, uid: 0, gid: 0, mtime: 1_000_000_007n, xattrs: new Map() };

const path = (text: string): TreePath => text as TreePath;
const file = (name: string, text = "x", meta: Partial<Meta> = {}): Change => {
  const bytes = encodeText(text);
  return { kind: "file", path: path(name), meta: { ...plain, ...meta }, size: bytes.length, content: streamOf(bytes) };
};
const directory = (name: string, meta: Partial<Meta> = {}): Change => ({
  kind: "directory",
  path: path(name),
  meta: { ...plain, ...meta },
});
const symlink = (name: string, target: string): Change => ({ kind: "symlink", path: path(name), meta: plain, target });
const hardlink = (name: string, target: string): Change => ({
  kind: "hardlink",
  path: path(name),
  target: path(target),
});
const whiteout = (name: string): Change => ({ kind: "whiteout", path: path(name) });
const opaque = (name: string): Change => ({ kind: "opaque", path: path(name) });
const device = (name: string, kind: "character" | "block", major: number, minor: number): Change => ({
  kind,
  path: path(name),
  meta: { ...plain, mode: 0o600 },
  major,
  minor,
});

/** `outside`: a directory of the host, with a file "victim". */
export function layerCases(outside: string): LayerCase[] {
  return [
    {
      name: "every kind of entry arrives whole",
      layers: () => [
        [
          directory("", { mode: 0o711, uid: 5 }),
          directory("d", { mode: 0o2750, gid: 7 }),
          file("d/f", "content", { mode: 0o4755, uid: 1000, gid: 1001, mtime: 12n }),
          hardlink("d/same", "d/f"),
          symlink("d/l", "/nowhere/at all"),
          { kind: "fifo", path: path("d/p"), meta: { ...plain, mode: 0o620 } },
          device("d/null", "character", 1, 3),
          device("d/b", "block", 259, 70_000),
          file("d/noted", "", { xattrs: new Map([["user.note", encodeText("here")]]) }),
          file("d/able", "", { xattrs: new Map([["security.capability", capability]]) }),
          file("d/\udcff", "a name that is not UTF-8"),
          file(`d/${"n".repeat(255)}`),
        ],
      ],
      reads: ["d/f", "d/same", "d/l", "d/p", "d", "d/\udcff", "missing", "d/f/below"],
    },
    {
      name: "later entries replace earlier ones of any kind, and never through a symlink",
      layers: () => [
        [
          directory("d"),
          file("d/x"),
          file("d", "a file now"),
          symlink("l", "d"),
          file("l", "was a link"),
          file("f", "was a file"),
          directory("f"),
          file("f/inside"),
          file("one", "1"),
          hardlink("two", "one"),
          file("one", "other"),
          hardlink("two", "one"),
          hardlink("one", "one"),
          directory("f", { mode: 0o700 }),
        ],
      ],
    },
    {
      name: "parents that are missing are made, and symlinks among them followed inside",
      layers: () => [
        [
          file("a/b/c"),
          symlink("up", "../../../a"),
          file("up/made"),
          symlink("root", "/"),
          file("root/top"),
          symlink("new", "not/yet"),
          file("new/file"),
          symlink("chain", "up/./b/../b"),
          file("chain/end"),
        ],
      ],
      reads: ["up/made", "root/top", "not/yet/file", "chain/end"],
    },
    {
      name: "whiteouts and opaque directories hide what is below",
      layers: () => [
        [
          directory("etc"),
          file("etc/passwd", "below"),
          file("etc/kept", "kept"),
          directory("opaque"),
          file("opaque/old"),
          directory("remade"),
          file("remade/old"),
          file("gone"),
        ],
        [
          whiteout("etc/passwd"),
          opaque("opaque"),
          file("opaque/new", "new"),
          whiteout("remade"),
          directory("remade"),
          file("remade/new", "new"),
          whiteout("gone"),
        ],
        [file("gone/again"), whiteout("opaque"), opaque("etc"), file("etc/only")],
      ],
      reads: ["etc/passwd", "etc/kept", "etc/only", "opaque/new", "remade/new", "remade/old", "gone", "gone/again"],
    },
    {
      name: "a whiteout of nothing, of the root and beneath a file changes nothing that is seen",
      layers: () => [[file("f")], [whiteout("never"), whiteout(""), opaque(""), directory("d"), whiteout("d/never")]],
      reads: ["f", "never", "d/never"],
    },
    {
      name: "nothing outside is touched by paths that lead there",
      layers: () => [
        [
          symlink("absolute", outside),
          file("absolute/made"),
          file("absolute/victim", "overwritten"),
          symlink("climbing", `${"../".repeat(20)}${outside.slice(1)}`),
          file("climbing/made"),
          whiteout("climbing/victim"),
          symlink("final", `${outside}/victim`),
          file("final", "replaced"),
          symlink("directory", outside),
          directory("directory", { mode: 0o777, uid: 12 }),
          symlink("proc", "/proc/self/root"),
          file("proc/made"),
        ],
      ],
      reads: ["absolute/victim", "final", "climbing/made"],
    },
    {
      name: "nothing outside is touched by a layer whose parents are symlinks of the layer below",
      layers: () => [
        [symlink("d", outside), symlink("e", "d")],
        [file("d/made"), whiteout("e/victim"), opaque("e")],
      ],
      reads: ["d/victim", "d/made", "e/victim"],
    },
    {
      name: "a hard link to what is outside is refused",
      layers: () => [[symlink("out", outside), hardlink("mine", "out/victim")]],
    },
    { name: "a hard link to what comes later is refused", layers: () => [[hardlink("a", "b"), file("b")]] },
    { name: "a hard link to a directory is refused", layers: () => [[directory("d"), hardlink("e", "d")]] },
    { name: "a hard link to a file of the layer below is refused", layers: () => [[file("f")], [hardlink("g", "f")]] },
    { name: "an entry beneath a file is refused", layers: () => [[file("f"), file("f/x")]] },
    { name: "an entry beneath a fifo is refused", layers: () => [[device("n", "character", 1, 3), file("n/x")]] },
    {
      name: "an entry beneath symlinks that go round in circles is refused",
      layers: () => [[symlink("a", "b"), symlink("b", "a"), file("a/x")]],
    },
    { name: "an entry whose name is too long is refused", layers: () => [[file("n".repeat(256))]] },
  ];
}

/** Two layers with all that tools must agree on: the second hides and replaces. */
export function toolLayers(): Change[][] {
  const fraction = { mtime: 3_123_456_789n };
  return [
    [
      directory("d", { mode: 0o2750, gid: 7, ...fraction }),
      file("d/f", "content", { mode: 0o4755, uid: 1000, gid: 1001, ...fraction }),
      file("d/one", "two names", fraction),
      hardlink("d/two", "d/one"),
      symlink("d/l", "../whole/old"),
      { kind: "fifo", path: path("d/p"), meta: { ...plain, mode: 0o620 } },
      device("d/null", "character", 1, 3),
      device("d/b", "block", 259, 70_000),
      file("d/noted", "", { xattrs: new Map([["user.note", encodeText("here")]]) }),
      file("d/able", "x", { xattrs: new Map([["security.capability", capability]]) }),
      file("d/\udcff", "a name that is not UTF-8"),
      file(`d/${"n".repeat(200)}`, "x", { uid: 3_000_000 }),
      directory(`${"p".repeat(90)}`),
      file(`${"p".repeat(90)}/${"q".repeat(120)}`, "a long path"),
      symlink("long", "t/".repeat(120)),
      file("kept", "kept"),
      file("gone", "gone"),
      directory("turned"),
      file("turned/inside"),
      directory("whole"),
      file("whole/old"),
      directory("whole/deep"),
      file("whole/deep/old"),
    ],
    [
      whiteout("gone"),
      directory("whole", fraction),
      opaque("whole"),
      file("whole/new", "new"),
      directory("d", { mode: 0o755 }),
      file("d/f", "replaced", { mode: 0o600 }),
      whiteout("d/null"),
      symlink("d/noted", "a symlink now"),
    ],
  ];
}

/** cap_net_raw=ep, as the kernel keeps it. */
const capability = Uint8Array.of(1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

const name = fc.constantFrom("a", "b", "c");
const somePath = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const target = fc.oneof(
  somePath,
  somePath.map((each) => `/${each}`),
  somePath.map((each) => `../${each}`),
  fc.constantFrom("..", "/", "../../..", "."),
);
const someMeta: fc.Arbitrary<Partial<Meta>> = fc.record({
  mode: fc.constantFrom(0o755, 0o644, 0o4711, 0o2775, 0o1777, 0),
  uid: fc.constantFrom(0, 1000),
  gid: fc.constantFrom(0, 1000),
  mtime: fc.constantFrom(0n, 1n, 2_000_000_003n),
});

/** What is made again for each world. */
const someChange: fc.Arbitrary<() => Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(somePath, someMeta).map(
      ([at, meta]) =>
        () =>
          file(at, at, meta),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(somePath, someMeta).map(
      ([at, meta]) =>
        () =>
          directory(at, meta),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(somePath, target).map(
      ([at, to]) =>
        () =>
          symlink(at, to),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(somePath, somePath).map(
      ([at, to]) =>
        () =>
          hardlink(at, to),
    ),
  },
  { weight: 2, arbitrary: somePath.map((at) => () => whiteout(at)) },
  { weight: 2, arbitrary: somePath.map((at) => () => opaque(at)) },
  { weight: 1, arbitrary: somePath.map((at) => () => device(at, "character", 1, 3)) },
);

export const someLayers: fc.Arbitrary<LayerCase> = fc
  .array(fc.array(someChange, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 })
  .map((all) => ({
    name: "random",
    layers: () => all.map((layer) => layer.map((make) => make())),
    reads: ["a", "b", "c", "a/a", "a/b", "b/c", "c/a/b"],
  }));
