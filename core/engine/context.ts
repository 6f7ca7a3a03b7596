/** What the use cases of the engine work with. */
import type { Ports } from "../base/ports.ts";
import type { ContainerRecord } from "../container/record.ts";
import type { Records } from "../container/records.ts";
import type { VolumeStore } from "../volume/volumes.ts";
import type { EventLog } from "./event-log.ts";
import type { ImageStore } from "./image-store.ts";
import type { Live } from "./live.ts";
import type { Machine } from "./machine.ts";
import type { ContainerTable } from "./refs.ts";

export interface Context {
  readonly machine: Machine;
  readonly ports: Ports;
  readonly bootId: string;
  readonly containers: ContainerTable;
  readonly records: Records;
  readonly volumes: VolumeStore;
  readonly events: EventLog;
  readonly images: ImageStore;
  /** Containers being created: nobody finds them yet, but their images must stay. */
  readonly drafts: Set<ContainerRecord>;
  /** Takes on work nobody waits for; what goes wrong in it is told to the operator. */
  readonly background: (what: string, work: Promise<unknown>) => void;
  /** Waits for work whose failure must not stop the caller; it is told to the operator. */
  readonly attempt: (what: string, work: Promise<unknown>) => Promise<void>;
  /** False once the engine lets go. */
  readonly open: () => boolean;
}

/** Tells what happened to a container, with the attributes Docker gives: image, name, labels. */
export function emit(context: Context, live: Live, action: string, extra: Readonly<Record<string, string>> = {}): void {
  const { id, name, config } = live.record;
  context.events.emit("container", action, id, { ...config.labels, image: config.image, name, ...extra });
}
