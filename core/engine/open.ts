/** Opens the engine: what an earlier one left is read and put right, then it takes orders. */
import type { ByteStream } from "../base/bytes.ts";
import { messageOf } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import type { ContainerRecord } from "../container/record.ts";
import { Records } from "../container/records.ts";
import { isUp } from "../container/state.ts";
import { platformOf, type Wanted } from "../image/platform.ts";
import type { HostTraits } from "../runtime/traits.ts";
import { openVolumes } from "../volume/volumes.ts";
import { containersOf } from "./containers.ts";
import type { Context } from "./context.ts";
import type { Engine } from "./engine.ts";
import { EventLog } from "./event-log.ts";
import { execsOf } from "./execs.ts";
import type { ImagesDependencies, ImageStore, ImageUser } from "./image-store.ts";
import { openImages } from "./images.ts";
import { ensureInitLayer } from "./init-layer.ts";
import type { Machine } from "./machine.ts";
import { pushesOf } from "./push.ts";
import { recover } from "./recover.ts";
import { type Registry, type RegistryDependencies, registryOf } from "./registry.ts";
import { ContainerTable } from "./refs.ts";
import { volumesOf } from "./volumes.ts";

export interface EngineDependencies {
  readonly machine: Machine;
  readonly ports: Ports;
  /** The tar of an image that comes with tsbox, by its familiar name ("hello"); null for any other name. */
  readonly embedded: (name: string) => ByteStream | null;
  /** Names this boot of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
  /** The way to registries; without it there is none. */
  readonly registry?: RegistryDependencies;
  /** Hears of what went wrong in work nobody waits for: one line for the operator. */
  readonly warn?: (message: string) => void;
}

export function openEngine(dependencies: EngineDependencies): Promise<Engine> {
  return openEngineOver(dependencies, openImages);
}

/** Opens the engine over another store of images: tests of the engine need no tars. */
export async function openEngineOver(
  dependencies: EngineDependencies,
  openStore: (dependencies: ImagesDependencies) => Promise<ImageStore>,
): Promise<Engine> {
  const { machine, ports } = dependencies;
  const events = new EventLog(ports.clock);
  const containers = new ContainerTable();
  const drafts = new Set<ContainerRecord>();
  const users = (): ImageUser[] => [...containers.list().map(({ record }) => record), ...drafts].map(userOf);
  let open = true;
  const context: Context = {
    machine,
    ports,
    bootId: dependencies.bootId,
    containers,
    images: await openStore(imagesDependencies(dependencies, users, events)),
    drafts,
    records: new Records(machine.disk),
    volumes: await openVolumes(machine.disk, ports),
    events,
    ...workers(dependencies),
    open: () => open,
  };
  await machine.disk.remove(pushesOf(machine.disk));
  await ensureInitLayer(machine.layers);
  await recover(context);
  const close = async (): Promise<void> => {
    open = false;
    for (const live of containers.list()) live.backOff?.abort();
    events.close();
    await machine.close();
  };
  return engineOf(context, registryFor(context, dependencies), close);
}

function registryFor({ images, events }: Context, { machine, ports, registry }: EngineDependencies): Registry {
  const { disk, traits } = machine;
  return registryOf({ images, events, disk, ports, platform: platformFor(traits) }, registry ?? { fetch: null });
}

/** A kernel that runs programs for WASI itself runs both kinds alike; a runner is for images that have nothing else. */
function platformFor({ architecture, wasi }: HostTraits): Wanted {
  return platformOf(architecture, wasi === null ? undefined : wasi === "kernel" ? "as listed" : "last");
}

function engineOf(context: Context, registry: Registry, close: () => Promise<void>): Engine {
  return {
    registry,
    images: context.images,
    containers: containersOf(context),
    execs: execsOf(context),
    volumes: volumesOf(context),
    traits: context.machine.traits,
    events: (filter) => context.events.read(filter),
    close,
  };
}

function imagesDependencies(
  { machine, ports, embedded, warn = () => {} }: EngineDependencies,
  users: () => ImageUser[],
  events: EventLog,
): ImagesDependencies {
  return {
    disk: machine.disk,
    layers: machine.layers,
    ports,
    platform: platformFor(machine.traits),
    embedded,
    warn,
    users,
    emit: (action, id, name) => events.emit("image", action, id, { name }),
  };
}

function userOf({ id, image, layers, state }: ContainerRecord): ImageUser {
  return { id, image, layers, running: isUp(state) };
}

function workers({ warn = () => {} }: EngineDependencies): Pick<Context, "background" | "attempt"> {
  const tell = (what: string) => (error: unknown) => warn(`${what} failed: ${messageOf(error)}`);
  return {
    background: (what, work) => void work.catch(tell(what)),
    attempt: async (what, work) => {
      await work.catch(tell(what));
    },
  };
}
