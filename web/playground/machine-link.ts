/** The page's end of the worker with the simulated machine. */
import { proxy, wrap } from "comlink";
import type { Origin } from "../../core/unionfs/origin.ts";
import type { ConsoleSize } from "../../host/console.ts";
import type { HostView, LayerView } from "../../host/lens.ts";
import type { RecordedSession, Replayed } from "../../host/replay.ts";
import type { MachineWorker, Outside } from "./machine.ts";

export interface MachineLink {
  type(bytes: Uint8Array): void;
  resize(size: ConsoleSize): void;
  addFile(name: string, content: Blob): Promise<void>;
  /** How many events there were. */
  events(): Promise<number>;
  /** Those at which Enter was pressed. */
  enters(): Promise<readonly number[]>;
  /** What is there now, or just before an event. */
  look(event?: number): Promise<HostView>;
  list(layers: readonly LayerView[], path: string, top: number, event?: number): Promise<readonly Origin[]>;
  /** Goes on from just before an event another way; `outside` sees all that was printed until then, and what is from then on. */
  resume(event: number, outside: Outside): Promise<void>;
  /** Makes it quick to go on from any event. */
  prepare(): Promise<void>;
  recorded(): Promise<{ readonly session: RecordedSession; readonly root: string }>;
  replay(session: RecordedSession, files: ReadonlyMap<string, Uint8Array>): Promise<Replayed>;
  /** Forgets the session: the next page begins anew. */
  forget(): Promise<void>;
  end(): void;
}

/** Boots a machine in a worker of its own; `session` names what is kept of it. `tell` hears what the user should know, also when that worker breaks later. */
export async function startMachine(
  session: string,
  size: ConsoleSize,
  outside: Outside,
  tell: (sentence: string) => void,
): Promise<MachineLink> {
  const worker = new Worker(new URL("./machine.ts", import.meta.url), { type: "module" });
  const machine = wrap<MachineWorker>(worker);
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const why = `The simulated machine broke: ${event.message || "its worker could not be loaded"}. Reload the page.`;
      tell(why);
      reject(new Error(why));
    });
  });
  failed.catch(() => {});
  const said = await Promise.race([machine.boot(session, size, proxy(outside)), failed]);
  if (said !== "") tell(said);
  return {
    type: (bytes) => void machine.type(bytes),
    resize: (changed) => void machine.resize(changed),
    addFile: (name, content) => machine.addFile(name, content),
    events: () => machine.events(),
    enters: () => machine.enters(),
    look: (event) => machine.look(event),
    list: (layers, path, top, event) => machine.list(layers, path, top, event),
    resume: (event, other) => machine.resume(event, proxy(other)),
    prepare: () => machine.prepare(),
    recorded: () => machine.recorded(),
    replay: (session, files) => machine.replay(session, files),
    forget: () => machine.forget(),
    end: () => worker.terminate(),
  };
}
