/** Opens the engine: what an earlier one left is read and put right, then it takes orders. */
import { TsboxError } from "../base/error.ts";
import type { ByteStream } from "../base/bytes.ts";
import type { Ports } from "../base/ports.ts";
import type { Engine } from "./engine.ts";
import type { Machine } from "./machine.ts";

export interface EngineDependencies {
  readonly machine: Machine;
  readonly ports: Ports;
  /** The tar of an image that comes with tsbox, by its familiar name ("hello"); null for any other name. */
  readonly embedded: (name: string) => ByteStream | null;
  /** Names this boot of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
}

export function openEngine(_dependencies: EngineDependencies): Promise<Engine> {
  return Promise.reject(new TsboxError("unavailable", "the engine is not there yet"));
}
