/**
 * A channel: values are sent, one reader iterates over them. Nothing is lost between opening and
 * reading; leaving the loop closes the channel and tells whoever feeds it.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  readonly #onClose: () => void;
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(onClose: () => void = () => {}) {
    this.#onClose = onClose;
  }

  send(value: T): void {
    if (this.#ended) return;
    this.#values.push(value);
    this.#ring();
  }

  /** What was sent is still read; then the iteration ends. */
  end(): void {
    this.#ended = true;
    this.#ring();
  }

  #ring(): void {
    this.#wake?.();
    this.#wake = null;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        while (this.#values.length > 0) yield this.#values.shift() as T;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#ended = true;
      this.#onClose();
    }
  }
}
