/** Character devices by their numbers (kernel: admin-guide/devices.txt): memory devices and terminals. */
import { Errno } from "../../../core/base/errno.ts";
import type { FileSystem, Stat } from "../../../core/unionfs/file-system.ts";
import { Devpts } from "./devpts.ts";
import type { Kernel } from "./kernel.ts";
import type { Channel } from "./open-file.ts";
import type { Process } from "./process.ts";
import { MasterChannel, TerminalChannel, type Terminal } from "./terminal.ts";

interface Behaviour {
  readonly read: (length: number) => Uint8Array;
  readonly write: (bytes: Uint8Array) => number;
}

const swallow = (bytes: Uint8Array): number => bytes.length;
const zeros = (length: number): Uint8Array => new Uint8Array(length);

/** ENXIO for a device this machine does not have. */
export function openDevice(kernel: Kernel, process: Process, fileSystem: FileSystem, stat: Stat): Channel {
  const isCharacter = stat.kind === "character";
  if (isCharacter && stat.major === 5 && stat.minor === 0) return terminalChannel(process.terminal, stat);
  if (isCharacter && fileSystem instanceof Devpts) return pseudoTerminal(kernel, process, fileSystem, stat);
  const behaviour = stat.kind === "character" && stat.major === 1 ? memoryDevice(kernel, stat.minor) : null;
  if (behaviour === null) throw new Errno("ENXIO");
  return { ...behaviour, readable: () => true, writable: () => true, stat: () => stat, close: () => {} };
}

/** ptmx makes a new pair and gives its master; a number is that one's slave. */
function pseudoTerminal(kernel: Kernel, process: Process, devpts: Devpts, stat: Stat): Channel {
  if (stat.major !== 5) return terminalChannel(devpts.terminals.get(stat.minor) ?? null, stat);
  const terminal = kernel.newTerminal({ rows: 24, columns: 80 });
  devpts.add(terminal, process);
  return new MasterChannel(terminal, stat);
}

function terminalChannel(terminal: Terminal | null, stat: Stat): Channel {
  if (terminal === null) throw new Errno("ENXIO");
  return new TerminalChannel(terminal, () => stat);
}

function memoryDevice(kernel: Kernel, minor: number): Behaviour | null {
  switch (minor) {
    case 3:
      return { read: () => new Uint8Array(0), write: swallow };
    case 5:
      return { read: zeros, write: swallow };
    case 7:
      return { read: zeros, write: noSpace };
    case 8:
    case 9:
      return { read: (length) => kernel.options.random(length), write: swallow };
    default:
      return null;
  }
}

function noSpace(): never {
  throw new Errno("ENOSPC");
}
