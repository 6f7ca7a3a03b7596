/**
 * One stream read by two: each chunk goes to both, and the next is read when both have asked for it,
 * so that nothing is held and a chunk stays valid as long as its reader needs it. One that stops
 * early leaves the other alone; when both have, the stream is let go.
 */
import type { ByteStream } from "../base/bytes.ts";

/** One reader's side; it can be let go before it was read at all. */
export interface Branch extends AsyncIterableIterator<Uint8Array, void, undefined> {
  return(): Promise<IteratorResult<Uint8Array, void>>;
}

export function tee(stream: ByteStream): [Branch, Branch] {
  const shared = new Shared(stream[Symbol.asyncIterator]());
  return [branch(shared), branch(shared)];
}

type Next = IteratorResult<Uint8Array, unknown>;

class Shared {
  readonly #source: AsyncIterator<Uint8Array>;
  #readers = 2;
  /** How many wait for the next chunk, and what they wait for. */
  #waiting = 0;
  #coming = Promise.withResolvers<Next>();

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  next(): Promise<Next> {
    const { promise } = this.#coming;
    this.#waiting++;
    this.#advance();
    return promise;
  }

  async leave(): Promise<void> {
    this.#readers--;
    if (this.#readers === 0) await this.#source.return?.();
    else this.#advance();
  }

  #advance(): void {
    if (this.#waiting === 0 || this.#waiting < this.#readers) return;
    const { resolve } = this.#coming;
    this.#coming = Promise.withResolvers<Next>();
    this.#waiting = 0;
    resolve(this.#source.next());
  }
}

function branch(shared: Shared): Branch {
  let isOpen = true;
  const end = async (): Promise<IteratorResult<Uint8Array, void>> => {
    if (isOpen) {
      isOpen = false;
      await shared.leave();
    }
    return { done: true, value: undefined };
  };
  const next = async (): Promise<IteratorResult<Uint8Array, void>> => {
    if (!isOpen) return { done: true, value: undefined };
    try {
      const result = await shared.next();
      return result.done === true ? await end() : result;
    } catch (thrown) {
      await end();
      throw thrown;
    }
  };
  const self: Branch = { next, return: end, [Symbol.asyncIterator]: () => self };
  return self;
}
