/**
 * The engine on a simulated kernel, as tsboxd serves it: a chunk of its own, since a shell is there
 * before anybody asks for a container.
 */
import type { Api } from "../api/http.ts";
import { createApi } from "../api/index.ts";
import type { HostFiles } from "../backends/sim/host-files.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { SimMachine } from "../backends/sim/machine.ts";
import { simPorts } from "../backends/sim/ports.ts";
import { version } from "../cli/version.ts";
import { type ByteStream, hex } from "../core/base/bytes.ts";
import type { Hasher, Random } from "../core/base/ports.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { Machine, TaskStart } from "../core/engine/machine.ts";
import { openEngine } from "../core/engine/open.ts";
import type { RegistryDependencies } from "../core/engine/registry.ts";
import { inflate } from "./codecs.ts";
import { registriesOf } from "./registry.ts";

export interface EngineOptions {
  readonly hasher: Hasher;
  /** The tar of an image that comes with tsbox, by its familiar name; null for any other. */
  readonly embedded: (name: string) => Promise<Uint8Array> | null;
  /** The way to registries outside; without it registry.sim is the only one. */
  readonly registry?: RegistryDependencies;
  /** Is told of each plan that starts a container or an exec session, the very object. */
  readonly performing: (start: TaskStart) => void;
}

export interface OpenedEngine {
  readonly engine: Engine;
  readonly api: Api;
}

export async function openSimulatedEngine(
  kernel: Kernel,
  files: HostFiles,
  options: EngineOptions,
): Promise<OpenedEngine> {
  const machine = watched(SimMachine.open(kernel), options.performing);
  const ports = simPorts(kernel, { hasher: options.hasher, inflate });
  const bootId = uuid(ports.random);
  const warn = (message: string): void => files.append("/var/log/tsboxd.log", new TextEncoder().encode(`${message}\n`));
  const engine = await openEngine({
    machine,
    ports,
    bootId,
    warn,
    embedded: (name) => embedded(kernel, options, name),
    registry: registriesOf({ kernel, disk: machine.disk, ports }, options.registry),
  });
  const api = createApi(engine, {
    version,
    commit: "",
    buildTime: "",
    runtime: "the simulated host",
    id: hex(ports.random.bytes(32)),
    hostName: kernel.init.namespaces.uts.hostname,
    operatingSystem: "tsbox simulated host",
    dataRoot: machine.disk.dataRoot,
    storageDriver: machine.layers.name,
    debug: false,
    clock: ports.clock,
    advance: (ms, signal) => advance(kernel, ms, signal),
  });
  return { engine, api };
}

/** Resolves when so much time has passed, or the signal aborts: then there is no hurry any more. */
async function advance({ turns }: Kernel, ms: number, signal: AbortSignal): Promise<void> {
  const until = turns.now + BigInt(ms) * 1_000_000n;
  turns.hurry(until);
  await turns.sleepUntil(until, signal);
  turns.hurry(turns.now);
}

function watched(machine: Machine, performing: (start: TaskStart) => void): Machine {
  return {
    traits: machine.traits,
    disk: machine.disk,
    layers: machine.layers,
    perform: (start) => {
      performing(start);
      return machine.perform(start);
    },
    carryOut: (plan) => machine.carryOut(plan),
    recover: (key) => machine.recover(key),
    files: (view) => machine.files(view),
    oomKills: (plan) => machine.oomKills(plan),
    close: () => machine.close(),
  };
}

/** The kernel stands still while an image is fetched. */
function embedded(kernel: Kernel, options: EngineOptions, name: string): ByteStream | null {
  const tar = options.embedded(name);
  if (tar === null) return null;
  kernel.turns.hold(tar);
  return (async function* () {
    yield await tar;
  })();
}

/** Random, version 4 (RFC 9562). */
function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = hex(bytes);
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join(
    "-",
  );
}
