/**
 * The worker in which the simulated machine lives. It has what the page lacks to be a world: a clock,
 * a way to let others run, and the bytes of the files a user drops.
 */
import { expose, type ProxyMarked, type Remote } from "comlink";
import { real } from "../../backends/sim/kernel/pace.ts";
import type { Clock } from "../../core/base/ports.ts";
import type { Origin } from "../../core/unionfs/origin.ts";
import { wasmHasher } from "../../host/codecs.ts";
import type { ConsoleSize } from "../../host/console.ts";
import { type SimulatedHost, startHost } from "../../host/host.ts";
import type { HostView, LayerView } from "../../host/lens.ts";

export interface MachineWorker {
  /** Boots; `screen` is given the console's output and resolves when it is shown. */
  boot(size: ConsoleSize, screen: Screen & ProxyMarked): Promise<void>;
  type(bytes: Uint8Array): void;
  resize(size: ConsoleSize): void;
  /** What is there now; looking changes nothing. */
  look(): Promise<HostView>;
  list(layers: readonly LayerView[], path: string, top: number): Promise<readonly Origin[]>;
  /** Puts a file into root's home directory; one of that name is replaced. */
  addFile(name: string, content: Blob): Promise<void>;
}

export type Screen = (bytes: Uint8Array) => Promise<void>;

const nanosPerMs = 1_000_000;

const clock: Clock = {
  now: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * nanosPerMs)),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

/** A macrotask: messages from the page get in between. */
const channel = new MessageChannel();
const paused: (() => void)[] = [];
channel.port1.addEventListener("message", () => paused.shift()?.());
channel.port1.start();

function pause(): Promise<void> {
  return new Promise((resolve) => {
    paused.push(resolve);
    channel.port2.postMessage(null);
  });
}

let host: SimulatedHost | null = null;

/** A file that is served beside the page. */
async function fetched(path: string): Promise<Uint8Array> {
  const response = await fetch(new URL(`../${path}`, location.href));
  if (!response.ok) throw new Error(`${path} is not served beside the page: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function boot(size: ConsoleSize, screen: Remote<Screen>): Promise<void> {
  const now = clock.now();
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  host = startHost({
    seed,
    now,
    pace: real(pause, clock, now),
    pause,
    hasher: await wasmHasher(),
    wasmer: () => fetched("wasmer.wasm"),
    embedded: (name) => (name === "hello" ? fetched("images/hello.tar") : null),
    size,
    screen: (bytes) => screen(bytes),
  });
}

function booted(): SimulatedHost {
  if (host === null) throw new Error("the simulated machine has not booted yet");
  return host;
}

const machine: MachineWorker = {
  boot: (size, screen) => boot(size, screen as unknown as Remote<Screen>),
  type: (bytes) => host?.console.type(bytes),
  resize: (size) => host?.console.resize(size),
  look: () => booted().look(),
  list: (layers, path, top) => booted().list(layers, path, top),
  addFile: async (name, content) => host?.addFile(name, new Uint8Array(await content.arrayBuffer())),
};

expose(machine);
