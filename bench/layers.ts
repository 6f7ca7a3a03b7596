/**
 * Layers from tar to tree and back: in memory by core/unionfs, in processor time without inflating and hashing; and on
 * Linux from the compressed blob to files with both digests, beside GNU tar's `tar xzf`, all of it on tmpfs.
 */
import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../backends/linux/machine.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import { streamOf } from "../core/base/bytes.ts";
import { ImageLayers } from "../core/engine/image-layers.ts";
import { Checked } from "../core/image/checked.ts";
import { changesOfTar, tarOfChanges } from "../core/image/layer.ts";
import { applyChanges, changesOf } from "../core/unionfs/apply.ts";
import type { Branch } from "../core/unionfs/marks.ts";
import { Tree } from "../core/unionfs/tree.ts";
import { debianTar } from "../test/images/make.ts";
import { timeCommand } from "./command.ts";
import { interleave } from "./interleave.ts";
import { judge, type Row } from "./row.ts";

/** Bytes a millisecond: 500 MB/s. */
const wanted = 500_000;

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const work = scratch("bench-layers");
  try {
    execFileSync("tar", ["-xf", await debianTar(), "-C", work]);
    const manifest = JSON.parse(readFileSync(join(work, "manifest.json"), "utf8")) as [{ Layers: [string] }];
    const tar = join(work, manifest[0].Layers[0]);
    yield* inMemory(readFileSync(tar), Math.min(rounds, 9));
    execFileSync("gzip", ["-kn6", tar]);
    yield* onLinux(work, `${tar}.gz`, Math.min(rounds, 7));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function* inMemory(tar: Uint8Array, rounds: number): AsyncGenerator<Row> {
  const limit = tar.length / wanted;
  const unpacks: number[] = [];
  const packs: number[] = [];
  for (let round = -2; round < rounds; round++) {
    const tree = new Tree(() => 0n);
    const branch = { tree, root: tree.root };
    const unpack = await processorTime(() => applyChanges(branch, changesOfTar(streamOf(tar), "the layer")));
    const pack = await processorTime(() => drained(branch));
    if (round < 0) continue;
    unpacks.push(unpack);
    packs.push(pack);
  }
  for (const [row, times] of [
    ["unpack in memory", unpacks],
    ["pack in memory", packs],
  ] as const) {
    const ours = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
    const peers = { "500 MB/s": limit };
    yield judge({ bench: "layers", row, unit: "ms", ours, peers }, { peer: "500 MB/s", atMost: 1 });
  }
}

async function drained(branch: Branch): Promise<void> {
  for await (const _ of tarOfChanges(changesOf(branch)));
}

/** Milliseconds. */
async function processorTime(act: () => Promise<void>): Promise<number> {
  const begin = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

async function* onLinux(work: string, blob: string, rounds: number): AsyncGenerator<Row> {
  const machine = await openLinuxMachine({ dataRoot: join(work, "data"), runRoot: join(work, "run") });
  const layers = new ImageLayers(machine.layers, linuxPorts);
  const ours = async (): Promise<number> => {
    const begin = performance.now();
    const checked = new Checked(createReadStream(blob, { highWaterMark: 1 << 18 }), linuxPorts.hasher);
    const { diffId } = await layers.unpack(checked, { expected: null, before: async () => {}, file: null });
    const time = performance.now() - begin;
    await layers.remove(diffId);
    return time;
  };
  const theirs = async (): Promise<number> => {
    const place = join(work, "tar");
    mkdirSync(place);
    const time = timeCommand({ program: "tar", args: ["-xzpf", blob, "-C", place, "--numeric-owner"] });
    rmSync(place, { recursive: true });
    return time;
  };
  try {
    const times = await interleave(
      [
        { name: "tsbox", once: ours },
        { name: "tar xzf", once: theirs },
      ],
      rounds,
    );
    for (const kind of ["median", "minimum"] as const) {
      const peers = { "tar xzf": times.get("tar xzf")?.[kind] ?? Number.NaN };
      const own = times.get("tsbox")?.[kind] ?? Number.NaN;
      const row = `unpack on Linux, gunzip and both digests (${kind})`;
      yield judge({ bench: "layers", row, unit: "ms", ours: own, peers }, { peer: "tar xzf", atMost: 0.7 });
    }
  } finally {
    await machine.close();
  }
}
