/**
 * The input log: all that makes one run of a simulated host differ from another with the same seed. It
 * is what came in (keys, sizes, files, what clients and the network outside send) and how far time went
 * while nobody ran, each with the kernel's step. The same host, fed with the log, lives the same life.
 *
 * The log is a pace (kernel/pace.ts): while it has entries to replay it says what time it is and lets
 * them in at their steps; from then on it follows the live pace and writes down what happens.
 */
import type { Pace } from "./kernel/pace.ts";

/** Something from outside; plain data. */
export type Input =
  /** Bytes typed at the console, in hexadecimal digits. */
  | { readonly kind: "keys"; readonly hex: string }
  | { readonly kind: "size"; readonly rows: number; readonly columns: number }
  /** A file put into root's home; its bytes are kept elsewhere, by their digest. */
  | { readonly kind: "file"; readonly name: string; readonly digest: string }
  | WireInput
  | FetchInput;

/** What a client outside does with its connection to the daemon's socket. */
export type WireInput = { readonly connection: number } & (
  | { readonly kind: "connect" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** It has read so many bytes. */
  | { readonly kind: "taken"; readonly count: number }
  /** It sends no more, and may go on reading. */
  | { readonly kind: "end" }
  | { readonly kind: "close" }
);

/** What the network outside answers the daemon: the head, the body in parts, and its end or why there is none. */
export type FetchInput = { readonly fetch: number } & (
  | {
      readonly kind: "response";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: "part"; readonly bytes: Uint8Array }
  | { readonly kind: "fetched" }
  | { readonly kind: "failed"; readonly reason: string | null; readonly message: string }
);

/** Time went to so many nanoseconds since the epoch. */
interface Passing {
  readonly kind: "time";
  readonly to: string;
}

export type LogEntry = (Input | Passing) & { readonly step: number };

export interface InputLogOptions {
  /** What is to be lived again first. */
  readonly replay: readonly LogEntry[];
  /** How time goes after that; made when it is needed, at that virtual time. */
  readonly live: (now: bigint) => Pace;
  readonly pause: () => Promise<void>;
  /** Is given each new entry. */
  readonly sink: (entry: LogEntry) => void;
}

export class InputLog implements Pace {
  readonly pause: () => Promise<void>;
  /** Resolves when the replay is over: true when the run was the same, false when it went another way. */
  readonly replayed: Promise<boolean>;
  readonly #replay: readonly LogEntry[];
  readonly #makeLive: (now: bigint) => Pace;
  readonly #sink: (entry: LogEntry) => void;
  readonly #endReplay: (same: boolean) => void;
  #admit: (input: Input) => void = () => {};
  #live: Pace | null = null;
  #at = 0;
  #step = 0;

  constructor({ replay, live, pause, sink }: InputLogOptions) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#replay = replay;
    this.#makeLive = live;
    this.#sink = sink;
    this.#endReplay = resolve;
    this.pause = pause;
    this.replayed = promise;
  }

  /** Says who takes an input in, between two turns. */
  connect(admit: (input: Input) => void): void {
    this.#admit = admit;
  }

  /** An input is being taken in. One of the replay is in the log already. */
  note(input: Input): void {
    if (this.#live !== null) this.#sink({ ...input, step: this.#step });
  }

  resume(now: bigint): bigint {
    const next = this.#next(now);
    if (next !== null) return next.kind === "time" && next.step === this.#step ? this.#take(next) : now;
    return this.#passed(now, this.#follow(now).resume(now));
  }

  turn(step: number, now: bigint): Promise<void> | null {
    this.#step = step;
    const next = this.#next(now);
    if (next !== null && next.step === step && next.kind !== "time") {
      this.#at++;
      this.#admit(next);
    }
    return this.#live?.turn(step, now) ?? null;
  }

  async idle(now: bigint, until: bigint | null, woken: AbortSignal): Promise<bigint | null> {
    const next = this.#next(now);
    if (next === null) {
      const time = await this.#follow(now).idle(now, until, woken);
      return time === null ? null : this.#passed(now, time);
    }
    if (next.step === this.#step) return next.kind === "time" ? this.#take(next) : now;
    this.#diverge(now);
    return now;
  }

  /** The next entry to be replayed; null when all are. */
  #next(now: bigint): LogEntry | null {
    const next = this.#live === null ? this.#replay[this.#at] : undefined;
    if (next === undefined) return null;
    if (next.step >= this.#step) return next;
    this.#diverge(now);
    return null;
  }

  #take({ to }: Passing): bigint {
    this.#at++;
    return BigInt(to);
  }

  #passed(now: bigint, time: bigint): bigint {
    if (time > now) this.#sink({ kind: "time", to: String(time), step: this.#step });
    return time;
  }

  #follow(now: bigint): Pace {
    if (this.#live === null) {
      this.#live = this.#makeLive(now);
      this.#endReplay(this.#at === this.#replay.length);
    }
    return this.#live;
  }

  /** This run is not the one that was recorded: another program, or another browser's. It goes on from here. */
  #diverge(now: bigint): void {
    this.#follow(now);
  }
}
