/** The world a daemon serves: this Linux machine, or a simulated one. */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { fileURLToPath } from "node:url";
import type { Api } from "../api/http.ts";
import { createApi } from "../api/index.ts";
import { openLinuxMachine } from "../backends/linux/machine.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import type { Engine } from "../core/engine/engine.ts";
import { openEngine } from "../core/engine/open.ts";
import type { RegistryDependencies } from "../core/engine/registry.ts";
import { type EmbeddedName, ownImage } from "../core/image/embedded.ts";
import { type Activity, createHttpServer } from "./http-server.ts";
import { hostName, operatingSystem, systemInfo } from "./system-info.ts";

export interface World {
  readonly engine: Engine;
  /** Carries clients to it; it does not listen yet. */
  readonly server: Server;
  /** What there is to say of how it came up; "" for nothing. */
  readonly remark: string;
  /** Lets go of the clients and of the world. */
  close(): Promise<void>;
}

export interface LinuxWorldOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly cgroupParent: string;
  readonly debug: boolean;
  readonly registry: Required<RegistryDependencies>;
  readonly watched: (api: Api) => Api;
  readonly activity: Activity;
  /** Hears of what went wrong in work nobody waits for. */
  readonly warn: (message: string) => void;
}

export async function openLinuxWorld(options: LinuxWorldOptions): Promise<World> {
  const { dataRoot, execRoot, cgroupParent, registry, debug, warn } = options;
  const machine = await openLinuxMachine({ dataRoot, runRoot: execRoot, cgroupParent });
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const engine = await openEngine({ machine, ports: linuxPorts, embedded, bootId, warn, registry });
  const system = systemInfo({
    ...{ debug, dataRoot: machine.disk.dataRoot, storageDriver: machine.layers.name, clock: linuxPorts.clock },
    ...{ hostName: hostName(), operatingSystem: operatingSystem(), idFile: `${dataRoot}/engine-id` },
  });
  const server = createHttpServer(options.watched(createApi(engine, system)), options.activity);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await engine.close();
  };
  return { engine, server, remark: "", close };
}

/** `ubuntu` and its like are Docker Hub's here. */
function embedded(name: string): ReturnType<typeof createReadStream> | null {
  const image = ownImage(name);
  const path = image === null ? null : embeddedPath(image);
  return path !== null && existsSync(path) ? createReadStream(path) : null;
}

/** Where the tar of an image is that comes with tsbox. */
export function embeddedPath(image: EmbeddedName): string {
  return fileURLToPath(new URL(`../dist/images/${image}.tar`, import.meta.url));
}
