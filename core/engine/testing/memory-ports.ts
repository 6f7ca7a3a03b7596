/** Time and chance for tests: time stands still until it is moved, chance is a sequence. Nothing is hashed or inflated. */
import { unreachable } from "../../base/assert.ts";
import type { Clock, Ports } from "../../base/ports.ts";

interface Sleeper {
  readonly until: bigint;
  readonly wake: () => void;
}

export class MemoryClock implements Clock {
  /** 2026-01-01T00:00:00Z; every look moves it by a microsecond, so that no two things happen at once. */
  #now = 1_767_225_600_000_000_000n;
  #sleepers: Sleeper[] = [];

  now(): bigint {
    this.#now += 1000n;
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { until: this.#now + BigInt(Math.round(ms)) * 1_000_000n, wake: resolve };
      this.#sleepers.push(sleeper);
      const leave = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      if (signal?.aborted === true) leave();
      else signal?.addEventListener("abort", leave, { once: true });
    });
  }

  /** So many sleep. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves time on and wakes those whose time has come, in order. */
  advance(ms: number): void {
    this.#now += BigInt(ms) * 1_000_000n;
    const due = this.#sleepers.filter(({ until }) => until <= this.#now);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now);
    for (const { wake } of due.sort((a, b) => Number(a.until - b.until))) wake();
  }
}

export interface MemoryPorts extends Ports {
  readonly clock: MemoryClock;
}

export function memoryPorts(seed = 1): MemoryPorts {
  let state = seed;
  const byte = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
  return {
    clock: new MemoryClock(),
    random: { bytes: (count) => Uint8Array.from({ length: count }, byte) },
    hasher: { sha256: () => unreachable("this machine hashes nothing" as never) },
    inflate: { decompress: () => unreachable("this machine inflates nothing" as never) },
  };
}
