/**
 * Who may be able to go on, in the order in which they are to: by what they have had of the processor
 * (cgroup/cpu.ts), and of equals who has waited longest. A turn costs a little by itself, so that nobody is passed
 * over for ever.
 */
import { beginTurn, compareFairly, endTurn } from "./cgroup/cpu.ts";
import type { Process } from "./process.ts";

export class RunQueue {
  readonly #queue = new Set<Process>();
  #count = 0;

  /** The process's turn has just ended, or it is new. */
  join(process: Process): void {
    endTurn(process, this.#count++);
    this.#queue.add(process);
  }

  has(process: Process): boolean {
    return this.#queue.has(process);
  }

  /** Back to its place. */
  rejoin(process: Process): void {
    this.#queue.add(process);
  }

  /** It is the process's turn. */
  take(process: Process): void {
    this.#queue.delete(process);
    beginTurn(process);
  }

  leave(process: Process): void {
    this.#queue.delete(process);
  }

  /** As it is now, whatever joins or leaves meanwhile. */
  list(): readonly Process[] {
    const list = [...this.#queue];
    return list.length > 1 ? list.sort(compareFairly) : list;
  }
}
