/**
 * core/unionfs beside the JavaScript file systems of npm: what a path costs at 1, 10 and 64 layers in
 * small and large trees, what memory a file takes, that snapshots cost nothing. node:fs on tmpfs is
 * shown for information. @zenfs/core is asked for small trees only: it needs minutes to make a large one.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { differencesOf } from "../core/unionfs/diff.ts";
import type { Inode } from "../core/unionfs/file-system.ts";
import { Tree } from "../core/unionfs/tree.ts";
import {
  directoryOf,
  fetchPeers,
  fill,
  type FileTree,
  memfs,
  nodeLike,
  ourLayer,
  ours,
  pathOf,
  type Shape,
  unionfs,
  zenfs,
} from "./file-trees.ts";
import { judge, type Row } from "./row.ts";

const shapes: readonly Shape[] = [
  { files: 1000, layers: 1 },
  { files: 100_000, layers: 1 },
  { files: 100_000, layers: 10 },
  { files: 100_000, layers: 64 },
  { files: 1_000_000, layers: 1 },
];
/** Operations timed at once. */
const batch = 200;
const kilo64 = 65_536;
/** Turns that do not count: the compiler needs them. */
const warmUp = 60;

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const scratch = fs.mkdtempSync("/dev/shm/tsbox-bench-");
  try {
    const peers = await fetchPeers(join(scratch, "peers"));
    for (const shape of shapes) {
      const contenders = [ours(shape)];
      if (peers !== null) contenders.push(memfs(peers, shape));
      if (peers !== null && shape.files < 1_000_000) contenders.push(unionfs(peers, shape));
      if (peers !== null && shape.layers === 1 && shape.files <= 1000) contenders.push(await zenfs(peers, shape));
      if (shape.files < 1_000_000) contenders.push(onTmpfs(scratch, shape));
      for (const row of operations(shape, rounds)) yield measure(row, contenders, rounds);
      fs.rmSync(join(scratch, "tree"), { recursive: true, force: true });
    }
    yield* inMemory();
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function onTmpfs(scratch: string, shape: Shape): FileTree {
  const at = join(scratch, "tree");
  fs.mkdirSync(at);
  fill(fs, { ...shape, layers: 1 }, 0, at);
  return nodeLike("node:fs", fs, at);
}

interface Operation {
  readonly row: string;
  /** Metadata has to be three times as quick as any peer, bytes nearly as quick as the quickest. */
  readonly atMost: number;
  readonly ready?: (tree: FileTree, round: number, count: number) => void;
  /** The number-th of a round's operations. */
  readonly once: (tree: FileTree, number: number, round: number) => unknown;
}

/** Files come from all over the tree, in an order that is the same for everybody. */
function operations({ files, layers }: Shape, rounds: number): Operation[] {
  const file = (number: number): number => (number * 7919) % files;
  const bytes = new Uint8Array(kilo64).fill(7);
  const mega = new Uint8Array(1 << 20).fill(7);
  const target = new Uint8Array(1 << 20);
  const label = (row: string): string => `${row}, ${files} files, ${layers} layers`;
  const some = Math.min(files, 97);
  const made = (number: number, round: number): string => `${directoryOf(file(number))}/n${round}-${number}`;
  const third = 1 / 3;
  const copied = (number: number, round: number): string => pathOf((round * batch + number) % files);
  const isRoomy = files >= (rounds + warmUp) * batch;
  return [
    { row: label("lookup"), atMost: third, once: (tree, number) => tree.exists(pathOf(file(number))) },
    { row: label("stat"), atMost: third, once: (tree, number) => tree.stat(pathOf(file(number))) },
    { row: label("readdir"), atMost: third, once: (tree, number) => tree.list(directoryOf(file(number))) },
    ...(isRoomy
      ? [
          {
            row: label("copy-up"),
            atMost: third,
            once: (tree: FileTree, number: number, round: number) => tree.chmod(copied(number, round)),
          },
        ]
      : []),
    { row: label("create"), atMost: third, once: (tree, number, round) => tree.create(made(number, round)) },
    {
      row: label("rename"),
      atMost: third,
      ready: (tree, round, count) => eachOf(count, (number) => tree.create(made(number, 1000 + round))),
      once: (tree, number, round) => tree.rename(made(number, 1000 + round), made(number, 2000 + round)),
    },
    {
      row: label("unlink"),
      atMost: third,
      ready: (tree, round, count) => eachOf(count, (number) => tree.create(made(number, 3000 + round))),
      once: (tree, number, round) => tree.unlink(made(number, 3000 + round)),
    },
    { row: label("write 64 KiB"), atMost: 1 / 0.9, once: (tree, number) => tree.write(pathOf(number % some), bytes) },
    {
      row: label("read 64 KiB"),
      atMost: 1 / 0.9,
      once: (tree, number) => tree.read(pathOf(number % some), target.subarray(0, kilo64)),
    },
    { row: label("write 1 MiB"), atMost: 1 / 0.9, once: (tree, number) => tree.write(pathOf(number % 8), mega) },
    { row: label("read 1 MiB"), atMost: 1 / 0.9, once: (tree, number) => tree.read(pathOf(number % 8), target) },
  ];
}

function eachOf(count: number, act: (number: number) => void): void {
  for (let number = 0; number < count; number++) act(number);
}

/** Microseconds of processor time an operation, so that who else is busy does not count; nor do the first turns. */
function measure({ row, atMost, ready, once }: Operation, contenders: readonly FileTree[], rounds: number): Row {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const tree of contenders) {
      const count = tree.name === "zenfs" ? 2 : batch; // it takes milliseconds for what takes others microseconds
      ready?.(tree, round + warmUp, count);
      const begin = process.cpuUsage();
      for (let number = 0; number < count; number++) once(tree, number, round + warmUp);
      const { user, system } = process.cpuUsage(begin);
      if (round >= 0) samples.get(tree.name)?.push((user + system) / count);
    }
  }
  const medians = [...samples].map(([name, values]) => [name, middle(values)] as const);
  const peers = Object.fromEntries(medians.slice(1));
  const inJavaScript = medians.slice(1).filter(([name]) => name !== "node:fs");
  const fastest = Math.min(...inJavaScript.map(([, value]) => value));
  const all = inJavaScript.length === 0 ? peers : { ...peers, fastest };
  const measured = { bench: "unionfs", row, unit: "us", ours: medians[0]?.[1] ?? Number.NaN, peers: all } as const;
  return judge(measured, { peer: "fastest", atMost });
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function* inMemory(): Generator<Row> {
  const million = { files: 1_000_000, layers: 1 };
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const { tree } = ourLayer(million, 0);
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / million.files;
  yield judge(
    { bench: "unionfs", row: "memory a file, 1 M files", unit: "bytes", ours: bytes, peers: { limit: 300 } },
    { peer: "limit", atMost: 1 },
  );
  const small = ourLayer({ files: 1000, layers: 1 }, 0).tree;
  for (const [size, each] of [
    ["1 k", small],
    ["1 M", tree],
  ] as const) {
    yield limited(`snapshot, ${size} files`, 2, () => each.snapshot());
    const snapshot = each.snapshot();
    yield limited(`fork, ${size} files`, 2, () => new Tree(() => 0n, snapshot));
    yield limited(`restore, ${size} files`, 2, () => each.restore(snapshot));
    yield limited(`compare equal snapshots, ${size} files`, 2, () => differencesOf(snapshot, snapshot));
    for (const count of [1, 100]) yield differing(each, size, count);
  }
}

function limited(row: string, microseconds: number, act: () => unknown): Row {
  const measured = { bench: "unionfs", row, unit: "us", ours: timed(act), peers: { limit: microseconds } } as const;
  return judge(measured, { peer: "limit", atMost: 1 });
}

/** What has changed decides, not what there is: the same number of changes in a small and in a large tree. */
function differing(tree: Tree, size: string, count: number): Row {
  const before = tree.snapshot();
  for (let number = 0; number < count; number++) tree.setAttributes(inodeAt(tree, number * 9), { mode: 0o600 });
  const after = tree.snapshot();
  const ours = timed(() => differencesOf(before, after));
  return judge({ bench: "unionfs", row: `diff of ${count} changes, ${size} files`, unit: "us", ours, peers: {} }, null);
}

function inodeAt(tree: Tree, file: number): Inode {
  return tree.lookup(tree.lookup(tree.root, directoryOf(file).slice(1)), pathOf(file).split("/")[2] ?? "");
}

function timed(act: () => unknown): number {
  const times = Array.from({ length: 41 }, () => {
    const begin = process.cpuUsage();
    for (let number = 0; number < 100; number++) act();
    const { user, system } = process.cpuUsage(begin);
    return (user + system) / 100;
  });
  return middle(times);
}
