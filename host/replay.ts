/**
 * Lives a recorded session again, at once and unseen: what a teacher's machine does with a learner's
 * session, and one browser with another's. The same session ends in the same state everywhere.
 */
import { InputLog, type LogEntry } from "../backends/sim/input-log.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { jumping } from "../backends/sim/kernel/pace.ts";
import { snapshotOf } from "../backends/sim/snapshot.ts";
import { stateRoot } from "../backends/sim/state-root.ts";
import type { Hasher } from "../core/base/ports.ts";
import type { ConsoleSize } from "./console.ts";
import { type HostOptions, startHost } from "./host.ts";

/** A session as plain JSON. Its files are named by their digests. */
export interface RecordedSession {
  readonly seed: number;
  /** Nanoseconds since the epoch at boot, in digits. */
  readonly now: string;
  readonly size: ConsoleSize;
  readonly entries: readonly LogEntry[];
}

export interface Replayed {
  /** Whether it went as it was recorded; false: it was recorded by other programs. */
  readonly same: boolean;
  /** One digest of all that is in the machine at its end. */
  readonly root: string;
}

export type World = Pick<HostOptions, "pause" | "hasher" | "embedded" | "fileOf" | "wasmer" | "registry">;

export async function replay(session: RecordedSession, world: World): Promise<Replayed> {
  const { pause } = world;
  const log = new InputLog({ replay: session.entries, live: () => standing(pause), pause, sink: () => {} });
  const { seed, size } = session;
  const { kernel } = startHost({
    ...world,
    seed,
    size,
    now: BigInt(session.now),
    log,
    screen: () => Promise.resolve(),
  });
  await kernel.turns.run();
  return { same: await log.replayed, root: rootOf(kernel, world.hasher) };
}

export function rootOf(kernel: Kernel, hasher: Hasher): string {
  return stateRoot(snapshotOf(kernel), hasher);
}

/** After the last entry time stands still. */
function standing(pause: () => Promise<void>): ReturnType<typeof jumping> {
  return { ...jumping(pause), idle: () => Promise.resolve(null) };
}
