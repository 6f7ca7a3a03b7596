/** The page's end of the worker with the simulated machine. */
import { proxy, wrap } from "comlink";
import type { Origin } from "../../core/unionfs/origin.ts";
import type { ConsoleSize } from "../../host/console.ts";
import type { HostView, LayerView } from "../../host/lens.ts";
import type { MachineWorker, Screen } from "./machine.ts";

export interface MachineLink {
  type(bytes: Uint8Array): void;
  resize(size: ConsoleSize): void;
  addFile(name: string, content: Blob): Promise<void>;
  look(): Promise<HostView>;
  list(layers: readonly LayerView[], path: string, top: number): Promise<readonly Origin[]>;
  end(): void;
}

/** Boots a machine in a worker of its own. `broke` hears when that worker breaks later. */
export async function startMachine(
  size: ConsoleSize,
  screen: Screen,
  broke: (why: string) => void,
): Promise<MachineLink> {
  const worker = new Worker(new URL("./machine.ts", import.meta.url), { type: "module" });
  const machine = wrap<MachineWorker>(worker);
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const why = `The simulated machine broke: ${event.message || "its worker could not be loaded"}. Reload the page.`;
      broke(why);
      reject(new Error(why));
    });
  });
  failed.catch(() => {});
  await Promise.race([machine.boot(size, proxy(screen)), failed]);
  return {
    type: (bytes) => void machine.type(bytes),
    resize: (changed) => void machine.resize(changed),
    addFile: (name, content) => machine.addFile(name, content),
    look: () => machine.look(),
    list: (layers, path, top) => machine.list(layers, path, top),
    end: () => worker.terminate(),
  };
}
