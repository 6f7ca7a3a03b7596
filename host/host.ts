/**
 * The simulated host, complete: the kernel with its files and programs, tsboxd serving the engine on
 * /run/tsbox.sock, and a login shell on the console. The page's worker runs it, and so does Node, where
 * clients outside are carried onto that socket.
 */
import type { Api } from "../api/http.ts";
import { HostFiles } from "../backends/sim/host-files.ts";
import type { Input, InputLog } from "../backends/sim/input-log.ts";
import { bootHost } from "../backends/sim/host.ts";
import type { Kernel, Loader } from "../backends/sim/kernel/kernel.ts";
import type { Program, Sys } from "../backends/sim/kernel/sys.ts";
import { seededRandom } from "../backends/sim/random.ts";
import { standIn } from "../backends/sim/userland/programs.ts";
import type { WebAssemblyLoader } from "../backends/sim/wasm/loader.ts";
import { hex } from "../core/base/bytes.ts";
import type { Hasher } from "../core/base/ports.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { RegistryDependencies } from "../core/engine/registry.ts";
import { Console, type ConsoleSize, type Screen } from "./console.ts";
import type { Pause } from "./event-loop.ts";
import { daemon, type DaemonOptions } from "./daemon.ts";
import { capture, type Moment, type Performed } from "./moment.ts";
import type { Offer } from "./download.ts";
import { Fetches } from "./fetches.ts";
import { type Client, type Connection, Relay } from "./relay.ts";
import { addRootFiles, clientNames, downloadName } from "./root-files.ts";

export interface HostOptions {
  readonly seed: number;
  /** Nanoseconds since the epoch at boot. */
  readonly now: bigint;
  /** How time goes, what is to be lived again, and where new input is written down. */
  readonly log: InputLog;
  /** The bytes of a file of the log, by their digest. */
  readonly fileOf: (digest: string) => Uint8Array;
  readonly pause: Pause;
  readonly hasher: Hasher;
  /** The tar of an image that comes with tsbox, by its familiar name; null for any other. */
  readonly embedded: (name: string) => Promise<Uint8Array> | null;
  /** The way to registries outside; without it registry.sim is the only one. */
  readonly registry?: RegistryDependencies;
  /** Wraps the API, to see what is asked. */
  readonly watched?: (api: Api) => Api;
  /** Whether tsboxd runs; true if not given. */
  readonly serves?: boolean;
  readonly size: ConsoleSize;
  readonly screen: Screen;
  /** Is given the files that `download` hands out, those of a life lived again left out; without it they go nowhere. */
  readonly offer?: Offer;
  /** Where @wasmer/wasi's own WebAssembly is; not given: Node finds it in the package. */
  readonly wasmer?: () => Promise<unknown>;
}

export interface SimulatedHost {
  readonly kernel: Kernel;
  /** Types at the console. */
  type(bytes: Uint8Array): void;
  resize(size: ConsoleSize): void;
  /** Puts a file into root's home directory; one of that name is replaced. `fileOf` must know its digest. */
  addFile(name: string, digest: string): void;
  /** A client outside connects to tsboxd's socket. */
  connect(client: Client): Connection;
  /** Resolves with the engine when tsboxd listens. */
  readonly engine: Promise<Engine>;
  /** What lenses can look at now; what is as it was `before` is kept once. */
  capture(before: Moment | null): Moment;
}

const loginEnvironment = [
  "HOME=/root",
  "LOGNAME=root",
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "SHELL=/bin/sh",
  "TERM=xterm-256color",
  "USER=root",
];

export function startHost(options: HostOptions): SimulatedHost {
  const { now, log, seed } = options;
  let kernel: Kernel | null = null;
  const loader = loaderOf(options, () => kernel);
  kernel = bootHost({ now, pace: log, loader, random: seededRandom(seed) });
  const files = new HostFiles(kernel);
  addRootFiles(files);
  const console = loggedIn(kernel, options);
  const { put, relay, fetches } = inputsOf(kernel, console, files, options);
  const engine = Promise.withResolvers<Engine>();
  let performed: Performed | null = null;
  const served: DaemonOptions = {
    ...options,
    ...(fetches && { registry: { ...options.registry, fetch: fetches.fetch } }),
    opened: (opened) => engine.resolve(opened),
    performing: ({ key, plan }) => {
      performed = { container: key.container, plan };
    },
  };
  if (options.serves !== false) kernel.launch("tsboxd", daemon(kernel, files, served));
  return {
    kernel,
    type: (bytes) => put({ kind: "keys", hex: hex(bytes) }),
    resize: ({ rows, columns }) => put({ kind: "size", rows, columns }),
    addFile: (name, digest) => put({ kind: "file", name: fileName(name), digest }),
    connect: (client) => relay.connect(client),
    engine: engine.promise,
    capture: (before) => capture(kernel, performed, before),
  };
}

/** A login shell on the console. */
function loggedIn(kernel: Kernel, { size, screen }: HostOptions): Console {
  const console = new Console(kernel, size, screen);
  console.run("login", async (sys) => {
    sys.changeDirectory("/root");
    await greet(sys);
    return sys.exec("/bin/sh", ["-sh"], loginEnvironment);
  });
  return console;
}

interface Inputs {
  /** Admits an input and has it taken in. */
  readonly put: (input: Input) => void;
  readonly relay: Relay;
  /** Null when the host has no network outside. */
  readonly fetches: Fetches | null;
}

/** Whatever comes in is written down as it is taken in. */
function inputsOf(kernel: Kernel, console: Console, files: HostFiles, options: HostOptions): Inputs {
  const { log, pause, registry, fileOf } = options;
  const take = (input: Input): void => {
    log.note(input);
    if ("connection" in input) relay.take(input);
    else if ("fetch" in input) fetches?.take(input);
    else if (input.kind === "keys") console.type(bytesOf(input.hex));
    else if (input.kind === "size") console.resize(input);
    else files.replace(`/root/${input.name}`, fileOf(input.digest), 0o644);
  };
  const put = (input: Input): void => kernel.turns.admit(() => take(input));
  const relay = new Relay(kernel, pause, put);
  const fetches = registry?.fetch ? new Fetches(kernel.turns, registry.fetch, put) : null;
  log.connect(put);
  void log.replayed.then(() => {
    relay.hangUp();
    fetches?.goLive();
  });
  return { put, relay, fetches };
}

/** As login(1) does: the message of the day. */
async function greet(sys: Sys): Promise<void> {
  const fd = await sys.open("/etc/motd", { access: "read" });
  await sys.write(1, await sys.read(fd, 4096));
  sys.close(fd);
}

/** Of hexadecimal digits. */
function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A name a user gave, as one that a directory can have. */
function fileName(name: string): string {
  const cleaned = name.replaceAll(/[/\0]/g, "_").slice(0, 200);
  return cleaned === "" || cleaned === "." || cleaned === ".." ? "file" : cleaned;
}

/** tsbox, docker and the loader of WebAssembly come as chunks of their own, loaded when they are first needed. */
function loaderOf({ hasher, wasmer, pause, log, offer }: HostOptions, kernelOf: () => Kernel | null): Loader {
  let loaded: Promise<WebAssemblyLoader> | null = null;
  const load = async (): Promise<WebAssemblyLoader> => {
    const { webAssemblyLoader } = await import("../backends/sim/wasm/loader.ts");
    return webAssemblyLoader({ hasher, ...(wasmer === undefined ? {} : { wasmer }) });
  };
  return {
    webAssembly: async (bytes) => (await (loaded ??= load()))(bytes),
    standIn: async (name): Promise<Program | null> => {
      const kernel = kernelOf();
      const offered: Offer = (file, bytes) => (log.isLive ? offer?.(file, bytes) : undefined);
      if (name === downloadName) return (await import("./download.ts")).download(offered);
      if (kernel === null || !clientNames.includes(name)) return standIn(name);
      return (await import("./client.ts")).client(kernel, pause);
    },
  };
}
