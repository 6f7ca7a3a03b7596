/**
 * Who may be able to go on, by when its last turn ended, earliest first: who slept comes before who
 * has just computed, and nobody is passed over for ever.
 */
import type { Process } from "./process.ts";

export class RunQueue {
  /** When each process's last turn ended; also of those that are not in the queue. */
  readonly #ended = new Map<Process, number>();
  /** Sorted by that. */
  #queue: Process[] = [];
  #count = 0;

  /** The process's turn has just ended, or it is new. */
  join(process: Process): void {
    this.leave(process);
    this.#ended.set(process, this.#count++);
    this.#queue.push(process);
  }

  /** Back to its place. */
  rejoin(process: Process): void {
    const at = this.#placeOf(process);
    if (this.#queue[at] !== process) this.#queue.splice(at, 0, process);
  }

  leave(process: Process): void {
    const at = this.#placeOf(process);
    if (this.#queue[at] === process) this.#queue.splice(at, 1);
  }

  forget(process: Process): void {
    this.leave(process);
    this.#ended.delete(process);
  }

  /** As it is now, whatever joins or leaves meanwhile. */
  list(): readonly Process[] {
    return this.#queue.length === 0 ? this.#queue : this.#queue.slice();
  }

  #placeOf(process: Process): number {
    const ended = this.#ended.get(process) ?? this.#count;
    let [low, high] = [0, this.#queue.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#queue[middle];
      if (other !== undefined && (this.#ended.get(other) ?? 0) < ended) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
