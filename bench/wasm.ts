/**
 * WebAssembly programs on the simulated kernel: how long one takes to start, what fuel costs while it
 * computes, how fast bytes go through pipes, how soon one that never ends is killed.
 *
 * Fuel is judged on a real program, QuickJS, running scripts, and apart from it on kernels (wasm/kernels.c), the hard cases. The
 * same function is called in the module as it was and as it is rewritten, in turns; the best of each is compared, as what
 * else the machine does only ever adds. The ticks themselves, eight thousand a second of 1 or 2 µs, are left out.
 * Times are processor time of the one thread on which all of it happens: on a quiet machine that is what a clock shows.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { QuickJS } from "quickjs-wasi";
import { linuxPorts } from "../backends/linux/ports.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { inProcess } from "../backends/sim/testing/small-host.ts";
import { added, addFuel } from "../backends/sim/wasm/fuel.ts";
import { setHooks } from "../backends/sim/wasm/hooks.ts";
import { code, smallModule } from "../backends/sim/wasm/testing/modules.ts";
import { spawn, wasmHost } from "../backends/sim/wasm/testing/wasm-host.ts";
import { type Global, type Instance, type Memory, webAssembly } from "../backends/sim/wasm/web-assembly.ts";
import { program } from "../images/wasi/build.ts";
import { type Contender, interleave } from "./interleave.ts";
import { megabytes, throughTwoCats, toItsEnd } from "./wasm-programs.ts";
import { judge, type Row } from "./row.ts";

const SIGKILL = 9;
/** Goals that are numbers, not peers. */
const startMs = 5;
const pipesMs = (megabytes / 100) * 1000;

export async function* bench(rounds: number): AsyncGenerator<Row, void, undefined> {
  yield* starts(rounds);
  yield await pipes(Math.ceil(rounds / 4));
  yield await kills(rounds);
  yield* fuel(rounds);
}

/** Milliseconds of processor time of this thread, on which everything here happens. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = process.threadCpuUsage();
  await act();
  const { user, system } = process.threadCpuUsage(from);
  return (user + system) / 1000;
}

async function medianOf(name: string, once: () => Promise<number>, rounds: number): Promise<number> {
  const times = await interleave([{ name, once }], rounds);
  return times.get(name)?.median ?? Number.NaN;
}

async function* starts(rounds: number): AsyncGenerator<Row, void, undefined> {
  for (const name of ["upper", "hello"]) {
    const kernel = wasmHost({ [name]: await program(name) }, linuxPorts);
    const once = (): Promise<number> => timed(() => inProcess(kernel, (sys) => toItsEnd(sys, name)));
    const ours = await medianOf(name, once, rounds);
    const row = `${name}, from spawn to its end`;
    yield judge({ bench: "wasm", row, unit: "ms", ours, peers: { allowed: startMs } }, { peer: "allowed", atMost: 1 });
  }
}

/** 64 MB from a process through two cats to another. */
async function pipes(rounds: number): Promise<Row> {
  const kernel = wasmHost({ cat: await program("cat") }, linuxPorts);
  const ours = await medianOf("cats", () => timed(() => inProcess(kernel, throughTwoCats)), rounds);
  const row = `${megabytes} MB through two cats`;
  return judge({ bench: "wasm", row, unit: "ms", ours, peers: { allowed: pipesMs } }, { peer: "allowed", atMost: 1 });
}

/** From the signal to the parent's having waited for a program in an endless loop. */
async function kills(rounds: number): Promise<Row> {
  const kernel: Kernel = wasmHost({ endless: smallModule({ start: code.forever }) });
  const once = (): Promise<number> =>
    inProcess(kernel, async (sys) => {
      const { pid } = await spawn(sys, ["endless"]);
      await sys.sleep(5_000_000n);
      const from = performance.now();
      sys.kill(pid, SIGKILL);
      await sys.wait(pid);
      return performance.now() - from;
    });
  const ours = await medianOf("kill", once, rounds);
  return judge({ bench: "wasm", row: "kill -9 of an endless loop", unit: "ms", ours, peers: {} }, null);
}

interface Pair {
  readonly name: string;
  readonly set: "scripts" | "kernels";
  readonly plain: () => unknown;
  readonly fuelled: () => unknown;
}

async function* fuel(rounds: number): AsyncGenerator<Row, void, undefined> {
  const turns = Math.ceil(rounds / 3);
  const measured: { name: string; ours: number; plain: number; set: Pair["set"] }[] = [];
  for (const { name, set, plain, fuelled } of [...(await scripts()), ...(await kernels())]) {
    if (String(plain()) !== String(fuelled())) throw new Error(`${name} computes something else with fuel`);
    const count = callsIn(sampleMs, plain);
    const times = await interleave([repeated("plain", plain, count), repeated("ours", fuelled, count)], turns);
    const best = (of: string): number => times.get(of)?.minimum ?? Number.NaN;
    measured.push({ name, ours: best("ours"), plain: best("plain"), set });
    yield judge(
      { bench: "wasm", row: `fuel, ${name}`, unit: "ms", ours: best("ours"), peers: { plain: best("plain") } },
      null,
    );
  }
  for (const set of ["scripts", "kernels"] as const)
    yield* judged(
      set,
      measured.filter((each) => each.set === set),
    );
}

interface Measured {
  readonly name: string;
  readonly ours: number;
  readonly plain: number;
}

function* judged(set: Pair["set"], measured: readonly Measured[]): Generator<Row> {
  const worst = measured.toSorted((one, other) => other.ours / other.plain - one.ours / one.plain)[0];
  if (worst === undefined) return;
  const mean = (numbers: readonly number[]): number =>
    Math.exp(numbers.reduce((sum, each) => sum + Math.log(each), 0) / numbers.length);
  const means = { ours: mean(measured.map(({ ours }) => ours)), plain: mean(measured.map(({ plain }) => plain)) };
  const row = (name: string, { ours, plain }: Omit<Measured, "name">, atMost: number): Row =>
    judge(
      { bench: "wasm", row: `fuel, ${set}, ${name}`, unit: "ms", ours, peers: { plain } },
      { peer: "plain", atMost },
    );
  yield row("geometric mean", means, 1.35);
  yield row(`worst (${worst.name})`, worst, 1.5);
}

/** Processor time is counted in steps of a few milliseconds: a sample is many calls. */
const sampleMs = 100;

function callsIn(milliseconds: number, act: () => unknown): number {
  const from = process.threadCpuUsage();
  for (let count = 1; ; count++) {
    act();
    if (process.threadCpuUsage(from).user >= milliseconds * 1000) return count;
  }
}

function repeated(name: string, act: () => unknown, count: number): Contender {
  const all = (): Promise<void> => {
    for (let done = 0; done < count; done++) act();
    return Promise.resolve();
  };
  return { name, once: async () => (await timed(all)) / count };
}

/** Gives a rewritten instance its hooks and, again and again, fuel. */
async function fill(instance: Instance): Promise<void> {
  const fuelOf = instance.exports[added.fuel] as Global;
  const memory = instance.exports[added.memory] as Memory;
  const grant = 1_000_000;
  const tick = (): void => {
    fuelOf.value = grant;
  };
  await setHooks(instance, tick, (pages) => {
    try {
      return memory.grow(pages);
    } catch {
      return -1;
    }
  });
  tick();
}

const sources: Readonly<Record<string, string>> = {
  calls: "function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } f(21)",
  sort: "let a = [], s = 1; for (let i = 0; i < 8000; i++) a.push(s = (s * 1103515245 + 12345) & 0x7fffffff); a.sort((x, y) => x - y)[100]",
  json: "let o = []; for (let i = 0; i < 800; i++) o.push({ id: i, name: 'n' + i, tags: ['a', i] }); JSON.stringify(JSON.parse(JSON.stringify(o))).length",
  regexp:
    "let t = ''; for (let i = 0; i < 1500; i++) t += `k${i}=${i * 7};`; let n = 0; for (const m of t.matchAll(/k(\\d+)=(\\d*5);/g)) n += m[2].length; n",
  map: "let m = new Map(); for (let i = 0; i < 12000; i++) m.set('k' + (i % 3000), i); let s = 0; for (const v of m.values()) s += v; s",
  closures: "let c = 0; [...Array(20000).keys()].map((x) => x * 2).filter((x) => x % 3).forEach((x) => { c += x }); c",
};

/** QuickJS, as it is and with fuel, running each of the scripts. */
async function scripts(): Promise<Pair[]> {
  const bytes = readFileSync(fileURLToPath(import.meta.resolve("quickjs-wasi/quickjs.wasm")));
  const [plain, fuelled] = [await quickJs(bytes, false), await quickJs(addFuel(bytes).bytes, true)];
  return Object.entries(sources).map(([name, source]) => {
    const run = (vm: QuickJS) => (): unknown => {
      const value = vm.evalCode(`{ ${source} }`);
      const result: unknown = vm.dump(value);
      value.dispose();
      return result;
    };
    return { name: `QuickJS ${name}`, set: "scripts", plain: run(plain), fuelled: run(fuelled) };
  });
}

/** It instantiates by itself; the hooks have to be in before it initialises. */
async function quickJs(bytes: Uint8Array, isRewritten: boolean): Promise<QuickJS> {
  const module = await webAssembly.compile(bytes);
  const engine = webAssembly as { instantiate: typeof webAssembly.instantiate };
  const { instantiate } = engine;
  try {
    engine.instantiate = async (of, imports) => {
      engine.instantiate = instantiate;
      const instance = await instantiate(of, imports);
      if (isRewritten) await fill(instance);
      return instance;
    };
    return await QuickJS.create({ wasm: module as never });
  } finally {
    engine.instantiate = instantiate;
  }
}

/** Nothing without clang. */
async function kernels(): Promise<Pair[]> {
  const bytes = compiled();
  if (bytes === null) return [];
  const [plain, fuelled] = [await instanceOf(bytes), await instanceOf(addFuel(bytes).bytes)];
  await fill(fuelled);
  const names = Object.keys(plain.exports).filter((name) => !["memory", "_start"].includes(name));
  return names.map((name) => {
    const call = (instance: Instance) => instance.exports[name] as () => number;
    return { name, set: "kernels", plain: call(plain), fuelled: call(fuelled) };
  });
}

async function instanceOf(bytes: Uint8Array): Promise<Instance> {
  const nothing = new Proxy({}, { get: () => () => 0 });
  return webAssembly.instantiate(await webAssembly.compile(bytes), { wasi_snapshot_preview1: nothing });
}

function compiled(): Uint8Array | null {
  const directory = scratch("bench-wasm", tmpdir());
  const output = join(directory, "kernels.wasm");
  const source = fileURLToPath(new URL("wasm/kernels.c", import.meta.url));
  try {
    execFileSync("clang", ["--target=wasm32-wasi", "-O2", "-Wl,--strip-all", "-o", output, source, "-lm"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    return readFileSync(output);
  } catch (error) {
    process.stderr.write(`the kernels are left out, as clang cannot compile for WASI here: ${String(error)}\n`);
    return null;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
