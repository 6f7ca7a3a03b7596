/** A path of a container as the header X-Docker-Container-Path-Stat tells of it. */
import { formatTime } from "../../core/base/time.ts";
import type { PathStat } from "../../core/engine/engine.ts";

/** Go's type bits (io/fs.FileMode). */
const types: Readonly<Record<PathStat["kind"], number>> = {
  file: 0,
  directory: 1 << 31,
  symlink: 1 << 27,
  block: 1 << 26,
  character: (1 << 26) | (1 << 21),
  fifo: 1 << 25,
  socket: 1 << 24,
};

/** Its bits for set-user-id, set-group-id and sticky. */
const special: readonly (readonly [bit: number, goes: number])[] = [
  [0o4000, 1 << 23],
  [0o2000, 1 << 22],
  [0o1000, 1 << 20],
];

export function pathStatToWire({ kind, mode, size, mtime, name, target }: PathStat): object {
  return { name, size, mode: goMode(kind, mode), mtime: formatTime(mtime), linkTarget: target };
}

export function goMode(kind: PathStat["kind"], mode: number): number {
  const bits = special.filter(([bit]) => (mode & bit) !== 0).reduce((sum, [, goes]) => sum | goes, types[kind]);
  return (bits | (mode & 0o777)) >>> 0;
}
