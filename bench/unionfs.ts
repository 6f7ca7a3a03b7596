/**
 * core/unionfs beside the JavaScript file systems of npm: what a path costs at 1, 10 and 64 layers in
 * small and large trees, what memory a file takes, that snapshots cost nothing. node:fs on tmpfs is
 * shown for information. @zenfs/core is asked for small trees only: it needs minutes to make a large one.
 *
 * Each contender is a process, as it would be used: in one process each would pay for collecting the
 * others' garbage and run code that the compiler made for all of them. They take turns.
 */
import { type ChildProcess, fork } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { differencesOf } from "../core/unionfs/diff.ts";
import type { Inode } from "../core/unionfs/file-system.ts";
import { Tree } from "../core/unionfs/tree.ts";
import { directoryOf, fetchPeers, ourLayer, pathOf, type Shape } from "./file-trees.ts";
import { judge, type Row } from "./row.ts";
import type { Turn } from "./unionfs-contender.ts";
import { type Operation, operations, warmUp } from "./unionfs-operations.ts";

const shapes: readonly Shape[] = [
  { files: 1000, layers: 1 },
  { files: 100_000, layers: 1 },
  { files: 100_000, layers: 10 },
  { files: 100_000, layers: 64 },
  { files: 1_000_000, layers: 1 },
];

export async function* bench(rounds: number): AsyncGenerator<Row> {
  yield* inMemory();
  const scratch = fs.mkdtempSync("/dev/shm/tsbox-bench-");
  try {
    const hasPeers = fetchPeers(join(scratch, "peers"));
    for (const shape of shapes) yield* compared(shape, hasPeers, scratch, rounds);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

async function* compared(shape: Shape, hasPeers: boolean, scratch: string, rounds: number): AsyncGenerator<Row> {
  const contenders: Contender[] = [];
  try {
    for (const name of namesFor(shape, hasPeers)) contenders.push(await Contender.start(name, shape, scratch));
    for (const operation of operations(shape)) yield await measure(operation, shape, contenders, rounds);
  } finally {
    for (const contender of contenders) contender.end();
  }
}

function namesFor({ files, layers }: Shape, hasPeers: boolean): string[] {
  const isHuge = files >= 1_000_000;
  const peers = [
    "memfs",
    "memfs, copying",
    ...(isHuge ? [] : ["unionfs"]),
    ...(files <= 1000 && layers === 1 ? ["zenfs"] : []),
  ];
  return ["tsbox", ...(hasPeers ? peers : []), ...(isHuge ? [] : ["node:fs"])];
}

/** Microseconds an operation: the middle of the rounds. */
async function measure(operation: Operation, shape: Shape, all: readonly Contender[], rounds: number): Promise<Row> {
  const contenders = all.filter(({ name }) => name !== "memfs, copying" || operation.copiesUp === true);
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const contender of contenders) {
      const microseconds = await contender.turn({ row: operation.row, round });
      if (round >= warmUp) samples.get(contender.name)?.push(microseconds);
    }
  }
  const medians = [...samples].map(([name, values]) => [name, middle(values)] as const);
  const row = `${operation.row}, ${shape.files} files, ${shape.layers} layers`;
  return judged(row, operation, medians);
}

function judged(row: string, { atMost, copiesUp }: Operation, medians: readonly (readonly [string, number])[]): Row {
  const counts = (name: string): boolean =>
    name !== "node:fs" && (copiesUp !== true || name === "memfs, copying" || name === "zenfs");
  const counted = medians.slice(1).filter(([name]) => counts(name));
  const peers = Object.fromEntries(medians.slice(1));
  const fastest = Math.min(...counted.map(([, value]) => value));
  const measured = { bench: "unionfs", row, unit: "us", ours: medians[0]?.[1] ?? Number.NaN } as const;
  return judge(
    { ...measured, peers: counted.length === 0 ? peers : { ...peers, fastest } },
    { peer: "fastest", atMost },
  );
}

class Contender {
  readonly name: string;
  readonly #process: ChildProcess;

  private constructor(name: string, process: ChildProcess) {
    this.name = name;
    this.#process = process;
  }

  static async start(name: string, { files, layers }: Shape, scratch: string): Promise<Contender> {
    const file = join(import.meta.dirname, "unionfs-contender.ts");
    const contender = new Contender(name, fork(file, [name, String(files), String(layers), scratch]));
    await contender.#answer();
    return contender;
  }

  async turn(turn: Turn): Promise<number> {
    const answer = this.#answer();
    this.#process.send(turn);
    return (await answer) as number;
  }

  end(): void {
    this.#process.kill();
  }

  async #answer(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const failed = (code: number | null): void => reject(new Error(`${this.name} ended with ${code}`));
    this.#process.once("message", resolve).once("exit", failed);
    try {
      return await promise;
    } finally {
      this.#process.off("exit", failed);
    }
  }
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function* inMemory(): Generator<Row> {
  const million = { files: 1_000_000, layers: 1 };
  const before = bytesUsed();
  const { tree } = ourLayer(million, 0);
  const bytes = (bytesUsed() - before) / million.files;
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

/** Bytes, also those of arrays outside the heap, without what nobody holds any more. */
function bytesUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
