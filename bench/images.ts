/**
 * Images in and out: load and save of a minimal Debian (one layer of about 170 MB) beside dockerd, podman, skopeo and
 * umoci; the daemon's memory meanwhile; and how a store of ten thousand images starts and lists.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { debianTar } from "../test/images/make.ts";
import { type BenchEngine, openBenchEngine } from "./engine.ts";
import { type ImagePeer, imagePeers } from "./image-peers.ts";
import { interleave, type Times } from "./interleave.ts";
import { largeStoreRows } from "./large-store.ts";
import { type Goal, judge, type Row } from "./row.ts";

const image = "debian:latest";
/** A turn of all contenders takes about ten seconds. */
const roundsMax = 3;
const memoryBytesMax = 200_000_000;

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const directory = scratch("images");
  try {
    yield* beside(directory, Math.min(rounds, roundsMax));
    yield* largeStoreRows(directory, Math.min(rounds, roundsMax));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function* beside(directory: string, rounds: number): AsyncGenerator<Row> {
  const archive = await debianTar();
  const engine = await openBenchEngine(directory);
  const peers = await imagePeers(directory, archive, image);
  try {
    const everybody = [ownPeer(engine, archive), ...peers];
    const loads = everybody.map((peer) => ({ name: peer.name, once: () => loadedOnce(peer) }));
    yield* rows("load", await interleave(loads, rounds), [
      { peer: "dockerd", atMost: 1 / 3 },
      { peer: "podman", atMost: 1 / 3 },
      { peer: "skopeo", atMost: 1 / 1.5 },
    ]);
    yield memoryRow("load", engine);
    yield* saveRows(directory, everybody, rounds);
    yield memoryRow("load and save", engine);
  } finally {
    for (const peer of peers) await peer.close();
    await engine.close();
  }
}

async function* saveRows(directory: string, everybody: readonly ImagePeer[], rounds: number): AsyncGenerator<Row> {
  for (const peer of everybody) if (peer.save !== null) peer.load();
  const saves = everybody.flatMap(({ name, save }) =>
    save === null ? [] : [{ name, once: () => Promise.resolve(save(join(directory, `${name}.tar`))) }],
  );
  yield* rows("save", await interleave(saves, rounds), [{ peer: "dockerd", atMost: 1 / 2 }]);
}

function ownPeer(engine: BenchEngine, archive: string): ImagePeer {
  return {
    name: "tsbox",
    load: () => engine.tsbox("load", "-q", "-i", archive),
    save: (file) => engine.tsbox("save", "-o", file, image),
    clear: () => void engine.tsbox("rmi", "-f", image),
    close: () => Promise.resolve(),
  };
}

function loadedOnce(peer: ImagePeer): Promise<number> {
  const milliseconds = peer.load();
  peer.clear();
  return Promise.resolve(milliseconds);
}

function* rows(what: string, times: ReadonlyMap<string, Times>, goals: readonly Goal[]): Generator<Row> {
  const numbers = Object.fromEntries([...times].map(([name, { median }]) => [name, median]));
  const { tsbox = Number.NaN, ...peers } = numbers;
  for (const goal of goals)
    yield judge({ bench: "images", row: `${what} ${image} (median)`, unit: "ms", ours: tsbox, peers }, goal);
}

/** The most memory the daemon ever had (VmHWM: Node's own 50 to 60 MB are in it). */
function memoryRow(what: string, engine: BenchEngine): Row {
  const status = readFileSync(`/proc/${engine.pid}/status`, "utf8");
  const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN);
  const row = `memory of the daemon at most, ${what} ${image}`;
  const peers = { limit: memoryBytesMax };
  return judge({ bench: "images", row, unit: "bytes", ours: kilobytes * 1024, peers }, { peer: "limit", atMost: 1 });
}
