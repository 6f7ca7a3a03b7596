/** The world a daemon's engine works in: this Linux machine, or a simulated one. */
import { readFileSync } from "node:fs";
import type { Api } from "../api/http.ts";
import { openLinuxMachine } from "../backends/linux/machine.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import type { Ports } from "../core/base/ports.ts";
import type { Machine } from "../core/engine/machine.ts";
import { hostName, operatingSystem } from "./system-info.ts";

export interface World {
  readonly machine: Machine;
  readonly ports: Ports;
  /** Names this boot of the machine. */
  readonly bootId: string;
  readonly hostName: string;
  readonly operatingSystem: string;
  /** Where the engine's id is kept on this machine; null when it is the world's own. */
  readonly idFile: string | null;
  /** How requests from outside reach the engine. */
  readonly admitted: (api: Api) => Api;
}

export interface WorldOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly cgroupParent: string;
}

export async function openLinuxWorld({ dataRoot, execRoot, cgroupParent }: WorldOptions): Promise<World> {
  const machine = await openLinuxMachine({ dataRoot, runRoot: execRoot, cgroupParent });
  return {
    machine,
    ports: linuxPorts,
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    hostName: hostName(),
    operatingSystem: operatingSystem(),
    idFile: `${dataRoot}/engine-id`,
    admitted: (api) => api,
  };
}
