/**
 * The worker in which the simulated machine lives. It has what the page lacks to be a world: a clock,
 * a way to let others run, the bytes of the files a user drops, and a place to keep the session, so that
 * a reload lives it again.
 */
import { expose, type ProxyMarked, type Remote } from "comlink";
import { real } from "../../backends/sim/kernel/pace.ts";
import type { Clock, Hasher } from "../../core/base/ports.ts";
import { digestOf } from "../../core/image/digest.ts";
import type { Origin } from "../../core/unionfs/origin.ts";
import { wasmHasher } from "../../host/hasher.ts";
import type { ConsoleSize } from "../../host/console.ts";
import type { Moment } from "../../host/moment.ts";
import type { HostView, LayerView } from "../../host/lens.ts";
import { embeddedImage } from "../../core/image/embedded.ts";
import type { RecordedSession, Replayed, World } from "../../host/replay.ts";
import { type Beginning, type Branch, type Life, Timeline } from "../../host/timeline.ts";
import { pageFetch, pageRegistries } from "./page-fetch.ts";
import { SavedSession } from "./saved-session.ts";

export interface MachineWorker {
  /**
   * Boots, and lives the session that is kept under that name again when there is one; `outside` sees and gets what comes out. Gives a sentence for the user when something about the session is not as he may expect, "" otherwise.
   */
  boot(session: string, size: ConsoleSize, outside: Outside & ProxyMarked): Promise<string>;
  type(bytes: Uint8Array): void;
  resize(size: ConsoleSize): void;
  /** How many events there were: what came in, and time that passed. */
  events(): number;
  /** Those at which Enter was pressed. */
  enters(): readonly number[];
  /** What is there now, or just before an event; looking changes nothing. */
  look(event?: number): Promise<HostView>;
  list(layers: readonly LayerView[], path: string, top: number, event?: number): Promise<readonly Origin[]>;
  /** Goes on from just before an event another way: what came after is forgotten, `outside` sees all that was printed. */
  resume(event: number, outside: Outside & ProxyMarked): Promise<void>;
  /** Makes it quick to go on from any event. */
  prepare(): Promise<void>;
  /** Puts a file into root's home directory; one of that name is replaced. */
  addFile(name: string, content: Blob): Promise<void>;
  /** The session until now, and one digest of all that is in the machine where it led. */
  recorded(): Promise<{ readonly session: RecordedSession; readonly root: string }>;
  /** Lives another session in a machine of its own, its files by their digests. */
  replay(session: RecordedSession, files: ReadonlyMap<string, Uint8Array>): Promise<Replayed>;
  /** Forgets the session: the next page begins anew. */
  forget(): Promise<void>;
}

/** Who looks on. */
export interface Outside {
  /** Shows bytes of the console's output; resolves when they are shown. */
  screen(bytes: Uint8Array): Promise<void>;
  /** Takes a file that the machine hands out. */
  offer(name: string, content: Blob): void;
}

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

/** A file that is served beside the page; this script is in a directory there. */
async function fetched(path: string): Promise<Uint8Array> {
  const response = await fetch(new URL(`../${path}`, location.href));
  if (!response.ok) throw new Error(`${path} is not served beside the page: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function embedded(name: string): Promise<Uint8Array> | null {
  const image = embeddedImage(name);
  if (image === null) return null;
  return fetched(image === "hello" ? "images/hello.tar" : `images/wasi/${image}.tar`);
}

function wasmer(): Promise<unknown> {
  return fetched("wasmer.wasm");
}

const registry = { fetch: pageFetch(location.origin), config: pageRegistries(location.origin) };

interface Booted extends Branch {
  readonly hasher: Hasher;
  readonly saved: SavedSession;
}

let booted: Booted | null = null;

function machineOf(): Booted {
  if (booted === null) throw new Error("the simulated machine has not booted yet");
  return booted;
}

async function boot(session: string, size: ConsoleSize, outside: Remote<Outside>): Promise<string> {
  const [hasher, saved] = await Promise.all([wasmHasher(), SavedSession.open(session, { size, now: clock.now() })]);
  const { seed, now, rows, columns } = saved.head;
  const world: World = { pause, hasher, embedded, wasmer, registry, fileOf: (digest) => saved.file(digest) };
  const elapsed = (): number => performance.now();
  const beginning: Beginning = { ...world, seed, now: BigInt(now), size: { rows, columns }, elapsed };
  const entries = [...saved.entries];
  const branch = Timeline.begin(beginning, lifeOf(saved, outside), entries);
  booted = { ...branch, hasher, saved };
  if (entries.length > 0 && !(await branch.log.replayed)) {
    saved.cut(branch.log.count);
    saved.trouble("The session was brought back in part only: this page's programs have changed.");
  }
  branch.host.resize(size);
  return saved.said;
}

function lifeOf(saved: SavedSession, outside: Remote<Outside>): Life {
  return {
    live: (now) => real(pause, clock, now),
    kept: (entry) => saved.add(entry),
    screen: (bytes) => outside.screen(bytes),
    offer: (name, bytes) => void outside.offer(name, new Blob([bytes.slice()])),
  };
}

async function resume(event: number, outside: Remote<Outside>): Promise<void> {
  const { timeline, saved, log, hasher } = machineOf();
  timeline.at(event);
  log.end();
  saved.cut(event);
  const branch = await timeline.resume(event, lifeOf(saved, outside));
  booted = { ...branch, hasher, saved };
}

function momentOf(event: number | undefined): Moment {
  const { host, timeline } = machineOf();
  return event === undefined ? host.capture(null) : timeline.at(event);
}

const machine: MachineWorker = {
  boot: (session, size, outside) => boot(session, size, outside as unknown as Remote<Outside>),
  type: (bytes) => machineOf().host.type(bytes),
  resize: (size) => booted?.host.resize(size),
  events: () => machineOf().timeline.length,
  enters: () => machineOf().timeline.enters,
  look: async (event) => (await import("../../host/lens.ts")).look(momentOf(event)),
  list: async (layers, path, top, event) =>
    (await import("../../host/lens.ts")).originsIn(momentOf(event), layers, path, top),
  resume: (event, outside) => resume(event, outside as unknown as Remote<Outside>),
  prepare: () => machineOf().timeline.prepare(),
  addFile: async (name, content) => {
    const { host, hasher, saved } = machineOf();
    const bytes = new Uint8Array(await content.arrayBuffer());
    const digest = digestOf(hasher, bytes);
    await saved.keepFile(digest, bytes);
    host.addFile(name, digest);
  },
  recorded: async () => {
    const { rootOf } = await import("../../host/replay.ts");
    const { host, hasher, saved } = machineOf();
    const { seed, now, rows, columns } = saved.head;
    const session = { seed, now, size: { rows, columns }, entries: [...saved.entries] };
    return { session, root: rootOf(host.kernel, hasher) };
  },
  replay: async (session, files) => {
    const { replay } = await import("../../host/replay.ts");
    const fileOf = (digest: string): Uint8Array => files.get(digest) ?? new Uint8Array(0);
    return replay(session, { pause, hasher: await wasmHasher(), embedded, wasmer, registry, fileOf });
  },
  forget: () => machineOf().saved.forget(),
};

expose(machine);
