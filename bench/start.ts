/**
 * How long a container takes to start: the whole cold command `tsbox run --rm busybox true`, as a person types it,
 * beside `runc run` and `podman run --rm`. All storage is in memory, so that no disk is measured.
 */
import { rmSync } from "node:fs";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { busyboxTar } from "../test/images/make.ts";
import { openBenchEngine } from "./engine.ts";
import { type Contender, interleave, type Times } from "./interleave.ts";
import { podmanContender } from "./podman.ts";
import { type Goal, judge, type Row } from "./row.ts";
import { runcContender } from "./runc.ts";

export async function* bench(rounds: number): AsyncGenerator<Row> {
  const directory = scratch("bench");
  try {
    yield* wholeCommand(directory, rounds);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function* wholeCommand(directory: string, rounds: number): AsyncGenerator<Row> {
  const image = await busyboxTar();
  const engine = await openBenchEngine(directory);
  const podman = podmanContender(directory, image);
  try {
    engine.tsbox("load", "-q", "-i", image);
    const ours: Contender = {
      name: "tsbox",
      once: () => Promise.resolve(engine.tsbox("run", "--rm", "busybox", "true")),
    };
    const peers = [runcContender(directory), podman].filter((peer) => peer !== null);
    const times = await interleave([ours, ...peers], rounds);
    const row = (kind: keyof Times, goal: Goal | null): Row => rowOf(times, kind, goal);
    yield row("median", { peer: "runc", atMost: 1.5 });
    yield row("median", { peer: "podman", atMost: 1 / 3 });
    yield row("minimum", null);
  } finally {
    podman?.close();
    await engine.close();
  }
}

function rowOf(times: ReadonlyMap<string, Times>, kind: keyof Times, goal: Goal | null): Row {
  const numbers = Object.fromEntries([...times].map(([name, each]) => [name, each[kind]]));
  const { tsbox = Number.NaN, ...peers } = numbers;
  return judge({ bench: "start", row: `tsbox run --rm busybox true (${kind})`, unit: "ms", ours: tsbox, peers }, goal);
}
