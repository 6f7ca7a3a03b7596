/**
 * Measured in a browser: the entry of what bench/sim-in-browser.ts puts into a page. Each figure stands at
 * `figures` of the global object and gives milliseconds.
 */
import { inProcess } from "../backends/sim/testing/small-host.ts";
import { wasmHost } from "../backends/sim/wasm/testing/wasm-host.ts";
import { wasmHasher } from "../host/hasher.ts";
import { runInSimulator } from "../test/userland/world.ts";
import { type BenchWorld, median, medianTimes, openWorld } from "./sim-world.ts";
import { throughTwoCats, toItsEnd } from "./wasm-programs.ts";

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.addEventListener("message", () => waiting.shift()?.());
channel.port1.start();

function pause(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

async function medianMs(rounds: number, act: () => Promise<unknown>): Promise<number> {
  await act();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await timed(act));
  return median(times);
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** Stays in the page, so that what it holds can be counted. */
let crowd: BenchWorld | null = null;

const figures = {
  /** The start of a container. */
  async start(rounds: number): Promise<number> {
    const world = await openWorld(pause);
    await medianTimes(world, rounds);
    return (await medianTimes(world, rounds)).started;
  },
  /** Starts containers that stay. */
  async gather(count: number): Promise<void> {
    crowd = await openWorld(pause);
    for (let at = 0; at < count; at++) await crowd.start(["sleep", "1000000"]);
  },
  script: (script: string, rounds: number): Promise<number> => medianMs(rounds, () => runInSimulator(script)),
  async program(name: string, base64: string, wasmer: string, rounds: number): Promise<number> {
    const options = { hasher: await wasmHasher(), wasmer: () => Promise.resolve(bytesOf(wasmer)) };
    const kernel = wasmHost({ [name]: bytesOf(base64) }, options);
    return medianMs(rounds, () => inProcess(kernel, (sys) => toItsEnd(sys, name)));
  },
  async cats(base64: string, wasmer: string, rounds: number): Promise<number> {
    const options = { hasher: await wasmHasher(), wasmer: () => Promise.resolve(bytesOf(wasmer)) };
    const kernel = wasmHost({ cat: bytesOf(base64) }, options);
    return medianMs(rounds, () => inProcess(kernel, throughTwoCats));
  },
};

export type Figures = typeof figures;

Object.assign(globalThis, { figures });
