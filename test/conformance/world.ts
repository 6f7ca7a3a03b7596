/**
 * A world under test: a Machine with its surroundings. The suite (suite.ts) knows no more of it
 * than this; each backend has one file that opens its world and calls the suite.
 */
import type { ByteStream } from "../../core/base/bytes.ts";
import type { HostPath } from "../../core/base/brand.ts";
import type { Ports } from "../../core/base/ports.ts";
import type { Machine } from "../../core/engine/machine.ts";

export interface World {
  readonly ports: Ports;
  /** A cgroup of the suite's own that its containers' cgroups are made in. */
  readonly cgroupParent: string;
  /** The machine that is open now. */
  readonly machine: Machine;
  /** Closes the machine and opens one on the same roots, as a restarted engine does. */
  reopen(): Promise<void>;
  /** What the kernel holds of our tasks: cgroups, mounts, processes, sockets; [] when nothing is left. */
  left(): Promise<string[]>;
  /** A directory of the world's host, filled with files: name to text. */
  hostDirectory(files: Readonly<Record<string, string>>): Promise<HostPath>;
  /** Reads a file of the world's host. */
  hostFile(path: string): Promise<string>;
  /** A tar of the busybox image, made by real tools. */
  busybox(): ByteStream;
  close(): Promise<void>;
}

/** Cases a world cannot run, by name, each with what its kernel lacks. */
export type Skips = Readonly<Record<string, string>>;
