/** An engine over a machine, ports and images in memory, and the short ways of a test to ask things of it. */
import type { ContainerId } from "../../base/brand.ts";
import { decodeBytes } from "../../base/bytes.ts";
import type { Config, HostConfig } from "../../container/config.ts";
import type { Image } from "../../image/image.ts";
import type { CreateRequest, Engine } from "../engine.ts";
import type { Attachment } from "../machine.ts";
import { openEngineOver } from "../open.ts";
import { memoryImage, memoryImages, noConfig, noHostConfig } from "./memory-images.ts";
import { MemoryMachine } from "./memory-machine.ts";
import { type MemoryPorts, memoryPorts } from "./memory-ports.ts";

export interface EngineInMemory {
  readonly engine: Engine;
  readonly machine: MemoryMachine;
  readonly ports: MemoryPorts;
  readonly warnings: string[];
  /** The next engine on the same host, as after a kill -9 of this one. */
  reopen(bootId?: string): Promise<EngineInMemory>;
}

export async function engineInMemory(
  options: { ports?: MemoryPorts; machine?: MemoryMachine; images?: Image[]; bootId?: string } = {},
): Promise<EngineInMemory> {
  const ports = options.ports ?? memoryPorts();
  const machine = options.machine ?? new MemoryMachine({ now: () => ports.clock.now() });
  const images = options.images ?? [memoryImage("busybox:latest", { cmd: ["sh"], env: ["PATH=/bin"] })];
  const warnings: string[] = [];
  const bootId = options.bootId ?? "boot 1";
  const warn = (message: string): void => void warnings.push(message);
  const engine = await openEngineOver({ machine, ports, embedded: () => null, bootId, warn }, memoryImages(...images));
  const reopen = (nextBoot = bootId): Promise<EngineInMemory> => {
    machine.cutAfter(0);
    return engineInMemory({ ports, machine: machine.reopen(), images, bootId: nextBoot });
  };
  return { engine, machine, ports, warnings, reopen };
}

/** A request to run `argv` of busybox. */
export function request(
  argv: readonly string[],
  options: { name?: string; config?: Partial<Config>; host?: Partial<HostConfig> } = {},
): CreateRequest {
  return {
    name: options.name ?? null,
    platform: null,
    config: { ...noConfig, cmd: argv, ...options.config },
    hostConfig: { ...noHostConfig, ...options.host },
  };
}

/** Creates and starts. */
export async function up(engine: Engine, ...of: Parameters<typeof request>): Promise<ContainerId> {
  const { id } = await engine.containers.create(request(...of));
  await engine.containers.start(id);
  return id;
}

/** All that an attachment says, to its end. */
export async function outputOf(attachment: Attachment): Promise<string> {
  let text = "";
  for await (const { bytes } of attachment.output) text += decodeBytes(bytes);
  return text;
}

/** What a test compares after everything is gone: nothing should be left. */
export function leftovers({ machine }: EngineInMemory): {
  layers: string[];
  cgroups: string[];
  running: string[];
  files: string[];
} {
  const containers = `${machine.disk.dataRoot}/containers/`;
  return {
    layers: [...machine.world.prepared],
    cgroups: [...machine.world.cgroups],
    running: machine.running,
    files: [...machine.world.files.keys()].filter((path) => path.startsWith(containers)),
  };
}
