/** What happened: the last events are kept, whoever listens is told the new ones. */
import type { Clock } from "../base/ports.ts";
import { Channel } from "./channel.ts";
import type { Event, EventFilter } from "./events.ts";

const kept = 256;

interface Listener {
  readonly filter: EventFilter;
  readonly channel: Channel<Event>;
}

export class EventLog {
  readonly #clock: Clock;
  readonly #events: Event[] = [];
  readonly #listeners = new Set<Listener>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit(type: Event["type"], action: string, id: string, attributes: Event["attributes"]): void {
    const event: Event = { type, action, id, attributes, time: this.#clock.now() };
    this.#events.push(event);
    if (this.#events.length > kept) this.#events.shift();
    for (const { filter, channel } of this.#listeners) if (filter.accepts(event)) channel.send(event);
  }

  /** Listens from the moment of the call. */
  read(filter: EventFilter): AsyncIterable<Event> {
    const over = new AbortController();
    const listener = {
      filter,
      channel: new Channel<Event>(() => {
        this.#listeners.delete(listener);
        over.abort();
      }),
    };
    for (const event of this.#past(filter)) listener.channel.send(event);
    const left = filter.until === null ? null : filter.until - this.#clock.now();
    if (left !== null && left <= 0n) listener.channel.end();
    else this.#listeners.add(listener);
    if (left !== null && left > 0n) this.#endAfter(left, listener, over.signal);
    return listener.channel;
  }

  #past({ since, until, accepts }: EventFilter): Event[] {
    if (since === null) return [];
    return this.#events.filter(
      (event) => event.time >= since && (until === null || event.time <= until) && accepts(event),
    );
  }

  #endAfter(nanoseconds: bigint, listener: Listener, signal: AbortSignal): void {
    const end = (): void => {
      this.#listeners.delete(listener);
      listener.channel.end();
    };
    this.#clock.sleep(Number(nanoseconds / 1_000_000n), signal).then(end, end);
  }

  /** Ends every listener. */
  close(): void {
    for (const { channel } of this.#listeners) channel.end();
    this.#listeners.clear();
  }
}
