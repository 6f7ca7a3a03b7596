/** Opens the engine: what an earlier one left is read and put right, then it takes orders. */
import type { ByteStream } from "../base/bytes.ts";
import { messageOf } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { Records } from "../container/records.ts";
import { openVolumes } from "../volume/volumes.ts";
import { containersOf } from "./containers.ts";
import type { Context } from "./context.ts";
import type { Engine, Images } from "./engine.ts";
import { EventLog } from "./event-log.ts";
import { execsOf } from "./execs.ts";
import { imageFinder, withEvents } from "./images-with-events.ts";
import { ensureInitLayer, initLayer } from "./init-layer.ts";
import type { Machine } from "./machine.ts";
import { recover } from "./recover.ts";
import { ContainerTable } from "./refs.ts";
import { volumesOf } from "./volumes.ts";

export interface EngineDependencies {
  readonly machine: Machine;
  readonly ports: Ports;
  /** The tar of an image that comes with tsbox, by its familiar name ("hello"); null for any other name. */
  readonly embedded: (name: string) => ByteStream | null;
  /** Names this boot of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
  /** Hears of what went wrong in work nobody waits for: one line for the operator. */
  readonly warn?: (message: string) => void;
}

/** Opens the engine over a store of images; `isUsed` tells the store which images containers are made of. */
export async function openEngineOver(
  dependencies: EngineDependencies,
  openStore: (isUsed: (image: string) => string | null) => Promise<Images>,
): Promise<Engine> {
  const { machine, ports } = dependencies;
  const events = new EventLog(ports.clock);
  const containers = new ContainerTable();
  const images = withEvents(await openStore((image) => userOf(containers, image)), events);
  let open = true;
  const context: Context = {
    machine,
    ports,
    bootId: dependencies.bootId,
    containers,
    records: new Records(machine.disk),
    volumes: await openVolumes(machine.disk, ports),
    events,
    image: imageFinder(images, dependencies.embedded),
    ...workers(dependencies),
    open: () => open,
  };
  await ensureInitLayer(machine.layers, initLayer(ports.hasher));
  await recover(context);
  return {
    images,
    containers: containersOf(context),
    execs: execsOf(context),
    volumes: volumesOf(context),
    traits: machine.traits,
    events: (filter) => events.read(filter),
    async close() {
      open = false;
      for (const live of containers.list()) live.backOff?.abort();
      events.close();
      await machine.close();
    },
  };
}

/** The id of a container made of the image, null when there is none. */
function userOf(containers: ContainerTable, image: string): string | null {
  return containers.list().find(({ record }) => record.image === image)?.record.id ?? null;
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
