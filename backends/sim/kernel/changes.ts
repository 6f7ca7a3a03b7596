/**
 * Who waits for what. A call that blocks looks at things (a pipe, a terminal, its children); each thing
 * it looked at remembers the process and has it asked again when it changes. So a thousand sleeping
 * processes cost nothing while one runs.
 *
 * Only what a call says it watches counts (CallOptions.watched): a call that looks at something that
 * cannot tell of its changes is asked again before every turn.
 */
import type { Process } from "./process.ts";

/** Asks a process again. */
export interface Waker {
  nudge(process: Process): void;
}

interface Looking {
  readonly process: Process;
  readonly waker: Waker;
}

/** Whose call is being tried. */
let looking: Looking | null = null;

/** What the process looks at while it tries has it asked again. */
export function watching<T>(process: Process, waker: Waker, attempt: () => T): T {
  const before = looking;
  looking = { process, waker };
  try {
    return attempt();
  } finally {
    looking = before;
  }
}

export class Changes {
  readonly #watchers = new Map<Process, Waker>();

  /** The one that looks now is to hear of the next change. */
  watch(): void {
    if (looking !== null) this.#watchers.set(looking.process, looking.waker);
  }

  tell(): void {
    if (this.#watchers.size === 0) return;
    const told = [...this.#watchers];
    this.#watchers.clear();
    for (const [process, waker] of told) waker.nudge(process);
  }
}
