/**
 * Trying again: what may work later is tried up to five times, with growing pauses, or after as long
 * as the server asks for (Retry-After, RFC 9110, 10.2.3). Progress in between begins the count anew.
 */
import { parseTime } from "../../base/time.ts";
import { TsboxError } from "../../base/error.ts";
import type { Clock, Random } from "../../base/ports.ts";
import { reasonOf } from "./http.ts";

export const attemptsMax = 5;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A server that wants more than this is taken at its word: not now. */
const patienceMs = 120_000;
const retriedStatuses = new Set([408, 429, 500, 502, 503, 504]);

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal | null;
}

/** Counts the attempts at one thing and waits between them. */
export class Attempts {
  readonly #patience: Patience;
  #failed = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Something came through: the next failure is a first one. */
  progress(): void {
    this.#failed = 0;
  }

  /** Resolves when the next attempt may begin; throws what was thrown when there is to be none. */
  async after(thrown: unknown): Promise<void> {
    const { clock, random, signal } = this.#patience;
    signal?.throwIfAborted();
    if (!mayPass(thrown) || ++this.#failed >= attemptsMax) throw thrown;
    const asked = askedPause(thrown, clock);
    if (asked !== null && asked > patienceMs) throw thrown;
    await clock.sleep(asked ?? this.#pause(random), signal ?? undefined);
    signal?.throwIfAborted();
  }

  /** Doubles, with up to a half of chance: clients that failed together should not come back together. */
  #pause(random: Random): number {
    const whole = Math.min(firstPauseMs * 2 ** (this.#failed - 1), longestPauseMs);
    const [byte = 0] = random.bytes(1);
    return whole / 2 + (whole / 2) * (byte / 255);
  }
}

/** Whether it may be different the next time. */
function mayPass(thrown: unknown): boolean {
  if (reasonOf(thrown) === "broken") return true;
  return thrown instanceof TsboxError && retriedStatuses.has(Number(thrown.data["status"]));
}

function askedPause(thrown: unknown, clock: Clock): number | null {
  const text = thrown instanceof TsboxError ? thrown.data["retryAfter"] : undefined;
  if (typeof text !== "string") return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const time = parseHttpDate(text);
  return time === null ? null : Math.max(0, Number((time - clock.now()) / 1_000_000n));
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "Sun, 06 Nov 1994 08:49:37 GMT" in nanoseconds since the epoch; null for what is none. */
function parseHttpDate(text: string): bigint | null {
  const [, day, month = "", year, time] = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d) GMT$/.exec(text) ?? [];
  const number = months.indexOf(month) + 1;
  if (day === undefined || number === 0) return null;
  return parseTime(`${year}-${String(number).padStart(2, "0")}-${day}T${time}Z`);
}
