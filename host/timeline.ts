/**
 * A session as a line of events, each an entry of its input log. Any event can be looked at: a moment was
 * taken there (moment.ts). And from any event the session can be gone on from another way: machines
 * stand still at places along the line, each having lived the session so far; one of them lives on to
 * the event and from there a life of its own.
 *
 *   ──┬────────┬────────┬─────e──┬────▶ the machine that lives
 *     stands   stands   stands
 *
 * The stack of a process cannot be copied, so a machine that has gone on stands nowhere any more; `prepare` puts
 * another one in its place when there is time.
 */
import { InputLog, type LogEntry } from "../backends/sim/input-log.ts";
import type { Pace } from "../backends/sim/kernel/pace.ts";
import { concat } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import type { ConsoleSize, Screen } from "./console.ts";
import type { Offer } from "./download.ts";
import { type SimulatedHost, startHost } from "./host.ts";
import type { Moment } from "./moment.ts";
import type { World } from "./replay.ts";

/** What all lives of a session have in common. */
export interface Beginning extends World {
  readonly seed: number;
  /** Nanoseconds since the epoch at boot. */
  readonly now: bigint;
  readonly size: ConsoleSize;
  /** Milliseconds of whatever clock there is, to see what living costs. */
  readonly elapsed: () => number;
}

/** How a machine's life goes on when there is no more to live again. */
export interface Life {
  readonly live: (now: bigint) => Pace;
  /** Is given each new entry. */
  readonly kept: (entry: LogEntry) => void;
  /** Is given what the machine printed so far, then what it prints. */
  readonly screen: Screen;
  /** Is given the files that are handed out from then on. */
  readonly offer?: Offer;
}

export interface Branch {
  readonly host: SimulatedHost;
  readonly log: InputLog;
  readonly timeline: Timeline;
}

/** From one machine that stands to the next there is so much to live, in milliseconds. */
const spacingMs = 150;
const standingMax = 16;
/** The clock is looked at after so many events. */
const stride = 32;
/** A carriage return among keys in hexadecimal digits. */
const enter = /^(?:..)*?0d/;

export class Timeline {
  readonly #beginning: Beginning;
  readonly #entries: LogEntry[];
  readonly #moments: Moment[];
  /** After how many entries machines are to stand, in order; and those that do. */
  #places: number[] = [];
  readonly #standing = new Map<number, Standing>();
  #spacingMs = spacingMs;

  private constructor(beginning: Beginning, entries: LogEntry[], moments: Moment[]) {
    this.#beginning = beginning;
    this.#entries = entries;
    this.#moments = moments;
  }

  /** Begins a session, or lives one again that has `entries` already, and goes on with it. */
  static begin(beginning: Beginning, life: Life, entries: readonly LogEntry[] = []): Branch {
    return new Timeline(beginning, [...entries], []).#lived(life, (lived) => boot(beginning, entries, lived));
  }

  /** How many events there were. */
  get length(): number {
    return this.#entries.length;
  }

  /** The events at which Enter was pressed, in order. */
  get enters(): readonly number[] {
    return this.#entries.flatMap((entry, event) => (entry.kind === "keys" && enter.test(entry.hex) ? [event] : []));
  }

  /** The kernel's state just before an event. */
  at(event: number): Moment {
    const moment = this.#moments[event];
    if (moment === undefined)
      throw new TsboxError("not-found", `there is no event ${event}: there were ${this.length}`);
    return moment;
  }

  /**
   * Another life from just before an event on; this one is not touched. Throws TsboxError "corrupt" when the session
   * does not go as it went: it was recorded by another build.
   */
  async resume(event: number, life: Life): Promise<Branch> {
    const moment = this.at(event);
    const standing = this.#take(this.#nearest(event));
    await standing.goTo(event);
    standing.check(moment);
    const timeline = new Timeline(this.#beginning, this.#entries.slice(0, event), this.#moments.slice(0, event));
    return timeline.#lived(life, (lived) => standing.goOn(lived));
  }

  /** Puts machines where they are missing: to be called when there is nothing else to do. */
  async prepare(): Promise<void> {
    await this.#survey();
    this.#thinOut();
    for (const place of this.#places) {
      if (this.#standing.has(place)) continue;
      const standing = this.#take(0);
      await standing.goTo(place);
      this.#standing.set(place, standing);
    }
  }

  /** A machine lives on from the last place to the end, and sees where there is enough to live for another place. */
  async #survey(): Promise<void> {
    const end = this.length - 1;
    const standing = this.#take(this.#places.at(-1) ?? 0);
    let spent = 0;
    while (standing.event < end) {
      const began = this.#beginning.elapsed();
      await standing.goTo(Math.min(standing.event + stride, end));
      spent += this.#beginning.elapsed() - began;
      if (spent < this.#spacingMs) continue;
      this.#places.push(standing.event);
      spent = 0;
    }
    this.#standing.set(standing.event, standing);
  }

  /** A long session has its machines further apart. */
  #thinOut(): void {
    while (this.#places.length > standingMax) {
      this.#places = this.#places.filter((_place, index) => index % 2 === 1);
      this.#spacingMs *= 2;
    }
    for (const event of this.#standing.keys())
      if (!this.#places.includes(event) && event !== this.length - 1) this.#standing.delete(event);
  }

  /** The last place at or before an event where a machine stands. */
  #nearest(event: number): number {
    return Math.max(0, ...[...this.#standing.keys()].filter((place) => place <= event));
  }

  /** The machine that stands somewhere; a new one where none does, at the beginning. */
  #take(event: number): Standing {
    const standing = this.#standing.get(event);
    this.#standing.delete(event);
    return standing ?? new Standing(this.#beginning, this.#entries);
  }

  /** This is the line of a machine that goes on with a life: its moments are taken, its entries kept. */
  #lived(life: Life, goOn: (lived: Lived) => Machine): Branch {
    const machine = goOn({
      ...life,
      before: (count) => {
        this.#moments[count] = machine.host.capture(this.#moments[count - 1] ?? null);
      },
      kept: (entry) => {
        this.#entries.push(entry);
        life.kept(entry);
      },
    });
    // What was not lived, as this is another build, is not of this line.
    void machine.log.replayed.then(() => this.#entries.splice(machine.log.count));
    return { ...machine, timeline: this };
  }
}

interface Machine {
  readonly host: SimulatedHost;
  readonly log: InputLog;
}

interface Lived extends Life {
  /** Is called before each entry, with how many there were. */
  readonly before: (count: number) => void;
}

function boot({ seed, now, size, ...world }: Beginning, replay: readonly LogEntry[], life: Lived): Machine {
  const { live, kept, before, screen, offer = () => {} } = life;
  const log = new InputLog({ replay, live, pause: world.pause, sink: kept, before });
  return { host: startHost({ ...world, seed, now, size, log, screen, offer }), log };
}

/** A machine that has lived a session up to just before an event, and stands still. */
class Standing {
  /** How many entries it has lived. */
  event = 0;
  readonly #machine: Machine;
  #arrived: Promise<boolean>;
  #life: Lived | null = null;
  readonly #printed: Uint8Array[] = [];

  constructor(beginning: Beginning, entries: readonly LogEntry[]) {
    this.#machine = boot(beginning, entries, {
      live: (now) => this.#life?.live(now) ?? astray(),
      kept: (entry) => this.#life?.kept(entry),
      before: (count) => this.#life?.before(count),
      screen: (bytes) => this.#show(bytes),
      offer: (name, bytes) => this.#life?.offer?.(name, bytes),
    });
    this.#arrived = this.#machine.log.standBefore(0);
  }

  async goTo(event: number): Promise<void> {
    if (event !== this.event) this.#arrived = this.#machine.log.standBefore(event);
    this.event = event;
    if (!(await this.#arrived)) throw goesAnotherWay();
  }

  /** Throws when the machine that stands here is not as the one that lived here was. */
  check(moment: Moment): void {
    const { now, turns, processes } = this.#machine.host.capture(moment);
    if (now !== moment.now || turns !== moment.turns || processes !== moment.processes) throw goesAnotherWay();
  }

  /** What was printed so far is shown first. */
  goOn(life: Lived): Machine {
    this.#life = life;
    void life.screen(concat(this.#printed.splice(0)));
    this.#machine.log.branch();
    return this.#machine;
  }

  #show(bytes: Uint8Array): Promise<void> {
    if (this.#life !== null) return this.#life.screen(bytes);
    this.#printed.push(bytes);
    return Promise.resolve();
  }
}

/** A machine that stands takes nothing new in: one whose life does not go as it went stands still for ever. */
function astray(): Pace {
  const forEver = new Promise<never>(() => {});
  return { pause: () => forEver, resume: (now) => now, turn: () => forEver, idle: () => Promise.resolve(null) };
}

function goesAnotherWay(): TsboxError {
  return new TsboxError("corrupt", "the session goes another way than it went: another build of tsbox recorded it");
}
