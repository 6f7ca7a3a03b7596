/** What happens at a virtual time: the earliest first, and of one time what was asked for first. A binary heap. */
export interface Timer {
  readonly at: bigint;
  readonly order: number;
  readonly fire: () => void;
  isCancelled: boolean;
}

export class Timers {
  readonly #heap: Timer[] = [];
  #count = 0;

  add(at: bigint, fire: () => void): Timer {
    const timer = { at, order: this.#count++, fire, isCancelled: false };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  /** The earliest time; null when there is none. */
  next(): bigint | null {
    while (this.#heap[0]?.isCancelled === true) this.#removeFirst();
    return this.#heap[0]?.at ?? null;
  }

  /** Fires what is due, in order; what that adds for a time that is past is due as well. True when anything was. */
  fire(now: bigint): boolean {
    let fired = false;
    for (let next = this.next(); next !== null && next <= now; next = this.next()) {
      this.#removeFirst()?.fire();
      fired = true;
    }
    return fired;
  }

  #removeFirst(): Timer | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #rise(at: number): void {
    for (let child = at; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!this.#isEarlier(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(at: number): void {
    for (let parent = at; ; ) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      let first = parent;
      if (left < this.#heap.length && this.#isEarlier(left, first)) first = left;
      if (right < this.#heap.length && this.#isEarlier(right, first)) first = right;
      if (first === parent) return;
      this.#swap(first, parent);
      parent = first;
    }
  }

  #isEarlier(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return;
    this.#heap[one] = b;
    this.#heap[other] = a;
  }
}
