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
  /** Is called before each entry is taken in, of the replay and new, with how many there were before. */
  readonly before?: (count: number) => void;
}

export class InputLog implements Pace {
  readonly pause: () => Promise<void>;
  /** Resolves when the replay is over: true when the run was the same, false when it went another way. */
  readonly replayed: Promise<boolean>;
  readonly #makeLive: (now: bigint) => Pace;
  readonly #sink: (entry: LogEntry) => void;
  readonly #before: (count: number) => void;
  readonly #endReplay: (same: boolean) => void;
  #replay: readonly LogEntry[];
  #admit: (input: Input) => void = () => {};
  #live: Pace | null = null;
  #count = 0;
  #step = 0;
  /** Before which entry of the replay the machine is to stand still, and who waits for that. */
  #stop: { readonly before: number; readonly reached: () => void } | null = null;
  #goOn: () => void = () => {};
  #isOver = false;
  #hurried = 0n;
  /** The virtual time at which it stands. */
  #now = 0n;

  constructor({ replay, live, pause, sink, before = () => {} }: InputLogOptions) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#replay = replay;
    this.#makeLive = live;
    this.#sink = sink;
    this.#before = before;
    this.#endReplay = resolve;
    this.pause = pause;
    this.replayed = promise;
  }

  /** Nothing is lived again any more. */
  get isLive(): boolean {
    return this.#live !== null;
  }

  /** How many entries were taken in. */
  get count(): number {
    return this.#count;
  }

  /** Says who takes an input in, between two turns. */
  connect(admit: (input: Input) => void): void {
    this.#admit = admit;
  }

  /** An input is being taken in. One of the replay is in the log already. */
  note(input: Input): void {
    if (this.#live !== null) this.#write({ ...input, step: this.#step });
  }

  // A machine that stands still

  /**
   * Lives on up to just before an entry of the replay that is still to come; resolves when the machine stands
   * there, false when it never will: its life went another way.
   */
  standBefore(entry: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#stop = { before: entry, reached: () => resolve(true) };
      void this.replayed.then(() => resolve(false));
      this.#goOn();
    });
  }

  /** From where it stands the machine lives a life of its own: what the log had next is not lived again. */
  branch(): void {
    this.#replay = this.#replay.slice(0, this.#count);
    this.#stop = null;
    this.#follow(this.#now);
    this.#goOn();
  }

  /** The machine stands still for ever, at the next turn. */
  end(): void {
    this.#isOver = true;
  }

  #standsBefore(entry: LogEntry): boolean {
    return this.#stop?.before === this.#count && entry.step === this.#step;
  }

  #stand(now: bigint): Promise<void> {
    return new Promise((resolve) => {
      this.#now = now;
      this.#goOn = resolve;
      this.#stop?.reached();
    });
  }

  // The pace

  async resume(now: bigint): Promise<bigint> {
    const next = this.#next(now);
    if (next === null) return this.#passed(now, await this.#follow(now).resume(now));
    if (next.kind !== "time" || next.step !== this.#step) return now;
    if (!this.#standsBefore(next)) return this.#take(next);
    await this.#stand(now);
    return this.resume(now);
  }

  turn(step: number, now: bigint): Promise<void> | null {
    if (this.#isOver) return new Promise(() => {});
    this.#step = step;
    const next = this.#next(now);
    if (next === null) return this.#follow(now).turn(step, now);
    if (next.step === step && next.kind !== "time") {
      if (this.#standsBefore(next)) return this.#stand(now).then(async () => this.turn(step, now) ?? undefined);
      this.#before(this.#count++);
      this.#admit(next);
    }
    return null;
  }

  async idle(now: bigint, until: bigint | null, woken: AbortSignal): Promise<bigint | null> {
    const next = this.#next(now);
    if (next === null) {
      const time = await this.#follow(now).idle(now, until, woken);
      return time === null ? null : this.#passed(now, time);
    }
    if (this.#standsBefore(next)) {
      await this.#stand(now);
      return this.idle(now, until, woken);
    }
    if (next.step === this.#step) return next.kind === "time" ? this.#take(next) : now;
    this.#diverge(now);
    return now;
  }

  /** Of a life lived again the log knows when time went how far. */
  hurry(until: bigint): void {
    this.#hurried = until;
    this.#live?.hurry?.(until);
  }

  /** The next entry to be replayed; null when all are. */
  #next(now: bigint): LogEntry | null {
    const next = this.#live === null ? this.#replay[this.#count] : undefined;
    if (next === undefined) return null;
    if (next.step >= this.#step) return next;
    this.#diverge(now);
    return null;
  }

  #take({ to }: Passing): bigint {
    this.#before(this.#count++);
    return BigInt(to);
  }

  #passed(now: bigint, time: bigint): bigint {
    if (time > now) this.#write({ kind: "time", to: String(time), step: this.#step });
    return time;
  }

  #write(entry: LogEntry): void {
    this.#before(this.#count++);
    this.#sink(entry);
  }

  #follow(now: bigint): Pace {
    if (this.#live === null) {
      this.#live = this.#makeLive(now);
      this.#live.hurry?.(this.#hurried);
      this.#endReplay(this.#count === this.#replay.length);
    }
    return this.#live;
  }

  /** This run is not the one that was recorded: another program, or another browser's. It goes on from here. */
  #diverge(now: bigint): void {
    this.#follow(now);
  }
}
