/**
 * The simulated userland: what a loop, a process and a pipe cost in it, and what it weighs. Times are
 * held to what a person notices, sizes to what a page may load; dash on the real kernel stands beside.
 */
import { spawnSync } from "node:child_process";
import { brotliCompressSync } from "node:zlib";
import { rolldown } from "rolldown";
import { runInSimulator } from "../test/userland/world.ts";
import { interleave } from "./interleave.ts";
import { judge, type Measured, type Row } from "./row.ts";

/** [what it is, the script, milliseconds it may take]. */
const scripts = [
  ["100,000 iterations of a while loop", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", 500],
  ["200 programs started and waited for", "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done", 1000],
  ["100 MB through a pipe", "head -c 100000000 /dev/zero | cat >/dev/null", 1000],
  ["100,000 lines sorted", "seq 100000 | sort -n >/dev/null", 1000],
] as const;
const slowRoundsMax = 5;
const shellBytesMax = 150 * 1024;

export async function* bench(rounds: number): AsyncGenerator<Row, void, undefined> {
  for (const [row, script, limit] of scripts) {
    const contenders = [
      { name: "ours", once: () => timed(() => runInSimulator(script)) },
      { name: "dash", once: () => timed(() => spawnSync("dash", ["-c", script])) },
    ];
    const times = await interleave(contenders, Math.min(rounds, slowRoundsMax));
    const peers = { limit, dash: times.get("dash")?.median ?? Number.NaN };
    const measured: Measured = {
      bench: "shell",
      row,
      unit: "ms",
      ours: times.get("ours")?.median ?? Number.NaN,
      peers,
    };
    yield judge(measured, { peer: "limit", atMost: 1 });
  }
  yield* sizes();
}

async function timed(act: () => unknown): Promise<number> {
  const begin = performance.now();
  await act();
  return performance.now() - begin;
}

const entry = `
export { bootHost } from "./backends/sim/host.ts";
export { standIn } from "./backends/sim/userland/programs.ts";
`;

/** What a worker with kernel and shell weighs, and what all the other programs together weigh, compressed by brotli. */
async function* sizes(): AsyncGenerator<Row, void, undefined> {
  const root = new URL("..", import.meta.url).pathname;
  const name = `${root}shell-bench-entry.ts`;
  const virtual = {
    name: "entry",
    resolveId: (id: string) => (id === name ? id : null),
    load: (id: string) => (id === name ? entry : null),
  };
  const bundle = await rolldown({ input: name, cwd: root, platform: "browser", plugins: [virtual] });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const chunks = output.flatMap((file) => (file.type === "chunk" ? [file] : []));
  const weigh = (some: typeof chunks): number =>
    some.reduce((sum, { code }) => sum + brotliCompressSync(code).length, 0);
  const ours = weigh(chunks.filter(({ isEntry }) => isEntry));
  const measured: Measured = {
    bench: "shell",
    row: "kernel and sh",
    unit: "bytes",
    ours,
    peers: { limit: shellBytesMax },
  };
  yield judge(measured, { peer: "limit", atMost: 1 });
  const others = weigh(chunks.filter(({ isEntry }) => !isEntry));
  yield judge(
    { bench: "shell", row: "all other programs, loaded when run", unit: "bytes", ours: others, peers: {} },
    null,
  );
}
